"""Tells which messages wait for their turn, what holds them back, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from smartlink.domain.message import Listed, State, Stored, Summary
from smartlink.operations.ports import Deployment, Equal
from smartlink.operations.select import Look, last_event

_KEYS_AT_ONCE = 30


@dataclass(frozen=True, slots=True)
class Blocked:
    """A message that waits for the first one of its key."""

    tenant: str
    message: Summary
    document: str  # of the first one
    first: Summary | None  # None: it cannot be read

    @property
    def since(self) -> datetime:
        """Since when it waits: since it came, or since the first one's last attempt, whichever is
        later."""
        if self.first is None:
            return self.message.received
        return max(self.message.received, last_event(self.first))


def blocked(deployment: Deployment, look: Look) -> list[Blocked]:
    """Returns the messages of the look that wait behind another one of their key.

    It costs a read for each key. What blocks is found even if it is unreadable or beyond the look.
    """
    found: list[Blocked] = []
    for tenant in dict.fromkeys(it.tenant for it in look.found):
        its = [it.message for it in look.found if it.tenant == tenant and it.message.order]
        keys = list(dict.fromkeys(it.order.key for it in its if it.order))
        firsts = _firsts(deployment, tenant, keys)
        for message in its:
            document, first = firsts.get(message.order.key if message.order else "", ("", None))
            if document and document != message.document:
                summary = first.message if first is not None else None
                found.append(Blocked(tenant, message, document, summary))
    return found


def waits_for(deployment: Deployment, tenant: str, message: Summary) -> Blocked | None:
    """Returns what holds a message back; None if nothing does. It costs a read."""
    if message.order is None:
        return None
    first = next(iter(deployment.store.in_order(tenant, [message.order.key], 1)), None)
    if first is None or first.document == message.document:
        return None
    its = first.stored.message if first.stored is not None else None
    return Blocked(tenant, message, first.document, its)


def behind(deployment: Deployment, tenant: str, message: Summary) -> int:
    """Counts the live messages of its key that come after it: a read for each 1,000."""
    if message.order is None:
        return 0
    return deployment.store.count_behind(tenant, message.order.key, message.order.number)


@dataclass(frozen=True, slots=True)
class Holding:
    """A dead message that holds others of its key back."""

    tenant: str
    message: Summary
    others: int


def holding(
    deployment: Deployment, tenants: Sequence[str | None], most: int
) -> tuple[list[Holding], bool]:
    """Returns dead messages that hold others back, and whether there may be more of them.

    None among the tenants is every tenant. It looks at `most` dead messages of ordered commands,
    and costs at most two reads for each; and one for each tenant and such command.
    """
    commands = [
        name
        for name, it in deployment.settings.catalog.commands.items()
        if it.ordered is not None and it.when_dead == "hold"
    ]
    found: list[Holding] = []
    left = most
    for tenant, command in product(tenants, commands):
        equal: Equal = {"Situacao": State.DEAD, "Comando": command}
        for owner, item in deployment.store.page_live(tenant, equal, left):
            left -= 1
            if isinstance(item, Listed) and (others := behind(deployment, owner, item.message)):
                found.append(Holding(owner, item.message, others))
        if not left:
            return found, True
    return found, False


def _firsts(
    deployment: Deployment, tenant: str, keys: Sequence[str]
) -> dict[str, tuple[str, Stored | None]]:
    """Returns, by key, the document and the message of the first one that lives."""
    firsts: dict[str, tuple[str, Stored | None]] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        left = list(keys[start : start + _KEYS_AT_ONCE])
        while left:
            found = deployment.store.in_order(tenant, left, len(left))
            for it in found:
                firsts.setdefault(it.key, (it.document, it.stored))
            left = [key for key in left if key not in firsts] if found else []
    return firsts
