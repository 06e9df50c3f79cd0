"""Many tenants: shards, a budget of time, continuations that cannot fork."""

from collections import Counter
from datetime import timedelta

from smartlink.ports import Unavailable
from smartlink.services.polling.shard import decode_shard
from tests.scenarios.conftest import Logged
from tests.support.world import Interruptions, World

SHARDS = "topic-shards"


def tenants(number: int) -> tuple[str, ...]:
    return tuple(f"t{index:04}" for index in range(number))


def polled(world: World) -> Counter[str]:
    """How often each tenant's broker was asked."""
    return Counter(tenant for call, tenant in world.broker.calls if call == "get")


def published_shards(world: World) -> list[tuple[int, int, int]]:
    """(number, sequence, tenants) of the shards that wait in Pub/Sub."""
    waiting = [envelope for topic, envelope in world.publisher.published if topic == SHARDS]
    shards = [decode_shard(envelope.data) for envelope in waiting]
    return [(shard.number, shard.sequence, len(shard.entries)) for shard in shards]


def test_450_tenants_are_three_shards_each_polled_once() -> None:
    """The tick polls the first itself and publishes the others, once; they are cut between two
    buckets, so that what is due in a bucket is read once."""
    world = World(tenants=tenants(450))
    report = world.tick()
    assert report.tenants == 201
    assert published_shards(world) == [(1, 0, 193), (2, 0, 56)]
    world.deliver()
    assert polled(world) == dict.fromkeys(world.tenants, 1)
    assert world.deliver() == 0


def test_a_shard_whose_tick_is_over_is_ignored(logged: Logged) -> None:
    """The next tick has its own shards: late ones do not pile up."""
    world = World(tenants=tenants(3), variables={"SMARTLINK_SHARD_TENANTS": "2"})
    world.tick()
    world.clock.forward(seconds=60)
    world.deliver()
    assert polled(world).keys() == {"t0000", "t0001"}
    assert len(logged("shard_expired")) == 1


def test_a_shard_that_is_late_but_not_too_late_is_polled() -> None:
    """59 seconds are within its tick."""
    world = World(tenants=tenants(3), variables={"SMARTLINK_SHARD_TENANTS": "2"})
    world.tick()
    world.clock.forward(seconds=59)
    world.deliver()
    assert len(polled(world)) == 3


def test_shards_that_cannot_be_published_wait_for_the_next_tick() -> None:
    """The report says so, and the tick's own shard is polled all the same."""
    world = World(tenants=tenants(5), variables={"SMARTLINK_SHARD_TENANTS": "2"})
    world.publisher.faults.fail("publish", Unavailable("down"))
    report = world.tick()
    assert report.shards_lost == 2
    assert len(polled(world)) == 2
    world.minute()
    assert len(polled(world)) == 5


def test_what_the_time_did_not_suffice_for_is_continued() -> None:
    """A continuation carries its tick and those that are left; each is polled once."""
    world = World(tenants=tenants(10))
    world.turns.budget = 4
    world.tick()
    tick = world.clock()
    assert published_shards(world) == [(0, 1, 6)]
    (_, envelope) = world.publisher.published[0]
    shard = decode_shard(envelope.data)
    assert (shard.tick, shard.ends) == (tick, tick + timedelta(seconds=60))
    world.deliver()
    assert published_shards(world) == [(0, 2, 2)]
    world.deliver()
    assert published_shards(world) == []
    assert polled(world) == dict.fromkeys(world.tenants, 1)


def test_a_continuation_cannot_fork() -> None:
    """Its deliveries are duplicated; of what follows there is one."""
    world = World(tenants=tenants(30))
    world.turns.budget = 2
    world.tick()
    published = 0
    for _ in range(14):
        deliveries = world.publisher.take()
        published += len(deliveries)
        for delivery in deliveries[:3] * 3:
            world.delivery(*delivery)
    assert (published, world.publisher.published) == (14, [])


def test_a_continuation_ends_with_its_tick() -> None:
    """After 60 seconds the next tick has taken over, however long the chain."""
    world = World(tenants=tenants(10))
    world.turns.budget = 1
    world.tick()
    world.clock.forward(seconds=30)
    world.deliver()
    assert published_shards(world) == [(0, 2, 8)]
    world.clock.forward(seconds=30)
    assert world.deliver() == 1
    assert published_shards(world) == []
    assert len(polled(world)) == 2


def test_a_poll_that_took_longer_than_its_tick_publishes_no_continuation() -> None:
    """It would only be ignored."""
    world = World(tenants=tenants(10))
    interruptions = world.broker.faults = Interruptions()
    interruptions.at("before get", lambda: world.clock.forward(seconds=61))
    world.tick()
    assert published_shards(world) == []
    world.minute()
    assert len(polled(world)) == 10


def test_a_continuation_that_cannot_be_fenced_is_not_published() -> None:
    """Rather the next tick than two chains of continuations."""
    world = World(tenants=tenants(10))
    world.turns.budget = 4
    world.store.faults.fail("advance", Unavailable("down"))
    world.tick()
    assert published_shards(world) == []
    world.turns.budget = None
    world.minute()
    assert len(polled(world)) == 10


def test_each_minute_another_tenant_is_the_first() -> None:
    """However short the time, each gets its turn."""
    world = World(tenants=tenants(6))
    world.turns.budget = 1
    for _ in range(6):
        world.tick(minutes=1)
        world.publisher.take()
    assert polled(world) == dict.fromkeys(world.tenants, 1)
