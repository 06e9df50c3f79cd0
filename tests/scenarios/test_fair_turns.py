"""Quota, back-pressure, and one tenant's backlog that leaves the others on time."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from smartlink.adapters.in_memory import Faults, InMemoryBroker
from smartlink.domain.message import Message, Stored, Version
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.tenant import TenantEntry, TenantState
from smartlink.ports import Unavailable
from smartlink.services.polling.tenant_poll import TenantPoll
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, OTHER, START, Slow, World


def tenants(number: int) -> tuple[str, ...]:
    return tuple(f"t{index:04}" for index in range(number))


def test_a_tick_publishes_at_most_its_quota(logged: Logged) -> None:
    """Three dispatches of a tenant's command; the rest stays in the broker for the next tick."""
    limits = {"SMARTLINK_DISPATCHES": "3", "SMARTLINK_DISPATCH_BATCH": "10"}
    world = World(variables={**limits, "SMARTLINK_RECEIVE_BATCH": "10"})
    for _ in range(100):
        world.broker.offer("acme", COMMAND)
    world.tick()
    assert len(world.publisher.published) == 3
    assert world.broker.waiting("acme") == 70
    world.deliver()
    world.minute()
    assert len(world.ran) == 60
    assert logged("back_pressure") == []


def test_the_quota_holds_for_each_tenant_and_command_and_for_the_sweep() -> None:
    """One's flood is not another's quota; what is over is swept in later ticks."""
    limits = {"SMARTLINK_DISPATCHES": "2", "SMARTLINK_DISPATCH_BATCH": "1"}
    world = World(tenants=("acme", "other"), variables=limits)
    for _ in range(5):
        for tenant in world.tenants:
            for command in (COMMAND, OTHER):
                world.broker.offer(tenant, command)
    for minute in range(1, 20):
        world.tick(minutes=1)
        topics = Counter(
            (topic, envelope.attributes["tenant"]) for topic, envelope in world.publisher.published
        )
        assert all(number <= 2 for number in topics.values()), minute
        assert minute > 1 or len(topics) == 4
        world.deliver()
    assert len(world.ran) == 20


def test_the_quota_is_shared_by_a_ticks_continuations() -> None:
    """What was dispatched before the time ran out counts."""
    limits = {"SMARTLINK_DISPATCHES": "3", "SMARTLINK_DISPATCH_BATCH": "1"}
    world = World(variables={**limits, "SMARTLINK_RECEIVE_BATCH": "1"})
    for _ in range(20):
        world.broker.offer("acme", COMMAND)
    world.turns.budget = 1
    world.tick()
    while world.deliver():
        pass
    assert len(world.ran) == 3
    assert world.broker.waiting("acme") == 17, "nothing is taken that could not be dispatched"


def test_a_tenant_that_is_behind_receives_nothing_new(logged: Logged) -> None:
    """Its dispatches are overdue: the backlog stays in the broker, where it is safe."""
    world = World()
    world.broker.offer("acme", COMMAND)
    world.tick()
    world.publisher.take()  # its consumers are down
    for _ in range(5):
        world.broker.offer("acme", COMMAND)
    gets = world.calls("get")
    world.tick(minutes=2)
    assert world.calls("get") == gets
    assert world.broker.waiting("acme") == 5
    assert len(logged("back_pressure")) == 1
    world.deliver()
    world.minutes(2)
    assert len(world.ran) == 6


def test_one_tenants_backlog_leaves_the_others_polls_on_time() -> None:
    """Each of the others has its turn before the big one's second, and none waits for more."""
    world = World(tenants=tenants(20), variables={"SMARTLINK_RECEIVE_BATCH": "20"})
    big, others = world.tenants[0], world.tenants[1:]
    for _ in range(2_000):
        world.broker.offer(big, COMMAND)
    for tenant in others:
        world.broker.offer(tenant, COMMAND)
    world.tick()
    acks = [tenant for call, tenant in world.broker.calls if call == "ack"]
    before = {tenant: acks[: acks.index(tenant)].count(big) for tenant in others}
    assert max(before.values()) <= 20, "one batch at most"
    world.deliver()
    assert len({tenant for tenant, _ in world.ran}) == 20
    world.minutes(3)
    assert Counter(tenant for tenant, _ in world.ran)[big] == 2_000


