"""Publish stores a segment's message for a cloud app in the outbox, once for each id."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from smartlink.domain import lifecycle
from smartlink.domain.identity import Direction, document_id, is_no_id
from smartlink.domain.message import Message, Past, Stored
from smartlink.domain.payload import beyond_doubles, read_json, write_json
from smartlink.domain.settlement import Settlement
from smartlink.domain.tenant import TenantError, check_tenant_name
from smartlink.domain.traceparent import valid_traceparent
from smartlink.observability import INFO, bound, event, message_event
from smartlink.ports import Clock, Conflict, Contents, Messages, NewId, Unavailable
from smartlink.services.contents import keep, withdraw_all
from smartlink.services.repeats import same
from smartlink.services.tenants import Tenants

BODY_LIMIT = 12_582_912  # bytes of a request's body; the caller of parse_request checks it
_CONTENT_LIMIT = 8_388_608  # characters of a content
_CONTAINERS = 500_000  # objects and lists in a body
_TEXT_OR_OPENED = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[{\[]', re.DOTALL)

_RESERVED = {".", ".."}
_REPLY = re.compile(r"D-.*/reply/[0-9]+", re.DOTALL)  # see settlement.reply_id


def _sendable(name: str) -> str:
    if name in _RESERVED:
        message = "no path of the broker can hold it"
        raise ValueError(message)
    return name


def _free(message_id: str) -> str:
    if _REPLY.fullmatch(message_id):
        message = "ids of this form belong to the relay's own replies"
        raise ValueError(message)
    if message_id.strip() and is_no_id(message_id):
        message = "a GUID of zeros is no id: give one of its own, or leave it out"
        raise ValueError(message)
    return message_id


def _carried(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        message = "it has half of a surrogate pair, which UTF-8 cannot carry"
        raise ValueError(message) from None
    return text


_Content = Annotated[str, AfterValidator(_carried)]
_Text = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Name = Annotated[_Text, AfterValidator(_sendable)]  # a segment of the path of `send`


class PublishError(ValueError):
    """The request cannot be accepted. `field` names the wrong field, and the text names the fix."""

    def __init__(self, field: str, problem: str, *, conflict: bool = False) -> None:
        super().__init__(problem)
        self.field = field
        self.conflict = conflict  # the request is valid, but contradicts a stored message


class PublishRequest(BaseModel):
    """The body of a call of `publish`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    tenant: str
    type: _Name
    content: Annotated[_Content | dict[str, object] | list[object], Field(repr=False)]
    audience: _Name | None = None
    correlation_id: Annotated[_Text | None, Field(alias="correlationId")] = None
    id: Annotated[_Text, AfterValidator(_free)] | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """The answer to a call of `publish`."""

    id: str
    repeated: bool  # a message with this id and content was accepted before


def parse_request(body: bytes) -> PublishRequest:
    """Reads the request from a body. Raises PublishError, which names the first wrong field."""
    if _too_rich(body):
        problem = f"it has more than {_CONTAINERS} objects and lists; send it as a text"
        raise PublishError("content", problem)
    try:
        document = read_json(body, constants=False)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise PublishError("body", "it is no JSON") from None
    except RecursionError:
        raise PublishError("body", "it is nested too deeply") from None
    except ValueError:  # of an integer: only a content may hold one
        field = "content" if body.lstrip().startswith(b"{") else "body"
        problem = "a number in it has more digits than can be read; use a text"
        raise PublishError(field, problem) from None
    if not isinstance(document, Mapping):
        raise PublishError("body", "it must be a JSON object")
    try:
        request = PublishRequest.model_validate(document)
    except ValidationError as error:
        item = error.errors(include_input=False, include_url=False, include_context=False)[0]
        # After the field's name `loc` may hold a union's branch, which the caller does not know.
        problem = item["msg"].removeprefix("Value error, ")
        field = str(item["loc"][0]) if item["loc"] else "body"
        raise PublishError(field, problem) from None
    if beyond_doubles(request.content):
        problem = "a number in it is too large: whoever reads it as a double gets none; use a text"
        raise PublishError("content", problem)
    return request


