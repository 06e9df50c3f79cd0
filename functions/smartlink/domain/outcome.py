"""The outcome of a consumer's run of a message, as a value."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartlink.domain.message import Content, LogType


@dataclass(frozen=True, slots=True)
class Answer:
    """A checked reply, ready to be stored; a large content is in the bucket already."""

    type: str
    content: Content
    audience: str | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line that the consumer logged about the message."""

    type: LogType
    text: str
    at: datetime
    debug: str | None = None


@dataclass(frozen=True, slots=True)
class NextStep:
    """The message that continues this one; a large content is in the bucket already."""

    content: Content
    most: int  # steps that a work may have
    grace: timedelta  # how long its dispatch may stay unclaimed


@dataclass(frozen=True, slots=True)
class Done:
    """The message was executed."""

    answers: tuple[Answer, ...] = ()
    following: NextStep | None = None  # None: the work is at its end


def contents_of(done: Done) -> list[Content]:
    """Returns the contents that the outcome's commit refers to."""
    following = [] if done.following is None else [done.following.content]
    return [*(it.content for it in done.answers), *following]


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed; another one may succeed."""

    error: str
    debug: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """The run may have done its work, or a part of it.

    The command's entry in the catalogue decides what follows: a retry, or a wait for a person.
    """

    error: str
    debug: str | None = None


@dataclass(frozen=True, slots=True)
class Unwritten:
    """It did its work, but what came of it can never be stored: dead, so that it never runs again
    by itself."""

    error: str


@dataclass(frozen=True, slots=True)
class Reject:
    """The message can never succeed, so it is dead at once (RM's fatal exception)."""

    error: str
    debug: str | None = None


@dataclass(frozen=True, slots=True)
class HandBack:
    """The message was not run, or failed without its own fault: it gets its attempt back."""

    error: str | None = None
    due: datetime | None = None  # when it is to be tried again; None: at once
    alone: bool = False  # it is to run without others


Outcome = Done | Retry | Unknown | Unwritten | Reject | HandBack


@dataclass(frozen=True, slots=True)
class Finished:
    """An outcome, its instant, and what the consumer logged and told on the way."""

    outcome: Outcome
    at: datetime
    lines: tuple[Line, ...] = field(default=())
    titular: tuple[str, ...] = ()  # whom the message is about, in keyed hashes
