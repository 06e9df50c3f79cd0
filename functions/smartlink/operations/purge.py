"""RM's cleaning screen: old history and old logs go, the oldest first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from smartlink.operations.errors import ForbiddenError
from smartlink.operations.names import tenants_of
from smartlink.operations.ports import Deployment, Purgeable, Stop

_AT_ONCE = 200  # documents of a commit


@dataclass(frozen=True, slots=True)
class Older:
    """How many documents of a tenant's collection are older than is kept."""

    tenant: str
    collection: Purgeable
    documents: int


@dataclass(frozen=True, slots=True)
class OlderDocuments:
    """What a purge would remove."""

    cutoff: datetime
    found: Sequence[Older]

    @property
    def total(self) -> int:
        """How many documents."""
        return sum(it.documents for it in self.found)


def older(deployment: Deployment, tenant: str | None, keep_days: int) -> OlderDocuments:
    """Count what is older. Raises ForbiddenError where so few days would harm.

    The history is how a repeated message is known: it outlives every retry and redrive.
    """
    names = tenants_of(deployment, tenant)
    redrive = deployment.settings.redrive_days
    least = deployment.policy.horizon + timedelta(days=redrive)
    if timedelta(days=keep_days) < least:
        needed = -(-least // timedelta(days=1))
        message = (
            f"At least {needed} days must be kept (the retries' horizon and "
            f"{redrive} days for a redrive): with less, a message that "
            f"comes again would be executed again."
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
    """Remove `most` at most, until done or told to stop; answers how many.

    `advance` is told how many more are gone.
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
