"""What the turns of one tenant share in one poll."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from smartlink.domain.message import Stored, Unreadable
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.tenant import Tenant, TenantEntry, TenantState
from smartlink.ports import CredentialsRefused, Place, PortError
from smartlink.services.polling.buckets import SharedDue
from smartlink.services.polling.outgoing import Outgoing
from smartlink.settings import LIMITS

_CALLS_END = timedelta(seconds=2)  # after the poll's deadline every call of the broker is cut off
_JOIN = timedelta(seconds=0.1)  # of messages coming, before another session joins
_REPEATS = 100  # of one message in one poll: if more come, acks do not remove it at the broker
_FAILURES_IN_A_ROW = 2  # sends: the first may be the message's fault, the second is the broker's


class Turn(Protocol):
    """A short piece of a tenant's work. It pushes a further turn for the work that is left."""

    def __call__(self, poll: "TenantPoll", push: "Push", /) -> None: ...  # noqa: D102


class Push(Protocol):
    """Appends a turn behind the turns of the other tenants."""

    def __call__(self, turn: Turn, /) -> None: ...  # noqa: D102


@dataclass(slots=True)
class TenantPoll:
    """The state that the tenant's turns share. They may run at the same time."""

    entry: TenantEntry
    state: TenantState
    policy: RetryPolicy
    deadline: datetime  # after it no turn begins and no batch grows
    expires: datetime  # when log lines that are written now expire
    quota: Counter[str]  # dispatches left, by command
    counts: Counter[str] = field(default_factory=Counter)
    shared: SharedDue | None = None  # None: the tenant is asked by itself for what is due
    look: bool = False  # it is asked for all that is due, whether this poll has room for it or not
    tenant: Tenant | None = None  # None until its secret is read
    receivers: int = 1  # sessions that receive, with the first turn's
    joined: datetime | None = None  # when the last session joined, or the first message came
    gathering: int = 0  # batches being received: each may need a dispatch of every command
    acked: list[Stored] = field(default_factory=list)
    """Acked messages that wait for others to share a dispatch. While any waits, a batch gathers."""
    dispatched: datetime | None = None  # when acked messages were dispatched last
    again: Counter[tuple[str, int | None]] = field(default_factory=Counter)
    """The acked repeats by document and tag; without a tag, how many repeats of the document."""
    others: frozenset[str] = frozenset()  # commands that only another deployment knows
    vacant: bool = False  # no message lives: the name passes to these credentials' customer
    intake: bool = False  # this poll has the tenant's intake: its one session receives
    single: bool = False  # no further session may receive
    barred: frozenset[str] = frozenset()  # ordered commands of which nothing is received now
    lined: set[str] = field(default_factory=set)  # due documents that wait for their turn
    unreadable: dict[str, str] = field(default_factory=dict)  # due documents, and why
    error: PortError | None = None  # how the broker or RAC failed first: nothing more is received
    unswept: Place | None = None  # where the sweep's next page begins
    unlooked: Place | None = None  # where the look's next page begins
    outgoing: Outgoing = field(default_factory=Outgoing)
    accepted: bool = False  # the broker took a message that was sent
    sends_left: int = _FAILURES_IN_A_ROW  # failures until this poll stops sending
    lock: AbstractContextManager[object] = field(default_factory=threading.RLock)

    @property
    def name(self) -> str:
        """The tenant's name."""
        return self.entry.name

    def count(self, what: str, number: int = 1) -> None:
        """Adds to a count of the poll's report."""
        with self.lock:
            self.counts[what] += number

    def counted(self) -> Counter[str]:
        """Returns a copy of the counts, because a turn that hangs may still count."""
        with self.lock:
            return self.counts.copy()

    def pass_over(self, unreadable: Sequence[Unreadable]) -> None:
        """Notes unreadable due documents, each once: a further page may show one again."""
        with self.lock:
            self.unreadable.update((it.document, it.why) for it in unreadable)
            self.counts["unreadable"] = len(self.unreadable)

    def take(self, command: str) -> bool:
        """Takes one dispatch of the command from the quota; returns False if none is left."""
        with self.lock:
            if self.quota[command] <= 0:
                return False
            self.quota[command] -= 1
            return True

    @property
    def exhausted(self) -> bool:
        """Whether some command has no dispatch left. Then nothing more is received in this poll."""
        return self._least <= 0

    @property
    def _least(self) -> int:
        return min(self.quota.values(), default=1)

    def begin_batch(self) -> bool:
        """Notes that a batch begins; returns False if some command has no dispatch left for it."""
        with self.lock:
            if self._least <= self.gathering + bool(self.acked):
                return False
            self.gathering += 1
            return True

    def end_batch(self) -> None:
        """Notes that a batch was acked or given up."""
        with self.lock:
            self.gathering -= 1

    def pace(self, now: datetime) -> timedelta:
        """Returns how far apart the dispatches may be, so that they last for the poll."""
        with self.lock:
            return (self.deadline - now) / max(self._least, 1)

    def add_acked(self, acked: Sequence[Stored]) -> None:
        """Adds acked messages to those that wait for a dispatch."""
        with self.lock:
            self.acked += acked

    def take_acked(self, now: datetime, most: int, *, last: bool = False) -> list[Stored]:
        """Takes the acked messages, if they are to be dispatched now, else none.

        They wait while another session gathers, until they fill a dispatch, or the pace admits one.
        So the sessions of a slow broker can gather small batches, and yet the dispatches last for
        the poll. With `last` they wait no longer.
        """
        with self.lock:
            size = sum(it.message.content.size for it in self.acked)
            full = len(self.acked) >= most or size >= LIMITS.dispatch
            early = self.dispatched is not None and now - self.dispatched < self.pace(now)
            if early and self.gathering and not full and not last:
                return []
            taken, self.acked = self.acked, []
            self.dispatched = now
            return taken

    def enter_receiver(self, most: int, now: datetime) -> bool:
        """Lets one more session receive, at most one each 0.1 s; tells whether it may."""
        with self.lock:
            if self.joined is None:
                self.joined = now
            if self.single or self.receivers >= most or now - self.joined < _JOIN:
                return False
            self.receivers += 1
            self.joined = now
            return True

    def receive_alone(self) -> bool:
        """Lets no further session receive; returns False if another one does already."""
        with self.lock:
            self.single = self.single or self.receivers <= 1
            return self.single

    def leave_receiver(self) -> None:
        """Notes that a session stopped receiving."""
        with self.lock:
            self.receivers -= 1

    def repeated(self, acked: Sequence[tuple[str, int | None]]) -> bool:
        """Notes acked repeats, each by its document and tag; returns whether one is progress.

        It is none if the broker gave the same delivery before, or the same message over 100 times.
        """
        with self.lock:
            fresh = [it for it in acked if it not in self.again]
            self.again.update(fresh)
            self.again.update((document, None) for document, _ in fresh)
            return any(self.again[document, None] <= _REPEATS for document, _ in fresh)

    @property
    def ends(self) -> datetime:
        """When every call of the broker is cut off."""
        return self.deadline + _CALLS_END

    def change(self, change: Callable[[TenantState], TenantState]) -> TenantState:
        """Changes the tenant's state under the lock, and returns the new state."""
        with self.lock:
            self.state = change(self.state)
            return self.state

    def may_send(self) -> bool:
        """Tells whether this poll may send another message."""
        with self.lock:
            return self.sends_left > 0 and not isinstance(self.error, CredentialsRefused)

    @property
    def send_has_failed(self) -> bool:
        """Whether a send has failed in this poll, and none was accepted since."""
        with self.lock:
            return self.sends_left < _FAILURES_IN_A_ROW

    def stop_sending(self) -> None:
        """Makes this poll send no further message."""
        with self.lock:
            self.sends_left = 0

    def send_failed(self, now: datetime) -> datetime:
        """Notes that a send failed; returns the failure's instant, which is not before the last
        send."""
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
        """Notes that the broker or RAC failed; tells whether it was the poll's first failure."""
        with self.lock:
            first = self.error is None
            self.error = self.error or error
            return first
