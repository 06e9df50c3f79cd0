"""Invariant 12: two deployments beside each other, in both directions, and a rollback."""

import json
from datetime import timedelta

import pytest

from smartlink.consumer import Context, RetryableError
from smartlink.domain.message import DeadReason, State
from smartlink.ports import Unavailable
from smartlink.services.dispatch import decode_dispatch
from smartlink.services.polling.shard import OtherCatalogError, decode_shard
from tests.scenarios.conftest import Logged
from tests.support.world import (
    COMMAND,
    OTHER,
    SECRET_ONE,
    Interruptions,
    World,
    catalog,
    config_file,
)

SHARED = ("clock", "store", "contents", "broker", "publisher", "secrets", "config", "effects")


def without(*commands: str, **changes: dict[str, object]) -> str:
    """The catalogue without these commands."""
    document = json.loads(catalog(**changes))
    for name in commands:
        del document["commands"][name]
    return json.dumps(document)


def renamed() -> str:
    """The catalogue with one command taken away and another brought."""
    return catalog().replace(OTHER, "RenamedCommand")


def beside(world: World, catalog_json: str) -> World:
    """Another deployment, of another catalogue, on the same database, broker and Pub/Sub."""
    shared = {name: getattr(world, name) for name in SHARED}
    other = World(catalog_json=catalog_json, variables=world.variables, **shared)
    other.ran = world.ran
    return other


def taken(world: World) -> int:
    """Receives what waits, and loses the dispatch."""
    world.tick(minutes=1)
    return len(world.publisher.take())


# What was decided at the claim.


def test_what_the_consumer_held_is_not_run_again_by_an_older_poll() -> None:
    """It became `hold` with a deployment that has reached the consumer, not the poll."""
    new = World(catalog_json=catalog(**{COMMAND: {"unknownOutcome": "hold"}}))
    old = beside(new, catalog())
    new.runner.crashes = lambda _: True
    for number in range(3):
        new.broker.offer("acme", COMMAND, message_id=f"m{number}")
    for _ in range(30):
        old.tick(minutes=1)
        new.deliver()
    dead = {it.dead_reason for it in new.live().values()}
    assert dead == {DeadReason.UNKNOWN_OUTCOME}
    assert len(new.ran) == 3


def test_what_the_consumer_may_repeat_is_repeated_though_a_newer_poll_holds() -> None:
    """The other direction: it ran under the older promise."""
    old = World()
    new = beside(old, catalog(**{COMMAND: {"unknownOutcome": "hold"}}))
    crashes = iter([True])
    old.runner.crashes = lambda _: next(crashes, False)
    old.broker.offer("acme", COMMAND)
    for _ in range(30):
        new.tick(minutes=1)
        old.deliver()
    assert len(old.ran) == 2
    assert len(old.ended()) == 1


@pytest.mark.parametrize(("consumers", "polls", "runs"), [(2, None, 2), (None, 2, 5)])
def test_the_limit_of_whoever_runs_it_holds(
    consumers: int | None, polls: int | None, runs: int
) -> None:
    """A poll with another limit neither ends a message early nor runs it once more."""

    def its(limit: int | None) -> str:
        return catalog(**({COMMAND: {"attempts": limit}} if limit else {}))

    consuming = World(catalog_json=its(consumers))
    polling = beside(consuming, its(polls))
    consuming.runner.crashes = lambda _: True
    consuming.broker.offer("acme", COMMAND, message_id="m")
    for _ in range(120):
        polling.tick(minutes=1)
        consuming.deliver()
    assert len(consuming.ran) == runs
    assert consuming.live()["m"].dead_reason is DeadReason.EXHAUSTED


def test_a_lower_limit_in_the_file_still_ends_what_waits() -> None:
    """It is no deployment's: poll decides it in each tick."""
    world = World()
    world.runner.crashes = lambda _: True
    world.broker.offer("acme", COMMAND, message_id="m")
    world.minutes(2)
    world.config.put(config_file(attempts=1))
    world.minutes(15)
    assert world.live()["m"].dead_reason is DeadReason.EXHAUSTED
    assert len(world.ran) == 1


def test_what_became_personal_leaves_no_content_behind() -> None:
    """Received by a poll that did not know it yet, run by a consumer that does."""
    new = World(catalog_json=catalog(**{COMMAND: {"personal": True}}))
    old = beside(new, catalog())
    new.broker.offer("acme", COMMAND, '"somebody"', message_id="m")
    old.tick()
    new.deliver()
    ended = new.ended()["m"].message
    assert (ended.personal, ended.content.text) == (True, None)


