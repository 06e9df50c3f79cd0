"""Counts what reached the simulator."""

from collections import Counter
from typing import Final

CALLS: Final = ("token", "setup", "get", "ack", "nack", "send")
EVENTS: Final = (
    "emptyGets",
    "delivered",
    "errors",
    "unauthorized",
    "refused",
    "lostBeforeSetup",
    "lostUnsubscribed",
    "duplicates",
    "unmatchedAnswers",
)


class Stats:
    """Counts for all calls, and for each known tenant.

    A call counts when it arrives, whatever the answer. A call of `ack` that failed before its body
    was read counts as ack.

    `errors` counts the answers 429 and 503, `unauthorized` the answers 401, and `refused` all other
    4xx.
    """

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self.by_tenant: dict[str, Counter[str]] = {}

    def count(self, name: str, tenant: str | None = None, times: int = 1) -> None:
        """Add to a count, and to the tenant's if the tenant is known."""
        self.total[name] += times
        if tenant is not None:
            counts = self.by_tenant.get(tenant)
            if counts is None:
                counts = self.by_tenant[tenant] = Counter()
            counts[name] += times

    def view(self) -> dict[str, object]:
        """Return all counts, zeros too."""
        return {
            **_full(self.total),
            "tenants": {name: _full(counts) for name, counts in self.by_tenant.items()},
        }


def _full(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in (*CALLS, *EVENTS)}
