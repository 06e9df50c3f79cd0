"""Invariant 1: stored before acked, acked before dispatched."""

import pytest

from smartlink.adapters.in_memory import Faults
from smartlink.consumer import Context, Reply, Returned
from smartlink.ports import PortError, Refused, Unavailable
from tests.support.inline import ProcessEndedError
from tests.support.world import COMMAND, Interruptions, World, end_process


class Journal(Faults):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def before(self, call: str, subject: str) -> None:
        self.lines.append(call)
        super().before(call, subject)


def answering(_: str, __: Context) -> Returned:
    return Reply("ProbeResponse", "yes")


def test_create_then_history_then_ack_then_dispatch() -> None:
    """The broker lets go only of what is committed, and only that is dispatched."""
    world = World()
    lines: list[str] = []
    world.store.faults = world.broker.faults = world.publisher.faults = Journal(lines)
    world.broker.offer("acme", COMMAND)
    world.tick()
    steps = [line for line in lines if line in {"create", "history", "ack", "publish"}]
    assert steps == ["create", "history", "ack", "publish"]


@pytest.mark.parametrize(
    ("port", "moment"),
    [
        ("broker", "before get"),
        ("broker", "after get"),
        ("store", "before create"),
        ("store", "after create"),
        ("store", "before history"),
        ("broker", "before ack"),
        ("broker", "after ack"),
        ("publisher", "before publish"),
        ("publisher", "after publish"),
    ],
)
def test_a_poll_that_dies_at_any_step_loses_and_repeats_nothing(port: str, moment: str) -> None:
    """What was not acked comes again and is known; what was not dispatched is swept."""
    world = World(behave=answering)
    requests = [world.broker.offer("acme", COMMAND) for _ in range(2)]
    interruptions = getattr(world, port).faults = Interruptions()
    interruptions.at(moment, end_process)

    with pytest.raises(ProcessEndedError):
        world.tick()
    world.cold_start()
    world.minutes(5)

    assert sorted(world.ran) == [("acme", request) for request in requests]
    assert world.broker.waiting("acme") == 0
    assert sorted(world.ended()) == sorted([*requests, *(f"D-{it}/reply/1" for it in requests)])
    assert world.replies_to("acme") == ["yes", "yes"]
    assert world.live() == {}


@pytest.mark.parametrize("call", ["create", "history"])
def test_a_database_that_fails_leaves_the_message_in_the_broker(call: str) -> None:
    """Nothing is acked or dispatched before all of the batch is safe."""
    world = World()
    request = world.broker.offer("acme", COMMAND)
    world.store.faults.fail(call, Unavailable("down"))
    world.tick()
    assert world.broker.acked == []
    assert world.broker.waiting("acme") == 1
    assert world.deliver() == 0

    world.minutes(4)
    assert world.broker.acked == [("acme", request)]
    assert world.ran == [("acme", request)]


def test_a_create_of_unknown_outcome_is_found_out() -> None:
    """The database stored the message but the answer got lost: it is executed once."""
    world = World()
    request = world.broker.offer("acme", COMMAND)
    world.store.faults.fail("create", Unavailable("lost answer"), applied=True)
    world.tick()
    assert world.live().keys() == {request}
    assert world.broker.acked == []

    world.minutes(4)
    assert world.ran == [("acme", request)]
    assert world.ended().keys() == {request}


@pytest.mark.parametrize("applied", [False, True])
def test_what_was_not_acked_is_not_dispatched(applied: bool) -> None:  # noqa: FBT001
    """The broker may give it to another; the sweep takes it when the grace is over. Of two that
    fail in a row it is the broker's fault: nothing more is acked."""
    world = World()
    first, second, third = (world.broker.offer("acme", COMMAND) for _ in range(3))
    world.broker.faults.fail("ack", Unavailable("down"), applied=applied, times=2)
    world.tick()
    assert world.calls("ack") == 2
    assert world.deliver() == 0
    assert world.live().keys() == {first, second, third}

    world.minutes(4)
    assert sorted(world.ran) == [("acme", it) for it in (first, second, third)]
    assert world.broker.waiting("acme") == 0


@pytest.mark.parametrize("error", [Refused("stale tag"), Unavailable("500")])
def test_an_ack_that_fails_alone_holds_up_no_other(error: PortError) -> None:
    """One stale tag: the others are acked and dispatched in the same tick."""
    world = World()
    first, second = (world.broker.offer("acme", COMMAND) for _ in range(2))
    world.broker.faults.fail("ack", error)
    world.minute()
    assert world.ran == [("acme", second)]
    world.minutes(3)
    assert world.ran == [("acme", second), ("acme", first)]


def test_each_session_acks_what_it_received() -> None:
    """Several sessions receive for a busy tenant; a tag holds only where it was given."""
    world = World(variables={"SMARTLINK_RECEIVE_BATCH": "10"})
    requests = {world.broker.offer("acme", COMMAND) for _ in range(120)}
    world.tick()
    assert world.calls("session") > 10
    assert world.calls("ack") == 120, "the broker refused none of them"
    assert {message for _, message in world.broker.acked} == requests
