"""What the console's tests look at: two tenants, messages in every state, hostile contents."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from smartlink.domain.message import DeadReason, Message
from smartlink.domain.settlement import Settlement
from tests.support import samples

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE x; --{{ 7*7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202eevil\u2066\x1b[31mred\x07",
    "nul\x00 and \ud83d lone".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    "&lt;b&gt;</textarea></title></style>",
)
"""What others write into ids, commands, errors and contents."""


REQUEST = "7d2c1a90-tpd"
"""The id by which TPD knows one request."""


def recent(message: Message, ago: timedelta = timedelta(minutes=20)) -> Message:
    """The same message, moved to shortly before now."""
    shift = datetime.now(UTC) - ago - samples.NOW
    attempts = tuple(
        replace(it, started=it.started + shift, ended=it.ended + shift) for it in message.attempts
    )
    due = message.due + shift if message.due is not None else None
    return replace(message, received=message.received + shift, due=due, attempts=attempts)


def hostile() -> list[Message]:
    """Messages whose every text is written by somebody who means harm."""
    made: list[Message] = []
    for number, text in enumerate(HOSTILE):
        own = samples.dead(f"h{number}-{text}", error=f"{text} failed", audience=text)
        made.append(recent(replace(own, type=text[:60] or "x", correlation_id=text)))
    return made


def many() -> list[Message]:
    """Messages in each state."""
    refused = [samples.dead(f"dead-{number}") for number in range(3)]
    timed = samples.dead("timed-1", error="The ERP took longer than 60 s: time-out of SELECT 17")
    unknown = replace(samples.dead("unknown-1"), dead_reason=DeadReason.UNKNOWN_OUTCOME)
    made = [
        *refused,
        timed,
        unknown,
        samples.waiting("wait-1"),
        samples.pending("pend-1", correlation_id="corr-77", request_id=REQUEST),
        samples.upstream("up-1"),
    ]
    return [recent(it) for it in made]


def ended(identity: str = "done-1") -> list[Settlement]:
    """A message of the history with its reply."""
    return samples.done(
        recent(samples.pending(identity, request_id=REQUEST), timedelta(minutes=50)),
        replies=1,
        ended=datetime.now(UTC) - timedelta(minutes=45),
    )
