"""A repeated id is executed once; the same id with another content is kept as dead."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

from smartlink.domain import lifecycle
from smartlink.domain.identity import reused_document_id
from smartlink.domain.message import DeadReason, LogLine, LogType, Message, Past, State, Stored
from smartlink.domain.settlement import Settlement, annotate
from smartlink.observability import ERROR, INFO, WARNING, message_event
from smartlink.ports import Conflict, Contents, LogSink, Messages, Unavailable
from smartlink.services.contents import copied, give_up, release

if TYPE_CHECKING:  # neither a consumer nor publish has a tick
    from smartlink.services.polling.tenant_poll import TenantPoll


_REUSED = "Another message, with another content, has this id: its sender reused it"
_REMEMBERED = 10_000  # documents that came again
_UNREADABLE = Past(None, None, None)
"""Nobody knows whether it came within the hour: taken for the same message, one would be lost."""
_PREDECESSORS = "The customer who had the tenant's name before had a message of this id: redrive it"
_UNTOLD = "What is stored under this id cannot be read: it may be the same message"


def same(one: Message, other: Past) -> bool:
    """Whether two messages of one id are one message."""
    return (one.type, one.content.sha256) == (other.type, other.sha256)


def _predecessors(poll: "TenantPoll", past: Past) -> bool:
    """Whether it was of another customer, who had the tenant's name before."""
    pin = poll.state.pin
    if pin is None or pin.since is None or past.received is None:
        return False
    return past.received < pin.since


def _decided(message: Message) -> bool:
    """Whether it was executed, or never is: what was recalled waits as well, and has not run."""
    return message.state is State.DEAD or (message.state is State.WAITING and message.attempt > 0)


