"""The states of a live message, and the moves between them.

    created ─▶ Pendente ──claim──▶ Executando ──settle──▶ ended | Aguardando | Morta
                  ▲                    │ lease expired        │ due
                  └──────sweep─────────┴──────────────────────┘

`due` (`DataTentativaExec`) is the only clock: the instant from which the sweep may take the
message. Each move is written by compare-and-swap on the version from which it was decided.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from smartlink.domain.identity import DERIVED, Direction, derived_ids, document_id
from smartlink.domain.message import (
    Attempt,
    Claim,
    Content,
    DeadReason,
    Message,
    Result,
    SendFailure,
    State,
)
from smartlink.domain.retry import RetryPolicy

GRACE_LIMIT = timedelta(hours=1)
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=30)
"""How long a message waits after its first failed send. Each further failure doubles the wait, up
to the longest."""

REPEAT = timedelta(hours=1)
"""How long the same content without an id counts as the same message."""

CLOCKS = timedelta(seconds=5)
"""By how much the clocks of two instances may differ."""

_ATTEMPTS_KEPT = 50
_ERROR_LIMIT = 1_000  # characters
CRASHED = "The process ended before the message did (crash, memory limit or time-out)"


def shorten(error: str) -> str:
    """Returns an error's text as it is stored: at most 1,000 characters."""
    return error if len(error) <= _ERROR_LIMIT else f"{error[: _ERROR_LIMIT - 1]}…"


def grace(base: timedelta, dispatches: int) -> timedelta:
    """Returns how long a dispatch may stay unclaimed. Each re-dispatch doubles it, up to 1 hour."""
    doubled: timedelta = base * 2 ** min(dispatches, 20)
    return min(doubled, max(base, GRACE_LIMIT))


def received(
    *,
    message_id: str,
    command: str,
    content: Content,
    now: datetime,
    due: datetime,
    audience: str | None = None,
    correlation_id: str | None = None,
    personal: bool = False,
) -> Message:
    """Makes a Downstream message as it is first stored: pending, to be dispatched at once."""
    return Message(
        document=document_id(Direction.DOWNSTREAM, message_id),
        direction=Direction.DOWNSTREAM,
        id=message_id,
        type=command,
        content=content,
        received=now,
        due=due,
        audience=audience,
        correlation_id=correlation_id,
        personal=personal,
    )


def hour_before(message: Message) -> str | None:
    """Returns the document that the same content has if it came in the hour before.

    Returns None for a message that came with an id.
    """
    if message.direction is not Direction.DOWNSTREAM or not message.id.startswith(DERIVED):
        return None
    own, before = derived_ids(message.type, message.content.sha256, message.received)
    return document_id(Direction.DOWNSTREAM, before) if message.id == own else None


def hour_after(message: Message, now: datetime) -> str | None:
    """Returns the document that the same content gets if it comes again in the next hour.

    Returns None while that hour has not begun on any instance's clock, and for a message that came
    with an id.
    """
    if message.direction is not Direction.DOWNSTREAM or not message.id.startswith(DERIVED):
        return None
    kind, sha256 = message.type, message.content.sha256
    own, later = (
        derived_ids(kind, sha256, message.received + it)[0] for it in (timedelta(), REPEAT)
    )
    turned = derived_ids(kind, sha256, now + CLOCKS)[0] != own and now > message.received
    return document_id(Direction.DOWNSTREAM, later) if turned and message.id == own else None


def to_send(
    *,
    message_id: str,
    message_type: str,
    content: Content,
    now: datetime,
    audience: str | None = None,
    correlation_id: str | None = None,
    personal: bool = False,
    published: bool = False,
) -> Message:
    """Makes an Upstream message as it is first stored: due at once."""
    return Message(
        document=document_id(Direction.UPSTREAM, message_id),
        direction=Direction.UPSTREAM,
        id=message_id,
        type=message_type,
        content=content,
        received=now,
        due=now,
        audience=audience,
        correlation_id=correlation_id,
        personal=personal,
        published=published,
    )


def dead(message: Message, reason: DeadReason, error: str) -> Message:
    """Makes the message dead: the sweep cannot reach it, and it waits for an operator."""
    return replace(
        message,
        state=State.DEAD,
        due=None,
        dead_reason=reason,
        error=shorten(error),
        queued=False,
    )


def beyond(message: Message, limit: int) -> Message:
    """Makes the message dead because it has no attempt left. It keeps its last error."""
    error = message.error or f"The attempt limit was lowered to {limit}"
    return dead(message, DeadReason.EXHAUSTED, error)


def claimed(message: Message, claim: Claim, lease: timedelta) -> Message:
    """Gives the message to a claim, before it runs. The attempt counts now, so a crash counts
    too."""
    return replace(
        message,
        state=State.RUNNING,
        due=claim.started + lease,
        attempt=message.attempt + 1,
        dispatches=0,
        claim=claim,
        queued=False,
    )


def handed_back(
    message: Message, due: datetime, error: str | None = None, *, waits: bool = False
) -> Message:
    """Hands back a claimed message that was not run: it gets its attempt back.

    One that waits for another message is no lost dispatch: it holds up nothing new.
    """
    return replace(
        message,
        state=State.WAITING if waits else State.PENDING,
        due=due,
        attempt=message.attempt - 1,
        error=shorten(error) if error else message.error,
    )


