"""Messages as they lie in Firestore, at fixed instants."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from smartlink.domain import lifecycle
from smartlink.domain.executed import reply_id
from smartlink.domain.identity import content_hash, encode
from smartlink.domain.message import (
    Claim,
    Content,
    DeadReason,
    Ended,
    Ending,
    LogLine,
    LogType,
    Message,
    Result,
    State,
)
from smartlink.domain.settlement import Settlement

NOW = datetime(2026, 3, 9, 12, 30, 15, tzinfo=UTC)
LATER = datetime(2999, 1, 1, tzinfo=UTC)
REFUSED = "Connection refused by the ERP's database at 10.0.0.7:1521"


def content(text: str) -> Content:
    return Content(content_hash(text), len(encode(text)), text)


def pending(
    identity: str, command: str = "SGDPDataCommand", text: str = '{"requestID": "r-1"}'
) -> Message:
    return lifecycle.received(
        message_id=identity, command=command, content=content(text), now=NOW, due=NOW
    )


def waiting(identity: str, error: str = REFUSED, **parts: object) -> Message:
    claim = Claim("c" * 32, 1, NOW + timedelta(seconds=2))
    running = lifecycle.claimed(pending(identity), claim, timedelta(minutes=10))
    ended = NOW + timedelta(seconds=5)
    failed = lifecycle.failed(running, ended + timedelta(minutes=15), ended, error)
    return replace(failed, **parts)  # type: ignore[arg-type]


def dead(identity: str, error: str = REFUSED, **parts: object) -> Message:
    failed = lifecycle.dead(waiting(identity, error), DeadReason.EXHAUSTED, error)
    return replace(failed, **{"attempt": 5, **parts})  # type: ignore[arg-type]


def line(
    message: Message, text: str, kind: LogType = LogType.INFORMATION, after: int = 5
) -> LogLine:
    return LogLine(message.id, kind, text, NOW + timedelta(seconds=after), LATER)


def done(message: Message, *, replies: int = 0, ended: datetime | None = None) -> list[Settlement]:
    """What to commit so that the message has ended, its replies waiting to be sent."""
    at = ended or NOW + timedelta(seconds=5)
    claim = Claim("d" * 32, 1, at - timedelta(seconds=3))
    ran = lifecycle.with_attempt(
        lifecycle.claimed(message, claim, timedelta(minutes=10)), Result.DONE, at, None
    )
    made = tuple(
        lifecycle.to_send(
            message_id=reply_id(message, number),
            message_type="SGDPDataResponse",
            content=content("{}"),
            now=at,
            audience="SGDP",
        )
        for number in range(1, replies + 1)
    )
    history = Ended(ran, Ending.DONE, at, LATER)
    logs = (LogLine(message.id, LogType.INFORMATION, "Executed in attempt 1 of 5", at, LATER),)
    own = Settlement(
        document=message.document, fence=None, history=history, logs=logs, created=made
    )
    return [own]


def alive(message: Message) -> bool:
    return message.state is not State.DEAD
