"""The order in which the messages of one key run, and who receives them.

A key is a tenant and a command, or what a JSON pointer finds in the payload's body. Each ordered
message has a place: its key, and a number that rises with each message that a tenant receives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from smartlink.domain.identity import digest
from smartlink.domain.payload import PayloadError, parse_payload
from smartlink.domain.pointer import check_pointer, found_at

WHOLE = "tenant"
"""`"ordered": "tenant"`: one key holds all messages of a tenant and command."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOOKED_INTO = 4_194_304  # characters
_KEY_LIMIT = 300  # characters of a value that stands in a key as it is


class NoKeyError(ValueError):
    """The payload has no key. The text names the pointer, and nothing of the content."""


@dataclass(frozen=True, slots=True)
class Order:
    """A message's place among the messages of its key."""

    key: str
    number: str  # as a text it sorts in the order of receipt
    by: str  # what the catalogue's `ordered` said when the message was stored


@dataclass(frozen=True, slots=True)
class Intake:
    """Who receives a tenant's ordered messages now, and the number that was given last.

    Each page of ordered messages is stored in one commit with it, so no message is ever stored
    before one that is stored already.
    """

    holder: str  # the process that may receive them
    until: datetime  # until when
    last: str = ""
    ordered: Mapping[str, str] | None = None  # by command: the `by` of its messages

    def by(self, command: str) -> str | None:
        """Returns by what the command's stored messages are ordered; None if nobody knows."""
        return (self.ordered or {}).get(command)

    def ordering(self, command: str, by: str) -> Self:
        """Returns the intake that notes by what the command's messages are ordered from now on."""
        return replace(self, ordered={**(self.ordered or {}), command: by})

    def numbers(self, now: datetime, count: int) -> Sequence[str]:
        """Returns the next numbers: the instant of receipt and an index, above all numbers before.

        A clock that went back takes no number twice.
        """
        since = now - _EPOCH
        instant = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        before = int(self.last.partition("-")[0] or 0)
        instant = max(instant, before + 1)
        return [f"{instant:016d}-{index:05d}" for index in range(count)]


def check_order(by: str) -> str:
    """Returns what orders a command if it is `tenant` or a JSON pointer. Raises ValueError."""
    if by == WHOLE:
        return by
    try:
        return check_pointer(by)
    except ValueError as error:
        message = f'"tenant" orders all messages of a tenant; else {error}'
        raise ValueError(message) from None


def key_of(tenant: str, command: str, by: str, content: str, *, personal: bool) -> str:
    """Returns the key of a message. Raises NoKeyError if its payload does not have one.

    The key of a personal command is a hash, which tells nobody the value.
    """
    if by == WHOLE:
        return command
    value = _value(by, content)
    if personal or len(value) > _KEY_LIMIT or not value.isprintable():
        return f"{command} {by} #{digest(tenant, command, by, value)}"
    return f"{command} {by} {value}"


def reply_order(order: Order, number: int) -> Order:
    """Returns the place of a message's reply among the replies of the same key."""
    return Order(f"> {order.key}", f"{order.number}-{number:05d}", order.by)


def step_order(order: Order, step: int) -> Order:
    """Returns the place of a step that continues a message: behind it, before all others."""
    first, _, _ = order.number.partition(".")
    return replace(order, number=f"{first}.{step:05d}")


def _value(pointer: str, content: str) -> str:
    if len(content) > _LOOKED_INTO:
        message = f"It has over {_LOOKED_INTO:,} characters: its {pointer} is not looked for"
        raise NoKeyError(message)
    try:
        body = parse_payload(content).body
    except PayloadError:
        message = f"Its content is no JSON, so nothing stands at {pointer}, by which it is ordered"
        raise NoKeyError(message) from None
    found = found_at(pointer, body)
    if isinstance(found, bool):
        return str(found).lower()
    if isinstance(found, str | int | float):  # a number and its text are one key
        return str(found)
    message = (
        f"Its payload's body has no text and no number at {pointer}, by which the catalogue "
        f"orders its command: the sender has to send one"
    )
    raise NoKeyError(message)