class Repeats:
    """Decides on messages whose id is taken."""

    def __init__(self, messages: Messages, logs: LogSink, contents: Contents) -> None:
        self._messages = messages
        self._logs = logs
        self._contents = contents
        self._met: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._lock = Lock()

    def before(self, tenant: str, stored: Sequence[Stored]) -> dict[str, Past]:
        """What these live messages repeat, by their documents: one that has ended under the id,
        or, of a message that came without an id, the same content in the hour before.

        That one has ended is known by its document's existence, be it readable or not.
        """
        if not stored:
            return {}
        hours = {item.message.document: lifecycle.hour_before(item.message) for item in stored}
        earlier = [document for document in hours.values() if document is not None]
        live = self._messages.alive(tenant, earlier) if earlier else {}
        ended = self._messages.past(tenant, [*hours, *earlier])  # after: it may end in between
        previous: dict[str, Past] = {}
        for item in stored:
            document, hour = item.message.document, hours[item.message.document]
            if hour in ended or hour in live:
                other = ended[hour] if hour in ended else live[hour]
                if other.received is None:
                    previous[document] = _UNREADABLE
                elif item.message.received - other.received < lifecycle.REPEAT:
                    previous[document] = other
            if document in ended:
                previous[document] = ended[document]
        return previous

    def overtaken(
        self, tenant: str, stored: Sequence[Stored], now: datetime
    ) -> tuple[dict[str, Past], set[str]]:
        """Of what came without an id and was stored so late that the hour had turned: which the
        same content has overtaken, received again since; and which may be, as that one is
        neither executed yet nor found to be the repeat."""
        hours = {item.message.document: lifecycle.hour_after(item.message, now) for item in stored}
        later = [document for document in hours.values() if document is not None]
        live = self._messages.read(tenant, later) if later else {}
        unread = [document for document in later if document not in live]
        odd = self._messages.alive(tenant, unread) if unread else {}
        ended = self._messages.past(tenant, later) if later else {}
        previous: dict[str, Past] = {}
        undecided: set[str] = set()
        for item in stored:
            document, hour = item.message.document, hours[item.message.document]
            other = ended.get(hour or "") or odd.get(hour or "")
            if other is None and hour in live:
                other = Past.of(live[hour].message)
            if other is None:
                continue
            since = other.received - item.message.received if other.received else None
            if since is None:
                other = _UNREADABLE
            elif since >= lifecycle.REPEAT:
                continue
            if hour in ended or hour not in live or _decided(live[hour].message):
                previous[document] = other
            else:
                undecided.add(document)
        return previous, undecided

    def meet(self, poll: "TenantPoll", message: Message, now: datetime) -> bool:
        """An arrival whose document exists already. True when it is safe to ack it."""
        document = message.document
        live = self._messages.alive(poll.name, [document]).get(document)
        if live is not None and same(message, live):
            self._note(poll, message, "it is stored already", now)
            return True
        ended = self._messages.past(poll.name, [document]).get(document)
        if ended is not None and same(message, ended) and not _predecessors(poll, ended):
            self._note(poll, message, "it had ended already", now)
            self._give_up_ended(poll, message, now)
            return True
        if live is None and ended is None:
            return False  # it went between two looks: the broker offers the message again
        if not self._keep_reused(poll, message, ended or live, now):
            return False
        if live is None or live.sha256 not in {None, message.content.sha256}:  # not its object
            give_up(self._contents, self._messages, poll.name, message, now)
        return True

    def _note(self, poll: "TenantPoll", message: Message, what: str, now: datetime) -> None:
        message_event(message, "message_duplicate", f"A repeat: {what}", INFO)
        poll.count("duplicates")
        times = self._times(poll.name, message.document)
        if times & (times - 1):
            return  # one whose ack fails for ever comes each minute: told ever more rarely
        more = f" ({times} times)" if times > 1 else ""
        line = annotate(message, LogType.INFORMATION, f"Repeated: {what}{more}", now, poll.expires)
        if message.state is State.DEAD:  # a crash may have lost the line of its death
            line = annotate(message, LogType.ERROR, f"Dead: {message.error}", now, poll.expires)
        self._logs.log(poll.name, [line])

    def _times(self, tenant: str, document: str) -> int:
        """How often this process met it, this time included."""
        with self._lock:
            times = self._met.pop((tenant, document), 0) + 1
            self._met[tenant, document] = times
            if len(self._met) > _REMEMBERED:
                self._met.popitem(last=False)
        return times

    def drop(self, poll: "TenantPoll", stored: Stored, previous: Past, now: datetime) -> None:
        """A live message that has ended before under the same id: it is not run (again)."""
        message = stored.message
        lines: tuple[LogLine, ...] = ()
        repeated = same(message, previous) and not _predecessors(poll, previous)
        if repeated:
            message_event(message, "message_duplicate", "Its id has ended before", INFO)
            poll.count("duplicates")
            times = self._times(poll.name, message.document)
            if not times & (times - 1):
                more = f" ({times} times)" if times > 1 else ""
                text = f"Repeated: it had ended already{more}"
                lines = (annotate(message, LogType.INFORMATION, text, now, poll.expires),)
        elif not self._keep_reused(poll, message, previous, now):
            return  # the live one stays, and is met again
        named = lifecycle.hour_before(message) is None
        over = repeated and (named or (message.personal and self._ended(poll, message)))
        gone = Settlement(document=message.document, fence=stored.version, logs=lines)
        with suppress(Conflict):  # another poll found the same, and was quicker
            self._messages.commit(poll.name, [gone])
        if over:
            release(self._contents, message, now)
        else:  # the next message may come under its id, and with its content
            give_up(self._contents, self._messages, poll.name, message, now)

    def _give_up_ended(self, poll: "TenantPoll", message: Message, now: datetime) -> None:
        """What came again of a message that has ended lets go of its content.

        The history of a personal one does not refer to it, and whoever else has put it meanwhile
        finds that it had ended: so it is deleted, where two that put it at once would each leave
        it to the other one.
        """
        if message.personal:
            release(self._contents, message, now)
        else:
            give_up(self._contents, self._messages, poll.name, message, now)

    def _ended(self, poll: "TenantPoll", message: Message) -> bool:
        """Whether this message has, under its own document: not only one in the hour before."""
        ended = self._messages.past(poll.name, [message.document]).get(message.document)
        return ended is not None and same(message, ended)

    def _keep_reused(
        self, poll: "TenantPoll", message: Message, previous: Past | None, now: datetime
    ) -> bool:
        """Stores the message as dead under a document of its own; whether it is there now.

        Its content too: those that have its id let theirs expire when they end.
        """
        document = reused_document_id(message.document, message.type, message.content.sha256)
        try:
            content = copied(self._contents, poll.name, document, message.content)
        except Unavailable as down:
            message_event(message, "reused_not_kept", f"It comes again: {down}", WARNING)
            return False
        reason, error = DeadReason.ID_REUSED, _REUSED
        if previous is not None and None in (previous.type, previous.sha256):
            reason, error = DeadReason.UNKNOWN_OUTCOME, _UNTOLD
        elif previous is not None and _predecessors(poll, previous):
            error = _PREDECESSORS
        dead = replace(
            lifecycle.dead(message, reason, error), document=document, content=content, attempt=0
        )
        line = annotate(dead, LogType.ERROR, f"Dead: {error}", now, poll.expires)
        burial = Settlement(document=document, fence=None, live=dead, logs=(line,))
        try:
            self._messages.commit(poll.name, [burial])
        except Conflict:
            return document in self._messages.alive(poll.name, [document])  # it came before
        message_event(dead, "message_dead", error, ERROR, reason=reason)
        poll.count("dead")
        return True
