"""Poll: every minute, each tenant's part of the relay.

    tick  ─▶ the tenants, in shards; all but the first go to `poll_shard`
    shard ─▶ each tenant's first turn: due documents, upstream, downstream, sweep
             ─▶ further turns, behind the other tenants' turns, while messages keep coming
             ─▶ a continuation for what is left when the time is up

A turn is short, so a tenant with a backlog delays the others by a turn and no more.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartlink.domain.identity import Direction, digest
from smartlink.domain.message import State, Stored
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Retention
from smartlink.domain.tenant import TenantEntry, TenantError
from smartlink.observability import ERROR, INFO, WARNING, bound, event, surprise
from smartlink.ports import (
    Broker,
    BrokerSession,
    Clock,
    CredentialsRefused,
    Envelope,
    Messages,
    PortError,
    Publisher,
    Ticks,
    Turns,
)
from smartlink.services.config import Config
from smartlink.services.downstream import Downstream
from smartlink.services.states import States
from smartlink.services.sweep import Sweep
from smartlink.services.tenants import Tenants
from smartlink.services.tick import Push, TenantTick, Turn
from smartlink.services.upstream import Upstream
from smartlink.settings import Settings

TICK_LIFE = timedelta(seconds=60)
"""A tick older than this is over: the next one has its own shards."""

_SEND_CHUNK = 25  # messages claimed, sent and settled by one turn


class ShardError(ValueError):
    """A Pub/Sub message is no shard of this relay."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The tenants that one call polls. `sequence` counts its continuations."""

    tick: datetime
    number: int
    sequence: int
    entries: tuple[TenantEntry, ...]
    quota: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """A continuation's: what each tenant may still dispatch in this tick, by command."""

    def encode(self) -> Envelope:
        """The Pub/Sub message."""
        document = {
            "tick": self.tick.isoformat(),
            "number": self.number,
            "sequence": self.sequence,
            "tenants": [[entry.name, entry.etag] for entry in self.entries],
            "quota": self.quota,
        }
        attributes = {"tick": self.tick.isoformat(), "shard": str(self.number)}
        return Envelope(json.dumps(document).encode(), attributes)


