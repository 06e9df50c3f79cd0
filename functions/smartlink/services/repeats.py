"""A repeated id is executed once; the same id with another content is kept as dead."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from smartlink.domain import lifecycle
from smartlink.domain.identity import reused_document_id
from smartlink.domain.message import DeadReason, LogType, Message, Stored
from smartlink.domain.settlement import Settlement, annotate
from smartlink.observability import ERROR, INFO, event
from smartlink.ports import Conflict, LogSink, Messages
from smartlink.services.tick import TenantTick


def same(one: Message, other: Message) -> bool:
    """Whether two messages of one id are one message."""
    return (one.type, one.content.sha256) == (other.type, other.content.sha256)


def say(message: Message, action: str, text: str, severity: int, **more: object) -> None:
    """Logs an event about a message."""
    event(
        action,
        text,
        severity,
        messageId=message.id,
        document=message.document,
        command=message.type,
        **more,
    )


class Repeats:
    """Decides on messages whose id is taken."""

    def __init__(self, messages: Messages, logs: LogSink) -> None:
        self._messages = messages
        self._logs = logs

    def ended(self, tenant: str, stored: Sequence[Stored]) -> dict[str, Message]:
        """Which of these live messages have ended before."""
        if not stored:
            return {}
        ended = self._messages.history(tenant, [item.message.document for item in stored])
        return {document: record.message for document, record in ended.items()}

    def meet(self, tick: TenantTick, message: Message, now: datetime) -> bool:
        """An arrival whose document exists already. True when it is safe to ack it."""
        document = message.document
        live = self._messages.read(tick.name, [document]).get(document)
        existing = live.message if live else None
        if existing is None:
            ended = self._messages.history(tick.name, [document]).get(document)
            existing = ended.message if ended else None
        if existing is None:
            return False  # it went between two looks: the broker offers the message again
        if same(message, existing):
            say(message, "message_duplicate", "A repeat of a message that is stored", INFO)
            tick.count("duplicates")
            text = "Repeated: it is stored already"
            line = annotate(message, LogType.INFORMATION, text, now, tick.expires)
            self._logs.log(tick.name, [line])
        else:
            self._keep_reused(tick, message, now)
        return True

    def drop(self, tick: TenantTick, stored: Stored, previous: Message, now: datetime) -> None:
        """A live message that has ended before under the same id: it is not run (again)."""
        message = stored.message
        if not same(message, previous):
            self._keep_reused(tick, message, now)
        say(message, "message_duplicate", "Its id has ended before", INFO)
        tick.count("duplicates")
        text = "Repeated: it had ended already"
        line = annotate(message, LogType.INFORMATION, text, now, tick.expires)
        gone = Settlement(document=message.document, fence=stored.version, logs=(line,))
        with suppress(Conflict):  # another poll found the same, and was quicker
            self._messages.commit(tick.name, [gone])

    def _keep_reused(self, tick: TenantTick, message: Message, now: datetime) -> None:
        """Stores the message as dead under a document of its own."""
        document = reused_document_id(message.document, message.type, message.content.sha256)
        error = "Another message, with another content, has this id: its sender reused it"
        dead = replace(
            lifecycle.dead(message, DeadReason.ID_REUSED, error), document=document, attempt=0
        )
        line = annotate(dead, LogType.ERROR, f"Dead: {error}", now, tick.expires)
        burial = Settlement(document=document, fence=None, live=dead, logs=(line,))
        try:
            self._messages.commit(tick.name, [burial])
        except Conflict:
            return  # it came before
        say(dead, "message_dead", error, ERROR, reason=DeadReason.ID_REUSED)
        tick.count("dead")
