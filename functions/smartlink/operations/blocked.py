"""Tells which messages wait for their turn, what holds them back, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from smartlink.domain.message import Stored, Summary
from smartlink.operations.ports import Deployment
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