def decode_shard(data: bytes) -> Shard:
    """The shard in a Pub/Sub message. Raises ShardError."""
    try:
        document = json.loads(data)
        return Shard(
            datetime.fromisoformat(document["tick"]),
            int(document["number"]),
            int(document["sequence"]),
            tuple(TenantEntry(str(name), str(etag)) for name, etag in document["tenants"]),
            {
                str(name): {str(command): int(left) for command, left in its.items()}
                for name, its in document["quota"].items()
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"the Pub/Sub message is no shard ({type(error).__name__}): who published it?"
        raise ShardError(message) from None


@dataclass(slots=True)
class PollReport:
    """What a call did, in numbers."""

    tenants: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    shards_lost: int = 0  # could not be published: their tenants wait for the next tick

    def as_dict(self) -> dict[str, int]:
        """For the answer and the log."""
        return {"tenants": self.tenants, "shardsLost": self.shards_lost, **self.counts}


@dataclass(frozen=True, slots=True)
class Poll:
    """The use case of `poll` and `poll_shard`."""

    settings: Settings
    clock: Clock
    tenants: Tenants
    states: States
    config: Config
    messages: Messages
    broker: Broker
    publisher: Publisher
    ticks: Ticks
    downstream: Downstream
    upstream: Upstream
    sweep: Sweep
    retention: Retention
    turns: Turns

    def tick(self) -> PollReport:
        """Polls the first shard itself and publishes the others."""
        now = self.clock()
        entries = self.tenants.entries()
        self.states.note_orphans(entries, now)
        size = self.settings.shard_tenants
        shards = [
            Shard(now, number, 0, tuple(entries[start : start + size]))
            for number, start in enumerate(range(0, len(entries), size))
        ]
        lost = self._publish_shards(shards[1:])
        report = self._poll(shards[0], now) if shards else PollReport()
        report.shards_lost = lost
        return report

    def shard(self, shard: Shard) -> PollReport:
        """Polls a shard, unless its tick is over."""
        now = self.clock()
        if now - shard.tick >= TICK_LIFE:
            text = "The shard came too late: its tick is over"
            event("shard_expired", text, WARNING, shard=shard.number, sequence=shard.sequence)
            return PollReport()
        return self._poll(shard, now)

    def _publish_shards(self, shards: Sequence[Shard]) -> int:
        topic = self.settings.catalog.functions.poll_shard.topic
        if not shards or topic is None:
            return 0
        try:
            self.publisher.publish(topic, [shard.encode() for shard in shards])
        except PortError as error:
            text = f"{len(shards)} shards were not published: {error}"
            event("shard_publish_failed", text, ERROR)
            return len(shards)
        return 0

    # One shard.

    def _poll(self, shard: Shard, now: datetime) -> PollReport:
        policy = self.config.policy()
        deadline = now + timedelta(seconds=self.settings.poll_seconds)
        if shard.sequence:
            deadline = min(deadline, shard.tick + TICK_LIFE)
        ticks = self._ticks(shard, policy, now, deadline)
        left = self.turns([(tick, self._first) for tick in ticks], self._perform, deadline)
        self._continue(shard, [tick for tick, _ in left])
        report = PollReport(tenants=len(ticks))
        for tick in ticks:
            report.counts.update(tick.counts)
        text = f"Polled {len(ticks)} tenants"
        spent = (self.clock() - now).total_seconds()
        numbers = {**report.as_dict(), "shard": shard.number, "sequence": shard.sequence}
        event("poll_done", text, INFO, seconds=round(spent, 3), **numbers)
        return report

    def _ticks(
        self, shard: Shard, policy: RetryPolicy, now: datetime, deadline: datetime
    ) -> list[TenantTick]:
        """The tenants to poll; each minute another is the first, so that none is always last."""
        entries = shard.entries
        first = int(shard.tick.timestamp() // 60) % len(entries) if entries else 0
        states = self.states.of([entry.name for entry in entries], now)
        full = dict.fromkeys(self.settings.catalog.commands, self.settings.dispatches)
        expires = self.retention.expires(now, policy)
        return [
            TenantTick(
                entry,
                states[entry.name],
                policy,
                deadline,
                expires,
                Counter(shard.quota.get(entry.name, full)),
            )
            for entry in (*entries[first:], *entries[:first])
        ]

    def _perform(
        self, work: tuple[TenantTick, Turn], push: Callable[[tuple[TenantTick, Turn]], None]
    ) -> None:
        """One turn. Whatever goes wrong in it, the other tenants' turns go on."""
        tick, turn = work
        with bound(tenant=tick.name):
            try:
                turn(tick, lambda following: push((tick, following)))
            except PortError as error:
                tick.count("failed_turns")
                text = f"The next tick tries again: {error}"
                event("turn_failed", text, ERROR, kind=type(error).__name__)
            except Exception as error:  # noqa: BLE001  (a tenant's surprise is not the others')
                tick.count("failed_turns")
                surprise("turn_failed", "Unexpected: the next tick tries again", error)

    def _continue(self, shard: Shard, left: Sequence[TenantTick]) -> None:
        """Publishes what is left, once: a duplicated delivery of a shard cannot fork it."""
        if not left or self.clock() - shard.tick >= TICK_LIFE:
            return
        ticks = {tick.name: tick for tick in left}
        entries = tuple(tick.entry for tick in ticks.values())
        quota = {name: dict(tick.quota) for name, tick in ticks.items()}
        following = Shard(shard.tick, shard.number, shard.sequence + 1, entries, quota)
        try:
            if not self.ticks.advance(shard.number, shard.tick, following.sequence):
                return
        except PortError as error:
            event("shard_not_continued", f"The next tick takes over: {error}", WARNING)
            return
        if not self._publish_shards([following]):
            text = f"{len(entries)} tenants have work left"
            event("shard_continued", text, shard=shard.number, sequence=following.sequence)

    # One tenant's turns.

    def _first(self, tick: TenantTick, push: Push) -> None:
        try:
            tick.tenant = self.tenants.tenant(tick.entry)
        except TenantError as error:
            event("tenant_refused", str(error), ERROR)
            tick.count("refused_tenants")
            return
        if not tick.tenant.enabled:
            tick.count("disabled")
            return
        now = self.clock()
        paused = tick.state.paused(now)
        due = self._due(tick, now)
        upstream = [it for it in due if it.message.direction is Direction.UPSTREAM]
        downstream = [it for it in due if it.message.direction is Direction.DOWNSTREAM]
        self._say_age(tick, due, now)
        if downstream:
            self.sweep(tick, downstream)
        if paused:
            tick.count("paused")
            return
        behind = any(it.message.state is State.PENDING for it in downstream)
        if behind:
            text = "Dispatched messages are overdue: nothing new is received in this tick"
            event("back_pressure", text, WARNING)

        def calls(session: BrokerSession) -> PortError | None:
            failure = self._set_up(tick, session)
            if upstream and failure is None:
                failure = self.upstream.send(tick, upstream[:_SEND_CHUNK], session)
            if failure is None and not behind:
                failure = self._receive(tick, session, push)
            return failure

        if self._call(tick, calls):
            self.states.succeeded(tick, self.clock())
        for start in range(_SEND_CHUNK, len(upstream), _SEND_CHUNK):
            push(self._sending(upstream[start : start + _SEND_CHUNK]))
        if len(upstream) >= self.settings.due_page:
            push(self._more_upstream)
        if len(downstream) >= self.settings.due_page:
            push(self._more_downstream)

    def _due(self, tick: TenantTick, now: datetime) -> list[Stored]:
        """One query while little is due: an idle tenant costs one read."""
        page = self.settings.due_page
        due = self.messages.due(tick.name, now, page)
        if len(due) < page:
            return due
        both = (Direction.UPSTREAM, Direction.DOWNSTREAM)
        return [
            stored for way in both for stored in self.messages.due(tick.name, now, page, way)
        ]

    def _more_upstream(self, tick: TenantTick, push: Push) -> None:
        if tick.error is not None:
            return
        page = self.settings.due_page
        due = self.messages.due(tick.name, self.clock(), page, Direction.UPSTREAM)
        for start in range(0, len(due), _SEND_CHUNK):
            push(self._sending(due[start : start + _SEND_CHUNK]))
        if len(due) >= page:
            push(self._more_upstream)

    def _more_downstream(self, tick: TenantTick, push: Push) -> None:
        page = self.settings.due_page
        due = self.messages.due(tick.name, self.clock(), page, Direction.DOWNSTREAM)
        self.sweep(tick, due)
        if len(due) >= page and not tick.exhausted:
            push(self._more_downstream)

    def _sending(self, due: Sequence[Stored]) -> Turn:
        def turn(tick: TenantTick, push: Push) -> None:  # noqa: ARG001  (every turn may push)
            self._call(tick, lambda session: self.upstream.send(tick, due, session))

        return turn

    def _receiving(self, tick: TenantTick, push: Push) -> None:
        """One more session receives beside the others."""
        if tick.exhausted or not self._call(tick, lambda it: self._receive(tick, it, push)):
            tick.leave_receiver()

    def _receive(self, tick: TenantTick, session: BrokerSession, push: Push) -> PortError | None:
        """One turn of a receiver; while messages keep coming its place passes to another turn."""

        def keep_coming() -> None:
            if tick.enter_receiver(self.settings.receivers):
                push(self._receiving)

        received = self.downstream.receive(tick, session, keep_coming)
        if received.failure is None:
            if received.more:
                push(self._receiving)
            else:
                tick.leave_receiver()
        return received.failure

    def _call(
        self, tick: TenantTick, calls: Callable[[BrokerSession], PortError | None]
    ) -> bool:
        """Talks to the broker, unless it failed in this tick. True when all went well."""
        if tick.error is not None or tick.tenant is None:
            return False
        with self.broker.session(tick.tenant) as session:
            failure = calls(session)
        if failure is None:
            return True
        if isinstance(failure, CredentialsRefused):
            self.tenants.forget(tick.name)
        if tick.fail(failure):
            self.states.failed(tick, failure, self.clock())
        return False

    def _set_up(self, tick: TenantTick, session: BrokerSession) -> PortError | None:
        """Creates the tenant's queue: until then the broker loses its messages silently."""
        commands = sorted(self.settings.catalog.commands)
        client = tick.tenant.credentials.client_id if tick.tenant else ""
        setup = digest(self.settings.smart_link_url, client, *commands)
        if tick.state.setup == setup:
            return None
        try:
            session.setup(commands)
        except PortError as error:
            return error
        self.states.set_up(tick, setup, commands)
        event("setup_done", f"Set up for {', '.join(commands)}", INFO)
        return None

    def _say_age(self, tick: TenantTick, due: Sequence[Stored], now: datetime) -> None:
        ages = [(now - it.message.due).total_seconds() for it in due if it.message.due]
        if ages:
            text = f"{len(ages)} messages are due, the oldest for {max(ages):.0f} s"
            event("messages_due", text, INFO, due=len(ages), oldestSeconds=round(max(ages)))
