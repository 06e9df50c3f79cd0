"""Redrive, discard and hold: what an operator does to messages, written as the relay writes.

Each message changes in one commit, under its version, with the log line that says who and why:
so a run may be stopped and repeated at will; what is done no longer fits, and is not done again.
Messages are selected from lists, which leave contents out, and read whole before they are written.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby

from smartlink.domain import lifecycle
from smartlink.domain.message import (
    MAY_HAVE_RUN,
    DeadReason,
    Ended,
    Ending,
    Listed,
    LogLine,
    LogType,
    Message,
    State,
    Stored,
    Summary,
)
from smartlink.domain.settlement import Settlement
from smartlink.operations.audit import Note
from smartlink.operations.errors import ForbiddenError, OnlyDiscardError
from smartlink.operations.ports import Deployment, RawDocument, Stop
from smartlink.operations.select import Filters, Located, Passed, Selected
from smartlink.ports import PortError
from smartlink.services.contents import release
from smartlink.services.settle import Pending, settle_all

CHUNK = 20


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


def discarded(stored: Stored, note: Note) -> Settlement:
    """Ended: it goes to the history as `Descartada`."""
    message = stored.message
    return Settlement(
        document=message.document,
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


class Unfit(StrEnum):
    """Why an action leaves a message out."""

    MALFORMED = "malformed"  # its envelope never made sense: it cannot run
    NO_CONSUMER = "no-consumer"  # none is deployed for its command
    MAY_HAVE_RUN = "may-have-run"  # nobody knows whether it was done
    HELD = "held"  # already
    NEVER_RUNS = "never-runs"  # malformed and dead: it needs no holding
    UNREADABLE = "unreadable"


def not_redrivable(
    message: Summary, commands: Collection[str], *, undone: bool = False
) -> Unfit | None:
    """Why it is not executed again; None if it may be. `undone`: who asks knows that it was not."""
    if message.dead_reason is DeadReason.MALFORMED:
        return Unfit.MALFORMED
    if message.dead_reason is DeadReason.UNKNOWN_COMMAND and message.type not in commands:
        return Unfit.NO_CONSUMER
    if message.dead_reason in MAY_HAVE_RUN and not undone:
        return Unfit.MAY_HAVE_RUN
    return None


def not_holdable(message: Summary) -> Unfit | None:
    """Why it need not be held; None if it must."""
    if message.state is not State.DEAD:
        return None
    if message.dead_reason in MAY_HAVE_RUN:
        return Unfit.HELD
    return Unfit.NEVER_RUNS if message.dead_reason is DeadReason.MALFORMED else None


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


@dataclass(frozen=True, slots=True)
class Skipped:
    """What is left out, and why."""

    tenant: str
    document: str
    id: str | None  # None: it cannot be read
    unfit: Unfit
    detail: str  # why it is dead, or cannot be read


class Idle(StrEnum):
    """Why nothing is to be done to the one message that was named."""

    DISCARDED = "discarded"  # already
    ALIVE = "alive"  # not dead


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do, so many messages at most, and what it leaves out on the way."""

    action: Action
    messages: Sequence[Selected] = ()
    skipped: Sequence[Skipped] = ()
    idle: Idle | None = None


def plan(
    deployment: Deployment, action: Action, filters: Filters, limit: int, *, undone: bool = False
) -> Plan:
    """Select the messages that fit. `undone`: who asks knows that what may have run did not."""
    unfit = _unfit(deployment, action, undone=undone)
    found = replace(filters, state=State.DEAD if action.dead else None).scan(deployment)
    return _sorted_out(action, found, unfit, limit)


def plan_one(
    deployment: Deployment, action: Action, located: Located, *, undone: bool = False
) -> Plan:
    """The same for one message. Raises ForbiddenError if it has ended.

    What nobody can read is given up with `give_up` instead: it raises OnlyDiscardError.
    """
    unfit = _unfit(deployment, action, undone=undone)
    live, ended = located.live, located.ended
    if live is not None:
        if live.message.state is not State.DEAD:
            return Plan(action, idle=Idle.ALIVE)
        selected = Selected(located.tenant, Listed(live.message, live.version))
        return _sorted_out(action, [selected], unfit, 1)
    if ended is None:
        assert located.raw is not None  # noqa: S101  (it was found in one of them)
        raise _only_discard(located.tenant, located.raw)
    if action is DISCARD and ended.ending is Ending.DISCARDED:
        return Plan(action, idle=Idle.DISCARDED)
    message = (
        f"{located.identity} of {located.tenant} has ended ({ended.ending}): "
        f"a message is never executed twice; ask its sender for a new one"
    )
    raise ForbiddenError(message)


