"""The cause of an error: what remains of its text once everything that varies is left out."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from smartlink.domain.message import State, Summary

_VARIABLE = (
    (re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|\b[0-9a-fA-F]{16,}\b"), "<id>"),
    (re.compile(r"'[^']*'|\"[^\"]*\""), "<text>"),
    (re.compile(r"\d+"), "<n>"),
)
CODE = re.compile(r"[0-9a-f]{8}")
"""What a fingerprint's code looks like."""


def fingerprint(error: str) -> tuple[str, str]:
    """Returns a short code and the pattern of an error. Errors that differ in numbers, ids or
    quoted texts alone have the same ones."""
    pattern = error.partition("\n")[0]
    for variable, word in _VARIABLE:
        pattern = variable.sub(word, pattern)
    return hashlib.sha256(pattern.encode("utf-8", "replace")).hexdigest()[:8], pattern[:200]


def code_of(error: str | None) -> str | None:
    """Returns the code of an error's fingerprint; None where there is no error."""
    return fingerprint(error)[0] if error else None


@dataclass
class Failure:
    """Messages that failed alike."""

    code: str
    pattern: str
    messages: int = 0
    dead: int = 0
    example: str = ""


def add_failure(failures: dict[str, Failure], message: Summary) -> None:
    """Counts a message among the failures, if it has an error."""
    if not message.error:
        return
    code, pattern = fingerprint(message.error)
    failure = failures.setdefault(code, Failure(code, pattern, example=message.id))
    failure.messages += 1
    failure.dead += message.state is State.DEAD


def worst(failures: Iterable[Failure]) -> list[Failure]:
    """Returns the failures, the most frequent first."""
    return sorted(failures, key=lambda it: (-it.messages, it.code))


def failures_of(messages: Iterable[Summary]) -> list[Failure]:
    """Groups messages by the cause of their errors, the most frequent cause first."""
    failures: dict[str, Failure] = {}
    for message in messages:
        add_failure(failures, message)
    return worst(failures.values())
