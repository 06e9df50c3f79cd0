"""Burial: a live message is declared dead, with the error line of its log, in one commit."""

from collections.abc import Sequence
from datetime import datetime

from smartlink.domain.message import LogType, Stored
from smartlink.domain.settlement import Settlement, annotate
from smartlink.observability import ERROR
from smartlink.ports import Messages
from smartlink.services.repeats import say
from smartlink.services.settle import Pending, settle_all
from smartlink.services.tick import TenantTick


def bury(messages: Messages, tick: TenantTick, dead: Sequence[Stored], now: datetime) -> None:
    """Writes these dead messages, each if it is still at its version.

    Why they failed stands in the document and its log; that text may quote a content, so Cloud
    Logging gets the reason's code alone.
    """
    pending = []
    for stored in dead:
        message = stored.message
        line = annotate(message, LogType.ERROR, f"Dead: {message.error}", now, tick.expires)
        burial = Settlement(
            document=message.document, fence=stored.version, live=message, logs=(line,)
        )
        pending.append(Pending(burial, message.claim.id if message.claim else ""))
    for burial in settle_all(messages, tick.name, pending).written:
        if burial.live is not None:
            tick.count("dead")
            reason = burial.live.dead_reason
            say(burial.live, "message_dead", f"Dead: {reason}", ERROR, reason=reason)
