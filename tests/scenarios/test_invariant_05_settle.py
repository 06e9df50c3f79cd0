"""Invariant 5: one commit settles a message, all or nothing, fenced by the claim."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from smartlink.adapters.in_memory import InMemoryMessages
from smartlink.consumer import Context, Reply, Returned
from smartlink.domain.message import DeadReason, State
from smartlink.domain.settlement import Settlement
from smartlink.ports import Refused, Unavailable
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, Interruptions, World, end_process


def answering(content: str, context: Context) -> Returned:
    context.log.info("Saw %s", content)
    return [Reply("ProbeResponse", content), Reply("ProbeResponse", f"{content} again")]


def traces(world: World) -> tuple[int, int, int]:
    """How many executions the history, the log and the outbox know of."""
    history = [it for it in world.ended().values() if it.message.type == COMMAND]
    replies = [it for it in world.live().values() if it.type == "ProbeResponse"]
    return len(history), len(world.logs()), len(replies)


@pytest.mark.parametrize(
    ("moment", "expected"), [("before commit", (0, 0, 0)), ("after commit", (1, 2, 2))]
)
def test_a_process_that_dies_settling_has_written_all_or_nothing(
    moment: str, expected: tuple[int, int, int]
) -> None:
    """History, log lines and replies appear with the live document's end, or not at all."""
    world = World(behave=answering)
    request = world.broker.offer("acme", COMMAND, "one")
    world.tick()
    interruptions = world.store.faults = Interruptions()
    interruptions.at(moment, end_process)
    world.deliver()
    assert traces(world) == expected
    assert (request in world.live()) is (moment == "before commit")
    world.minutes(15)
    assert world.replies_to("acme") == ["one", "one again"]
    assert world.ended().keys() > {request}


@pytest.mark.parametrize("applied", [False, True])
def test_a_settlement_of_unknown_outcome_is_written_once(
    applied: bool,  # noqa: FBT001
    logged: Logged,
) -> None:
    """It is handed in again; what is there already is known as its own."""
    world = World(behave=answering)
    request = world.broker.offer("acme", COMMAND, "one")
    world.tick()
    world.store.faults.fail("commit", Unavailable("lost answer"), times=2, applied=applied)
    world.deliver()
    assert traces(world) == (1, 2, 2)
    assert world.ran == [("acme", request)]
    assert [line["messageId"] for line in logged("message_done")] == [request]
    assert logged("settle_lost") == []


def test_a_database_that_stays_away_has_the_message_run_again(logged: Logged) -> None:
    """As long as its call may last it is tried, with waits that grow; nothing is half written.
    When the lease is over the sweep takes it."""
    world = World(behave=answering)
    world.broker.offer("acme", COMMAND, "one")
    world.tick()
    began = world.clock()
    world.store.faults.fail("commit", Unavailable("down"), times=1_000)
    world.deliver()
    assert timedelta(seconds=500) < world.clock() - began < timedelta(seconds=540)
    assert world.waits == sorted(world.waits)
    assert len(world.waits) < 60
    assert traces(world) == (0, 0, 0)
    assert logged("settle_failed")
    world.store.faults.clear()
    world.minutes(15)
    assert world.replies_to("acme") == ["one", "one again"]


def test_a_consumer_that_outlived_its_lease_cannot_settle(logged: Logged) -> None:
    """Another has run the message meanwhile: only what that one did counts."""
    world = World()

    def outlive(_: str, context: Context) -> Returned:
        if context.attempt == 1:
            world.clock.forward(seconds=571)
            world.elsewhere().tick()
            world.deliver()
            return Reply("ProbeResponse", "too late")
        return Reply("ProbeResponse", "in time")

    world.behave = outlive
    request = world.broker.offer("acme", COMMAND, "one")
    world.minute()
    world.minutes(2)
    assert world.replies_to("acme") == ["in time"]
    assert world.ended()[request].message.attempt == 2
    assert [line["action"] for line in logged("settle_lost")] == ["settle_lost"]


def test_a_consumer_whose_message_was_swept_cannot_settle() -> None:
    """Also when nobody has claimed the message again yet."""
    world = World()

    def outlive(_: str, context: Context) -> Returned:
        if context.attempt == 1:
            world.clock.forward(seconds=571)
            world.elsewhere().tick()
            return Reply("ProbeResponse", "too late")
        assert world.ended() == {}
        return Reply("ProbeResponse", "in time")

    world.behave = outlive
    world.broker.offer("acme", COMMAND, "one")
    world.minutes(3)
    assert world.replies_to("acme") == ["in time"]


def test_one_that_lost_its_lease_harms_no_neighbour() -> None:
    """Of a shared commit that does not hold, each settlement is written by itself."""
    world = World(behave=answering)
    world.runner.gathers = True
    requests = [world.broker.offer("acme", COMMAND, str(number)) for number in range(3)]
    world.tick()

    def stolen() -> None:
        document = f"D-{requests[1]}"
        stored = world.store.live("acme")[document]
        world.store.commit("acme", [Settlement(document=document, fence=stored.version)])

    interruptions = world.store.faults = Interruptions()
    interruptions.at("before commit", stolen)
    world.deliver()
    assert world.ended().keys() == {requests[0], requests[2]}


class Small(InMemoryMessages):
    """Takes no more than three replies in a commit."""

    def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        if sum(len(settlement.created) for settlement in settlements) > 3:
            message = "the request is too large"
            raise Refused(message)
        super().commit(tenant, settlements)


def test_an_outcome_that_fits_no_commit_is_dead_and_harms_no_neighbour() -> None:
    """The operator reads why; the others of its batch are settled, and it never runs again."""
    world = World(store=Small())

    def answer(content: str, _: Context) -> Returned:
        return [Reply("ProbeResponse", "x")] * int(content)

    world.behave = answer
    small, large, other = (world.broker.offer("acme", COMMAND, it) for it in ("1", "9", "2"))
    world.minute()
    assert {small, other} <= world.ended().keys()
    message = world.live()[large]
    why = "It was executed. Its settlement cannot be written: the request is too large"
    assert (message.state, message.attempt, message.error) == (State.DEAD, 1, why)
    assert message.dead_reason is DeadReason.UNWRITTEN_OUTCOME
    world.minutes(600)
    assert world.ran.count(("acme", large)) == 1


def test_many_replies_are_settled_in_one_commit_all_the_same() -> None:
    """What would make the commit too large goes to the bucket; the receiver gets it whole."""
    world = World()
    replies = [f"{number} " + "x" * 200_000 for number in range(20)]
    world.behave = lambda _, __: [Reply("ProbeResponse", text) for text in replies]
    world.broker.offer("acme", COMMAND)
    world.minute()
    inline = [it.content.size for it in world.live().values() if it.content.text is not None]
    assert sum(inline) <= 1_048_576
    world.minutes(2)
    assert sorted(world.replies_to("acme")) == sorted(replies)
