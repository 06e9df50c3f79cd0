"""What TPD asks, and the form in which it is answered: TOTVS's, however the request was written."""

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from consumers.sgdp.identifiers import Identifiers
from smartlink.consumer import Context, Payload, Reply

APPLICATION_ID = "smartlink-gcp"  # the name under which TPD knows this application
AUDIENCE = "SGDP"


class Request(Payload):
    """What every TPD request has."""

    model_config = ConfigDict(hide_input_in_errors=True, coerce_numbers_to_str=True)

    request_id: Annotated[str, Field(alias="requestID", min_length=1, max_length=200)]
    identifiers: Annotated[
        Identifiers, BeforeValidator(lambda value: {} if value is None else value)
    ] = Identifiers()


class MaskRequest(Request):
    """A request to anonymise; `to_verify` asks only what it would come to."""

    to_verify: Annotated[bool, Field(alias="toVerify")] = False


def tenant_id(context: Context) -> str:
    """Repeat the tenant's id as TPD wrote it: for answers only, it decides nothing."""
    sent = context.header.get("tenantid")
    return sent if isinstance(sent, str) and sent else context.tenant


def respond(context: Context, kind: str, request: Request, **content: object) -> Reply:
    """Build the answer to a request."""
    locale = context.header.get("locale")
    header = {
        "type": kind,
        "tenantId": tenant_id(context),
        "generatedOn": context.now.isoformat(),
        "locale": locale if isinstance(locale, str) and locale else "pt_BR",
    }
    body = {"requestID": request.request_id, "applicationId": APPLICATION_ID, **content}
    return Reply(kind, {"header": header, "content": body}, audience=AUDIENCE)
