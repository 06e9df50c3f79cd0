"""Reads the answers of the function `publish`."""

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
    """The function has put the message into the outbox."""

    id: str
    repeated: bool  # it was accepted before, under this id


@dataclass(frozen=True, slots=True)
class Answer:
    """The parts of an HTTP answer that matter here."""

    status: int
    body: Any  # the JSON object; {} if there is none
    retry_after: float


def accepted(answer: Answer) -> Accepted:
    """Returns what the function accepted. Raises PublishRefused for any other answer."""
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
    """Reads a JSON object; returns an empty one if the text holds none."""
    try:
        body = json.loads(unmarked(text))
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