def queued(message: Message, due: datetime) -> Message:
    """Makes the message wait for its turn: the one before it, of the same key, has not ended.

    Whoever ends that one dispatches this one. `due` is for the case that this was lost.
    """
    return replace(message, state=State.WAITING, due=due, queued=True)


def passed(message: Message) -> Message:
    """Takes a dead message out of the order of its key: it holds nothing back any more."""
    return replace(message, order=None)


def recalled(message: Message) -> Message:
    """Recalls a dispatched message: its dispatch cannot claim it, and the sweep takes it when
    due."""
    return replace(message, state=State.WAITING)


def with_attempt(message: Message, result: Result, ended: datetime, error: str | None) -> Message:
    """Adds the current attempt to the message's attempts, of which it keeps the last 50."""
    started = message.claim.started if message.claim else ended
    text = shorten(error) if error else None
    attempt = Attempt(message.attempt, started, ended, result, text)
    return replace(
        message,
        attempts=(*message.attempts, attempt)[-_ATTEMPTS_KEPT:],
        error=text or message.error,
    )


def failed(
    message: Message,
    next_attempt_at: datetime | None,
    ended: datetime,
    error: str,
) -> Message:
    """Makes the message wait after a failed attempt, or makes it dead if there is no next one."""
    message = with_attempt(message, Result.RETRY, ended, error)
    if next_attempt_at is None:
        return dead(message, DeadReason.EXHAUSTED, error)
    return replace(message, state=State.WAITING, due=next_attempt_at)


@dataclass(frozen=True, slots=True)
class Swept:
    """What the sweep made of a due message. The message is dispatched, unless it is dead."""

    message: Message
    cause: str  # the log's `cause`: retry, lost-dispatch, crash, shared-crash


def unknown(message: Message, ended: datetime, error: str) -> Message:
    """Makes the message dead until a person has looked: nobody knows how the attempt ended."""
    message = with_attempt(message, Result.UNKNOWN, ended, error)
    return dead(message, DeadReason.UNKNOWN_OUTCOME, error)


def unwritten(message: Message, ended: datetime, error: str) -> Message:
    """Makes the message dead because its attempt ended with an outcome that can never be stored."""
    message = with_attempt(message, Result.UNKNOWN, ended, error)
    return dead(message, DeadReason.UNWRITTEN_OUTCOME, error)


def swept(message: Message, now: datetime, policy: RetryPolicy, base_grace: timedelta) -> Swept:
    """Decides the next state of a due Downstream message.

    If several messages shared an expired claim, nobody knows which of them ended the process. So
    each gets its attempt back and is dispatched alone; only the crash of a message that ran alone
    counts. (Messages of a command with `hold` share no claims.) The limit and `hold` are those that
    were decided at the claim, because the sweep's own catalogue may be an older or a newer one.
    """
    if message.claim is not None and message.claim.decided is not None:
        decided = message.claim.decided
        policy = replace(policy, at_most=decided.at_most, hold_unknown=decided.hold)
    cause = "retry"
    dispatches = 0
    if message.state is State.PENDING:
        cause, dispatches = "lost-dispatch", message.dispatches + 1
    elif message.state is State.RUNNING:
        if policy.hold_unknown:
            return Swept(unknown(message, now, CRASHED), "crash")
        if message.claim is not None and message.claim.messages > 1:
            cause = "shared-crash"
            message = replace(message, attempt=message.attempt - 1, alone=True)
        else:
            cause = "crash"
            message = with_attempt(message, Result.CRASHED, now, CRASHED)
    if message.attempt >= policy.limit:
        return Swept(beyond(message, policy.limit), cause)
    due = now + grace(base_grace, dispatches)
    pending = replace(message, state=State.PENDING, due=due, dispatches=dispatches, queued=False)
    return Swept(pending, cause)


def leased(message: Message, claim: Claim, lease: timedelta) -> Message:
    """Gives an Upstream message to a claim, before it is sent. No attempt counts yet."""
    return replace(
        message, state=State.RUNNING, due=claim.started + lease, claim=claim, queued=False
    )


def send_failed(message: Message, at: datetime) -> Message:
    """Notes in an Upstream message that a send failed, whoever is at fault."""
    times = message.failure.times + 1 if message.failure else 1
    return replace(message, failure=SendFailure(times, at))


def send_again(message: Message, now: datetime) -> datetime:
    """Returns when to send an Upstream message again. Each failure in a row doubles the wait."""
    if message.failure is None:
        return now
    wait: timedelta = FIRST_WAIT * 2 ** min(message.failure.times - 1, 10)
    return max(now, message.failure.at + min(wait, LONGEST_WAIT))


def due_again(message: Message) -> Message:
    """Ends the wait of an upstream message after failed sends: it is due since the last one."""
    if message.failure is None or message.due is None:
        return message
    return replace(message, due=min(message.due, message.failure.at))


def unsent(message: Message, due: datetime, error: str | None = None) -> Message:
    """Makes an Upstream message wait until `due`, without an attempt: it was not at fault."""
    return replace(
        message,
        state=State.PENDING,
        due=due,
        error=shorten(error) if error else message.error,
    )
