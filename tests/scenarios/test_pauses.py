"""A tenant whose broker keeps failing is paused, with growing delay, and recovers."""

from dataclasses import replace
from itertools import pairwise

import pytest

from smartlink.consumer import Context, Reply, RetryableError, Returned
from smartlink.domain.lifecycle import due_again
from smartlink.domain.message import Stored
from smartlink.ports import CredentialsRefused, Refused, Unavailable
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, Slow, World

DOWN = Unavailable("Smart Link answered 503")


def broken(call: str = "get", error: Exception = DOWN) -> World:
    """A world whose broker works once and then no more."""
    world = World()
    world.minute()
    world.broker.faults.fail(call, error, times=10_000)
    return world


def failing_minutes(world: World, minutes: int, call: str = "get") -> list[int]:
    """In which of the coming minutes the broker is called."""
    called = []
    for minute in range(1, minutes + 1):
        before = world.calls(call)
        world.minute()
        called += [minute] * (world.calls(call) > before)
    return called


@pytest.mark.parametrize(
    "error", [DOWN, CredentialsRefused("RAC does not know them"), Refused("403")]
)
def test_a_broker_that_keeps_failing_is_left_alone(error: Exception, logged: Logged) -> None:
    """After three ticks in a row, each time for longer, up to half an hour."""
    world = broken(error=error)
    called = failing_minutes(world, 130)
    assert called[:3] == [1, 2, 3]
    gaps = [later - earlier for earlier, later in pairwise(called)]
    assert gaps == sorted(gaps)
    assert gaps[-2:] == [30, 30]
    assert len(called) < 13
    assert len(logged("tenant_paused")) == len(called) - 2
    state = world.store.states(["acme"])["acme"]
    assert state.last_error == str(error)
    assert state.failures == len(called)


def test_two_failing_ticks_are_no_pause() -> None:
    """The counter starts again when all is well."""
    world = World()
    world.minute()
    for _ in range(5):
        world.broker.faults.fail("get", DOWN, times=2)
        assert failing_minutes(world, 3) == [1, 2, 3]
    assert world.store.states(["acme"])["acme"].paused_until is None


def test_a_paused_tenants_due_work_goes_on() -> None:
    """Its retries are dispatched and run; its replies wait, and no attempt of theirs is used."""
    world = World()

    def recover(_: str, context: Context) -> Returned:
        if context.attempt == 1:
            text = "not yet"
            raise RetryableError(text)
        return Reply("ProbeResponse", "done")

    world.behave = recover
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    for call in ("get", "send", "setup"):
        world.broker.faults.fail(call, DOWN, times=10_000)
    world.minutes(14)
    calls = len(world.broker.calls)
    world.minute()
    assert world.store.states(["acme"])["acme"].paused(world.clock())
    assert len(world.broker.calls) == calls
    assert world.ran == [("acme", request)] * 2, "the retry was due in this minute"
    world.broker.offer("acme", COMMAND)
    world.minutes(30)
    (reply,) = world.live().values()
    assert (reply.type, reply.attempt) == ("ProbeResponse", 0)
    assert world.broker.waiting("acme") == 1

    world.broker.faults.clear()
    world.minutes(50)
    assert world.replies_to("acme") == ["done", "done"]
    assert world.live() == {}


def test_a_broker_that_works_again_ends_the_pause(logged: Logged) -> None:
    """At the first call that succeeds; the next failure starts counting from one."""
    world = broken()
    world.minutes(10)
    world.broker.faults.clear()
    world.minutes(20)
    state = world.store.states(["acme"])["acme"]
    assert (state.failures, state.paused_until) == (0, None)
    assert len(logged("tenant_recovered")) == 1
    assert failing_minutes(world, 3) == [1, 2, 3]


def test_a_tick_that_does_not_talk_to_the_broker_is_no_recovery() -> None:
    """The tenant is behind, so nothing is received: that says nothing about the broker."""
    world = World()
    world.broker.offer("acme", COMMAND)
    world.tick()
    world.publisher.take()
    world.broker.faults.fail("get", DOWN)
    world.tick(minutes=1)
    assert world.store.states(["acme"])["acme"].failures == 1
    gets = world.calls("get")
    world.tick(minutes=1)
    assert world.calls("get") == gets
    assert world.store.states(["acme"])["acme"].failures == 1


def test_a_pause_is_known_after_a_cold_start() -> None:
    """It is written with the tenant."""
    world = broken()
    world.minutes(12)
    calls = world.calls("get")
    assert world.store.states(["acme"])["acme"].paused(world.clock())
    world.cold_start()
    world.tick(seconds=1)
    assert world.calls("get") == calls


def test_two_failures_in_a_row_end_a_tenants_sending_for_the_tick() -> None:
    """Its other sessions and chunks do not wait for a time-out each. In the ticks after that one
    message alone is tried, until one is accepted: then the others follow at once."""
    world = World()
    world.minute()
    for number in range(60):
        world.publish(content=str(number))
    world.broker.faults.fail("send", DOWN, times=4)
    for sends in (2, 3, 4):
        world.minute()
        assert world.calls("send") == sends
    world.minute()
    assert len(world.replies_to()) > 50
    world.minutes(3)
    assert len(world.replies_to()) == 60


def test_one_failure_ends_a_tenants_receiving_for_the_tick() -> None:
    """No other session waits for a time-out: not even those that had joined before it."""
    world = World(variables={"SMARTLINK_RECEIVE_BATCH": "10", "SMARTLINK_POLL_SECONDS": "600"})
    world.broker.faults = faults = Slow(world.clock, 100)
    for _ in range(300):
        world.broker.offer("acme", COMMAND)
    faults.fail("get", DOWN, times=10_000, when=lambda _: world.calls("get") > 100)
    world.tick()
    assert world.turns.most == world.settings.receivers
    assert world.calls("get") == 101
    assert world.store.states(["acme"])["acme"].failures == 1