@pytest.mark.parametrize(
    ("bound", "milliseconds", "receivers"), [(1, 100, 1), (4, 100, 4), (4, 1, 4), (1, 1, 1)]
)
def test_a_busy_tenant_is_served_by_several_sessions(
    bound: int, milliseconds: float, receivers: int
) -> None:
    """One message for each `get` must not limit it: one more receiver joins each 0.1 s, up to the
    bound."""
    variables = {"SMARTLINK_RECEIVE_BATCH": "10", "SMARTLINK_RECEIVERS": str(bound)}
    world = World(variables=variables | {"SMARTLINK_POLL_SECONDS": "600"})
    world.broker.faults = Slow(world.clock, milliseconds)
    for _ in range(300):
        world.broker.offer("acme", COMMAND)
    world.tick()
    assert world.turns.most == receivers
    assert world.broker.waiting("acme") == 0


def test_a_slow_broker_that_gives_lists_is_asked_by_several_sessions() -> None:
    """A batch is short there, as each of its messages is acked by a call of its own: sessions join
    over batches, or one alone would drain eight messages a second."""
    world = World(variables={"SMARTLINK_POLL_SECONDS": "600"}, broker=InMemoryBroker(page=10))
    world.broker.faults = Slow(world.clock, 100)
    for _ in range(600):
        world.broker.offer("acme", COMMAND)
    world.tick()
    assert world.turns.most == world.settings.receivers
    assert world.broker.waiting("acme") == 0


class Overlapping(Slow):
    """Each `get` finds another receiver, if one waits, in the middle of its batch."""

    def __init__(self, world: World, milliseconds: float) -> None:
        super().__init__(world.clock, milliseconds)
        self._world = world

    def before(self, call: str, subject: str) -> None:
        super().before(call, subject)
        if call == "get":
            self._world.turns.another()


class AtOnce(Overlapping):
    """The time that the other receiver takes passes for both at once."""

    def before(self, call: str, subject: str) -> None:
        began = self._world.clock.now
        super().before(call, subject)
        self._world.clock.now = began + timedelta(milliseconds=self._milliseconds)


def dispatches(world: World) -> list[int]:
    """How many messages each dispatch carries; a continuation of the shard is none."""
    published = (envelope.attributes for _, envelope in world.publisher.published)
    return [int(its["messages"]) for its in published if "messages" in its]


@pytest.mark.parametrize("most", [10, 15, 25])
def test_receivers_that_overlap_take_nothing_that_could_not_be_dispatched(most: int) -> None:
    """A stored message without a dispatch would wait for the sweep; the broker gives it sooner.
    So it is where a session's batch fills a dispatch, and where several of them share one."""
    limits = {"SMARTLINK_DISPATCHES": "20", "SMARTLINK_RECEIVE_BATCH": "10"}
    limits |= {"SMARTLINK_DISPATCH_BATCH": str(most), "SMARTLINK_POLL_SECONDS": "600"}
    world = World(variables=limits)
    world.broker.faults = Overlapping(world, 100)
    for _ in range(1_000):
        world.broker.offer("acme", COMMAND)
    world.tick()
    dispatched = dispatches(world)
    assert len(dispatched) == 20
    assert sum(dispatched) + world.broker.waiting("acme") == 1_000
    while world.deliver():
        pass
    assert len(world.ran) == sum(dispatched)


@pytest.mark.parametrize("page", [1, 10])
def test_a_slow_brokers_batches_grow_so_that_the_dispatches_last(page: int) -> None:
    """100 ms a call: with two seconds for a batch, the tick's dispatches were spent in half of
    it; with full batches of lists, the acks of the last would take long after it."""
    world = World(variables={"SMARTLINK_DISPATCHES": "10", "SMARTLINK_RECEIVERS": "1"})
    world.broker.faults = Slow(world.clock, 100)
    world.broker.page = page
    for _ in range(1_000):
        world.broker.offer("acme", COMMAND)
    world.tick()
    dispatched = dispatches(world)
    assert len(dispatched) <= 10
    assert sum(dispatched) + world.broker.waiting("acme") == 1_000
    taken = (world.clock() - START).total_seconds()
    assert 40 < taken < 48, "it receives until the deadline, and acks soon after it"
    calls = world.calls("get") + world.calls("ack")
    assert calls > 400, "the broker was never kept waiting"


