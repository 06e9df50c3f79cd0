"""Invariant 3, for messages without an id: the same content is a repeat for one hour only."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from smartlink.consumer import Context, RetryableError, Returned
from smartlink.domain import lifecycle
from smartlink.domain.message import DeadReason, Past, State
from smartlink.ports import Delivery, Unavailable
from tests.support.inline import ProcessEndedError
from tests.support.world import COMMAND, OTHER, Interruptions, World, end_process


def nameless(world: World, content: str = "same", command: str = COMMAND) -> None:
    world.broker.deliver("acme", Delivery(None, None, command, content))


def failing(times: int) -> Callable[[str, Context], Returned]:
    """A consumer that fails so many times."""

    def behave(_: str, context: Context) -> Returned:
        if context.attempt <= times:
            raise RetryableError("not yet")
        return None

    return behave


def world_at(minute: int) -> World:
    """A world in which that minute of an hour has come."""
    world = World()
    world.clock.forward(minutes=minute - 1)
    return world


def store_late(world: World, then: Callable[[], object] = lambda: None) -> None:
    """A poll receives in the last minute of an hour, and stores when, in the next hour, another
    poll has received the same message again, and `then` has happened."""
    nameless(world)
    interruptions = world.store.faults = Interruptions()

    def meanwhile() -> None:
        world.broker.release()
        world.clock.forward(minutes=2)
        world.elsewhere().tick()
        then()

    interruptions.at("before create", meanwhile)
    world.tick(minutes=1)


@pytest.mark.parametrize(
    ("first", "later", "runs"),
    [
        (5, 54, 1),  # within the same hour of the clock
        (50, 1, 1),
        (50, 20, 1),  # across it
        (50, 59, 1),
        (50, 60, 2),  # an hour later to the minute: a new message
        (50, 65, 2),
        (5, 120, 2),
        (50, 60 * 24, 2),
    ],
)
def test_the_same_content_is_a_repeat_for_an_hour(first: int, later: int, runs: int) -> None:
    """Counted from when it was received, wherever the clock's hour ends."""
    world = world_at(first)
    nameless(world)
    world.minute()
    world.clock.forward(minutes=later - 1)
    nameless(world)
    world.minutes(4)
    assert len(world.ran) == runs
    assert len(world.ended()) == runs
    assert world.live() == {}
    assert world.broker.waiting("acme") == 0


def test_a_history_that_cannot_be_read_is_one_all_the_same() -> None:
    """Of the hour before: whether it was within an hour cannot be told, so it is not run, and as
    it may be another message, it is kept."""
    world = world_at(50)
    nameless(world)
    world.minute()
    (ended,) = world.store.ended("acme").values()
    left = replace(Past.of(ended.message), received=None)
    world.store.break_history("acme", ended.message.document, left=left)
    world.clock.forward(minutes=15)
    nameless(world)
    world.minutes(30)
    assert len(world.ran) == 1
    (kept,) = world.live().values()
    assert kept.dead_reason is DeadReason.UNKNOWN_OUTCOME


def test_repeats_do_not_stretch_the_hour() -> None:
    """It counts from the message that was executed, not from its last repeat."""
    world = world_at(50)
    nameless(world)
    world.minute()
    for _ in range(2):
        world.clock.forward(minutes=34)
        nameless(world)
        world.minute()
    assert len(world.ran) == 2


def test_another_content_or_command_is_another_message() -> None:
    """The id is derived from both."""
    world = World()
    nameless(world)
    nameless(world, "other")
    nameless(world, command=OTHER)
    world.minute()
    assert len(world.ran) == 3


def test_what_is_live_across_the_hour_is_known_too() -> None:
    """Its first delivery was lost in Pub/Sub: it is still pending when the repeat comes."""
    world = world_at(59)
    nameless(world)
    world.tick(minutes=1)
    lost = world.publisher.take()
    assert len(lost) == 1
    nameless(world)
    world.minutes(6)
    assert len(world.ran) == 1


