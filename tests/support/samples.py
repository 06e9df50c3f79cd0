"""Messages at fixed instants, in each state: to try the rules on, to store, to look at."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

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
    Step,
    Stored,
    Version,
)
from smartlink.domain.order import Order
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Retention, Settlement, reply_id

NOW = datetime(2026, 3, 9, 12, 30, 15, 123_457, tzinfo=UTC)
LATER = NOW + timedelta(days=90, microseconds=1)
NEVER = datetime(2999, 1, 1, tzinfo=UTC)  # beyond the day on which anybody runs the tests
MINUTE = timedelta(minutes=1)
LEASE = 10 * MINUTE
CLAIM = Claim("c" * 32, 1, NOW)
SHARED = Claim("d" * 32, 3, NOW)
POLICY = RetryPolicy(attempts=5)  # factor 1, interval 3: 15 minutes times the attempt
RETENTION = Retention(90, timedelta(days=30))
VERSION = Version("v1")
REFUSED = "Connection refused by the ERP's database at 10.0.0.7:1521"


def content(text: str) -> Content:
    return Content(content_hash(text), len(encode(text)), text)


def pending(
    identity: str = "m-1",
    text: str = '{"requestID": "r-1"}',
    command: str = "SGDPDataCommand",
    **parts: Any,  # noqa: ANN401
) -> Message:
    plain = lifecycle.received(
        message_id=identity, command=command, content=content(text), now=NOW, due=NOW
    )
    return replace(plain, **parts)


def upstream(identity: str = "u-1", text: str = "{}", **parts: Any) -> Message:  # noqa: ANN401
    plain = lifecycle.to_send(
        message_id=identity, message_type="SGDPDataResponse", content=content(text), now=NOW
    )
    return replace(plain, **parts)


def under_claim(plain: Message, claim: Claim = SHARED) -> Message:
    return lifecycle.claimed(plain, claim, LEASE)


def running(claim: Claim = CLAIM, **parts: Any) -> Message:  # noqa: ANN401
    """Claimed for its first attempt, unless `attempt` says how many it had."""
    return under_claim(pending(**parts), claim)


def waiting(identity: str = "m-1", error: str = REFUSED, **parts: Any) -> Message:  # noqa: ANN401
    """After an attempt that began 2 s after the message came, and failed 3 s later."""
    claim = replace(CLAIM, started=NOW + timedelta(seconds=2))
    ended = NOW + timedelta(seconds=5)
    failed = lifecycle.failed(running(claim, identity=identity), ended + 15 * MINUTE, ended, error)
    return replace(failed, **parts)


def dead(identity: str = "m-1", error: str = REFUSED, **parts: Any) -> Message:  # noqa: ANN401
    failed = lifecycle.dead(waiting(identity, error), DeadReason.EXHAUSTED, error)
    return replace(failed, **{"attempt": 5, **parts})


def stored(message: Message) -> Stored:
    return Stored(message, VERSION)


def everything_set(identity: str = "m-1", text: str = "{}") -> Message:
    """A message none of whose fields has its default."""
    return pending(
        identity,
        text,
        state=State.DEAD,
        due=NOW + timedelta(microseconds=999_999),
        audience="SGDP",
        correlation_id="c-1",
        request_id="r-1",
        trace=f"00-{'a' * 32}-{'b' * 16}-01",
        step=Step(3, "D-the first"),
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
        claim=SHARED,
        error="No connection",
        dead_reason=DeadReason.EXHAUSTED,
        failure=SendFailure(3, NOW),
        titular=("ab" * 32, "cd" * 32),
        order=Order("SGDPDataCommand /invoice 7", "0001741523415123457-00001", "/invoice"),
        queued=True,
    )


def ended(plain: Message) -> Ended:
    done = lifecycle.with_attempt(plain, Result.DONE, LATER, None)
    return Ended(done, Ending.DONE, LATER, LATER + timedelta(days=1))


def line(text: str = "Executed", **parts: Any) -> LogLine:  # noqa: ANN401
    return replace(LogLine("m-1", LogType.INFORMATION, text, NOW, LATER), **parts)


def done(message: Message, *, replies: int = 0, ended: datetime | None = None) -> list[Settlement]:
    """What to commit so that the message has ended, its replies waiting to be sent."""
    at = ended or NOW + timedelta(seconds=5)
    claim = Claim("d" * 32, 1, at - timedelta(seconds=3))
    ran = lifecycle.with_attempt(under_claim(message, claim), Result.DONE, at, None)
    own: dict[str, Any] = {
        "received": at,
        "due": at,
        "audience": "SGDP",
        "request_id": message.request_id,
    }
    made = tuple(upstream(reply_id(message, number), **own) for number in range(1, replies + 1))
    return [
        Settlement(
            document=message.document,
            fence=None,
            history=Ended(ran, Ending.DONE, at, NEVER),
            logs=(line("Executed in attempt 1 of 5", message_id=message.id, at=at, expires=NEVER),),
            created=made,
        )
    ]


BEGUN = Effect(
    document=effect_document("PayCommand", "order-7"),
    command="PayCommand",
    key="order-7",
    message="D-m-1",
    run="f00d",
    begun=NOW,
    expires=LATER,
)
