"""Google's services and the machine's clock misbehave: what the operator sees, and that it ends."""

from collections.abc import Callable

import pytest

from smartlink.consumer import Context, Reply, Returned
from smartlink.domain.message import State
from smartlink.ports import Conflict, CredentialsRefused, NotFound, PortError, Refused, Unavailable
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, START, World

UNAVAILABLE = Unavailable("Firestore: UNAVAILABLE")
EXHAUSTED = Unavailable("Firestore: RESOURCE_EXHAUSTED")


def answering() -> World:
    return World(behave=lambda content, _: Reply("ProbeResponse", content))


def settled(world: World, number: int) -> None:
    """Every message was executed once, its reply sent once, nothing is left."""
    assert len(world.ran) == len(set(world.ran)) == number
    assert len(world.replies_to("acme")) == number
    assert world.live() == {}


@pytest.mark.parametrize("error", [UNAVAILABLE, EXHAUSTED], ids=["UNAVAILABLE", "EXHAUSTED"])
@pytest.mark.parametrize("call", ["due", "create", "history", "states", "read", "swap", "commit"])
def test_a_database_that_is_down_for_minutes(call: str, error: PortError, logged: Logged) -> None:
    """`turn_failed` for the tenant (or the poll answers 503; a settlement is tried again in the
    same call); the broker keeps what is not stored; nothing to be done."""
    world = answering()
    world.minute()
    world.store.faults.fail(call, error, times=8)
    for minute in range(12):
        if minute < 4:
            world.broker.offer("acme", COMMAND, str(minute))
        try:
            world.minute()
        except PortError as failure:
            assert failure is error  # noqa: PT017  (the target answers 503)
    assert call in {"states", "read", "commit"} or logged("turn_failed")
    world.store.faults.clear()
    world.minutes(40)
    settled(world, 4)


@pytest.mark.parametrize("call", ["swap", "commit"])
def test_a_storm_of_conflicts_and_exhaustion(call: str) -> None:
    """ABORTED and RESOURCE_EXHAUSTED at every other write for a while: deliveries answer 500
    (`call_failed`) and come again; nothing is executed twice to its end."""
    world = answering()
    for number in range(6):
        world.broker.offer("acme", COMMAND, str(number))
    storm: list[PortError] = [EXHAUSTED, UNAVAILABLE]
    if call == "commit":
        storm.append(Conflict("ABORTED: too much contention"))
    for error in storm * 4:
        world.store.faults.fail(call, error)
    for _ in range(60):
        world.tick(minutes=1)
        world.redeliver()
    assert world.ended()
    assert world.live() == {}
    ended = [it.message for it in world.ended().values() if it.message.type == COMMAND]
    assert len(ended) == 6
    assert len(world.replies_to("acme")) == 6


@pytest.mark.parametrize("error", [Unavailable("down"), Refused("no permission to publish")])
def test_pubsub_that_takes_nothing(error: PortError, logged: Logged) -> None:
    """`dispatch_failed` names the topic. What was received stays pending and is swept when its
    grace is over; meanwhile the tenant receives nothing new, so nothing piles up here."""
    world = answering()
    request = world.broker.offer("acme", COMMAND)
    world.publisher.faults.fail("publish", error, times=5)
    world.minutes(4)
    assert world.live()[request].state is State.PENDING
    assert {line["command"] for line in logged("dispatch_failed")} == {COMMAND}
    world.minutes(240)
    settled(world, 1)


def test_a_secret_that_is_deleted_and_made_again_while_running(logged: Logged) -> None:
    """Within five minutes the tenant's work stops; with live messages `tenant_orphaned` warns
    within the hour. Activated again, all goes on."""
    world = answering()
    world.minute()
    world.broker.offer("acme", COMMAND)
    world.tick(minutes=1)
    world.publisher.take()
    world.secrets.remove("acme")
    for _ in range(5):
        world.tick(minutes=1)
    calls = len(world.broker.calls)
    world.publisher.take()
    for _ in range(65):
        world.tick(minutes=1)
        assert world.publisher.take() == []
    assert len(world.broker.calls) == calls
    assert logged("tenant_orphaned")
    assert len(world.live()) == 1
    world.activate()
    world.minutes(70)
    settled(world, 1)


