"""Checks a message to publish, by the rules of the function `publish`."""

from typing import Required, TypedDict
from uuid import uuid4

from smartlink.domain.payload import write_json
from smartlink.domain.tenant import TenantError, check_tenant_name
from smartlink.publisher.errors import PublishRefused
from smartlink.services.publishing.publish import (
    BODY_LIMIT,
    PublishError,
    PublishRequest,
    parse_request,
)

_SPELT = {"correlation_id": "correlationId"}


class Outgoing(TypedDict, total=False):
    """A message for a cloud app."""

    tenant: Required[str]
    type: Required[str]  # the command, as the receiver knows it
    content: Required[str | dict[str, object] | list[object]]  # all but a text is sent as JSON
    audience: str | None
    correlation_id: str | None
    id: str | None  # default: a random id; a repeated id means the same message


def parsed(message: Outgoing) -> tuple[bytes, PublishRequest]:
    """Returns the body for a call of the function, with an id, and the request that it holds.

    Raises PublishRefused.
    """
    named = {_SPELT.get(name, name): it for name, it in message.items() if it is not None}
    try:
        body = write_json({"id": uuid4().hex, **named}).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"it cannot be written as JSON ({type(error).__name__}): {error}"
        raise PublishRefused("content", problem) from None
    if len(body) > BODY_LIMIT:
        problem = f"the message has {len(body)} bytes as JSON; at most {BODY_LIMIT} are accepted"
        raise PublishRefused("body", problem)
    try:
        request = parse_request(body)
        check_tenant_name(request.tenant)
    except PublishError as error:
        raise PublishRefused(error.field, str(error)) from None
    except TenantError as error:
        raise PublishRefused("tenant", str(error)) from None
    return body, request
