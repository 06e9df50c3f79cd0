"""What must hold of every schedule, checked as it happens and at its end."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartlink.adapters.in_memory import InMemoryMessages
from smartlink.domain.identity import Direction
from smartlink.domain.message import Message, State, Stored, Version
from smartlink.domain.settlement import Settlement


class BrokenError(AssertionError):
    """A promise was broken."""


@dataclass(slots=True)
class Ledger:
    """The books. Keys are (tenant, document)."""

    offered: set[tuple[str, str, str]] = field(default_factory=set)  # tenant, id, content
    published: set[tuple[str, str]] = field(default_factory=set)  # tenant, content: accepted
    completed: Counter[tuple[str, str]] = field(default_factory=Counter)  # runs that returned
    excused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Runs whose outcome could not be settled: their process died, or their lease ran out."""
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)  # the message's own
    lone_crashes: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    settled_by: dict[tuple[str, str], str] = field(default_factory=dict)  # the claim's id
    expected: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many replies the last completed run returned."""
    replies: dict[tuple[str, str], str] = field(default_factory=dict)  # created by settlements
    effects: Counter[tuple[str, str]] = field(default_factory=Counter)  # by tenant and key
    problem: str | None = None  # the first promise that was broken
    hold: bool = False  # what a crash cut off waits for a person
    limits: list[int] = field(default_factory=list)  # every limit that was ever in force

    def broken(self, text: str) -> None:
        """Ends the schedule; where the relay lives on after an exception, at its end."""
        self.problem = self.problem or text
        raise BrokenError(text)


class WatchedMessages(InMemoryMessages):
    """The store's twin, which looks at every transition."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime], skew: timedelta) -> None:
        super().__init__()
        self._ledger = ledger
        self._now = clock
        self.calls: Callable[[], int] = lambda: 0
        self.say: Callable[[str], None] = lambda _: None
        self.last_ending = 0
        self._skew = skew

    def swap(self, tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        before = {it.message.document: it for it in self.live(tenant).values()}
        versions = super().swap(tenant, changes)
        for change, version in zip(changes, versions, strict=True):
            if version is not None:
                old = before[change.message.document].message
                self._moved(tenant, old, change.message)
        return versions

    def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        before = {it.message.document: it.message for it in self.live(tenant).values()}
        super().commit(tenant, settlements)
        for settlement in settlements:
            old = before.get(settlement.document)
            if settlement.history is not None:
                self._ended(tenant, settlement)
            elif old is not None and settlement.live is None and settlement.fence is not None:
                self._dropped(tenant, old)
            if old is not None and settlement.live is not None:
                self._say_move(tenant, old, settlement.live)
            self._check_entitled(tenant, old, settlement)
            for reply in settlement.created:
                key = (tenant, reply.document)
                if key in self._ledger.replies:
                    self._ledger.broken(f"reply {key} was created twice")
                self._ledger.replies[key] = reply.content.text or ""

    def _check_entitled(self, tenant: str, old: Message | None, settlement: Settlement) -> None:
        """Only its own claim may settle what runs; the sweep leaves the claim as it is."""
        new = settlement.history.message if settlement.history else settlement.live
        if (
            old is not None
            and new is not None
            and old.claim is not None
            and new.claim is not None
            and old.claim.id != new.claim.id
        ):
            self._ledger.broken(f"{(tenant, old.document)} was settled by an older claim")

    def _say_move(self, tenant: str, old: Message, new: Message) -> None:
        shared = f", claimed by {new.claim.messages}" if new.claim else ""
        move = f"{old.state} ({old.attempt}) to {new.state} ({new.attempt}){shared}"
        self.say(f"      {tenant}/{old.document}: {move}")

    def _moved(self, tenant: str, old: Message, new: Message) -> None:
        self._say_move(tenant, old, new)
        key = (tenant, old.document)
        if (
            old.state is State.WAITING
            and old.due is not None
            and old.due > self._now() + self._skew
        ):
            self._ledger.broken(f"{key} was retried before its DataTentativaExec {old.due}")
        downstream = new.direction is Direction.DOWNSTREAM
        if downstream and new.state is State.RUNNING and new.attempt > max(self._ledger.limits):
            self._ledger.broken(f"{key} was claimed for attempt {new.attempt}, beyond every limit")
        if (
            downstream
            and old.state is State.RUNNING
            and new.state is not State.RUNNING
            and old.claim is not None
            and old.claim.messages == 1
            and new.attempt == old.attempt
        ):
            self._ledger.lone_crashes[key] += 1
            if self._ledger.hold and new.state is not State.DEAD:
                self._ledger.broken(f"{key} was cut off, and not held")

    def _ended(self, tenant: str, settlement: Settlement) -> None:
        key = (tenant, settlement.document)
        self._ledger.ended[key] += 1
        if settlement.history is not None and settlement.history.message.claim is not None:
            self._ledger.settled_by[key] = settlement.history.message.claim.id
        self.last_ending = self.calls()
        if self._ledger.ended[key] > 1:
            self._ledger.broken(f"{key} ended twice")
        self.say(f"      {tenant}/{settlement.document}: ended")
        wanted = self._ledger.expected.get(key, 0)
        if len(settlement.created) != wanted:
            self._ledger.broken(f"{key} ended with {len(settlement.created)} of {wanted} replies")

    def _dropped(self, tenant: str, old: Message) -> None:
        """Deleted without a history of its own: only a repeat of what ended may be."""
        if old.document not in {it.message.document for it in self.ended(tenant).values()}:
            self._ledger.broken(f"{(tenant, old.document)} was deleted, but never ended")
