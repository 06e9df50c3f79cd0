"""Deletes old history and old log lines, as RM's cleaning screen does, the oldest first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from smartlink.i18n import _
from smartlink.operations.errors import ForbiddenError
from smartlink.operations.names import tenants_of
from smartlink.operations.ports import Deployment, Purgeable, Stop

_AT_ONCE = 200  # documents that one request deletes


@dataclass(frozen=True, slots=True)
class Older:
    """How many documents of a tenant's collection are older than the cutoff."""

    tenant: str
    collection: Purgeable
    documents: int


@dataclass(frozen=True, slots=True)
class OlderDocuments:
    """The documents that a purge removes."""

    cutoff: datetime
    found: Sequence[Older]

    @property
    def total(self) -> int:
        """The number of all these documents."""
        return sum(it.documents for it in self.found)


def older(deployment: Deployment, tenant: str | None, keep_days: int) -> OlderDocuments:
    """Counts the documents older than `keep_days`. Raises ForbiddenError if the days are too few.

    The relay recognises a repeated message by the history, so the history must outlive every retry
    and redrive.
    """
    names = tenants_of(deployment, tenant)
    redrive = deployment.settings.redrive_days
    least = deployment.policy.horizon + timedelta(days=redrive)
    if timedelta(days=keep_days) < least:
        needed = -(-least // timedelta(days=1))
        message = _(
            "At least {needed} days must be kept (the retries' horizon and {redrive} days "
            "for a redrive): with less, a message that comes again would be executed again.",
            needed=needed,
            redrive=redrive,
        )
        raise ForbiddenError(message)
    cutoff = deployment.now() - timedelta(days=keep_days)
    found = [
        Older(name, what, deployment.store.count_before(name, what, cutoff))
        for name in names
        for what in Purgeable
    ]
    return OlderDocuments(cutoff, found)


def remove(
    deployment: Deployment,
    documents: OlderDocuments,
    most: int,
    stop: Stop,
    advance: Callable[[int], object],
) -> int:
    """Removes at most `most` documents, until all are removed or it is told to stop.

    Returns how many it removed. It calls `advance` with the number of each further part.
    """
    removed = 0
    for it in documents.found:
        left = min(it.documents, most - removed)
        while left > 0 and not stop.is_set():
            some = min(_AT_ONCE, left)
            done = deployment.store.remove_before(it.tenant, it.collection, documents.cutoff, some)
            if not done:
                break
            removed, left = removed + done, left - done
            advance(done)
    return removed
