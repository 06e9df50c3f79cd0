"""A settlement says all that an outcome changes: one frozen value, which one writer applies.

The outcome of a Downstream message is the result of a consumer's run. The outcome of an Upstream
message is the broker's answer.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

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
    Step,
    Stored,
    Summary,
    Version,
)
from smartlink.domain.order import reply_order, step_order
from smartlink.domain.outcome import (
    Answer,
    Done,
    Finished,
    HandBack,
    NextStep,
    Reject,
    Retry,
    Unknown,
    Unwritten,
)
from smartlink.domain.retry import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """All that one commit writes when a message's attempt ends.

    `live` is the document's new content; None deletes the document. Without a `fence` the document
    is created, and must not exist yet. `history` and `created` must not exist yet either. The
    history's record has the id of its own message. That is `document`, unless a message has ended
    under that id before.
    """

    document: str
    fence: Version | None
    live: Message | None = None
    history: Ended | None = None
    logs: tuple[LogLine, ...] = ()
    created: tuple[Message, ...] = ()
    missing: int = 0  # log lines that were left out; the last but one line of `logs` says so

    @property
    def weight(self) -> tuple[int, int]:
        """Estimates the bytes and the writes of the commit, too high rather than too low."""
        writes = len(self.created) + len(self.logs)
        size = sum(map(_whole, self.created))
        size += sum(map(_text, self.logs))
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
        + _bytes(message.request_id)
        + _bytes(message.trace)
        + (2 * _bytes(message.step.first) if message.step else 0)  # its own document's name, too
    )


def _state(message: Message) -> int:
    errors = sum(_ATTEMPT_OVERHEAD + _bytes(attempt.error) for attempt in message.attempts)
    order = 3 * _bytes(message.order.key) + _ATTEMPT_OVERHEAD if message.order else 0
    return _bytes(message.error) + errors + sum(map(_bytes, message.titular)) + order


def _text(line: LogLine) -> int:
    return _bytes(line.message_id) + _bytes(line.text) + _bytes(line.debug)


def _bytes(text: str | None) -> int:
    if text is None:
        return 0
    # A lone surrogate takes 3 bytes, or 6 bytes as a visible escape.
    return len(text) if text.isascii() else len(text.encode("utf-8", "backslashreplace"))


def without_lines(settlement: Settlement) -> Settlement:
    """Returns the settlement without the consumer's log lines, but with its own line, the last."""
    return _with_lines(settlement, 0)


def lightened(settlement: Settlement, most: int) -> Settlement:
    """Returns the settlement without the consumer's log lines that have no room in `most` bytes.

    The first line that does not fit and all after it are left out, and one line says how many. The
    settlement's own line, the last, stays. An outcome is never left out.
    """
    left = most - without_lines(settlement).weight[0]
    for number, line in enumerate(settlement.logs[:-1]):
        left -= _text(line) + _WRITE_OVERHEAD + len(settlement.document)
        if left < 0:
            return _with_lines(settlement, number)
    return settlement