@pytest.mark.parametrize("redelivered", [True, False])
def test_a_poll_that_dies_over_a_repeat_across_the_hour(redelivered: bool) -> None:  # noqa: FBT001
    """The sweep looks into the hour before as well: the repeat is not executed."""
    world = world_at(55)
    nameless(world)
    world.minute()
    world.clock.forward(minutes=10)
    nameless(world)
    interruptions = world.store.faults = Interruptions()
    interruptions.at("after create", end_process)
    with pytest.raises(ProcessEndedError):
        world.tick(minutes=1)
    assert len(world.live()) == 1
    if not redelivered:
        world.broker = type(world.broker)()
        world.cold_start()
    world.minutes(5)
    assert len(world.ran) == 1
    assert world.live() == {}


@pytest.mark.parametrize("fails", [0, 1])
def test_what_was_stored_late_was_overtaken_by_its_redelivery(fails: int) -> None:
    """Received before the hour ended, stored after the same content, redelivered, was executed
    in the next one: it is the repeat now. Or was about to be, for the one that failed."""
    world = world_at(59)
    world.behave = failing(fails)
    store_late(world, world.deliver)
    world.minutes(20)
    assert len(world.ran) == 1 + fails
    assert world.live() == {}
    assert len(world.ended()) == 1


def test_what_was_stored_late_waits_until_its_redelivery_has_run() -> None:
    """The other one is dispatched: neither may be dropped before that one is decided."""
    world = world_at(59)
    store_late(world)
    assert len(world.live()) == 2
    world.minutes(12)
    assert len(world.ran) == 1
    assert world.live() == {}


def test_a_malformed_envelope_without_id_is_kept_once_within_the_hour() -> None:
    """Its raw text is all there is to know it by."""
    world = world_at(58)
    for _ in range(5):
        world.broker.deliver("acme", Delivery(None, None, "", "{broken", problem="no type"))
        world.minute()
    (message,) = world.live().values()
    assert message.state is State.DEAD


def test_a_database_that_fails_between_the_two_looks_repeats_nothing() -> None:
    """Created, the history not read, redelivered two minutes later in the next hour."""
    world = world_at(59)
    nameless(world)
    world.minute()
    nameless(world)
    world.store.faults.fail("history", Unavailable("down"))
    world.minutes(6)
    assert len(world.ran) == 1


@pytest.mark.parametrize("legible", [True, False])
def test_what_was_stored_late_was_overtaken_by_one_that_nobody_can_read(legible: bool) -> None:  # noqa: FBT001
    """The other exists, so it may have run, or may yet: this one is not executed."""
    world = world_at(59)

    def then() -> None:
        (other,) = world.store.live("acme")
        world.store.make_unreadable("acme", other, legible=legible)

    store_late(world, then)
    world.publisher.take()
    world.minutes(20)
    assert world.ran == []
    reasons = {it.dead_reason for it in world.live().values()}
    assert reasons == {None, DeadReason.UNKNOWN_OUTCOME}


@pytest.mark.parametrize("legible", [True, False])
def test_what_nobody_can_read_of_the_hour_before_is_there(legible: bool) -> None:  # noqa: FBT001
    world = world_at(59)
    nameless(world)
    world.tick(minutes=1)
    world.publisher.take()
    (other,) = world.store.live("acme")
    world.store.make_unreadable("acme", other, legible=legible)
    nameless(world)
    world.minutes(20)
    assert world.ran == []
    assert other in world.store.live("acme")


def test_neither_of_two_that_were_recalled_is_lost() -> None:
    """Stored late, and overtaken by its redelivery: both wait, neither has run."""
    world = world_at(59)
    store_late(world)
    world.publisher.take()
    for stored in world.store.live("acme").values():
        world.store.swap("acme", [replace(stored, message=lifecycle.recalled(stored.message))])
    assert len(world.live()) == 2
    world.minutes(20)
    assert len(world.ran) == 1
    assert world.live() == {}
