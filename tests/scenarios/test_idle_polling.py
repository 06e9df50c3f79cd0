"""Adaptive polling: silent tenants are asked less often, within a bound; nobody else is."""

from itertools import pairwise

import pytest

from smartlink.consumer import Context
from smartlink.ports import Unavailable
from tests.support.world import COMMAND, World

BOUND = {"SMARTLINK_IDLE_POLL_SECONDS": "300"}


def asked(world: World, minutes: int, tenant: str = "acme") -> list[int]:
    """In which of these minutes the tenant's broker was asked."""
    found = []
    for minute in range(1, minutes + 1):
        before = world.calls("get", tenant)
        world.minute()
        if world.calls("get", tenant) > before:
            found.append(minute)
    return found


def test_by_default_everybody_is_asked_at_each_tick() -> None:
    assert asked(World(), 10) == list(range(1, 11))


def test_a_silent_tenant_is_asked_less_and_less_often_up_to_the_bound() -> None:
    """Never later than the bound."""
    minutes = asked(World(variables=BOUND), 30)
    assert minutes[:5] == [1, 2, 3, 5, 9]
    gaps = [later - sooner for sooner, later in pairwise(minutes[4:])]
    assert set(gaps) == {5}


def test_whoever_receives_is_asked_at_each_tick_again() -> None:
    world = World(variables=BOUND)
    asked(world, 20)
    world.broker.offer("acme", COMMAND)
    received = asked(world, 5)
    assert len(world.ended()) == 1
    assert received == list(range(received[0], 6))


def test_whoever_sends_is_asked_in_the_same_tick() -> None:
    """An answer may come at once."""
    world = World(variables=BOUND)
    asked(world, 20)
    world.publish(content="{}")
    assert asked(world, 2) == [1, 2]
    assert len(world.replies_to()) == 1


def test_what_is_due_is_swept_all_the_same() -> None:
    """Retries do not wait for the broker to be asked."""
    world = World(variables=BOUND)

    def fail_once(_content: str, context: Context) -> None:
        if context.attempt == 1:
            raise TimeoutError

    world.behave = fail_once
    world.broker.offer("acme", COMMAND)
    world.minutes(17)
    assert [it.message.attempt for it in world.ended().values()] == [2]


def test_a_failing_broker_says_nothing_about_silence() -> None:
    world = World(variables=BOUND)
    world.broker.faults.fail("get", Unavailable("down"))
    world.minute()
    assert asked(world, 1) == [1]


def test_another_process_asks() -> None:
    """What one process knows of a tenant's silence binds no other."""
    world = World(variables=BOUND)
    asked(world, 9)
    world.cold_start()
    assert asked(world, 1) == [1]


@pytest.mark.parametrize("quiet", ["acme", "globex"])
def test_tenants_are_silent_each_for_itself(quiet: str) -> None:
    world = World(tenants=("acme", "globex"), variables=BOUND)
    busy = "globex" if quiet == "acme" else "acme"
    for _ in range(8):
        world.broker.offer(busy, COMMAND)
        world.minute()
    assert world.calls("get", busy) >= 8
    assert world.calls("get", quiet) == 4
