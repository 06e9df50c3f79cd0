"""What a message and an idle minute cost in operations of the database."""

from collections import Counter

from smartlink.adapters.threads import ThreadTurns
from smartlink.consumer import Context, Reply, Returned
from tests.support.world import COMMAND, World


def spent(world: World, before: Counter[str]) -> Counter[str]:
    after = world.store.operations.copy()
    after.subtract(before)
    return after


def settled(world: World) -> World:
    """What a process needs to know it knows."""
    world.minutes(2)
    return world


def test_a_message_costs_4_writes_a_delete_and_a_read() -> None:
    """From the broker to its history, in batches of 100."""
    world = settled(World())
    for _ in range(100):
        world.broker.offer("acme", COMMAND)
    before = world.store.operations.copy()
    world.minute()
    assert len(world.ended()) == 100
    cost = spent(world, before)
    assert cost["write"] <= 400
    assert cost["delete"] <= 100
    assert cost["read"] <= 100 + 3  # the due query, the mark of changes, the job that stands still


def test_a_reply_costs_3_writes_a_delete_and_a_read_more() -> None:
    """Created with the settlement, claimed, ended."""

    def answer(content: str, _: Context) -> Returned:
        return Reply("ProbeResponse", content)

    world = settled(World(behave=answer))
    for _ in range(100):
        world.broker.offer("acme", COMMAND)
    before = world.store.operations.copy()
    world.minutes(2)
    assert len(world.replies_to("acme")) == 100
    cost = spent(world, before)
    assert cost["write"] <= 700
    assert cost["delete"] <= 200
    assert cost["read"] <= 200 + 10


def test_a_backlog_of_replies_costs_no_more_each() -> None:
    """Several sessions send at once, and none claims what another is about to send."""
    world = settled(World())
    for number in range(450):
        world.publish(id=f"r{number}", content="{}")
    world.turns = ThreadTurns(8, world.clock)  # type: ignore[assignment]
    world.cold_start()
    before = world.store.operations.copy()
    world.tick()
    assert len(world.replies_to("acme")) == 450
    cost = spent(world, before)
    assert cost["write"] <= 2 * 450 + 5, "a claim and a history each"
    assert cost["delete"] == 450
    assert cost["read"] <= 2 * 450 + 20, "found once; its history, as it was published"


def test_each_further_log_line_costs_a_write() -> None:
    """And nothing else."""

    def talk(_: str, context: Context) -> None:
        context.log.info("a line")
        context.log.warning("another")
        context.log.error("a third")

    world = settled(World(behave=talk))
    for _ in range(20):
        world.broker.offer("acme", COMMAND)
    before = world.store.operations.copy()
    world.minute()
    cost = spent(world, before)
    assert cost["write"] <= 20 * (4 + 3)
    assert cost["delete"] <= 20
    assert cost["read"] <= 20 + 3
    assert len(world.logs()) == 20 * (1 + 3)


def test_an_idle_tenants_minute_costs_next_to_nothing() -> None:
    """At most 2 reads, 0.1 writes and one call of the broker; secrets are listed now and then."""
    tenants = tuple(f"t{number}" for number in range(20))
    world = settled(World(tenants=tenants))
    before = world.store.operations.copy()
    calls = len([call for call, _ in world.broker.calls if call != "session"])
    lists, reads = (world.secrets.operations[name] for name in ("list", "access"))
    world.minutes(60)
    idle = 20 * 60
    cost = spent(world, before)
    assert cost["read"] <= 2 * idle
    assert cost["write"] <= 0.1 * idle
    assert len([call for call, _ in world.broker.calls if call != "session"]) - calls == idle
    assert world.secrets.operations["list"] - lists <= 12
    assert world.secrets.operations["access"] - reads <= 20
    assert cost["delete"] == 0