# Shards.


@pytest.mark.parametrize("newer_polls", [True, False])
def test_a_shard_of_another_catalogue_is_refused_and_comes_again(*, newer_polls: bool) -> None:
    """Poll decides. No setup, no `get`: nothing of it is taken for unknown."""
    variables = {"SMARTLINK_SHARD_TENANTS": "1"}
    new = World(tenants=("acme", "other"), variables=variables)
    old = beside(new, without(OTHER))
    polls, shards = (new, old) if newer_polls else (old, new)
    new.broker.offer("other", OTHER, message_id="m")
    polls.tick()
    calls = len(new.broker.calls)
    shards.deliver()
    assert len(shards.undelivered) == 1
    assert len(new.broker.calls) == calls
    assert "other" not in new.broker.subscriptions
    polls.undelivered = shards.undelivered
    polls.redeliver()
    assert new.calls("setup", "other") == 1


def test_a_continuation_carries_the_catalogue_too() -> None:
    new = World(tenants=("acme", "other"))
    old = beside(new, without(OTHER))
    new.turns.budget = 1
    new.tick()
    ((_, envelope),) = new.publisher.take()
    shard = decode_shard(envelope.data)
    assert shard.sequence == 1
    with pytest.raises(OtherCatalogError):
        old.poll.shard(shard)


def test_a_shard_of_another_catalogue_that_is_too_late_is_over() -> None:
    """It does not come again and again."""
    new = World(tenants=("acme", "other"), variables={"SMARTLINK_SHARD_TENANTS": "1"})
    old = beside(new, without(OTHER))
    new.tick()
    new.clock.forward(seconds=60)
    assert (old.deliver(), old.undelivered) == (1, [])


def test_the_same_catalogue_in_another_layout_is_the_same() -> None:
    world = World(tenants=("acme", "other"), variables={"SMARTLINK_SHARD_TENANTS": "1"})
    turned = json.loads(world.catalog_json)
    turned = {name: turned[name] for name in reversed(turned)}
    turned["commands"] = {name: turned["commands"][name] for name in reversed(turned["commands"])}
    same = beside(world, json.dumps(turned, indent=4))
    world.tick()
    assert (same.deliver(), same.undelivered) == (1, [])
    assert world.calls("get", "other") == 1


# Setup, and what comes of a command that the other one knows.


@pytest.mark.parametrize("first", ["old", "new"])
@pytest.mark.parametrize("older", [without(OTHER), without(OTHER, SECRET_ONE)])
def test_an_older_poll_beside_a_newer_one_takes_nothing_from_it(first: str, older: str) -> None:
    """For as long as they tick in turns: the new command stays subscribed, and what comes of it
    is executed once, by the new one."""
    new = World()
    old = beside(new, older)
    worlds = (old, new) if first == "old" else (new, old)
    for number in range(40):
        worlds[number % 2].tick(minutes=1)
        if number:
            assert OTHER in new.broker.subscriptions["acme"]
            new.broker.offer("acme", OTHER, message_id=f"other-{number}")
            new.broker.offer("acme", COMMAND, message_id=f"probe-{number}")
        new.deliver()
    new.minutes(3)
    assert new.live() == {}
    assert len(new.ended()) == len(new.ran) == 2 * 39


def test_an_older_poll_that_knows_nothing_yet_looks_before_it_unsubscribes() -> None:
    """A process that begins during a deployment, and a tenant whose setup is not noted."""
    new = World()
    new.tick()
    old = beside(new, without(OTHER))
    state = new.store.states(["acme"])["acme"]
    new.store.save_state("acme", type(state)())
    old.tick(minutes=1)
    assert OTHER in new.broker.subscriptions["acme"]


def test_a_deployment_that_begins_during_a_setup_stays_subscribed() -> None:
    """The new one sets up between the older one's look and its call."""
    new = World()
    old = beside(new, without(OTHER))
    interruptions = new.broker.faults = Interruptions()
    interruptions.at("before setup", new.tick)
    old.tick()
    assert OTHER in new.broker.subscriptions["acme"]


