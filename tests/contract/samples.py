"""Messages to store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from smartlink.domain import lifecycle
from smartlink.domain.effect import Effect, effect_document
from smartlink.domain.identity import content_hash, encode
from smartlink.domain.message import (
    Attempt,
    Claim,
    Content,
    DeadReason,
    Ended,
    Ending,
    LogLine,
    LogType,
    Message,
    Result,
    SendFailure,
    State,
)

NOW = datetime(2025, 3, 9, 12, 30, 15, 123_457, tzinfo=UTC)
LATER = NOW + timedelta(days=90, microseconds=1)
CLAIM = Claim("c" * 32, 3, NOW)


def content(text: str) -> Content:
    return Content(content_hash(text), len(encode(text)), text)


def message(identity: str = "m-1", text: str = '{"a": 1}', **parts: object) -> Message:
    plain = lifecycle.received(
        message_id=identity, command="SGDPDataCommand", content=content(text), now=NOW, due=NOW
    )
    return replace(plain, **parts)  # type: ignore[arg-type]


def to_send(identity: str, text: str = "{}") -> Message:
    return lifecycle.to_send(
        message_id=identity, message_type="SGDPDataResponse", content=content(text), now=NOW
    )


def everything_set(identity: str = "m-1", text: str = "{}") -> Message:
    """A message none of whose fields has its default."""
    return message(
        identity,
        text,
        state=State.DEAD,
        due=NOW + timedelta(microseconds=999_999),
        audience="SGDP",
        correlation_id="c-1",
        personal=True,
        attempt=2,
        attempts=(
            Attempt(1, NOW, LATER, Result.CRASHED),
            Attempt(2, NOW, LATER, Result.RETRY, "No connection"),
        ),
        dispatches=4,
        alone=True,
        redriven=NOW,
        undone=True,
        published=True,
        claim=CLAIM,
        error="No connection",
        dead_reason=DeadReason.EXHAUSTED,
        failure=SendFailure(3, NOW),
    )


def running(plain: Message) -> Message:
    return lifecycle.claimed(plain, CLAIM, timedelta(minutes=5))


def ended(plain: Message) -> Ended:
    done = lifecycle.with_attempt(plain, Result.DONE, LATER, None)
    return Ended(done, Ending.DONE, LATER, LATER + timedelta(days=1))


def line(text: str = "Executed", **parts: object) -> LogLine:
    plain = LogLine("m-1", LogType.INFORMATION, text, NOW, LATER)
    return replace(plain, **parts)  # type: ignore[arg-type]


BEGUN = Effect(
    document=effect_document("PayCommand", "order-7"),
    command="PayCommand",
    key="order-7",
    message="D-m-1",
    run="f00d",
    begun=NOW,
    expires=LATER,
)
