"""Ordered messages: who is first of its key, and who comes next.

A message may run if no live message of its key has a lower number. Once that is so it stays so:
no number is ever given below a stored one, and what has ended does not come back to its place. So
it is looked up once, before the message is dispatched, and not when it is claimed.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from smartlink.domain.identity import DERIVED, Direction
from smartlink.domain.message import Message, State, Stored
from smartlink.ports import KEYS_AT_ONCE, InOrder, Messages

TURN = timedelta(hours=1)
"""How long a message waits for its turn until it is looked whether that came and was lost."""

_REPLIES = 1_000  # of a key that are made due at once


def key_of(stored: Stored) -> str | None:
    """Returns the message's key; None if nothing orders it."""
    return stored.message.order.key if stored.message.order else None


def keys_of(stored: Collection[Stored]) -> list[str]:
    """Returns the keys of these messages, each once."""
    return list(dict.fromkeys(key for it in stored if (key := key_of(it)) is not None))


def ahead(messages: Messages, tenant: str, first: Mapping[str, str]) -> set[str]:
    """Returns the keys that have a live message before the given number of theirs.

    It costs one read for 30 keys with the same number that have none.
    """
    by_number: dict[str, list[str]] = {}
    for key, number in first.items():
        by_number.setdefault(number, []).append(key)
    return {
        key
        for number, keys in by_number.items()
        for key, _ in _lines(messages, tenant, keys, before=number)
    }


def following(
    messages: Messages, tenant: str, keys: Sequence[str], most: int, *, queued: bool = False
) -> list[Stored]:
    """Returns those that may be dispatched now: of each key the first ones that wait for their
    turn. Nothing of a key whose first one runs, waits for its retry, is dead or is unreadable;
    with `queued`, nothing of one whose first one has been dispatched already."""
    lines = [list(_startable(line)) for _, line in _lines(messages, tenant, keys, most)]
    wanted = [line for line in lines if line and (line[0].message.queued or not queued)]
    return list(_checked(messages, tenant, wanted))


def _lines(
    messages: Messages, tenant: str, keys: Sequence[str], most: int = 1, before: str = ""
) -> Iterator[tuple[str, list[InOrder]]]:
    """Yields each key that has live messages, with the first ones of them: one or more.

    With `before`, only those with a lower number count. One key's messages may fill a whole answer,
    so the keys that are not in it are asked for again. `most` is how many one answer may have; it
    has room for one of each key in any case.
    """
    for some in _chunks(keys):
        left = list(some)
        while left:
            limit = max(most, len(left))
            found = messages.in_order(tenant, left, limit, before)
            lines: dict[str, list[InOrder]] = {}
            for item in found:
                lines.setdefault(item.key, []).append(item)
            yield from lines.items()
            if len(found) < limit:
                break
            left = [key for key in left if key not in lines]


def _startable(found: Sequence[InOrder]) -> Iterator[Stored]:
    for item in found:
        if item.stored is None or not startable(item.stored.message):
            return
        yield item.stored


def _checked(
    messages: Messages, tenant: str, lines: Sequence[Sequence[Stored]]
) -> Iterator[Stored]:
    """Leaves out what may repeat a message that has ended, and what comes behind it.

    A poll may have stored it and died before it looked into the history. The sweep decides.
    """
    unchecked = [it.message.document for line in lines for it in line if _unchecked(it.message)]
    ended = messages.past(tenant, unchecked) if unchecked else {}
    for line in lines:
        for stored in line:
            message = stored.message
            nameless = message.id.startswith(DERIVED) and _unchecked(message)
            if message.document in ended or nameless:
                break
            yield stored


def _unchecked(message: Message) -> bool:
    """Tells whether perhaps nobody has looked yet whether the message repeats another one."""
    new = message.attempt == 0 and message.claim is None and message.redriven is None
    return new and not message.queued


def wake(messages: Messages, tenant: str, keys: Sequence[str], now: datetime) -> None:
    """Makes due now who is first of each key and waits for its turn: the next sweep takes it.

    It is called after a message of the key was taken out of the order otherwise than by its run. Of
    replies all that wait are due: none of them is dispatched when the one before has been sent.
    """
    waiting: list[Stored] = []
    for key, line in _lines(messages, tenant, keys):
        first = line[0].stored
        if first is None or not first.message.queued:
            continue
        waiting.append(first)
        if first.message.direction is Direction.UPSTREAM:
            others = messages.in_order(tenant, [key], _REPLIES)[1:]
            waiting += [it.stored for it in others if it.stored and it.stored.message.queued]
    changes = [
        Stored(replace(it.message, due=now), it.version)
        for it in waiting
        if it.message.due is None or it.message.due > now
    ]
    if changes:
        messages.swap(tenant, changes)


def unsent_before(
    messages: Messages, tenant: str, wanted: Sequence[Stored]
) -> dict[str, InOrder | None]:
    """Returns, by document, what is to be sent before these replies and is not among them; None
    if nobody knows.

    Each reply costs one read. `wanted` has the replies of a key together and in their order.
    """
    keys = keys_of(wanted)
    lines: dict[str, list[InOrder]] = {key: [] for key in keys}
    for some in _chunks(keys):
        its = [it for it in wanted if key_of(it) in some]
        for found in messages.in_order(tenant, some, len(its)):
            lines[found.key].append(found)
    first: dict[str, InOrder | None] = {}
    before: dict[str, InOrder | None] = {}
    for stored in wanted:
        key, document = key_of(stored), stored.message.document
        if key is None:
            continue
        line = lines[key]
        if key not in first and line and line[0].document == document:
            del line[0]
        else:
            before[document] = first.setdefault(key, line[0] if line else None)
    return before


def rounds(stored: Sequence[Stored]) -> Iterator[list[Stored]]:
    """Yields the messages in rounds: no round has two of a key, and each key keeps its order."""
    left = list(stored)
    while left:
        this: list[Stored] = []
        later: list[Stored] = []
        taken: set[str] = set()
        for item in left:
            key = key_of(item)
            if key is not None and key in taken:
                later.append(item)
                continue
            if key is not None:
                taken.add(key)
            this.append(item)
        yield this
        left = later


def unbroken(stored: Sequence[Stored], fresh: Collection[str]) -> list[Stored]:
    """Returns of each key the first ones that are all among the `fresh` documents.

    What comes behind a message that is not, waits for it.
    """
    broken: set[str] = set()
    kept: list[Stored] = []
    for item in stored:
        key = key_of(item)
        if key is not None and item.message.document not in fresh:
            broken.add(key)
        if key not in broken and item.message.document in fresh:
            kept.append(item)
    return kept


def startable(message: Message) -> bool:
    """Tells whether the message may run as soon as it is the first of its key."""
    return message.state is State.PENDING or message.queued


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), KEYS_AT_ONCE):
        yield keys[start : start + KEYS_AT_ONCE]
