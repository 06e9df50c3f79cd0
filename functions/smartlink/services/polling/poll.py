"""Poll: every minute it sweeps, sends and receives for each tenant.

    tick  ─▶ the tenants, in shards; all shards but the first go to `poll_shard`
    shard ─▶ each tenant's first turn, then further turns while messages keep coming
             (turns.py) ─▶ a continuation for the work that is left when the time is up

A turn is short, so a tenant with a backlog delays the other tenants by one turn at most.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Retention
from smartlink.domain.tenant import TenantEntry
from smartlink.observability import ERROR, INFO, WARNING, bound, event, surprise
from smartlink.ports import Beside, Clock, PortError, Publisher, RelayState, Turns
from smartlink.services.polling.buckets import Buckets, looks
from smartlink.services.polling.changes import Changes
from smartlink.services.polling.config import Config
from smartlink.services.polling.known_commands import KnownCommands
from smartlink.services.polling.leftovers import Leftovers
from smartlink.services.polling.shard import OtherCatalogError, Shard, cut, in_turns
from smartlink.services.polling.standing_jobs import StandingJobs
from smartlink.services.polling.states import States
from smartlink.services.polling.tenant_poll import TenantPoll, Turn
from smartlink.services.polling.turns import TenantTurns
from smartlink.services.tenants import Tenants
from smartlink.settings import Settings

_NAMED = 10  # of a tenant's unreadable documents, in the log


@dataclass(slots=True)
class PollReport:
    """Counts what a call did."""

    tenants: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    shards_lost: int = 0  # not published: their tenants wait for the next tick

    def as_dict(self) -> dict[str, int]:
        """Returns the counts as the answer and the log show them."""
        return {"tenants": self.tenants, "shardsLost": self.shards_lost, **self.counts}


@dataclass(frozen=True, slots=True)
class Poll:
    """The use case of `poll` and `poll_shard`."""

    settings: Settings
    clock: Clock
    tenants: Tenants
    states: States
    config: Config
    publisher: Publisher
    relay_state: RelayState
    retention: Retention
    turns: Turns
    beside: Beside
    tenant_turns: TenantTurns
    buckets: Buckets
    commands: KnownCommands
    changes: Changes
    leftovers: Leftovers
    standing_jobs: StandingJobs

    def tick(self) -> PollReport:
        """Polls the first shard itself and publishes the others."""
        now = self.clock()
        policy = self.beside(self.config.policy)
        self.beside(self.standing_jobs)  # nobody waits for it: it delays no poll
        changes = self.changes.look()
        entries = self.tenants.entries(changes)
        others = self.commands.note()
        orphans = self.beside(lambda: self.states.note_orphans(entries, now))
        leftovers = self.beside(self.leftovers)
        shards = [
            self._shard(now, number, its, others, changes)
            for number, its in enumerate(cut(entries, self.settings.shard_tenants))
        ] or [self._shard(now, 0, (), others, changes)]
        lost = self._publish(shards[1:])
        report = self._poll(shards[0], now, policy, lost)
        orphans()
        leftovers()
        return report

    def _shard(
        self,
        poll: datetime,
        number: int,
        entries: Sequence[TenantEntry],
        others: frozenset[str],
        changes: str,
    ) -> Shard:
        digest = self.settings.catalog.digest
        return Shard(
            poll, number, 0, tuple(entries), catalog=digest, others=others, changes=changes
        )

    def shard(self, shard: Shard) -> PollReport:
        """Polls a shard, unless its tick is over.

        While `poll` and `poll_shard` are being deployed, they may have different catalogues. Then
        this call raises OtherCatalogError, because it would set up other queues and declare other
        commands unknown than `poll` does. Pub/Sub delivers the shard again, to a newer instance.
        """
        now = self.clock()
        if now >= shard.ends:
            text = "The shard came too late: its tick is over"
            event("shard_expired", text, WARNING, shard=shard.number, sequence=shard.sequence)
            return PollReport()
        if not shard.catalog:
            shard = replace(shard, others=self.commands.look())
        elif shard.catalog != self.settings.catalog.digest:
            message = (
                f"shard {shard.number} was decided by another catalogue than this instance has: "
                f"poll and poll_shard are being deployed; it comes again"
            )
            raise OtherCatalogError(message)
        return self._poll(shard, now, self.beside(self.config.policy))

    def _publish(self, shards: Sequence[Shard]) -> int:
        """Publishes the shards; returns how many could not be published."""
        topic = self.settings.catalog.functions.poll_shard.topic
        if not shards or topic is None:
            return 0
        try:
            self.publisher.publish(topic, [shard.encode() for shard in shards])
        except PortError as error:
            text = f"{len(shards)} shards were not published: {error}"
            event("shard_publish_failed", text, ERROR, shards=len(shards))
            return len(shards)
        return 0

    def _poll(
        self, shard: Shard, now: datetime, policy: Callable[[], RetryPolicy], lost: int = 0
    ) -> PollReport:
        deadline = now + timedelta(seconds=self.settings.poll_seconds)
        if shard.sequence:
            deadline = min(deadline, shard.ends)
        polls = self._tenant_polls(shard, policy, now, deadline)
        work: list[tuple[TenantPoll, Turn]] = [(poll, self.tenant_turns.first) for poll in polls]
        left = self.turns(work, self._perform, deadline)
        lost += self._continue(shard, [poll for poll, _ in left])
        report = PollReport(tenants=len(polls), shards_lost=lost)
        for poll in polls:
            report.counts.update(poll.counted())
            _tell_unreadable(poll)
        spent = (self.clock() - now).total_seconds()
        event(
            "poll_done",
            f"Polled {len(polls)} tenants" + (f"; {lost} shards are lost" if lost else ""),
            ERROR if lost else INFO,
            seconds=round(spent, 3),
            shard=shard.number,
            sequence=shard.sequence,
            **report.as_dict(),
        )
        return report

    def _tenant_polls(
        self, shard: Shard, policy: Callable[[], RetryPolicy], now: datetime, deadline: datetime
    ) -> list[TenantPoll]:
        """Returns the tenants to poll; each minute another tenant is the first."""
        entries = in_turns(shard.entries, int(shard.tick.timestamp() // 60))
        names = [entry.name for entry in entries]
        states = self.states.of(names, now, shard.changes)
        # In a continuation each tenant with work left is asked by itself.
        by_bucket = self.settings.due_by_bucket and not shard.sequence
        shared = self.buckets.shared(names, shard.tick, shard.changes) if by_bucket else {}
        in_force = policy()  # what has been read meanwhile
        full = dict.fromkeys(self.settings.catalog.commands, self.settings.dispatches)
        expires = self.retention.expires(now, in_force)
        return [
            TenantPoll(
                entry,
                states[entry.name],
                in_force,
                deadline,
                expires,
                Counter(shard.quota.get(entry.name, full)),
                others=shard.others,
                shared=shared.get(entry.name),
                look=by_bucket and looks(entry.name, shard.tick),
            )
            for entry in entries
        ]

    def _perform(
        self, work: tuple[TenantPoll, Turn], push: Callable[[tuple[TenantPoll, Turn]], None]
    ) -> None:
        """Performs one turn. If the turn fails, the other tenants' turns go on."""
        poll, turn = work
        with bound(tenant=poll.name):
            try:
                turn(poll, lambda following: push((poll, following)))
            except PortError as error:
                poll.count("failedTurns")
                text = f"The next tick tries again: {error}"
                event("turn_failed", text, ERROR, kind=type(error).__name__)
            except Exception as error:  # noqa: BLE001  (a tenant's surprise is not the others')
                poll.count("failedTurns")
                surprise("turn_failed", "Unexpected: the next tick tries again", error)

    def _continue(self, shard: Shard, left: Sequence[TenantPoll]) -> int:
        """Publishes a continuation for the tenants with work left; returns how many were lost, 0 or
        1.

        The database admits one continuation of each sequence number, so a repeated delivery of the
        shard publishes none.
        """
        if not left or self.clock() >= shard.ends:
            return 0
        polls = {poll.name: poll for poll in left}
        entries = tuple(poll.entry for poll in polls.values())
        quota = {name: dict(poll.quota) for name, poll in polls.items()}
        following = replace(shard, sequence=shard.sequence + 1, entries=entries, quota=quota)
        try:
            if not self.relay_state.advance(shard.number, shard.tick, following.sequence):
                return 0
        except PortError as error:
            event("shard_not_continued", f"The next tick takes over: {error}", WARNING)
            return 1
        lost = self._publish([following])
        if not lost:
            text = f"{len(entries)} tenants have work left"
            event("shard_continued", text, shard=shard.number, sequence=following.sequence)
        return lost


def _tell_unreadable(poll: TenantPoll) -> None:
    """Logs one line for all unreadable documents of the tenant."""
    with poll.lock:
        unreadable = dict(poll.unreadable)
    if not unreadable:
        return
    first = list(unreadable)[:_NAMED]
    text = (
        f"{len(unreadable)} due documents cannot be read and are passed over; "
        f"{first[0]}: {unreadable[first[0]]}"
    )
    with bound(tenant=poll.name):
        event("document_unreadable", text, ERROR, number=len(unreadable), documents=first)
