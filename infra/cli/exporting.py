"""One message with its history as a file, and the message in such a file."""

import json
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.cli.errors import UsageError
from infra.cli.screen import Json
from smartlink.domain import lifecycle
from smartlink.domain.identity import content_hash, encode
from smartlink.domain.message import Content, Message

FORMAT = "smartlink-message/1"


class Exported(BaseModel):
    """What a replay needs of the file; the rest is for people."""

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


def document(whole: Json, text: str | None) -> Json:
    """The file's document."""
    return {"format": FORMAT, **whole, "text": text}


def read(path: Path) -> Exported:
    """The message in a file. Raises UsageError."""
    try:
        exported = Exported.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}"
        raise UsageError(message) from None
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        message = f"{path}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        raise UsageError(message) from None
    except ValueError:
        message = f"{path} is no JSON"
        raise UsageError(message) from None
    if exported.format != FORMAT:
        message = f"{path} is {exported.format[:40]!r}, not {FORMAT}: export the message again"
        raise UsageError(message)
    return exported


def message_of(exported: Exported) -> Message:
    """The message as it was before its attempt."""
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