def test_a_secret_whose_only_version_is_gone(logged: Logged) -> None:
    """It is listed, but has no payload: `tenant_refused` names the secret, each minute; the
    neighbour works."""
    world = World(tenants=("acme", "globex"))
    world.secrets.faults.fail("payload", NotFound("gone"), times=100, when=lambda it: it == "acme")
    world.broker.offer("globex", COMMAND, message_id="g")
    world.broker.offer("acme", COMMAND, message_id="a")
    world.minutes(3)
    assert world.ran == [("globex", "g")]
    assert {line["tenant"] for line in logged("tenant_refused")} == {"acme"}
    world.secrets.faults.clear()
    world.activate()
    world.minutes(6)
    assert ("acme", "a") in world.ran


def test_credentials_rotated_while_running(logged: Logged) -> None:
    """RAC refuses the old ones once: one `tenant_failed`, the secret is read again, the next
    tick works. No restart, no attempt lost."""
    world = answering()
    world.minute()
    world.broker.offer("acme", COMMAND)
    world.secrets.put("acme", world.secrets.payload("acme").replace(b"s3cret", b"n3w"))
    world.broker.faults.fail("get", CredentialsRefused("RAC refuses the credentials"))
    world.minutes(4)
    assert len(logged("tenant_failed")) == 1
    assert not logged("tenant_paused")
    settled(world, 1)
    assert {it.message.attempt for it in world.ended().values()} == {1}


def test_secret_manager_that_is_down_while_running(logged: Logged) -> None:
    """`tenants_not_listed` and `tenant_not_read` warn; the last list and payload stay in force."""
    world = answering()
    world.minute()
    for call in ("entries", "payload"):
        world.secrets.faults.fail(call, Unavailable("down"), times=1_000)
    world.broker.offer("acme", COMMAND)
    world.minutes(80)
    assert logged("tenants_not_listed")
    assert logged("tenant_not_read")
    settled(world, 1)


def test_a_config_that_is_deleted_before_a_cold_start_with_the_database_down(
    logged: Logged,
) -> None:
    """No file and no last good one to be had: `config_invalid` says that the defaults hold, and
    messages go on; when the database answers, the last good generation is in force again."""
    world = answering()
    world.minute()
    world.config.put(None)
    world.cold_start()
    world.store.faults.fail("load", UNAVAILABLE)
    world.broker.offer("acme", COMMAND)
    world.minute()
    assert logged("config_invalid")[-1]["generation"] == "default"
    world.minutes(2)
    assert logged("config_invalid")[-1]["generation"] == "1"
    settled(world, 1)


Jump = Callable[[World, float], None]


def jump_poll(world: World, hours: float) -> None:
    """One poll on a machine whose clock is wrong; then all is right again."""
    right = world.clock.now
    world.clock.forward(hours=hours)
    world.tick()
    world.clock.now = right


def jump_consume(world: World, hours: float) -> None:
    """One machine of `consume` is wrong."""
    right = world.clock.now
    world.tick()
    world.clock.forward(hours=hours)
    world.deliver()
    world.clock.now = right


@pytest.mark.parametrize("hours", [-30, -5, 5, 30])
@pytest.mark.parametrize("jump", [jump_poll, jump_consume])
def test_a_machine_whose_clock_is_off(jump: Jump, hours: float) -> None:
    """Nothing is lost, nothing is executed twice to its end; what that machine dated waits at
    most until its date has come, in no need of anybody."""
    world = answering()
    world.minute()
    for number in range(3):
        world.broker.offer("acme", COMMAND, str(number))
    jump(world, hours)
    for _ in range(3):
        world.broker.offer("acme", COMMAND)
    for _ in range(200):
        world.tick(minutes=15)
        while world.deliver():
            pass
    settled(world, 6)


def test_a_sweep_whose_clock_is_ahead_takes_a_running_message() -> None:
    """The worst of it: the lease seems over while the consumer runs. The message runs again, and
    the first outcome is void (`settle_lost`): one end, one reply."""
    world = World()
    elsewhere = world.elsewhere()
    runs: list[int] = []

    def slow(_: str, context: Context) -> Returned:
        runs.append(context.attempt)
        if len(runs) == 1:
            world.clock.forward(hours=5)
            elsewhere.tick()
            world.clock.now = START
        return Reply("ProbeResponse", str(context.attempt))

    world.behave = slow
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    world.minutes(30)
    assert runs == [1, 2]
    assert world.ended()[request].message.attempt == 2
    assert world.replies_to("acme") == ["2"]
