"""What an outcome does to a message: one frozen action, that one writer applies."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from smartlink.domain import lifecycle
from smartlink.domain.message import (
    DeadReason,
    Ended,
    Ending,
    LogLine,
    LogType,
    Message,
    Result,
    State,
    Stored,
    Version,
)
from smartlink.domain.retry import RetryPolicy

if TYPE_CHECKING:
    from smartlink.domain.outcome import Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """All that is written when a message's attempt ends: all or nothing, under the fence.

    `live` is the document's new content; None deletes it. Without a `fence` the document is
    created and must not exist. `history` and `created` must not exist either.
    """

    document: str
    fence: Version | None
    live: Message | None = None
    history: Ended | None = None
    logs: tuple[LogLine, ...] = ()
    created: tuple[Message, ...] = ()

    @property
    def weight(self) -> tuple[int, int]:
        """Bytes and writes of its commit, estimated rather high: to group settlements by."""
        writes = len(self.created) + len(self.logs)
        size = sum(map(_whole, self.created))
        for line in self.logs:
            size += _bytes(line.message_id) + _bytes(line.text) + _bytes(line.debug)
        if self.history is not None:
            writes += 1
            size += _whole(self.history.message)
        if self.live is not None:
            writes += 1
            size += _whole(self.live) if self.fence is None else _state(self.live)
        elif self.fence is not None:
            writes += 1
        return size + writes * (_WRITE_OVERHEAD + len(self.document)), writes


_WRITE_OVERHEAD = 1_500  # names of the document and its fields, times, hash, claim
_ATTEMPT_OVERHEAD = 150


def _whole(message: Message) -> int:
    content = message.content
    return (
        _state(message)
        + (content.size if content.text is not None else _bytes(content.object))
        + _bytes(message.id)
        + _bytes(message.type)
        + _bytes(message.audience)
        + _bytes(message.correlation_id)
    )


def _state(message: Message) -> int:
    errors = sum(_ATTEMPT_OVERHEAD + _bytes(attempt.error) for attempt in message.attempts)
    return _bytes(message.error) + errors


def _bytes(text: str | None) -> int:
    if text is None:
        return 0
    # A lone surrogate takes 3 bytes, or 6 where it is made visible.
    return len(text) if text.isascii() else 6 * len(text)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the history and the logs are kept."""

    days: int
    redrive: timedelta  # the time allowed for a manual redrive

    def expires(self, now: datetime, policy: RetryPolicy) -> datetime:
        """At least the retry horizon and the time for a redrive: a repeat is still known."""
        return now + max(timedelta(days=self.days), policy.horizon + self.redrive)


def reply_id(message: Message, number: int) -> str:
    """The id of a message's reply: the same however often the message is executed."""
    return f"{message.document}/reply/{number}"


def settle(
    stored: Stored, finished: "Finished", policy: RetryPolicy, retention: Retention
) -> Settlement:
    """The settlement of one attempt of a downstream message."""
    # Only a consumer's function runs messages: no other pays for what a run may come to.
    from smartlink.domain.outcome import (  # noqa: PLC0415
        Done,
        HandBack,
        Line,
        Reject,
        Retry,
        Unknown,
    )

    message, now = stored.message, finished.at
    expires = retention.expires(now, policy)

    def lines(kind: LogType, text: str, debug: str | None = None) -> tuple[LogLine, ...]:
        own = Line(kind, text, now, debug)
        return tuple(
            LogLine(message.id, line.type, line.text, line.at, expires, line.debug)
            for line in (*finished.lines, own)
        )

    limit = f"attempt {message.attempt} of {policy.limit}"
    match finished.outcome:
        case Done(answers):
            replies = tuple(
                lifecycle.to_send(
                    message_id=reply_id(message, number),
                    message_type=answer.type,
                    content=answer.content,
                    now=now,
                    audience=answer.audience,
                    correlation_id=answer.correlation_id or message.correlation_id or message.id,
                    personal=message.personal,
                )
                for number, answer in enumerate(answers, start=1)
            )
            done = lifecycle.with_attempt(message, Result.DONE, now, None)
            return Settlement(
                document=message.document,
                fence=stored.version,
                history=Ended(done, Ending.DONE, now, expires),
                logs=lines(LogType.INFORMATION, f"Executed in {limit}; {len(replies)} replies"),
                created=replies,
            )
        case Unknown(error, debug) if policy.hold_unknown:
            live = lifecycle.unknown(message, now, error)
            log = lines(LogType.ERROR, f"Dead, outcome unknown in {limit}: {live.error}", debug)
            return Settlement(document=message.document, fence=stored.version, live=live, logs=log)
        case Retry(error, debug) | Unknown(error, debug):
            live = lifecycle.failed(
                message, policy.next_attempt_at(now, message.attempt), now, error
            )
            if live.due is None:
                log = lines(LogType.ERROR, f"Dead after {limit}: {live.error}", debug)
            else:
                text = f"Failed in {limit}, next at {live.due:%Y-%m-%d %H:%M:%S}Z: {live.error}"
                log = lines(LogType.WARNING, text, debug)
            return Settlement(document=message.document, fence=stored.version, live=live, logs=log)
        case Reject(error, debug):
            rejected = lifecycle.with_attempt(message, Result.REJECTED, now, error)
            live = lifecycle.dead(rejected, DeadReason.REJECTED, error)
            log = lines(LogType.ERROR, f"Dead, rejected in {limit}: {live.error}", debug)
            return Settlement(document=message.document, fence=stored.version, live=live, logs=log)
        case HandBack(error):
            live = lifecycle.handed_back(message, now, error)
            return Settlement(document=message.document, fence=stored.version, live=live)


def sent(stored: Stored, now: datetime, policy: RetryPolicy, retention: Retention) -> Settlement:
    """An upstream message that the broker took."""
    attempt = replace(stored.message, attempt=stored.message.attempt + 1)
    done = lifecycle.with_attempt(attempt, Result.DONE, now, None)
    history = Ended(done, Ending.DONE, now, retention.expires(now, policy))
    return Settlement(document=done.document, fence=stored.version, history=history)


def refused(
    stored: Stored, error: str, now: datetime, policy: RetryPolicy, retention: Retention
) -> Settlement:
    """An upstream message that the broker refused: this counts as an attempt."""
    attempt = replace(stored.message, attempt=stored.message.attempt + 1)
    live = lifecycle.failed(attempt, policy.next_attempt_at(now, attempt.attempt), now, error)
    dead = live.state is State.DEAD
    text = f"{'Dead, refused' if dead else 'Refused'} by the broker: {live.error}"
    kind = LogType.ERROR if dead else LogType.WARNING
    log = LogLine(live.id, kind, text, now, retention.expires(now, policy))
    return Settlement(document=live.document, fence=stored.version, live=live, logs=(log,))


def annotate(
    message: Message, kind: LogType, text: str, now: datetime, expires: datetime
) -> LogLine:
    """A log line of the relay itself about a message."""
    return LogLine(message.id, kind, text, now, expires)
