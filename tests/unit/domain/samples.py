"""Messages to try the rules on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from smartlink.domain import lifecycle
from smartlink.domain.identity import content_hash, encode
from smartlink.domain.message import Claim, Content, Message, Stored, Version
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Retention

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=570)
CLAIM = Claim("c1", 1, NOW)
SHARED = Claim("c2", 3, NOW)
POLICY = RetryPolicy(attempts=5)  # factor 1, interval 3: 15 minutes times the attempt
RETENTION = Retention(90, timedelta(days=30))
VERSION = Version("v1")


def content(text: str) -> Content:
    return Content(content_hash(text), len(encode(text)), text)


def pending(identity: str = "m-1", text: str = "{}", **parts: object) -> Message:
    message = lifecycle.received(
        message_id=identity, command="Probe", content=content(text), now=NOW, due=NOW + 2 * MINUTE
    )
    return replace(message, **parts)  # type: ignore[arg-type]


def running(claim: Claim = CLAIM, **parts: Any) -> Message:  # noqa: ANN401
    """Claimed for its first attempt, unless `attempt` says how many it had."""
    return lifecycle.claimed(pending(**parts), claim, LEASE)


def waiting(**parts: Any) -> Message:  # noqa: ANN401
    """After a failed attempt."""
    return lifecycle.failed(running(**parts), NOW + 15 * MINUTE, NOW, "no connection")


def upstream(**parts: object) -> Message:
    message = lifecycle.to_send(
        message_id="u-1", message_type="Answer", content=content("{}"), now=NOW
    )
    return replace(message, **parts)  # type: ignore[arg-type]


def stored(message: Message) -> Stored:
    return Stored(message, VERSION)
