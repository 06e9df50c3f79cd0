"""Traces one message: its log lines, its replies and its events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from smartlink.domain.identity import Direction, document_id
from smartlink.domain.message import Ending, LogLine, LogType, Message, State, Summary
from smartlink.domain.settlement import reply_id
from smartlink.i18n import Text, _, data
from smartlink.operations.ports import Deployment, OperatorStore
from smartlink.operations.select import Located

REPLIES_SOUGHT = 20


KINDS = {
    LogType.INFORMATION: _("information"),
    LogType.WARNING: _("warning"),
    LogType.ERROR: _("error"),
}
"""`LOGTYPE` for people."""


@dataclass(frozen=True, slots=True)
class MessageReply:
    """A reply of the message, and its `Situacao`."""

    state: State | Ending
    message: Message
    ended: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the message, or will happen."""

    at: datetime
    what: Text
    text: Text


@dataclass(frozen=True, slots=True)
class Trace:
    """A live or ended message, with its log lines and its replies."""

    located: Located
    lines: Sequence[LogLine]
    replies: Sequence[MessageReply]

    def events(self) -> list[Event]:
        """Returns all that happened, in the order of time, and what comes next."""
        message = self.located.message
        origin = _("published") if message.direction is Direction.UPSTREAM else _("received")
        size = message.content.size
        events = [
            Event(message.received, origin, _("{type}, {size} bytes", type=message.type, size=size))
        ]
        for it in message.attempts:
            events.append(
                Event(it.started, _("attempt"), _("attempt {number} begins", number=it.number))
            )
            events.append(
                Event(
                    it.ended,
                    _("attempt"),
                    _("attempt {number}: {result}", number=it.number, result=it.result),
                )
            )
        events += [
            Event(it.at, _("log ({kind})", kind=KINDS[it.type]), data(it.text)) for it in self.lines
        ]
        events += [
            Event(it.message.received, _("reply"), data(f"{it.message.type}: {it.state}"))
            for it in self.replies
        ]
        ended = self.located.ended
        if self.located.live is None and ended is not None:
            events.append(Event(ended.ended, _("ended"), data(ended.ending)))
        elif message.due is not None:
            text = _("{state}: the sweep may take it from here", state=message.state)
            events.append(Event(message.due, _("next"), text))
        return sorted(events, key=lambda event: event.at)


def trace(deployment: Deployment, located: Located) -> Trace:
    """Reads the log lines and the replies of a message. Raises UnreadableError."""
    message = located.message
    lines = deployment.store.lines_of(located.tenant, message.id)
    return Trace(located, lines, replies_of(deployment.store, located.tenant, message))


def replies_of(store: OperatorStore, tenant: str, message: Summary) -> list[MessageReply]:
    """Read the replies that a message made, REPLIES_SOUGHT at most."""
    ids = [reply_id(message, number) for number in range(1, REPLIES_SOUGHT + 1)]
    documents = [document_id(Direction.UPSTREAM, it) for it in ids]
    live, ended = store.read(tenant, documents), store.history(tenant, documents)
    found: list[MessageReply] = []
    for document in documents:
        if document in ended:
            end = ended[document]
            found.append(MessageReply(end.ending, end.message, end.ended))
        elif document in live:
            found.append(MessageReply(live[document].message.state, live[document].message))
    return found
