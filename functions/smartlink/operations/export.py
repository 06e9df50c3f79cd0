"""Writes one message with its history as a file's document, and reads the message from it."""

import json
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from smartlink.domain import lifecycle
from smartlink.domain.identity import content_hash, encode
from smartlink.domain.json_bytes import unmarked
from smartlink.domain.message import Content, Message
from smartlink.i18n import _
from smartlink.operations.errors import InvalidError
from smartlink.operations.ports import Deployment
from smartlink.operations.trace import Trace
from smartlink.operations.views import Json, trace_view
from smartlink.services.contents import load

FORMAT = "smartlink-message/1"


class Exported(BaseModel):
    """The fields of the file that a replay needs. The other fields are for people."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: str
    tenant: str
    id: str
    command: str
    direction: str
    received: datetime
    attempt: int = 0
    personal: bool = False
    audience: str | None = None
    correlation_id: str | None = Field(default=None, alias="correlationId")
    text: str | None = Field(default=None, repr=False)


def content_of(deployment: Deployment, message: Message) -> str | None:
    """Returns the message's content from the document or the bucket; None if it is not kept.

    Raises PortError.
    """
    content = message.content
    kept = content.text is not None or content.object is not None
    return load(deployment.contents, content) if kept else None


def document(trace: Trace, text: str | None) -> Json:
    """Returns the file's document. `text` is the content."""
    return {"format": FORMAT, **trace_view(trace, content=False), "text": text}


def parse(data: bytes, name: str) -> Exported:
    """Reads the message from a file. Raises InvalidError, which tells the file's `name`."""
    try:
        exported = Exported.model_validate(json.loads(unmarked(data)))
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, problem["loc"]))
        message = _("{name}: {field}: {problem}", name=name, field=field, problem=problem["msg"])
        raise InvalidError(message) from None
    except (ValueError, RecursionError):
        message = _("{name} is no JSON", name=name)
        raise InvalidError(message) from None
    if exported.format != FORMAT:
        message = _(
            "{name} is {format!r}, not {wanted}: export the message again",
            name=name,
            format=exported.format[:40],
            wanted=FORMAT,
        )
        raise InvalidError(message)
    return exported


def message_of(exported: Exported) -> Message:
    """Makes the message as it was first received."""
    text = exported.text or ""
    return lifecycle.received(
        message_id=exported.id,
        command=exported.command,
        content=Content(content_hash(text), len(encode(text)), text),
        now=exported.received,
        due=exported.received,
        audience=exported.audience,
        correlation_id=exported.correlation_id,
        personal=exported.personal,
    )
