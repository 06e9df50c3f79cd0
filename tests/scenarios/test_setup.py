"""Setup creates the tenant's queue: once, and again whenever what it was for changes."""

from smartlink.ports import Unavailable
from tests.support.world import COMMAND, OTHER, SECRET_ONE, World, catalog


def test_setup_runs_once_and_before_anything_else() -> None:
    """Until it has, the broker loses the tenant's messages."""
    world = World()
    world.minutes(3)
    world.cold_start()
    world.minutes(3)
    calls = [call for call, _ in world.broker.calls if call != "session"]
    assert calls == ["setup"] + ["get"] * 6
    assert set(world.broker.subscriptions["acme"]) == {COMMAND, OTHER, SECRET_ONE}
    assert set(world.store.states(["acme"])["acme"].commands) == {COMMAND, OTHER, SECRET_ONE}


def test_setup_runs_again_when_the_commands_change() -> None:
    """A deployment with another catalogue subscribes to it at its first poll."""
    world = World()
    world.minutes(2)
    world.catalog_json = catalog().replace(OTHER, "RenamedCommand")
    world.cold_start()
    world.minutes(3)
    assert world.calls("setup") == 2
    assert "RenamedCommand" in world.broker.subscriptions["acme"]


def test_setup_runs_again_when_the_client_changes() -> None:
    """Other credentials may mean another queue; a new password alone does not."""
    world = World()
    world.minute()
    world.activate(clientSecret="renewed")
    world.minutes(6)
    assert world.calls("setup") == 1
    world.activate(clientId="another")
    world.minutes(12)  # as RAC names no tenant id, it may be another customer
    assert world.calls("setup") == 2


def test_nothing_is_received_or_sent_until_setup_has_worked() -> None:
    """It is tried again with the next tick."""
    world = World()
    world.publish(content="waits")
    world.broker.faults.fail("setup", Unavailable("down"))
    world.tick()
    assert (world.calls("get"), world.calls("send")) == (0, 0)
    world.minute()
    assert world.calls("setup") == 2
    assert world.replies_to("acme") == ["waits"]


def test_setup_that_could_not_be_noted_is_run_again() -> None:
    """It does no harm; this process knows, the next one does not."""
    world = World()
    world.store.faults.fail("save_state", Unavailable("down"), times=99)
    world.minutes(3)
    assert world.calls("setup") == 1
    world.store.faults.clear()
    world.cold_start()
    world.minutes(2)
    assert world.calls("setup") == 2
    world.cold_start()
    world.minutes(2)
    assert world.calls("setup") == 2, "by now it is noted"
