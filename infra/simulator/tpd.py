"""TPD: makes requests to an ERP about a person's data, and waits for the answers.

Assumptions (A): the status stays "Em Processamento" until the first well-formed answer; a command's
message has no audience; `SGDPLogsCommand` has the same body as `SGDPDataCommand`.
"""

import json
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from infra.simulator.answers import COMMAND_OF, MalformedAnswerError, body_of, check
from infra.simulator.message import Message

AUDIENCE = "SGDP"
_UNMATCHED_KEPT = 1_000


class Status(StrEnum):
    """The status of a request, in TPD's words."""

    PROCESSING = "Em Processamento"
    PROCESSED = "Processada"


class Ask(BaseModel):
    """A request as an administrator enters it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )

    tenant: str
    command: Literal["SGDPDataCommand", "SGDPMaskCommand", "SGDPLogsCommand"]
    identifiers: dict[str, object]
    to_verify: bool = False
    """Whether it is a dry run; only the mask command has this field."""
    style: Literal["totvs", "cloudevents"] = "totvs"
    request_id: str | None = None
    """The request's id; without it TPD makes one."""


@dataclass(slots=True)
class Request:
    """A request and its answer."""

    ask: Ask
    request_id: str
    requested_at: float
    status: Status = Status.PROCESSING
    answered_at: float | None = None
    answers: int = 0
    answer: str | None = None
    problem: str | None = None
    """Why the last answer was not accepted."""

    def view(self) -> dict[str, object]:
        """Return the request for the admin API."""
        return {
            "requestId": self.request_id,
            "tenant": self.ask.tenant,
            "command": self.ask.command,
            "status": self.status,
            "style": self.ask.style,
            "requestedAt": iso(self.requested_at),
            "answeredAt": None if self.answered_at is None else iso(self.answered_at),
            "answers": self.answers,
            "answer": self.answer,
            "problem": self.problem,
        }


class Tpd:
    """The requests. An answer counts only for a request of the tenant that sent the answer."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str], Request] = {}
        self.unmatched: deque[dict[str, object]] = deque(maxlen=_UNMATCHED_KEPT)

    def __iter__(self) -> Iterator[Request]:
        return iter(self._requests.values())

    def knows(self, tenant: str, request_id: str | None) -> bool:
        """Tell whether the tenant has a request with this id."""
        return (tenant, request_id) in self._requests

    def ask(self, ask: Ask, tenant_id: str, now: float) -> tuple[Request, Message]:
        """Open a request; return it, and the message that the caller must publish."""
        request = Request(ask, ask.request_id or str(uuid.uuid4()), now)
        self._requests[ask.tenant, request.request_id] = request
        message_id = str(uuid.uuid4())
        return request, Message(message_id, ask.command, _content(request, tenant_id, message_id))

    def answered(self, tenant: str, response: str, content: str, now: float) -> bool:
        """Receive an ERP's answer; return whether it belongs to a request."""
        try:
            body = body_of(content)
        except MalformedAnswerError as error:
            return self._unmatched(tenant, response, content, str(error))
        request_id = body.get("requestID")
        request = self._requests.get((tenant, request_id)) if isinstance(request_id, str) else None
        if request is None:
            return self._unmatched(tenant, response, content, "no such requestID")
        request.answers += 1
        request.answer = content
        request.problem = _problem(request, response, body)
        if request.problem is None and request.status is Status.PROCESSING:
            request.status = Status.PROCESSED
            request.answered_at = now
        return True

    def _unmatched(self, tenant: str, response: str, content: str, reason: str) -> bool:
        self.unmatched.append(
            {"tenant": tenant, "type": response, "content": content, "reason": reason}
        )
        return False


def iso(instant: float) -> str:
    """Write an instant of the simulator's clock as ISO 8601, in UTC."""
    return datetime.fromtimestamp(instant, UTC).isoformat()


def _problem(request: Request, response: str, body: Mapping[str, object]) -> str | None:
    if COMMAND_OF[response] != request.ask.command:
        return f"{response} does not answer {request.ask.command}"
    try:
        check(response, body)
    except MalformedAnswerError as error:
        return str(error)
    return None


def _content(request: Request, tenant_id: str, message_id: str) -> str:
    ask = request.ask
    body: dict[str, object] = {"requestID": request.request_id, "identifiers": ask.identifiers}
    if ask.command == "SGDPMaskCommand":
        body["toVerify"] = ask.to_verify
    asked = iso(request.requested_at)
    if ask.style == "totvs":
        header = {
            "type": ask.command,
            "tenantId": tenant_id,
            "generatedOn": asked,
            "locale": "pt-BR",
        }
        return json.dumps({"header": header, "content": body}, ensure_ascii=False)
    event = {
        "specversion": "1.0",
        "id": message_id,
        "source": AUDIENCE,
        "type": ask.command,
        "time": asked,
    }
    event |= {"tenantid": tenant_id, "correlationid": request.request_id}
    return json.dumps(event | {"data": body}, ensure_ascii=False)
