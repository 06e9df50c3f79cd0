"""Performs a plan at a limited rate, so that the operator can watch and stop it.

An operator may stop and repeat a run, because the messages that are done no longer fit the filter.
The plan's messages come from lists without contents, so each is read whole before it is written.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby

from smartlink.domain.message import LogLine, LogType, Message, Stored
from smartlink.domain.settlement import Settlement
from smartlink.observability import INFO, WARNING, bound, event, message_event
from smartlink.operations.actions import DISCARD, Action, discarded
from smartlink.operations.audit import Note
from smartlink.operations.plan import Plan, check_given_up
from smartlink.operations.ports import Deployment, RawDocument, Stop
from smartlink.operations.select import Selected
from smartlink.ports import PortError
from smartlink.services.contents import release
from smartlink.services.order import keys_of, wake
from smartlink.services.settle import Pending, settle_all

CHUNK = 20


def give_up(
    deployment: Deployment, tenant: str, raw: RawDocument, note: Note
) -> tuple[bool, PortError | None]:
    """Discards an unreadable live document, and keeps its fields in the history.

    Returns whether the history had its id already, and the error if its content was not released.
    Raises OnlyDiscardError if the document is not a live one, and Conflict if it was changed
    meanwhile.
    """
    check_given_up(DISCARD, tenant, raw)
    text = f"Discarded unread ({raw.why}) by {note.who}: {note.reason}"
    message_id = raw.message_id or raw.document
    line = LogLine(message_id, LogType.WARNING, text, note.at, note.expires)
    second = deployment.store.give_up(tenant, raw, line)
    key = raw.shown(content=False).get("Chave")
    if isinstance(key, str):
        _let_go(deployment, tenant, [key], note.at)
    name = raw.content_object
    if name is None:
        return second, None
    try:
        referred = deployment.store.references(tenant, [raw.document])[raw.document]
        if raw.personal and name not in referred and None not in referred:
            deployment.contents.delete(name)
        else:
            deployment.contents.expire(name, note.at)
    except PortError as error:
        return second, error
    return second, None


@dataclass(slots=True)
class Report:
    """Counts what happened to the messages of a plan."""

    done: int = 0
    second: int = 0  # of these: the history had the id already, so the record has another id
    changed: int = 0  # somebody else changed the message first
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
    """Performs the plan, at most `rate` messages a second, until it is done or told to stop.

    It stops only between two commits. It calls `advance` with the number of further messages done.
    """
    action, messages = planned.action, planned.messages
    report = Report(left=len(messages))
    for tenant, chunk in _chunks(messages, min(CHUNK, rate)):
        whole = _whole(deployment, tenant, chunk)
        before = _ended_before(deployment, tenant, whole) if action.ends else set()
        pending = [
            Pending(_settlement(action, it, note, before), _claim(it.message), it) for it in whole
        ]
        settled = settle_all(deployment.store, tenant, pending)
        report.done += len(settled.written)
        _tell(tenant, action, whole, {it.document for it in settled.written})
        report.second += sum(it.document in before for it in settled.written)
        report.changed += len(settled.lost) + len(chunk) - len(whole)
        report.unanswered += len(settled.unknown)
        report.refused += [text for _, text in settled.refused]
        report.left -= len(chunk)
        advance(len(chunk))
        if action.ends:
            gone = {it.document for it in settled.written}
            ended = [it for it in whole if it.message.document in gone]
            _let_go(deployment, tenant, keys_of(ended), note.at)
            for it in ended:
                _release(deployment, tenant, it.message, before, note.at)
        if settled.unknown:
            report.left += len(settled.unknown)
            break
        if report.left and stop.wait(len(chunk) / rate):
            report.stopped = True
            break
    return report


def _let_go(deployment: Deployment, tenant: str, keys: Sequence[str], now: datetime) -> None:
    """Lets those go on that waited behind messages of these keys, in the next minute."""
    try:
        wake(deployment.store, tenant, keys, now)
    except PortError as error:
        text = f"What waited behind it goes on within the hour, not at once: {error}"
        event("turn_not_given", text, WARNING, tenant=tenant)


def _tell(tenant: str, action: Action, whole: Sequence[Stored], written: Collection[str]) -> None:
    """Logs what was done, under each message's own trace; who and why stand in GTotvsLinkLog."""
    with bound(tenant=tenant):
        for stored in whole:
            if stored.message.document in written:
                text = f"An operator's act: {action.name}"
                message_event(stored.message, "message_operated", text, INFO, act=action.name)


def _whole(deployment: Deployment, tenant: str, chunk: Sequence[Selected]) -> list[Stored]:
    """Reads the messages with their contents; leaves out those that have changed since the list."""
    found = deployment.store.read(tenant, [it.message.document for it in chunk])
    stored = ((found.get(it.message.document), it.listed.version) for it in chunk)
    return [it for it, version in stored if it is not None and it.version == version]


def _ended_before(deployment: Deployment, tenant: str, whole: Sequence[Stored]) -> set[str]:
    """Returns the documents whose ids are in the history already; those records stay unchanged."""
    documents = [it.message.document for it in whole]
    return set(deployment.store.past(tenant, documents)) if documents else set()


def _settlement(action: Action, stored: Stored, note: Note, before: Collection[str]) -> Settlement:
    if stored.message.document in before:
        return discarded(stored, note, again=True)
    return action.settle(stored, note)


def _release(
    deployment: Deployment, tenant: str, message: Message, before: Collection[str], now: datetime
) -> None:
    """Releases the content. If the history refers to the same object, the object only expires."""
    if message.document in before:
        referred = deployment.store.references(tenant, [message.document])[message.document]
        if None in referred or message.content.object in referred:
            message = replace(message, personal=False)
    release(deployment.contents, message, now)


def _claim(message: Message) -> str:
    return message.claim.id if message.claim else ""


def _chunks(messages: Sequence[Selected], size: int) -> Iterator[tuple[str, list[Selected]]]:
    for tenant, own in groupby(messages, key=lambda it: it.tenant):
        items = list(own)
        for start in range(0, len(items), size):
            yield tenant, items[start : start + size]
