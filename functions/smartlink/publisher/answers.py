"""What the function `publish` answers, and what it means."""

import json
from dataclasses import dataclass
from typing import Any

from smartlink.domain.json_bytes import unmarked
from smartlink.publisher.errors import PublishRefused

_UNAUTHORIZED, _FORBIDDEN, _OK = 401, 403, 200
_OF_THE_FUNCTION = frozenset({400, 409, 413})
_MAY_NOT = "the caller may not call the function: grant it roles/run.invoker on its service"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is in the outbox."""

    id: str
    repeated: bool  # it had been accepted before, under this id


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, as far as it matters."""

    status: int
    body: Any  # what its JSON says; {} if it says nothing
    retry_after: float


def accepted(answer: Answer) -> Accepted:
    """What the function accepted. Raises PublishRefused for all else."""
    status, body = answer.status, answer.body
    if status == _OK and isinstance(body.get("id"), str):
        return Accepted(body["id"], bool(body.get("repeated")))
    error = body.get("error")
    if status in _OF_THE_FUNCTION and isinstance(error, dict) and error.get("field"):
        raise PublishRefused(str(error["field"]), str(error.get("message")), status=status)
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        raise PublishRefused("authorization", _MAY_NOT, status=status)
    problem = f"it answered {status}, which is not the function publish: see its URL"
    raise PublishRefused("url", problem, status=status)


def read_json(text: bytes) -> Any:  # noqa: ANN401
    """A JSON object; an empty one for all else."""
    try:
        body = json.loads(unmarked(text))
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
