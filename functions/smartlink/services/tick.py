"""One tenant's part of one tick: what its turns share."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from smartlink.domain.retry import RetryPolicy
from smartlink.domain.tenant import Tenant, TenantEntry, TenantState
from smartlink.ports import PortError


class Turn(Protocol):
    """A bounded piece of a tenant's work; it pushes what is left of it."""

    def __call__(self, tick: "TenantTick", push: "Push", /) -> None: ...  # noqa: D102


class Push(Protocol):
    """Appends a turn, behind those of the other tenants."""

    def __call__(self, turn: Turn, /) -> None: ...  # noqa: D102


@dataclass(slots=True)
class TenantTick:
    """Shared by the tenant's turns, which may run at the same time."""

    entry: TenantEntry
    state: TenantState
    policy: RetryPolicy
    deadline: datetime  # no turn begins, and no batch grows, after it
    expires: datetime  # of log lines written now
    quota: Counter[str]  # dispatches left, by command
    counts: Counter[str] = field(default_factory=Counter)
    tenant: Tenant | None = None  # once its secret is read
    receivers: int = 1  # sessions that receive: the first turn's own is one
    gathering: int = 0  # batches on their way in: each may need a dispatch of every command
    others: frozenset[str] = frozenset()  # commands that only another deployment knows
    vacant: bool = False  # the name passes to these credentials' customer: nothing of another lives
    error: PortError | None = None  # the broker or RAC failed: no call more in this tick
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """The tenant's."""
        return self.entry.name

    def count(self, what: str, number: int = 1) -> None:
        """Adds to the tick's report."""
        with self.lock:
            self.counts[what] += number

    def counted(self) -> Counter[str]:
        """What was counted so far; a turn that hangs may still count."""
        with self.lock:
            return self.counts.copy()

    def take(self, command: str) -> bool:
        """One dispatch of the command, if there is one left in this tick."""
        with self.lock:
            if self.quota[command] <= 0:
                return False
            self.quota[command] -= 1
            return True

    @property
    def exhausted(self) -> bool:
        """Some command has no dispatch left: nothing more is received, the broker keeps it."""
        return self._least <= 0

    @property
    def _least(self) -> int:
        return min(self.quota.values(), default=1)

    def begin_batch(self) -> bool:
        """Whether a batch may be received: there is a dispatch for it, whatever its command."""
        with self.lock:
            if self._least <= self.gathering:
                return False
            self.gathering += 1
            return True

    def end_batch(self) -> None:
        """A batch is dispatched, or given up."""
        with self.lock:
            self.gathering -= 1

    def pace(self, now: datetime) -> timedelta:
        """How long a batch may take, acks included, for the dispatches to last until the end.

        Several sessions at a slow broker would spend them on small batches before; larger ones
        would keep their first messages waiting for the acks of their last.
        """
        with self.lock:
            return (self.deadline - now) * self.gathering / max(self._least, 1)

    def enter_receiver(self, most: int) -> bool:
        """Whether one more session may receive for the tenant."""
        with self.lock:
            if self.receivers >= most:
                return False
            self.receivers += 1
            return True

    def leave_receiver(self) -> None:
        """A session stopped receiving."""
        with self.lock:
            self.receivers -= 1

    def fail(self, error: PortError) -> bool:
        """Notes that the broker or RAC failed; True for the first failure of the tick."""
        with self.lock:
            first = self.error is None
            self.error = self.error or error
            return first
