"""Hourly figures: kept by the polls, once an hour is settled, whoever polls."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from smartlink.consumer import Context, FatalError
from smartlink.domain.hourly import HOUR, HourFigures
from smartlink.domain.message import DeadReason
from smartlink.ports import Refused, Unavailable
from smartlink.services.polling import buckets
from smartlink.services.polling.hourly import Hourly
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, World, config_file

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
ONCE = HourFigures(NOON, done=1, retried=1)


def at_noon(*tenants: str) -> World:
    """A world at five past twelve, in which each tenant has been in use for an hour."""
    world = World(tenants=tenants or ("acme",))
    world.clock.now = NOON - timedelta(minutes=55)
    world.minutes(60)
    return world


def once_again(_content: str, context: Context) -> None:
    if context.attempt == 1:
        raise TimeoutError


def working(world: World, tenant: str = "acme") -> None:
    """One message that fails, and is done 15 minutes later."""
    world.behave = once_again
    world.broker.offer(tenant, COMMAND)
    world.minutes(18)


def mark(world: World, tenant: str = "acme") -> datetime | None:
    return world.store.states([tenant])[tenant].counted


def test_an_hour_is_kept_once_it_is_settled() -> None:
    world = at_noon()
    working(world)
    world.clock.now = NOON + HOUR + timedelta(minutes=13)
    world.minute()
    assert world.store.hours("acme") == {}
    world.minutes(16)
    assert world.store.hours("acme") == {NOON: ONCE}
    assert mark(world) == NOON + HOUR


def test_what_died_is_told() -> None:
    world = at_noon()

    def reject(_content: str, _context: Context) -> None:
        message = "never"
        raise FatalError(message)

    world.behave = reject
    world.broker.offer("acme", COMMAND)
    world.minutes(90)
    assert world.store.hours("acme") == {NOON: HourFigures(NOON, dead=1)}


def test_what_an_author_warns_of_is_neither_tried_again_nor_dead() -> None:
    """The consumer of an erasure, say, logs as an error what it has left for a person."""
    world = at_noon()

    def warn(_content: str, context: Context) -> None:
        context.log.warning("Somebody else's rows stay")
        context.log.error("Outside the map are %s", "values")

    world.behave = warn
    world.broker.offer("acme", COMMAND, message_id="m")
    world.broker.offer("acme", "unheard-of")
    world.minutes(17)
    for _ in range(3):
        world.broker.offer("acme", COMMAND, "another content", message_id="m")
        world.minute()
    world.minutes(70)
    assert {it.dead_reason for it in world.live().values()} == {
        DeadReason.UNKNOWN_COMMAND,
        DeadReason.ID_REUSED,
    }
    assert world.store.hours("acme") == {NOON: HourFigures(NOON, done=1, dead=2)}


@pytest.mark.parametrize(
    ("error", "times", "expected"),
    [
        (Refused("404"), 5, HourFigures(NOON, retried=4, dead=1)),
        (Refused("404"), 1, HourFigures(NOON, done=1, retried=1)),
    ],
)
def test_what_the_broker_refuses_is_told(error: Refused, times: int, expected: HourFigures) -> None:
    world = at_noon()
    world.config.put(config_file(interval=0.5))
    world.broker.faults.fail("send", error, times=times)
    world.publish(id="p", content="{}")
    world.minutes(100)
    assert world.store.hours("acme") == {NOON: expected}


def test_another_process_goes_on_from_the_mark() -> None:
    """Nothing is left out, and nothing is counted twice, whenever a process ends."""
    world = at_noon()
    working(world)
    for _ in range(100):
        world.cold_start()
        world.minute()
    assert world.store.hours("acme") == {NOON: ONCE}


def test_two_processes_keep_the_same() -> None:
    world = at_noon()
    working(world)
    other = world.elsewhere()
    for _ in range(80):
        world.minute()
        other.tick()
    assert world.store.hours("acme") == {NOON: ONCE}


def test_after_a_stop_of_the_polls_the_hours_before_it_are_counted() -> None:
    """Four hours in a tick, up to two days back."""
    world = at_noon()
    working(world)
    world.clock.now += timedelta(hours=30)
    world.minutes(10)
    assert world.store.hours("acme") == {NOON: ONCE}
    assert mark(world) == NOON + 30 * HOUR


def test_it_does_not_need_the_broker() -> None:
    world = at_noon()
    working(world)
    for _ in range(80):
        world.broker.faults.fail("get", Unavailable("down"))
        world.minute()
    assert world.store.hours("acme") == {NOON: ONCE}


def test_a_disabled_tenant_is_counted() -> None:
    world = at_noon()
    working(world)
    world.activate(enabled=False)
    world.minutes(80)
    assert world.store.hours("acme") == {NOON: ONCE}


def test_a_tenant_whose_secret_is_gone_is_counted() -> None:
    """What was dispatched may still end."""
    world = at_noon("acme", "other")
    working(world)
    world.secrets.remove("acme")
    world.minutes(75)
    assert world.store.hours("acme") == {NOON: ONCE}
    assert mark(world) == NOON + HOUR


@pytest.mark.parametrize("call", ["happened", "count_hour", "keep_hours"])
@pytest.mark.parametrize("error", [Unavailable("down"), RuntimeError("surprise")])
def test_a_failure_stops_no_turn(call: str, error: Exception, logged: Logged) -> None:
    """It is told, and a later tick counts the hour."""
    world = at_noon()
    working(world)
    world.clock.now = NOON + HOUR + timedelta(minutes=14)
    world.store.faults.fail(call, error)
    world.broker.offer("acme", COMMAND)
    world.behave = lambda _content, _context: None
    world.minutes(15)
    assert len(world.ended()) == 2
    [line] = logged("hours_not_counted")
    assert line["tenant"] == "acme"
    assert not logged("turn_failed")
    world.minutes(16)
    assert world.store.hours("acme") == {NOON: ONCE}


def test_a_lost_mark_is_told_and_costs_one_more_count(logged: Logged) -> None:
    world = at_noon()
    working(world)
    world.activate(enabled=False)
    world.clock.now = NOON + HOUR + timedelta(minutes=14)
    world.store.faults.fail("save_state", Unavailable("down"))
    world.minutes(2)
    assert logged("state_not_saved")
    world.cold_start()
    world.minutes(2)
    assert mark(world) == NOON + HOUR
    assert world.store.hours("acme") == {NOON: ONCE}


def test_an_idle_tenant_costs_two_reads_an_hour_and_no_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mark goes with the success that is written every 15 minutes anyway."""
    monkeypatch.setattr(buckets, "looks", lambda *_: False)  # whose rhythm is no hour's
    names = [f"tenant-{number}" for number in range(20)]
    world = at_noon(*names)

    def spent() -> Counter[str]:
        before = world.store.operations.copy()
        world.minutes(4 * 60)
        return world.store.operations - before

    counted = spent()
    monkeypatch.setattr(Hourly, "due", lambda *_: False)
    uncounted = spent()
    assert counted["write"] == uncounted["write"]
    assert counted["read"] - uncounted["read"] == 4 * 2 * 20


def test_an_active_tenant_costs_five_reads_and_a_write_an_hour() -> None:
    world = at_noon()
    working(world)
    world.clock.now = NOON + HOUR + timedelta(minutes=15)
    before = world.store.operations.copy()
    state = world.store.states(["acme"])["acme"]
    world.poll.tenant_turns.hourly.count("acme", state, world.clock())
    spent = world.store.operations - before
    assert (spent["read"], spent["write"]) == (1 + 1 + 3, 1), "with the state's own read"
