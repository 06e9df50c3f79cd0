"""Redrive and discard: what an operator does to dead messages, written as the relay writes.

Each message changes in one commit, under its version, with the log line that says who and why:
so a run may be stopped and repeated at will; what is done is no longer dead, and not done again.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from types import FrameType

from infra.cli.selection import Selected
from infra.cli.world import World
from smartlink.domain.message import (
    DeadReason,
    Ended,
    Ending,
    LogLine,
    LogType,
    Message,
    State,
    Stored,
)
from smartlink.domain.settlement import Settlement, annotate
from smartlink.services.contents import release
from smartlink.services.settle import Pending, settle_all

CHUNK = 20


@dataclass(frozen=True, slots=True)
class Note:
    """Who acts, why, when, and how long that is kept."""

    who: str
    reason: str
    at: datetime
    expires: datetime

    def line(self, message: Message, what: str) -> LogLine:
        """The line for `GTotvsLinkLog`."""
        text = f"{what} by {self.who}: {self.reason}"
        return annotate(message, LogType.INFORMATION, text, self.at, self.expires)


def redriven(stored: Stored, note: Note) -> Settlement:
    """Pending and due now, all its attempts before it again; `Tentativas` keeps the old ones."""
    message = stored.message
    live = replace(
        message,
        state=State.PENDING,
        due=note.at,
        attempt=0,
        dispatches=0,
        alone=False,
        redriven=note.at,
        dead_reason=None,
        failure=None,
    )
    what = f"Redriven after {message.attempt} attempts ({message.dead_reason or 'dead'})"
    return Settlement(
        document=message.document,
        fence=stored.version,
        live=live,
        logs=(note.line(message, what),),
    )


def discarded(stored: Stored, note: Note) -> Settlement:
    """Ended: it goes to the history as `Descartada`."""
    message = stored.message
    return Settlement(
        document=message.document,
        fence=stored.version,
        history=Ended(message, Ending.DISCARDED, note.at, note.expires),
        logs=(note.line(message, "Discarded"),),
    )


def not_redrivable(message: Message, commands: Sequence[str]) -> str | None:
    """Why executing it again cannot help; None if it may."""
    if message.dead_reason is DeadReason.MALFORMED:
        return "its envelope is malformed: ask the sender, then discard it"
    if message.dead_reason is DeadReason.UNKNOWN_COMMAND and message.type not in commands:
        return "no consumer is deployed for its command: deploy one, or discard it"
    return None


@dataclass(frozen=True, slots=True)
class Action:
    """What is done to each message."""

    name: str
    done: str
    settle: Callable[[Stored, Note], Settlement]
    ends: bool  # the message's content is released


REDRIVE = Action("redrive", "redriven", redriven, ends=False)
DISCARD = Action("discard", "discarded", discarded, ends=True)


@dataclass(slots=True)
class Report:
    """What became of them."""

    done: int = 0
    changed: int = 0  # another was quicker
    refused: list[str] = field(default_factory=list)
    unanswered: int = 0
    left: int = 0
    stopped: bool = False


def perform(
    world: World,
    action: Action,
    messages: Sequence[Selected],
    note: Note,
    rate: int,
    advance: Callable[[int], object],
) -> Report:
    """Act on each, `rate` a second at most, until done or Ctrl-C (after the commit at hand)."""
    report = Report(left=len(messages))
    with interrupted() as stop:
        for tenant, chunk in _chunks(messages, min(CHUNK, rate)):
            pending = [
                Pending(action.settle(it.stored, note), _claim(it.message), it.stored)
                for it in chunk
            ]
            settled = settle_all(world.store, tenant, pending)
            report.done += len(settled.written)
            report.changed += len(settled.lost)
            report.unanswered += len(settled.unknown)
            report.refused += [text for _, text in settled.refused]
            report.left -= len(chunk)
            advance(len(chunk))
            if action.ends:
                gone = {it.document for it in settled.written}
                for item in chunk:
                    if item.message.document in gone:
                        release(world.contents, item.message, note.at)
            if settled.unknown:
                report.left += len(settled.unknown)
                break
            if report.left and stop.wait(len(chunk) / rate):
                report.stopped = True
                break
    return report


def _claim(message: Message) -> str:
    return message.claim.id if message.claim else ""


def _chunks(messages: Sequence[Selected], size: int) -> Iterator[tuple[str, list[Selected]]]:
    for tenant, own in groupby(messages, key=lambda it: it.tenant):
        items = list(own)
        for start in range(0, len(items), size):
            yield tenant, items[start : start + size]


@contextmanager
def interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, so that a commit is never cut; the second one cuts."""
    event = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def stop(_number: int, _frame: FrameType | None) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
