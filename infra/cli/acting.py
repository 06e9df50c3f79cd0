"""Redrive, discard and hold: what an operator does to messages, written as the relay writes.

Each message changes in one commit, under its version, with the log line that says who and why:
so a run may be stopped and repeated at will; what is done no longer fits, and is not done again.
Messages are selected from lists, which leave contents out, and read whole before they are written.
"""

import signal
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from types import FrameType
from typing import TYPE_CHECKING

from infra.cli.selection import Selected
from infra.cli.world import World
from smartlink.adapters.documents import Discarded
from smartlink.domain import lifecycle
from smartlink.domain.identity import second_end_id
from smartlink.domain.message import (
    MAY_HAVE_RUN,
    DeadReason,
    Ended,
    Ending,
    LogLine,
    LogType,
    Message,
    State,
    Stored,
    Summary,
)
from smartlink.domain.settlement import Settlement, annotate
from smartlink.services.contents import release
from smartlink.services.settle import Pending, settle_all

if TYPE_CHECKING:  # Google's libraries take long to import
    from infra.cli.adapters.messages import Odd

CHUNK = 20


@dataclass(frozen=True, slots=True)
class Note:
    """Who acts, why, when, and how long that is kept."""

    who: str
    reason: str
    at: datetime
    expires: datetime
    undone: bool = False  # who acts knows that nothing of it was done

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
        undone=note.undone,
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


def discarded(stored: Stored, note: Note, *, again: bool = False) -> Settlement:
    """Ended: it goes to the history as `Descartada`, beside what has ended under its id `again`."""
    message = stored.message
    if again:
        message = replace(message, document=second_end_id(message.document, stored.version))
    return Settlement(
        document=stored.message.document,
        fence=stored.version,
        history=Ended(message, Ending.DISCARDED, note.at, note.expires),
        logs=(note.line(message, "Discarded"),),
    )


def held(stored: Stored, note: Note) -> Settlement:
    """Dead, as one of which nobody knows whether it was done. No claim of before may settle it."""
    message = stored.message
    before = f"{message.state}{f', {message.dead_reason}' if message.dead_reason else ''}"
    error = f"Held by {note.who}: {note.reason}"
    live = replace(lifecycle.dead(message, DeadReason.UNKNOWN_OUTCOME, error), claim=None)
    what = f"Held after {message.attempt} attempts ({before})"
    return Settlement(
        document=message.document,
        fence=stored.version,
        live=live,
        logs=(note.line(message, what),),
    )


def given_up(odd: "Odd", note: Note) -> tuple[Discarded, LogLine]:
    """A document that nobody can read, and what is noted of its end."""
    text = f"Discarded unread ({odd.why}) by {note.who}: {note.reason}"
    message_id = odd.text("ID") or odd.document
    line = LogLine(message_id, LogType.WARNING, text, note.at, note.expires)
    return Discarded(odd.fields, note.at, note.expires, odd.personal), line


def not_redrivable(
    message: Summary, commands: Collection[str], *, undone: bool = False
) -> str | None:
    """Why it is not executed again; None if it may be. `undone`: who asks knows that it was not."""
    if message.dead_reason is DeadReason.MALFORMED:
        return "its envelope is malformed: ask the sender, then discard it"
    if message.dead_reason is DeadReason.UNKNOWN_COMMAND and message.type not in commands:
        return "no consumer is deployed for its command: deploy one, or discard it"
    if message.dead_reason in MAY_HAVE_RUN and not undone:
        return (
            f"it may have been done ({message.dead_reason}): find out; redrive it with "
            f"--outcome-unknown if it was not, discard it if it was"
        )
    return None


def not_holdable(message: Summary) -> str | None:
    """Why it need not be held; None if it must."""
    if message.dead_reason in MAY_HAVE_RUN and message.state is State.DEAD:
        return f"it is held already ({message.dead_reason})"
    if message.dead_reason is DeadReason.MALFORMED and message.state is State.DEAD:
        return "its envelope is malformed: it never runs"
    return None


@dataclass(frozen=True, slots=True)
class Action:
    """What is done to each message."""

    name: str
    done: str
    settle: Callable[[Stored, Note], Settlement]
    ends: bool = False  # the message's content is released
    dead: bool = True  # done to dead ones only


REDRIVE = Action("redrive", "redriven", redriven)
DISCARD = Action("discard", "discarded", discarded, ends=True)
HOLD = Action("hold", "held", held, dead=False)


@dataclass(slots=True)
class Report:
    """What became of them."""

    done: int = 0
    second: int = 0  # of those: their ids had ended before, so they have a record of their own
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
            whole = _whole(world, tenant, chunk)
            before = _ended_before(world, tenant, whole) if action.ends else set()
            pending = [
                Pending(_settlement(action, it, note, before), _claim(it.message), it)
                for it in whole
            ]
            settled = settle_all(world.store, tenant, pending)
            report.done += len(settled.written)
            report.second += sum(it.document in before for it in settled.written)
            report.changed += len(settled.lost) + len(chunk) - len(whole)
            report.unanswered += len(settled.unknown)
            report.refused += [text for _, text in settled.refused]
            report.left -= len(chunk)
            advance(len(chunk))
            if action.ends:
                gone = {it.document for it in settled.written}
                for it in whole:
                    if it.message.document in gone:
                        _release(world, tenant, it.message, before, note.at)
            if settled.unknown:
                report.left += len(settled.unknown)
                break
            if report.left and stop.wait(len(chunk) / rate):
                report.stopped = True
                break
    return report


def _whole(world: World, tenant: str, chunk: Sequence[Selected]) -> list[Stored]:
    """The messages with their contents, but those that another changed since they were listed."""
    found = world.store.read(tenant, [it.message.document for it in chunk])
    stored = ((found.get(it.message.document), it.listed.version) for it in chunk)
    return [it for it, version in stored if it is not None and it.version == version]


def _ended_before(world: World, tenant: str, whole: Sequence[Stored]) -> set[str]:
    """Those whose ids are in the history already: that record stays as it is."""
    return set(world.store.past(tenant, [it.message.document for it in whole])) if whole else set()


def _settlement(action: Action, stored: Stored, note: Note, before: Collection[str]) -> Settlement:
    if stored.message.document in before:
        return discarded(stored, note, again=True)
    return action.settle(stored, note)


def _release(
    world: World, tenant: str, message: Message, before: Collection[str], now: datetime
) -> None:
    """What has ended before may refer to the same object: then it expires, personal or not."""
    if message.document in before:
        referred = world.store.references(tenant, [message.document])[message.document]
        if None in referred or message.content.object in referred:
            message = replace(message, personal=False)
    release(world.contents, message, now)


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