@pytest.mark.parametrize("first", ["send", "get"])
def test_a_tenant_is_paused_only_when_everything_fails(first: str, logged: Logged) -> None:
    """What works goes on at each tick, for hours; once nothing works any more it is a pause."""
    world = World()
    world.minute()
    world.broker.faults.fail(first, DOWN, times=10_000)
    for number in range(120):
        world.publish(content=str(number))
        world.broker.offer("acme", COMMAND)
        world.minute()
    assert not logged("tenant_paused")
    assert world.store.states(["acme"])["acme"].failures == 0
    assert (len(world.ran), len(world.replies_to())) == ((120, 0) if first == "send" else (0, 120))
    assert bool(logged("receive_failed")) == (first == "get")

    world.broker.faults.fail("get" if first == "send" else "send", DOWN, times=10_000)
    for number in range(30):
        world.publish(content=f"late {number}")
        world.minute()
    assert logged("tenant_paused")
    assert {it.attempt for it in world.live().values()} <= {0}
    world.broker.faults.clear()
    world.minutes(70)
    assert (len(world.ran), len(world.replies_to())) == (120, 150)


def test_a_get_that_is_down_delays_what_is_sent_by_its_pause_at_most() -> None:
    """Who only receives, and cannot, is paused; what is published meanwhile waits for its end."""
    world = broken()
    world.minutes(60)
    world.publish(content="one")
    world.minutes(31)
    assert world.replies_to() == ["one"]


def test_new_credentials_are_read_when_rac_refuses_the_old(logged: Logged) -> None:
    """A version that was added by hand does not show in the list of secrets."""
    world = World()
    world.minute()
    reads = world.secrets.operations["access"]
    world.minutes(3)
    assert world.secrets.operations["access"] == reads
    world.broker.faults.fail("get", CredentialsRefused("RAC does not know them"))
    world.minutes(2)
    assert world.secrets.operations["access"] == reads + 1
    assert len(logged("tenant_failed")) == 1


def test_credentials_refused_at_the_ack_count_as_a_failure() -> None:
    """The token ended in between and RAC gave no other: the tenant's secret is read again."""
    world = World()
    for _ in range(3):
        world.broker.offer("acme", COMMAND)
    world.broker.faults.fail("ack", CredentialsRefused("RAC does not know them"))
    world.minute()
    assert world.calls("ack") == 1
    assert world.store.states(["acme"])["acme"].failures == 1
    world.minutes(4)
    assert len(world.ran) == 3


def test_once_a_message_goes_again_all_that_waits_does() -> None:
    """In the same tick, however many pages of it are due."""
    world = World()
    world.minute()
    world.broker.faults.fail("send", DOWN, times=2)
    for number in range(350):
        world.publish(content=str(number))
    world.minute()
    assert world.replies_to() == []
    world.minute()
    assert len(world.replies_to()) == 350


def paused(world: World) -> World:
    """`acme` is paused for long, and its broker works again."""
    world.minute()
    world.publish(content="waits")
    world.broker.faults.fail("send", DOWN, times=10_000)
    world.broker.faults.fail("get", DOWN, times=10_000)
    world.minutes(30)
    assert world.store.states(["acme"])["acme"].paused(world.clock())
    world.broker.faults.clear()
    return world


def end_pause(world: World) -> None:
    """As `smartlink tenants enable` does, from another process."""
    state = world.store.states(["acme"])["acme"]
    world.store.save_state("acme", replace(state, failures=0, paused_until=None), state)
    waiting = [it for it in world.store.live("acme").values() if it.message.failure]
    world.store.swap("acme", [Stored(due_again(it.message), it.version) for it in waiting])
    world.store.announce_change()


@pytest.mark.parametrize("size", ["1", "3"])
def test_an_operator_ends_a_pause_at_once(size: str) -> None:
    """Whichever process polls the tenant: the shards carry the mark of the change."""
    tenants = ("aaa", "acme", "bbb")
    world = paused(World(tenants=tenants, variables={"SMARTLINK_SHARD_TENANTS": size}))
    world.minute()
    assert world.replies_to() == []
    end_pause(world)
    world.minute()
    assert world.replies_to() == ["waits"]


def test_an_operator_enables_a_disabled_tenant_at_once() -> None:
    world = World()
    world.minute()
    world.activate(enabled=False)
    world.store.announce_change()
    world.broker.offer("acme", COMMAND)
    world.minutes(2)
    assert world.ran == []
    world.activate(enabled=True)
    world.store.announce_change()
    world.minute()
    assert len(world.ran) == 1


def test_changes_that_cannot_be_read_delay_nothing_but_the_news(logged: Logged) -> None:
    """The tick goes on with what is kept; the next one that reads the mark sees the change."""
    world = paused(World())
    end_pause(world)
    world.store.faults.fail("changes", Unavailable("down"), times=1)
    world.minute()
    assert world.replies_to() == []
    assert len(logged("changes_not_read")) == 1
    world.minute()
    assert world.replies_to() == ["waits"]


def test_a_list_of_secrets_that_fails_is_tried_again_for_the_change() -> None:
    """The mark counts as seen only once the tenants were listed for it."""
    world = World()
    world.minute()
    world.activate(enabled=False)
    world.store.announce_change()
    world.secrets.faults.fail("entries", Unavailable("down"), times=1)
    world.broker.offer("acme", COMMAND)
    world.minute()
    world.minute()
    assert len(world.ran) == 1, "the first tick knew nothing of it"
    world.broker.offer("acme", COMMAND)
    world.minute()
    assert len(world.ran) == 1
