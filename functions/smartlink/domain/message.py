"""The values of a message, while it is live and after it has ended."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NewType

from smartlink.domain.identity import Direction
from smartlink.domain.order import Order

Version = NewType("Version", str)
"""When a document was last written, as an opaque text. It fences every compare-and-swap."""


class State(StrEnum):
    """`Situacao` of a live message."""

    PENDING = "Pendente"  # dispatched, or to be dispatched
    RUNNING = "Executando"  # claimed under a lease
    WAITING = "Aguardando"  # waiting for its retry
    DEAD = "Morta"  # until an operator redrives or discards it


class Ending(StrEnum):
    """`Situacao` of a message in the history."""

    DONE = "Concluida"
    DISCARDED = "Descartada"  # by an operator, or nacked: the broker's dead-letter queue has it


class Result(StrEnum):
    """How one attempt went (`Tentativas[].Resultado`)."""

    DONE = "Concluida"
    RETRY = "Falha"
    REJECTED = "Rejeitada"
    CRASHED = "Interrompida"  # the process ended before the attempt did
    UNKNOWN = "Desconhecida"  # it may have been executed


class DeadReason(StrEnum):
    """Why a message is dead (`MotivoMorte`), as a stable code. `UltimoErro` has the text."""

    EXHAUSTED = "attempts-exhausted"
    REJECTED = "rejected"
    UNKNOWN_COMMAND = "unknown-command"
    MALFORMED = "malformed-envelope"
    ID_REUSED = "id-reused"
    UNKNOWN_OUTCOME = "outcome-unknown"  # it may have been executed: a person has to look
    UNWRITTEN_OUTCOME = "outcome-unwritten"  # it was executed, or sent, but that cannot be stored
    STEPS_EXHAUSTED = "steps-exhausted"  # it continues a message that had all its steps: not run


MAY_HAVE_RUN = frozenset({DeadReason.UNKNOWN_OUTCOME, DeadReason.UNWRITTEN_OUTCOME})
"""A message that is dead for one of these reasons may have done its work. If it is executed again,
it may do the work twice."""


class LogType(IntEnum):
    """RM's `LOGTYPE`."""

    INFORMATION = 0
    WARNING = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class Content:
    """A message's content, either in its document (`text`) or in the bucket (`object`)."""

    sha256: str  # of the UTF-8 bytes, hexadecimal
    size: int  # bytes
    text: str | None = field(default=None, repr=False)
    object: str | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """What the catalogue said of the command when the message was claimed.

    It is in force for that attempt even if another deployment's poll has another catalogue.
    """

    at_most: int | None  # the command's own limit of attempts
    hold: bool  # an unknown outcome waits for a person


@dataclass(frozen=True, slots=True)
class Claim:
    """The run that executes a message now, or executed it last (`Execucao`)."""

    id: str
    messages: int  # how many messages share the claim
    started: datetime
    decided: Decided | None = None  # None: an older release claimed it


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of `Tentativas`."""

    number: int
    started: datetime
    ended: datetime
    result: Result
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SendFailure:
    """How often in a row an Upstream message could not be sent (`FalhaEnvio`)."""

    times: int  # failures in a row; each doubles the wait
    at: datetime  # the last time


@dataclass(frozen=True, slots=True)
class Step:
    """Which part of a long work the message is (`Etapa`), if it continues another message."""

    number: int  # 2 or more: the first message is the first step
    first: str  # the document of the first message


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A message without its content. It can be shown, but nothing can be written from it."""

    document: str  # its document's id
    direction: Direction
    id: str  # as the sender wrote it
    type: str  # Downstream: the command; Upstream: the type under which to send it
    received: datetime
    state: State = State.PENDING
    due: datetime | None  # the instant from which the sweep may take it; None: never
    audience: str | None = None
    correlation_id: str | None = None
    request_id: str | None = None  # the sender's, if the catalogue says where it stands
    trace: str | None = None  # the `traceparent` that came with it; None: see `traceparent_of`
    personal: bool = False  # the history keeps the content's hash and size only
    step: Step | None = None  # None: it continues no other message
    attempt: int = 0  # attempts made, the current one included
    attempts: tuple[Attempt, ...] = ()
    dispatches: int = 0  # re-dispatches since it last ran; each doubles the grace
    alone: bool = False  # its batch crashed, so it is dispatched alone
    redriven: datetime | None = None  # when an operator last had it executed again
    undone: bool = False  # the operator knew that its work had not been done
    published: bool = False  # it came by `publish`: the history is read before it is sent
    claim: Claim | None = None
    error: str | None = None
    dead_reason: DeadReason | None = None
    failure: SendFailure | None = None  # Upstream: its last sends failed
    titular: tuple[str, ...] = ()  # keyed hashes of what names the person whom it is about
    order: Order | None = None  # its place; None: nothing orders it
    queued: bool = False  # it waits for its turn, not for an instant


@dataclass(frozen=True, kw_only=True)
class Message(Summary):
    """A live message: one document of `GTotvsLinkMessage`."""

    content: Content


@dataclass(frozen=True, slots=True)
class Stored:
    """A live message, and the version at which it was read or written."""

    message: Message
    version: Version


@dataclass(frozen=True, slots=True)
class Listed:
    """A live message as a list shows it. An action reads the whole message first."""

    message: Summary
    version: Version


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A live document that exists, but that this version cannot read."""

    document: str
    why: str  # may be logged: it holds no content
    version: Version
    type: str | None = None  # type and sha256 tell a repeat; None: unreadable
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A message in the history: one document of `GTotvsLinkMessageExec`."""

    message: Message
    ending: Ending
    ended: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class EndedSummary:
    """A message of the history without its content. It can be shown."""

    message: Summary
    ending: Ending
    ended: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class Past:
    """The fields of an existing document that tell whether another message repeats it.

    An unreadable field is None.
    """

    type: str | None
    sha256: str | None
    received: datetime | None
    audience: str | None = None
    claim: str | None = None  # the id of the last claim
    ending: Ending | None = None

    @classmethod
    def of(cls, message: Message, ending: Ending | None = None) -> "Past":
        """Takes these fields from a message."""
        claim = message.claim.id if message.claim else None
        content = message.content.sha256
        return cls(message.type, content, message.received, message.audience, claim, ending)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One document of `GTotvsLinkLog`."""

    message_id: str
    type: LogType
    text: str
    at: datetime
    expires: datetime
    debug: str | None = None
    became: State | None = None  # where the relay tells that the message waits again, or is dead