def _unfit(
    deployment: Deployment, action: Action, *, undone: bool
) -> Callable[[Summary], Unfit | None]:
    if action is HOLD:
        return not_holdable
    if action is DISCARD:
        return lambda _: None
    commands = deployment.settings.catalog.commands
    return lambda message: not_redrivable(message, commands, undone=undone)


def _sorted_out(
    action: Action,
    found: Iterable[Selected | Passed],
    unfit: Callable[[Summary], Unfit | None],
    limit: int,
) -> Plan:
    fit: list[Selected] = []
    skipped: list[Skipped] = []
    for item in found:
        if isinstance(item, Passed):
            document = item.document
            skipped.append(
                Skipped(item.tenant, document.document, None, Unfit.UNREADABLE, document.why)
            )
            continue
        message = item.message
        why = unfit(message)
        if why is not None:
            reason = str(message.dead_reason)
            skipped.append(Skipped(item.tenant, message.document, message.id, why, reason))
            continue
        fit.append(item)
        if len(fit) == limit:
            break
    return Plan(action, fit, skipped)


def check_given_up(action: Action, tenant: str, raw: RawDocument) -> None:
    """Raise OnlyDiscardError unless the action may be done to what nobody can read."""
    if action is not DISCARD or not raw.alive:
        raise _only_discard(tenant, raw)


def _only_discard(tenant: str, raw: RawDocument) -> OnlyDiscardError:
    return OnlyDiscardError(
        f"{raw.collection}/{raw.document} of {tenant} cannot be read ({raw.why})"
    )


def give_up(deployment: Deployment, tenant: str, raw: RawDocument, note: Note) -> PortError | None:
    """Discard a live document that nobody can read; its fields are kept in the history.

    Raises Conflict if it was changed meanwhile. Answers why its content could not be released.
    """
    check_given_up(DISCARD, tenant, raw)
    text = f"Discarded unread ({raw.why}) by {note.who}: {note.reason}"
    message_id = raw.message_id or raw.document
    line = LogLine(message_id, LogType.WARNING, text, note.at, note.expires)
    deployment.store.give_up(tenant, raw, line)
    if raw.content_object is None:
        return None
    try:
        if raw.personal:
            deployment.contents.delete(raw.content_object)
        else:
            deployment.contents.expire(raw.content_object, note.at)
    except PortError as error:
        return error
    return None


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
    deployment: Deployment,
    planned: Plan,
    note: Note,
    rate: int,
    stop: Stop,
    advance: Callable[[int], object],
) -> Report:
    """Do what is planned, `rate` messages a second at most, until done or told to stop.

    It stops between two commits, never within one. `advance` is told how many more are through.
    """
    action, messages = planned.action, planned.messages
    report = Report(left=len(messages))
    for tenant, chunk in _chunks(messages, min(CHUNK, rate)):
        whole = _whole(deployment, tenant, chunk)
        pending = [Pending(action.settle(it, note), _claim(it.message), it) for it in whole]
        settled = settle_all(deployment.store, tenant, pending)
        report.done += len(settled.written)
        report.changed += len(settled.lost) + len(chunk) - len(whole)
        report.unanswered += len(settled.unknown)
        report.refused += [text for _, text in settled.refused]
        report.left -= len(chunk)
        advance(len(chunk))
        if action.ends:
            gone = {it.document for it in settled.written}
            for it in whole:
                if it.message.document in gone:
                    release(deployment.contents, it.message, note.at)
        if settled.unknown:
            report.left += len(settled.unknown)
            break
        if report.left and stop.wait(len(chunk) / rate):
            report.stopped = True
            break
    return report


def _whole(deployment: Deployment, tenant: str, chunk: Sequence[Selected]) -> list[Stored]:
    """The messages with their contents, but those that another changed since they were listed."""
    found = deployment.store.read(tenant, [it.message.document for it in chunk])
    stored = ((found.get(it.message.document), it.listed.version) for it in chunk)
    return [it for it, version in stored if it is not None and it.version == version]


def _claim(message: Message) -> str:
    return message.claim.id if message.claim else ""


def _chunks(messages: Sequence[Selected], size: int) -> Iterator[tuple[str, list[Selected]]]:
    for tenant, own in groupby(messages, key=lambda it: it.tenant):
        items = list(own)
        for start in range(0, len(items), size):
            yield tenant, items[start : start + size]