def _with_lines(settlement: Settlement, number: int) -> Settlement:
    if not settlement.logs:
        return settlement
    *lines, own = settlement.logs
    if settlement.missing:
        lines.pop()
    if number >= len(lines):
        return settlement
    missing = settlement.missing + len(lines) - number
    text = f"{missing} log lines are missing here: with them it could not be stored"
    note = LogLine(own.message_id, LogType.WARNING, text, own.at, own.expires)
    return replace(settlement, logs=(*lines[:number], note, own), missing=missing)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the history and the logs are kept."""

    days: int
    redrive: timedelta  # the time allowed for a manual redrive

    def expires(self, now: datetime, policy: RetryPolicy) -> datetime:
        """Returns when a record expires: after `days`, but not before all retries and the time for
        a redrive are over, so that repeats are recognised until then."""
        return now + max(timedelta(days=self.days), policy.horizon + self.redrive)


def sent(stored: Stored, now: datetime, policy: RetryPolicy, retention: Retention) -> Settlement:
    """Settles an Upstream message that the broker accepted."""
    attempt = replace(stored.message, attempt=stored.message.attempt + 1)
    done = lifecycle.with_attempt(attempt, Result.DONE, now, None)
    history = Ended(done, Ending.DONE, now, retention.expires(now, policy))
    return Settlement(document=done.document, fence=stored.version, history=history)


def refused(
    stored: Stored, error: str, now: datetime, policy: RetryPolicy, retention: Retention
) -> Settlement:
    """Settles an Upstream message that the broker refused, which counts as an attempt."""
    return _not_sent("Refused", stored, error, now, policy, retention)


def failed_alone(
    stored: Stored, error: str, now: datetime, policy: RetryPolicy, retention: Retention
) -> Settlement:
    """Settles an Upstream message that failed again while others were accepted: it costs an
    attempt."""
    return _not_sent("Failed alone", stored, error, now, policy, retention)


def _not_sent(
    how: str,
    stored: Stored,
    error: str,
    now: datetime,
    policy: RetryPolicy,
    retention: Retention,
) -> Settlement:
    attempt = replace(stored.message, attempt=stored.message.attempt + 1)
    live = lifecycle.failed(attempt, policy.next_attempt_at(now, attempt.attempt), now, error)
    dead = live.state is State.DEAD
    text = f"{'Dead. ' if dead else ''}{how} in attempt {live.attempt}: {live.error}"
    kind = LogType.ERROR if dead else LogType.WARNING
    expires = retention.expires(now, policy)
    log = LogLine(live.id, kind, text, now, expires, became=live.state)
    return Settlement(document=live.document, fence=stored.version, live=live, logs=(log,))


def unwritten(
    stored: Stored,
    error: str,
    now: datetime,
    expires: datetime | None,
    lines: tuple[LogLine, ...] = (),
) -> Settlement:
    """Settles a message whose outcome cannot be stored: it is dead, so that it does not run again.

    Without `expires` it writes only the document, because the database may refuse the log line.
    """
    live = lifecycle.unwritten(stored.message, now, error)
    if expires is None:
        return Settlement(document=live.document, fence=stored.version, live=live)
    logs = (*lines, died(live, now, expires))
    return Settlement(document=live.document, fence=stored.version, live=live, logs=logs)


def annotate(
    message: Message, kind: LogType, text: str, now: datetime, expires: datetime
) -> LogLine:
    """Makes a log line in which the relay tells something about a message."""
    return LogLine(message.id, kind, text, now, expires)


def died(message: Message, now: datetime, expires: datetime) -> LogLine:
    """Makes the log line that tells that a message is dead from now on."""
    text = f"Dead: {message.error}"
    return LogLine(message.id, LogType.ERROR, text, now, expires, became=State.DEAD)


def reply_id(message: Summary, number: int) -> str:
    """Returns the id of a message's reply, which is the same at each execution of the message."""
    return f"{message.document}/reply/{number}"


class _Lines(Protocol):
    def __call__(
        self, kind: LogType, text: str, debug: str | None = None, became: State | None = None
    ) -> tuple[LogLine, ...]: ...


def next_step_id(message: Summary) -> str:
    """Returns the id of the message that continues this one: the same at each execution."""
    step = next_step(message)
    return f"{step.first}/step/{step.number}"


def next_step(message: Summary) -> Step:
    """Returns which step the message that continues this one is."""
    own = message.step or Step(1, message.document)
    return replace(own, number=own.number + 1)


def _following(message: Message, following: NextStep, now: datetime) -> Message:
    """Makes the message that continues this one. It is dead if the work has had all its steps."""
    step = next_step(message)
    made = lifecycle.received(
        message_id=next_step_id(message),
        command=message.type,
        content=following.content,
        now=now,
        due=now + following.grace,
        audience=message.audience,
        correlation_id=message.correlation_id or message.id,
        personal=message.personal,
    )
    made = replace(
        made,
        trace=message.trace,
        step=step,
        titular=message.titular,
        request_id=message.request_id,
    )
    if message.order is not None:
        made = replace(made, order=step_order(message.order, step.number))
    if step.number <= following.most:
        return made
    error = (
        f"The work goes on after {following.most} steps, the most that its command may have "
        f"(maxSteps in the catalogue): it may never end. Discard it, or redrive it for one more"
    )
    return lifecycle.dead(made, DeadReason.STEPS_EXHAUSTED, error)