def _too_rich(body: bytes) -> bool:
    """Whether what Python would make of it takes more memory than an instance can spare: 200 bytes
    for each object and list. Texts are passed over, to the end of one that has none."""
    if body.count(b"{") + body.count(b"[") <= _CONTAINERS:
        return False
    opened = (1 for found in _TEXT_OR_OPENED.finditer(body) if found[0] in {b"{", b"["})
    return next(islice(opened, _CONTAINERS, None), None) is not None


@dataclass(frozen=True, slots=True)
class Publish:
    """The use case of `publish`."""

    tenants: Tenants
    messages: Messages
    contents: Contents
    clock: Clock
    new_id: NewId

    def __call__(self, request: PublishRequest, traceparent: str | None = None) -> Published:
        """Stores the message, with the trace of the call.

        Raises PublishError if the request is wrong, and Unavailable if the database or the bucket
        failed, so that the message may not be stored.
        """
        self._check_tenant(request.tenant)
        message = replace(self._message(request), trace=valid_traceparent(traceparent))
        with bound(tenant=request.tenant):
            repeated = not self._store(request.tenant, message)
            action = "message_duplicate" if repeated else "message_published"
            text = "Accepted before" if repeated else "Accepted"
            message_event(message, action, text, INFO, type=message.type)
        return Published(message.id, repeated)

    def _check_tenant(self, name: str) -> None:
        try:
            check_tenant_name(name)
        except TenantError as error:
            raise PublishError("tenant", str(error)) from None
        if any(name == entry.name for entry in self.tenants.entries()):
            return
        if not any(name == entry.name for entry in self.tenants.entries(fresh=True)):
            raise PublishError("tenant", f"no tenant {name} is active here: activate it first")

    def _message(self, request: PublishRequest) -> Message:
        content = request.content
        try:
            text = content if isinstance(content, str) else write_json(content)
        except RecursionError:
            raise PublishError("content", "it is nested too deeply") from None
        except (TypeError, ValueError) as error:
            raise PublishError("content", f"it cannot be written as JSON: {error}") from None
        if len(text) > _CONTENT_LIMIT:
            problem = f"it has {len(text)} characters; at most {_CONTENT_LIMIT} are accepted"
            raise PublishError("content", problem)
        message_id = request.id or self.new_id()
        document = document_id(Direction.UPSTREAM, message_id)
        return lifecycle.to_send(
            message_id=message_id,
            message_type=request.type,
            content=keep(self.contents, request.tenant, document, text),
            now=self.clock(),
            audience=request.audience,
            correlation_id=request.correlation_id,
            published=True,
        )

    def _store(self, tenant: str, message: Message) -> bool:
        """Creates the document, then reads the history; returns False if the message was accepted
        before.

        Raises PublishError if the id belongs to another message.
        """
        document = message.document
        version = self.messages.create(tenant, [message])[0]
        live = self.messages.alive(tenant, [document]).get(document) if version is None else None
        ended = self.messages.past(tenant, [document]).get(document)
        if version is not None and ended is None:
            return True
        if version is not None:
            self._withdraw(tenant, Stored(message, version))
        other = ended or live
        if other is None:
            text = f"what was stored under the id {message.id[:80]!r} went meanwhile: try again"
            raise Unavailable(text)
        if version is not None or live is None or live.sha256 != message.content.sha256:
            withdraw_all(self.contents, self.messages, tenant, [message], self.clock())
        _check_same(message, other)
        return False

    def _withdraw(self, tenant: str, stored: Stored) -> None:
        gone = Settlement(document=stored.message.document, fence=stored.version)
        try:
            self.messages.commit(tenant, [gone])
        except Conflict:
            event("message_duplicate", "A poll found the repeat first", INFO)


def _check_same(message: Message, other: Past) -> None:
    if not same(message, other) or message.audience != other.audience:
        problem = "another message has this id: choose another, or repeat it unchanged"
        raise PublishError("id", problem, conflict=True)
