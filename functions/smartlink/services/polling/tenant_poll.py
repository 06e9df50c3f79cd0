"""One tenant's part of one poll: what its turns share."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from smartlink.domain.message import Unreadable
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.tenant import Tenant, TenantEntry, TenantState
from smartlink.ports import CredentialsRefused, Place, PortError
from smartlink.services.polling.outgoing import Outgoing

_CALLS_END = timedelta(seconds=2)  # after the poll's deadline, when no call of the broker goes on
_JOIN = timedelta(seconds=0.1)  # that messages come, until another session receives too
_REPEATS = 100  # of a message in one poll; with more, acks do not take it from the broker
_FAILURES_IN_A_ROW = 2  # sends: one may be its message's own, the next one is the broker's


class Turn(Protocol):
    """A bounded piece of a tenant's work; it pushes what is left of it."""

    def __call__(self, poll: "TenantPoll", push: "Push", /) -> None: ...  # noqa: D102


class Push(Protocol):
    """Appends a turn, behind those of the other tenants."""

    def __call__(self, turn: Turn, /) -> None: ...  # noqa: D102


@dataclass(slots=True)
class TenantPoll:
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
    joined: datetime | None = None  # when the last one began to, or the first one's first came
    gathering: int = 0  # batches on their way in: each may need a dispatch of every command
    again: Counter[tuple[str, int | None]] = field(default_factory=Counter)
    """Acked deliveries of messages that had come before, and how many of each message."""
    others: frozenset[str] = frozenset()  # commands that only another deployment knows
    vacant: bool = False  # the name passes to these credentials' customer: nothing of another lives
    unreadable: dict[str, str] = field(default_factory=dict)  # due documents, and why
    error: PortError | None = None  # the broker or RAC failed: nothing more is received
    unswept: Place | None = None  # where the sweep's next page begins
    outgoing: Outgoing = field(default_factory=lambda: Outgoing((), 1, None))
    accepted: bool = False  # the broker took a message that was sent
    sends_left: int = _FAILURES_IN_A_ROW  # that may fail until no more is sent in this poll
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """The tenant's."""
        return self.entry.name

    def count(self, what: str, number: int = 1) -> None:
        """Adds to the poll's report."""
        with self.lock:
            self.counts[what] += number

    def counted(self) -> Counter[str]:
        """What was counted so far; a turn that hangs may still count."""
        with self.lock:
            return self.counts.copy()

    def pass_over(self, unreadable: Sequence[Unreadable]) -> None:
        """Notes due documents that cannot be read; a further page may show one again."""
        with self.lock:
            self.unreadable.update((it.document, it.why) for it in unreadable)
            self.counts["unreadable"] = len(self.unreadable)

    def take(self, command: str) -> bool:
        """One dispatch of the command, if there is one left in this poll."""
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

    def enter_receiver(self, most: int, now: datetime) -> bool:
        """Whether one more session may receive for the tenant: one each 0.1 s, while messages
        keep coming."""
        with self.lock:
            if self.joined is None:
                self.joined = now
            if self.receivers >= most or now - self.joined < _JOIN:
                return False
            self.receivers += 1
            self.joined = now
            return True

    def leave_receiver(self) -> None:
        """A session stopped receiving."""
        with self.lock:
            self.receivers -= 1

    def repeated(self, acked: Sequence[tuple[str, int | None]]) -> bool:
        """Notes acked repeats, each by its document and tag. True if the broker may be rid of one:
        it has not given the same one before, nor the same message ever again."""
        with self.lock:
            fresh = [it for it in acked if it not in self.again]
            self.again.update(fresh)
            self.again.update((document, None) for document, _ in fresh)
            return any(self.again[document, None] <= _REPEATS for document, _ in fresh)

    @property
    def ends(self) -> datetime:
        """When every call of the broker is cut off, whatever it is at."""
        return self.deadline + _CALLS_END

    def change(self, change: Callable[[TenantState], TenantState]) -> TenantState:
        """The tenant's state after a change; other turns may be changing it too."""
        with self.lock:
            self.state = change(self.state)
            return self.state

    def may_send(self) -> bool:
        """Whether another message may be tried in this poll."""
        with self.lock:
            return self.sends_left > 0 and not isinstance(self.error, CredentialsRefused)

    def stop_sending(self) -> None:
        """No more message is tried in this poll."""
        with self.lock:
            self.sends_left = 0

    def send_failed(self, now: datetime) -> datetime:
        """Notes that a send failed; answers when, in the order of what the tenant sends."""
        state = self.change(lambda it: it.after_failed_send(now))
        with self.lock:
            self.sends_left -= 1
        return state.send_failed or now

    def sent(self, now: datetime) -> None:
        """Notes that the broker accepted a message."""
        if not self.state.sends:
            self.change(lambda it: it.after_sent(now))
        with self.lock:
            self.accepted = True
            self.sends_left = _FAILURES_IN_A_ROW

    def fail(self, error: PortError) -> bool:
        """Notes that the broker or RAC failed; True for the first failure of the poll."""
        with self.lock:
            first = self.error is None
            self.error = self.error or error
            return first
