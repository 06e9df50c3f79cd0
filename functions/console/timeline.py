"""The whole life of a message on one time line."""

from dataclasses import dataclass
from datetime import datetime

from console.words import LOG_TYPES, REASONS, RESULTS, STATES
from smartlink.domain.identity import Direction
from smartlink.domain.message import LogType, Result, State
from smartlink.i18n import Text, _, span
from smartlink.operations.trace import Trace


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, or will."""

    at: datetime
    tone: str
    title: Text
    detail: Text | str = ""
    link: tuple[str, str] | None = None  # tenant, document
    future: bool = False


def moments(trace: Trace) -> list[Moment]:
    """Returns all of it in the order of time, what comes next at the end."""
    located, message = trace.located, trace.located.message
    size = _("{type}, {size} bytes", type=message.type, size=message.content.size)
    if message.direction is Direction.UPSTREAM:
        begin = _("Published: stored as an Upstream document, to be sent by the next poll")
    else:
        begin = _("Received from the broker: stored, then acked, then dispatched")
    found = [Moment(message.received, "plain", begin, size)]
    for it in message.attempts:
        title = _("Attempt {number} begins: claimed under a lease", number=it.number)
        found.append(Moment(it.started, "plain", title))
        took = span(it.ended - it.started)
        result = RESULTS[it.result]
        ended = _(
            "Attempt {number}: {result}, after {took}", number=it.number, result=result, took=took
        )
        tone = "good" if it.result is Result.DONE else "bad"
        found.append(Moment(it.ended, tone, ended, it.error or ""))
    for line in trace.lines:
        tone, name = LOG_TYPES.get(line.type, LOG_TYPES[LogType.ERROR])
        found.append(Moment(line.at, tone, _("Log: {type}", type=name), line.text))
    for reply in trace.replies:
        own = reply.message
        state = STATES[reply.state][1]
        title = _("Reply {type}: {state}", type=own.type, state=state)
        found.append(Moment(own.received, "plain", title, link=(located.tenant, own.document)))
    if message.redriven is not None:
        found.append(Moment(message.redriven, "busy", _("An operator had it executed again")))
    found.sort(key=lambda it: it.at)
    return [*found, *_end(trace)]


def _end(trace: Trace) -> list[Moment]:
    located = trace.located
    if located.live is None:
        ended = located.ended
        assert ended is not None  # noqa: S101  (a trace has one of them)
        tone, name = STATES[ended.ending]
        return [
            Moment(ended.ended, tone, _("Ended: {state}", state=name), _("It is in the history."))
        ]
    message = located.live.message
    if message.due is not None:
        tone, name = STATES[message.state]
        text = _("From then on the sweep may take it")
        return [Moment(message.due, tone, name, text, future=True)]
    if message.state is State.DEAD:
        why = REASONS[message.dead_reason] if message.dead_reason else Text(lambda _language: "")
        at = message.attempts[-1].ended if message.attempts else message.received
        title = _("Dead: it waits for a person")
        return [Moment(at, "bad", title, why, future=True)]
    return []