def _reply(message: Message, number: int, answer: Answer, now: datetime) -> Message:
    reply = lifecycle.to_send(
        message_id=reply_id(message, number),
        message_type=answer.type,
        content=answer.content,
        now=now,
        audience=answer.audience,
        correlation_id=answer.correlation_id or message.correlation_id or message.id,
        personal=message.personal,
    )
    order = reply_order(message.order, number) if message.order else None
    return replace(reply, trace=message.trace, order=order, request_id=message.request_id)


def _done(
    stored: Stored,
    message: Message,
    done: Done,
    now: datetime,
    expires: datetime,
    lines: _Lines,
    limit: str,
) -> Settlement:
    created = tuple(
        _reply(message, number, answer, now) for number, answer in enumerate(done.answers, start=1)
    )
    text = f"Executed in {limit}; {len(created)} replies"
    logs: tuple[LogLine, ...] = ()
    if done.following is not None:
        made = _following(message, done.following, now)
        created += (made,)
        text = f"{text}; it goes on as {made.id}"
        if made.state is State.DEAD:
            text = f"{text}, which is dead"
            logs = (died(made, now, expires),)
    ended = lifecycle.with_attempt(message, Result.DONE, now, None)
    return Settlement(
        document=message.document,
        fence=stored.version,
        history=Ended(ended, Ending.DONE, now, expires),
        logs=logs + lines(LogType.INFORMATION, text),
        created=created,
    )


def settle(
    stored: Stored, finished: Finished, policy: RetryPolicy, retention: Retention
) -> Settlement:
    """Makes the settlement of one attempt of a Downstream message."""
    message, now = stored.message, finished.at
    if finished.titular:
        message = replace(message, titular=finished.titular)
    expires = retention.expires(now, policy)

    def lines(
        kind: LogType, text: str, debug: str | None = None, became: State | None = None
    ) -> tuple[LogLine, ...]:
        said = (
            LogLine(message.id, line.type, line.text, line.at, expires, line.debug)
            for line in finished.lines
        )
        return (*said, LogLine(message.id, kind, text, now, expires, debug, became))

    limit = f"attempt {message.attempt} of {policy.limit}"
    match finished.outcome:
        case Done():
            return _done(stored, message, finished.outcome, now, expires, lines, limit)
        case Unknown(error, debug) if policy.hold_unknown:
            live = lifecycle.unknown(message, now, error)
            text = f"Dead, outcome unknown in {limit}: {live.error}"
            log = lines(LogType.ERROR, text, debug, live.state)
            return Settlement(document=message.document, fence=stored.version, live=live, logs=log)
        case Retry(error, debug) | Unknown(error, debug):
            live = lifecycle.failed(
                message, policy.next_attempt_at(now, message.attempt), now, error
            )
            if live.due is None:
                text = f"Dead after {limit}: {live.error}"
                log = lines(LogType.ERROR, text, debug, live.state)
            else:
                text = f"Failed in {limit}, next at {live.due:%Y-%m-%d %H:%M:%S}Z: {live.error}"
                log = lines(LogType.WARNING, text, debug, live.state)
            return Settlement(document=message.document, fence=stored.version, live=live, logs=log)
        case Unwritten(error):
            live = lifecycle.unwritten(message, now, f"It was executed. {error}")
            text = f"Dead, outcome unwritten in {limit}: {live.error}"
            log = lines(LogType.ERROR, text, became=live.state)
            return Settlement(document=message.document, fence=stored.version, live=live, logs=log)
        case Reject(error, debug):
            rejected = lifecycle.with_attempt(message, Result.REJECTED, now, error)
            live = lifecycle.dead(rejected, DeadReason.REJECTED, error)
            text = f"Dead, rejected in {limit}: {live.error}"
            log = lines(LogType.ERROR, text, debug, live.state)
            return Settlement(document=message.document, fence=stored.version, live=live, logs=log)
        case HandBack(error, due, alone):
            live = lifecycle.handed_back(message, due or now, error, waits=due is not None)
            live = replace(live, alone=alone or live.alone)
            return Settlement(document=message.document, fence=stored.version, live=live)