def test_a_slow_brokers_first_messages_do_not_wait_for_the_acks_of_many() -> None:
    """100 of them would take ten seconds; while there are dispatches enough, two must do."""
    world = World(variables={"SMARTLINK_RECEIVERS": "1"})
    world.broker.faults = Slow(world.clock, 100)
    world.broker.page = 10
    for _ in range(100):
        world.broker.offer("acme", COMMAND)
    world.tick()
    dispatched = dispatches(world)
    assert dispatched == [20] * 5


def test_a_slow_brokers_sessions_share_their_dispatches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each stores and acks small batches, so that none holds messages that others could take; and
    of what they have acked few dispatches are made, so that these last for the poll."""
    world = World(broker=InMemoryBroker(page=10))
    world.broker.faults = AtOnce(world, 100)
    for _ in range(1_000):
        world.broker.offer("acme", COMMAND)
    stored: list[int] = []
    create = world.store.create

    def created(tenant: str, messages: Sequence[Message]) -> list[Version | None]:
        stored.append(len(messages))
        return create(tenant, messages)

    monkeypatch.setattr(world.store, "create", created)
    world.tick()
    dispatched = dispatches(world)
    assert max(stored) <= 20
    assert len(dispatched) < len(stored) / 2, "several batches share one"
    assert sum(dispatched) == sum(stored) > 100, "all that was acked is dispatched in this poll"
    while world.deliver():
        pass
    assert len(world.ran) == sum(dispatched)


class Second(Slow):
    """A second session receives while the first one does, and then the database is down."""

    def __init__(self, world: World) -> None:
        super().__init__(world.clock, 100)
        self._world = world

    def before(self, call: str, subject: str) -> None:
        super().before(call, subject)
        if call == "get" and self._world.calls("get") == 2:
            self._world.turns.another()
            self._world.store.faults.fail("create", Unavailable("down"))


def test_what_one_session_has_acked_does_not_wait_for_one_that_fails() -> None:
    """The second one's messages wait for those of the first, which are then never stored."""
    variables = {"SMARTLINK_RECEIVE_BATCH": "2", "SMARTLINK_DISPATCHES": "1"}
    world = World(variables=variables | {"SMARTLINK_RECEIVERS": "2"})
    world.broker.faults = Second(world)
    for _ in range(4):
        world.broker.offer("acme", COMMAND)
    world.tick()
    assert dispatches(world) == [2]
    assert world.broker.waiting("acme") == 2, "what was not stored was not acked"


def busy_poll(quota: int = 50) -> TenantPoll:
    return TenantPoll(
        TenantEntry("acme", ""),
        TenantState(),
        RetryPolicy(),
        START + timedelta(seconds=45),
        START + timedelta(days=90),
        Counter({COMMAND: quota}),
    )


def acked(world: World, number: int) -> list[Stored]:
    for _ in range(number):
        world.publish(content="{}")
    return list(world.store.due("acme", world.clock(), number))


def test_dispatches_are_as_far_apart_as_they_last_for_the_poll() -> None:
    tick = busy_poll()
    assert tick.pace(START) == timedelta(seconds=0.9)
    tick.quota[COMMAND] = 10
    assert tick.pace(START + timedelta(seconds=30)) == timedelta(seconds=1.5)


def test_acked_messages_wait_only_while_others_gather() -> None:
    """The first ones go at once; further ones when the pace admits it, when they fill a dispatch,
    when their session has no more to receive, and when nobody gathers any more."""
    tick, some = busy_poll(), acked(World(), 3)

    def after(seconds: float, *, last: bool = False) -> list[Stored]:
        return tick.take_acked(START + timedelta(seconds=seconds), 3, last=last)

    assert all(tick.begin_batch() for _ in range(2))
    tick.add_acked(some[:1])
    assert after(0) == some[:1]
    tick.add_acked(some[:1])
    assert after(0.8) == []
    assert after(1) == some[:1]
    tick.add_acked(some[:1])
    assert after(1) == []
    tick.add_acked(some[1:])
    assert after(1) == some, "they fill a dispatch"
    tick.add_acked(some[:1])
    assert after(1, last=True) == some[:1]
    tick.add_acked(some[:1])
    tick.end_batch()
    assert after(1) == []
    tick.end_batch()
    assert after(1) == some[:1]
    assert after(9) == []


def test_what_waits_for_a_dispatch_has_one_kept_for_it() -> None:
    """Or a further batch would take it, and these would wait for the sweep."""
    tick, some = busy_poll(quota=2), acked(World(), 1)
    assert tick.begin_batch()
    tick.add_acked(some)
    assert not tick.begin_batch()


