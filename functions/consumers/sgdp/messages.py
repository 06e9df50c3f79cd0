"""What TPD asks, and the form in which it is answered: TOTVS's, however the request was written."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, TypeVar

from pydantic import AfterValidator, ConfigDict, Field

from consumers.sgdp.requested import Identifiers, storable
from smartlink.consumer import Context, Payload, Reply

APPLICATION_ID = "smartlink-gcp"  # the name under which TPD knows this application
AUDIENCE = "SGDP"

MOST_BYTES = 250_000
"""Of an answer: what Smart Link recommends. A longer one goes in parts."""

_FRAME = 10_000  # bytes for the header and what else stands around the items

_Item = TypeVar("_Item")


class Request(Payload):
    """What every TPD request has."""

    model_config = ConfigDict(hide_input_in_errors=True, coerce_numbers_to_str=True)

    request_id: Annotated[
        str, Field(alias="requestID", min_length=1, max_length=200), AfterValidator(storable)
    ]
    identifiers: Identifiers = Identifiers()


class MaskRequest(Request):
    """A request to anonymise; `to_verify` asks only what it would come to."""

    to_verify: Annotated[bool, Field(alias="toVerify")] = False


def tenant_id(context: Context) -> str:
    """Repeat the tenant's id as TPD wrote it: for answers only, it decides nothing."""
    sent = context.header.get("tenantid")
    return sent if isinstance(sent, str) and 0 < len(sent) <= _FRAME // 20 else context.tenant


def respond(context: Context, kind: str, request: Request, **content: object) -> Reply:
    """Build the answer to a request."""
    locale = context.header.get("locale")
    named = isinstance(locale, str) and 0 < len(locale) <= _FRAME // 20
    header = {
        "type": kind,
        "tenantId": tenant_id(context),
        "generatedOn": context.now.isoformat(),
        "locale": locale if named else "pt_BR",
    }
    body = {"requestID": request.request_id, "applicationId": APPLICATION_ID, **content}
    return Reply(kind, {"header": header, "content": body}, audience=AUDIENCE)


def respond_in_parts(
    context: Context,
    kind: str,
    request: Request,
    items: Iterable[_Item],
    content: Callable[[Sequence[_Item]], dict[str, object]],
) -> list[Reply]:
    """Answer with the items, in as many replies as the recommended size asks for.

    Each is an answer of its own with some of the items and the same requestID; if there are
    several, `part` counts them from 1 and `parts` is their number. An item that is too large by
    itself goes alone, beyond the recommended size.
    """
    groups: list[list[_Item]] = [[]]
    room = MOST_BYTES - _FRAME
    for item in items:
        size = len(json.dumps(content([item]), ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if size > room and groups[-1]:
            groups.append([])
            room = MOST_BYTES - _FRAME
        groups[-1].append(item)
        room -= size
    if len(groups) == 1:
        return [respond(context, kind, request, **content(groups[0]))]
    return [
        respond(context, kind, request, **content(group), part=number, parts=len(groups))
        for number, group in enumerate(groups, start=1)
    ]
