"""Acts on messages: on one that an operator named, or on a few of a job.

The messages come from lists without contents, so each is read whole before it is written.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from smartlink.domain.message import LogLine, LogType, Message, Stored
from smartlink.domain.settlement import Settlement
from smartlink.observability import INFO, WARNING, bound, event, message_event
from smartlink.operations.actions import DISCARD, Action, discarded
from smartlink.operations.audit import Note
from smartlink.operations.plan import check_given_up
from smartlink.operations.ports import Desk, RawDocument
from smartlink.operations.select import Selected
from smartlink.ports import PortError
from smartlink.services.contents import release
from smartlink.services.order import keys_of, wake
from smartlink.services.settle import Pending, settle_all


def give_up(desk: Desk, tenant: str, raw: RawDocument, note: Note) -> tuple[bool, PortError | None]:
    """Discards an unreadable live document, and keeps its fields in the history.

    Returns whether the history had its id already, and the error if its content was not released.
    Raises OnlyDiscardError if the document is not a live one, and Conflict if it was changed
    meanwhile.
    """
    check_given_up(DISCARD, tenant, raw)
    text = f"Discarded unread ({raw.why}) by {note.who}: {note.reason}"
    message_id = raw.message_id or raw.document
    line = LogLine(message_id, LogType.WARNING, text, note.at, note.expires)
    second = desk.store.give_up(tenant, raw, line)
    key = raw.shown(content=False).get("Chave")
    if isinstance(key, str):
        _let_go(desk, tenant, [key], note.at)
    name = raw.content_object
    if name is None:
        return second, None
    try:
        referred = desk.store.references(tenant, [raw.document])[raw.document]
        if raw.personal and name not in referred and None not in referred:
            desk.contents.delete(name)
        else:
            desk.contents.expire(name, note.at)
    except PortError as error:
        return second, error
    return second, None


@dataclass(slots=True)
class Report:
    """Counts what happened to messages."""

    done: int = 0
    second: int = 0  # of these: the history had the id already, so the record has another id
    changed: int = 0  # somebody else changed the message first
    refused: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    """The documents of which nobody knows whether they were written."""


def perform(
    desk: Desk, action: Action, tenant: str, messages: Sequence[Selected], note: Note
) -> Report:
    """Acts on some messages of one tenant, in as few commits as they need.

    Each is written whole or not at all, and only if it is still as it was listed.
    """
    whole = _whole(desk, tenant, messages)
    before = _ended_before(desk, tenant, whole) if action.ends else set()
    pending = [
        Pending(_settlement(action, it, note, before), _claim(it.message), it) for it in whole
    ]
    settled = settle_all(desk.store, tenant, pending)
    written = {it.document for it in settled.written}
    _tell(tenant, action, whole, written)
    if action.ends:
        ended = [it for it in whole if it.message.document in written]
        _let_go(desk, tenant, keys_of(ended), note.at)
        for it in ended:
            _release(desk, tenant, it.message, before, note.at)
    return Report(
        done=len(written),
        second=len(written & before),
        changed=len(settled.lost) + len(messages) - len(whole),
        refused=[text for _, text in settled.refused],
        unanswered=[it.settlement.document for it in settled.unknown],
    )


def _let_go(desk: Desk, tenant: str, keys: Sequence[str], now: datetime) -> None:
    """Lets those go on that waited behind messages of these keys, in the next minute."""
    try:
        wake(desk.store, tenant, keys, now)
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


def _whole(desk: Desk, tenant: str, chunk: Sequence[Selected]) -> list[Stored]:
    """Reads the messages with their contents; leaves out those that have changed since the list."""
    found = desk.store.read(tenant, [it.message.document for it in chunk])
    stored = ((found.get(it.message.document), it.listed.version) for it in chunk)
    return [it for it, version in stored if it is not None and it.version == version]


def _ended_before(desk: Desk, tenant: str, whole: Sequence[Stored]) -> set[str]:
    """Returns the documents whose ids are in the history already; those records stay unchanged."""
    documents = [it.message.document for it in whole]
    return set(desk.store.past(tenant, documents)) if documents else set()


def _settlement(action: Action, stored: Stored, note: Note, before: Collection[str]) -> Settlement:
    if stored.message.document in before:
        return discarded(stored, note, again=True)
    return action.settle(stored, note)


def _release(
    desk: Desk, tenant: str, message: Message, before: Collection[str], now: datetime
) -> None:
    """Releases the content. If the history refers to the same object, the object only expires."""
    if message.document in before:
        referred = desk.store.references(tenant, [message.document])[message.document]
        if None in referred or message.content.object in referred:
            message = replace(message, personal=False)
    release(desk.contents, message, now)


def _claim(message: Message) -> str:
    return message.claim.id if message.claim else ""