def test_what_is_due_either_way_is_worked_off_in_one_tick() -> None:
    """A full page of the one never hides the other, nor does a page of both."""
    world = World(variables={"SMARTLINK_DUE_PAGE": "10", "SMARTLINK_DISPATCH_BATCH": "10"})
    for _ in range(35):
        world.broker.offer("acme", COMMAND)
    world.tick()
    world.publisher.take()  # lost
    for minute in range(8):  # due at the very instant at which those are, and before and after
        world.clock.now = START + timedelta(minutes=minute / 2)
        for number in range(8):
            world.publish(content=f"{minute} {number}")
    world.minute()
    assert len(world.ran) == 35
    assert len(world.replies_to("acme")) == 64


def test_one_tenants_backlog_of_due_messages_leaves_the_others_on_time() -> None:
    """The same for what is swept and sent: page by page, in turn."""
    world = World(tenants=("big", "small"), variables={"SMARTLINK_DUE_PAGE": "10"})
    for number in range(300):
        world.publish(tenant="big", content=str(number))
    world.publish(tenant="small", content="mine")
    world.tick(minutes=1)
    sent = [it.tenant for it in world.broker.sent]
    assert sent.index("small") <= 25
    assert sent.count("big") == 300


def test_pages_of_due_messages_go_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each begins where the one before it ended: nothing looks through what that one moved."""
    world = World(variables={"SMARTLINK_DUE_PAGE": "10"})
    published = []
    for number in range(25):
        published.append(world.clock())
        world.publish(content=str(number))
        world.clock.forward(milliseconds=1_000)
    begun: list[datetime | None] = []
    find = world.store.due

    def due(*asked: Any) -> list[Stored]:  # noqa: ANN401
        begun.append(asked[4] if len(asked) > 4 else None)
        return find(*asked)

    monkeypatch.setattr(world.store, "due", due)
    world.tick(minutes=1)
    assert len(world.replies_to("acme")) == 25
    assert begun == [None, None, published[9], published[19]]


class Counting(Faults):
    """Counts the calls of the database."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def before(self, call: str, subject: str) -> None:
        self.calls[call] += 1
        super().before(call, subject)


# A first page of 160, a chunk for each of eight sessions; a query for what it may hide; a second
# page, and a third that is not full. Of 70,000 bytes each a page has eight, and a turn three: as
# many reads and writes, in more requests, but bounded in memory.
@pytest.mark.parametrize(
    ("characters", "queries", "chunks"), [(10, 2 + 2, 3 * 8), (70_000, 1 + 50 + 1, 50 * 3)]
)
def test_a_page_is_sent_by_as_many_sessions_as_there_may_be(
    characters: int, queries: int, chunks: int
) -> None:
    """What is asked, claimed and settled together depends on how large the contents are."""
    world = World(variables={"SMARTLINK_POLL_SECONDS": "600"})
    world.broker.faults = Slow(world.clock, 1)
    world.store.faults = counting = Counting()
    for number in range(400):
        world.publish(content=str(number).ljust(characters))
    counting.calls.clear()
    world.tick(minutes=1)
    assert sorted(map(int, world.replies_to("acme"))) == list(range(400))
    assert counting.calls["due"] == queries
    assert counting.calls["swap"] == counting.calls["commit"] == chunks


def test_a_slow_brokers_turn_claims_and_sends_twenty_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However large a page is, and however few its sessions: more would keep others waiting."""
    world = World(variables={"SMARTLINK_DUE_PAGE": "100", "SMARTLINK_RECEIVERS": "1"})
    world.broker.faults = Slow(world.clock, 100)
    for number in range(100):
        world.publish(content=str(number))
    claimed: list[int] = []
    swap = world.store.swap

    def swapped(tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        claimed.append(len(changes))
        return swap(tenant, changes)

    monkeypatch.setattr(world.store, "swap", swapped)
    world.tick(minutes=1)
    assert sorted(map(int, world.replies_to("acme"))) == list(range(100))
    assert claimed == [20] * 5


def test_without_commands_no_dispatch_is_lacking() -> None:
    """Nothing has been used up: what comes is unknown, and is kept as dead."""
    later = START + timedelta(seconds=45)
    poll = TenantPoll(
        TenantEntry("acme", ""), TenantState(), RetryPolicy(), later, later, Counter()
    )
    assert not poll.exhausted
    assert poll.begin_batch()