@pytest.mark.parametrize("waits", ["dispatched", "retry"])
def test_an_older_sweep_leaves_what_it_does_not_know(waits: str, logged: Logged) -> None:
    """A message of the new command is due: it is not dead, and the new one's sweep takes it."""
    new = World()
    old = beside(new, without(OTHER))
    old.tick()
    new.clock.forward(minutes=1)
    new.broker.offer("acme", OTHER, message_id="m")

    def fail_once(_: str, context: Context) -> None:
        if context.attempt == 1 and waits == "retry":
            raise RetryableError("down")

    new.behave = fail_once
    new.tick()
    if waits == "retry":
        new.deliver()
    new.publisher.take()
    due = new.live()["m"].due
    assert due
    while new.clock() + timedelta(minutes=1) < due:
        new.tick(minutes=1)
    new.clock.now = due
    old.tick()
    assert new.live()["m"].state in {State.PENDING, State.WAITING}
    assert new.publisher.take() == []
    assert logged("due_left")
    new.minute()
    assert "m" in new.ended()


def test_a_page_full_of_what_it_does_not_know_hides_nothing() -> None:
    """Nor does an older sweep go round and round in it."""
    new = World(variables={"SMARTLINK_DUE_PAGE": "5", "SMARTLINK_DISPATCH_BATCH": "1"})
    old = beside(new, without(OTHER))
    old.tick()
    for number in range(12):
        new.broker.offer("acme", OTHER, message_id=f"other-{number}")
    assert taken(new) == 12
    new.broker.offer("acme", COMMAND, message_id="probe")
    assert taken(new) == 1
    new.clock.forward(minutes=3)
    old.tick()
    assert [decode_dispatch(it.data).command for _, it in new.publisher.take()] == [COMMAND]


def test_a_release_that_takes_a_command_away_and_brings_one_works_at_once() -> None:
    """It has something newer, so it is the newer one: what it lacks has left."""
    old = World()
    old.broker.offer("acme", OTHER, message_id="late")
    old.minutes(20)
    new = beside(old, renamed())
    new.broker.offer("acme", OTHER, message_id="gone")
    new.broker.offer("acme", "RenamedCommand", message_id="brought")
    new.minutes(2)
    assert new.live()["gone"].dead_reason is DeadReason.UNKNOWN_COMMAND
    assert "brought" in new.ended()
    assert {OTHER, "RenamedCommand"} <= set(new.broker.subscriptions["acme"])
    new.minutes(30)
    assert set(new.broker.subscriptions["acme"]) == {COMMAND, SECRET_ONE, "RenamedCommand"}


def test_a_rollback_serves_its_own_commands_at_once() -> None:
    """What comes of the one that left waits in the broker, and is kept as dead in the end."""
    old = World(catalog_json=without(OTHER))
    old.minutes(5)
    new = beside(old, catalog())
    new.minutes(20)
    again = beside(old, without(OTHER))
    again.broker.offer("acme", OTHER, message_id="left")
    again.broker.offer("acme", COMMAND, message_id="own")
    again.minutes(2)
    assert "own" in again.ended()
    assert again.broker.waiting("acme") == 1
    again.minutes(40)
    assert again.live()["left"].dead_reason is DeadReason.UNKNOWN_COMMAND
    assert OTHER not in again.broker.subscriptions["acme"]


def test_a_release_after_a_rollback_brings_the_command_back() -> None:
    old = World(catalog_json=without(OTHER))
    old.minutes(2)
    beside(old, catalog()).minutes(20)
    old.minutes(60)
    new = beside(old, catalog())
    for _ in range(10):
        new.tick(minutes=1)
        new.broker.offer("acme", OTHER)
        old.tick(minutes=1)
        new.deliver()
    new.minutes(3)
    assert len(new.ended()) == 10
    assert new.live() == {}


def test_two_deployments_with_the_same_commands_set_up_once() -> None:
    """Only a time-out differs: they do not take turns in setting up."""
    old = World()
    new = beside(old, catalog(**{COMMAND: {"timeoutSeconds": 30}}))
    for _ in range(10):
        old.tick(minutes=1)
        new.tick(minutes=1)
    assert old.calls("setup") == 1


def test_a_database_that_does_not_say_what_others_know_kills_nothing() -> None:
    """The tick fails for the tenant, and the next one goes on."""
    new = World()
    old = beside(new, without(OTHER))
    old.tick()
    new.tick(minutes=1)
    new.broker.offer("acme", OTHER, message_id="m")
    new.store.faults.fail("commands", Unavailable("down"))
    report = old.tick(minutes=1)
    assert report.counts["failedTurns"] == 1
    assert new.live() == {}
    new.minutes(2)
    assert "m" in new.ended()
