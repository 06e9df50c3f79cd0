"""Repeats: a message with a repeated id runs once; if the content differs, it is kept as dead."""

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
from smartlink.domain.settlement import Settlement, annotate, died
from smartlink.observability import ERROR, INFO, WARNING, message_event
from smartlink.ports import Conflict, Contents, LogSink, Messages, Unavailable
from smartlink.services.contents import copied, give_up, release

if TYPE_CHECKING:  # for the annotations alone: neither a consumer nor publish polls
    from smartlink.services.polling.tenant_poll import TenantPoll


_REUSED = "Another message, with another content, has this id: its sender reused it"
_REMEMBERED = 10_000  # documents whose repeats this process counts
_UNREADABLE = Past(None, None, None)
"""An earlier message of unreadable time. It never counts as the same: a message could be lost."""
_PREDECESSORS = "The customer who had the tenant's name before had a message of this id: redrive it"
_UNTOLD = "What is stored under this id cannot be read: it may be the same message"


def same(one: Message, other: Past) -> bool:
    """Tells whether two messages with one id are the same message."""
    return (one.type, one.content.sha256) == (other.type, other.sha256)


def _was_predecessors(poll: "TenantPoll", past: Past) -> bool:
    """Tells whether the message was another customer's, who had the tenant's name before."""
    pin = poll.state.pin
    if pin is None or pin.since is None or past.received is None:
        return False
    return past.received < pin.since


def _decided(message: Message) -> bool:
    """Tells whether the message has run or is dead. A recalled message waits, but has not run."""
    return message.state is State.DEAD or (message.state is State.WAITING and message.attempt > 0)


class Repeats:
    """Decides what happens to messages whose id another message has."""

    def __init__(self, messages: Messages, logs: LogSink, contents: Contents) -> None:
        self._messages = messages
        self._logs = logs
        self._contents = contents
        self._met: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._lock = Lock()

    def before(self, tenant: str, stored: Sequence[Stored]) -> dict[str, Past]:
        """Returns, by document, which earlier message each of these live messages repeats.

        That is a message that has ended under the same id. For a message that came without an id,
        it is also one with the same content in the hour before. A record of the history counts even
        if it is unreadable.
        """
        if not stored:
            return {}
        hours = {item.message.document: lifecycle.hour_before(item.message) for item in stored}
        earlier = [document for document in hours.values() if document is not None]
        live = self._messages.alive(tenant, earlier) if earlier else {}
        # The history is read last, because a live message may end in between.
        ended = self._messages.past(tenant, [*hours, *earlier])
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
        """Returns which of these messages came again, in the next hour, and have been replaced.

        It concerns messages that came without an id and were stored only after their hour had
        ended. If the same content came again meanwhile and that message has run, the older one is
        its repeat. The first answer holds these, by document. The second holds the documents of
        which it is not decided yet, because the other message has not run.
        """
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
        """Handles an arrival whose document exists already; tells whether it may be acked."""
        document = message.document
        live = self._messages.alive(poll.name, [document]).get(document)
        if live is not None and same(message, live):
            self._note(poll, message, "it is stored already", now)
            return True
        ended = self._messages.past(poll.name, [document]).get(document)
        if ended is not None and same(message, ended) and not _was_predecessors(poll, ended):
            self._note(poll, message, "it had ended already", now)
            self._give_up_ended(poll, message, now)
            return True
        if live is None and ended is None:
            return False  # the other one went between two reads: the broker offers this one again
        if not self._keep_reused(poll, message, ended or live, now):
            return False
        if live is None or live.sha256 not in {None, message.content.sha256}:  # another content
            give_up(self._contents, self._messages, poll.name, message, now)
        return True

    def _note(self, poll: "TenantPoll", message: Message, what: str, now: datetime) -> None:
        message_event(message, "message_duplicate", f"A repeat: {what}", INFO)
        poll.count("duplicates")
        times = self._times(poll.name, message.document)
        if times & (times - 1):
            return  # the same message may come each minute for ever: log it ever more rarely
        more = f" ({times} times)" if times > 1 else ""
        line = annotate(message, LogType.INFORMATION, f"Repeated: {what}{more}", now, poll.expires)
        if message.state is State.DEAD:  # a crash may have lost the log line of its death
            line = annotate(message, LogType.ERROR, f"Dead: {message.error}", now, poll.expires)
        self._logs.log(poll.name, [line])

    def _times(self, tenant: str, document: str) -> int:
        """Returns how often this process has met the document, this time included."""
        with self._lock:
            times = self._met.pop((tenant, document), 0) + 1
            self._met[tenant, document] = times
            if len(self._met) > _REMEMBERED:
                self._met.popitem(last=False)
        return times

    def drop(self, poll: "TenantPoll", stored: Stored, previous: Past, now: datetime) -> bool:
        """Deletes a live message that repeats `previous`, so that it does not run again.

        If it is another message with the same id, it is kept as dead under another document.
        Returns False if it could not be, so that the live message stays.
        """
        message = stored.message
        lines: tuple[LogLine, ...] = ()
        repeated = same(message, previous) and not _was_predecessors(poll, previous)
        if repeated:
            message_event(message, "message_duplicate", "Its id has ended before", INFO)
            poll.count("duplicates")
            times = self._times(poll.name, message.document)
            if not times & (times - 1):
                more = f" ({times} times)" if times > 1 else ""
                text = f"Repeated: it had ended already{more}"
                lines = (annotate(message, LogType.INFORMATION, text, now, poll.expires),)
        elif not self._keep_reused(poll, message, previous, now):
            return False  # the live message stays, and is met again
        named = lifecycle.hour_before(message) is None
        over = repeated and (named or (message.personal and self._ended(poll, message)))
        gone = Settlement(document=message.document, fence=stored.version, logs=lines)
        with suppress(Conflict):  # another poll has deleted it already
            self._messages.commit(poll.name, [gone])
        if over:
            release(self._contents, message, now)
        else:  # the same content may be a new message later
            give_up(self._contents, self._messages, poll.name, message, now)
        return True

    def _give_up_ended(self, poll: "TenantPoll", message: Message, now: datetime) -> None:
        """Removes the content that a repeat of an ended message has put into the bucket.

        The history of a personal message does not refer to the content, so the object is deleted,
        even if another call has put it too: that call will find the same ended message. Otherwise
        each of two calls would leave the object to the other.
        """
        if message.personal:
            release(self._contents, message, now)
        else:
            give_up(self._contents, self._messages, poll.name, message, now)

    def _ended(self, poll: "TenantPoll", message: Message) -> bool:
        """Tells whether this message itself has ended, and not only one of the hour before."""
        ended = self._messages.past(poll.name, [message.document]).get(message.document)
        return ended is not None and same(message, ended)

    def _keep_reused(
        self, poll: "TenantPoll", message: Message, previous: Past | None, now: datetime
    ) -> bool:
        """Stores the message as dead under a document of its own; tells whether it is there now.

        Its content is copied, because the content's object expires when the other message ends.
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
        elif previous is not None and _was_predecessors(poll, previous):
            error = _PREDECESSORS
        dead = replace(
            lifecycle.dead(message, reason, error),
            document=document,
            content=content,
            attempt=0,
            order=None,
        )
        line = died(dead, now, poll.expires)
        burial = Settlement(document=document, fence=None, live=dead, logs=(line,))
        try:
            self._messages.commit(poll.name, [burial])
        except Conflict:
            return document in self._messages.alive(poll.name, [document])  # it is there already
        message_event(dead, "message_dead", error, ERROR, reason=reason)
        poll.count("dead")
        return True
