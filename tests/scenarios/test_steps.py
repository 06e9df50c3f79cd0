"""A work in steps: each leaves the next one in its own commit, and it comes to an end."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from smartlink.consumer import (
    MOST_REPLIES,
    Context,
    Continue,
    FatalError,
    Reply,
    RetryableError,
    Returned,
)
from smartlink.domain.identity import Direction
from smartlink.domain.message import DeadReason, Ending, LogType, State, Step
from smartlink.ports import Conflict, Unavailable
from tests.support.world import COMMAND, SECRET_ONE, World, catalog


def count_to(last: int) -> Any:  # noqa: ANN401
    """A consumer that counts, a number a step, and replies each."""

    def step(content: str, context: Context) -> Returned:
        number = int(content)
        assert context.step == number
        reply = Reply("Counted", str(number))
        return reply if number == last else Continue(str(number + 1), [reply])

    return step


def working(behave: Any, *, steps: int = 100, command: str = COMMAND) -> World:  # noqa: ANN401
    world = World(catalog_json=catalog(**{command: {"maxSteps": steps}}), behave=behave)
    world.minute()
    world.broker.offer("acme", command, "1", message_id="m-1", audience="APP")
    return world


def ids(world: World) -> list[str]:
    """Of the ended Downstream messages, in the order of their steps."""
    ended = [it.message for it in world.ended().values()]
    mine = [it for it in ended if it.direction is Direction.DOWNSTREAM]
    return [it.id for it in sorted(mine, key=lambda it: it.step.number if it.step else 1)]


def test_a_work_goes_on_at_once_and_answers_with_each_step() -> None:
    """No step waits for a poll; each has a history of its own, and the first one's correlation."""
    world = working(count_to(4))
    world.minute()
    assert ids(world) == ["m-1", "D-m-1/step/2", "D-m-1/step/3", "D-m-1/step/4"]
    world.minute()
    assert sorted(world.replies_to()) == ["1", "2", "3", "4"]
    steps = [world.ended()[it] for it in ids(world)]
    assert [it.message.step for it in steps] == [None, *(Step(n, "D-m-1") for n in (2, 3, 4))]
    assert {it.message.audience for it in steps} == {"APP"}
    assert {it.message.type for it in steps} == {COMMAND}
    assert {it.ending for it in steps} == {Ending.DONE}
    assert [it.message.correlation_id for it in steps] == [None, "m-1", "m-1", "m-1"]
    replies = [it.message for it in world.ended().values() if it.message.type == "Counted"]
    assert {it.correlation_id for it in replies} == {"m-1"}
    assert not world.live()


def test_a_step_that_fails_is_tried_again_alone() -> None:
    """The steps before it stay done, and its replies come once."""
    failed: list[int] = []

    def step(content: str, context: Context) -> Returned:
        if content == "2" and not failed:
            failed.append(context.attempt)
            raise RetryableError("the ERP is busy")
        return count_to(3)(content, context)  # type: ignore[no-any-return]

    world = working(step)
    world.minutes(2)
    assert (ids(world), list(world.live())) == (["m-1"], ["D-m-1/step/2"])
    world.minutes(60)
    assert sorted(world.replies_to()) == ["1", "2", "3"]
    assert [name for _, name in world.ran] == ["m-1", *["D-m-1/step/2"] * 2, "D-m-1/step/3"]


def test_a_step_that_is_dead_is_redriven_like_any_message() -> None:
    def step(content: str, context: Context) -> Returned:
        if content == "2":
            raise FatalError("no")
        return count_to(3)(content, context)  # type: ignore[no-any-return]

    world = working(step)
    world.minutes(2)
    dead = world.live()["D-m-1/step/2"]
    assert (dead.state, dead.dead_reason) == (State.DEAD, DeadReason.REJECTED)
    assert world.replies_to() == ["1"]


def test_a_settlement_that_is_lost_leaves_no_step() -> None:
    """All or nothing: the run after it makes the same step, and there is one."""
    world = working(count_to(2))
    world.store.faults.fail("commit", Unavailable("away"), times=99)
    world.minute()
    assert [name for _, name in world.ran] == ["m-1"]
    assert list(world.live()) == ["m-1"]
    world.store.faults.clear()
    world.minutes(60)
    assert ids(world) == ["m-1", "D-m-1/step/2"]
    assert sorted(world.replies_to()) == ["1", "2"]


def test_an_answer_that_is_lost_makes_no_second_step() -> None:
    """The commit took effect; the step is dispatched all the same."""
    world = working(count_to(2))
    world.store.faults.fail("commit", Unavailable("no answer"), applied=True)
    world.minutes(60)
    assert ids(world) == ["m-1", "D-m-1/step/2"]
    assert [name for _, name in world.ran] == ["m-1", "D-m-1/step/2"]


@pytest.mark.parametrize("call", ["publish", "read", "states"])
def test_a_step_that_is_not_dispatched_is_swept(call: str) -> None:
    """Its predecessor is done; the step waits for its grace, as a lost dispatch does."""
    world = working(count_to(2))
    world.tick(minutes=1)
    faults = world.publisher.faults if call == "publish" else world.store.faults
    faults.fail(call, Unavailable("away"), times=1)
    world.deliver()
    assert ids(world) == ["m-1"]
    assert world.publisher.published == []
    assert world.live()["D-m-1/step/2"].due == world.clock() + timedelta(minutes=2)
    world.minutes(4)
    assert ids(world) == ["m-1", "D-m-1/step/2"]


def test_a_dispatch_that_comes_twice_runs_a_step_once() -> None:
    world = working(count_to(2))
    world.tick(minutes=1)
    world.deliver()
    taken = world.publisher.take()
    for topic, envelope in taken * 2:
        world.delivery(topic, envelope)
    assert [name for _, name in world.ran] == ["m-1", "D-m-1/step/2"]


def test_a_work_without_an_end_is_stopped_by_its_bound() -> None:
    """The step after the last is dead with its reason and its content; nothing done is lost."""

    def forever(content: str, context: Context) -> Returned:  # noqa: ARG001
        return Continue(str(int(content) + 1), Reply("Counted", content))

    world = working(forever, steps=5)
    world.minutes(3)
    assert sorted(world.replies_to()) == ["1", "2", "3", "4", "5"]
    [dead] = world.live().values()
    assert (dead.id, dead.state, dead.dead_reason) == (
        "D-m-1/step/6",
        State.DEAD,
        DeadReason.STEPS_EXHAUSTED,
    )
    assert "after 5 steps" in str(dead.error)
    assert dead.content.text == "6"
    assert [it.type for it in world.logs() if it.message_id == dead.id] == [LogType.ERROR]
    world.minutes(60)
    assert len(world.ran) == 5


def test_a_step_costs_two_reads_more_than_a_message() -> None:
    """And what it writes is what a message writes."""
    world = working(count_to(20))
    world.store.operations.clear()
    world.tick(minutes=1)
    while world.deliver():
        pass
    assert len(ids(world)) == 20
    assert world.store.operations["delete"] == 20
    assert world.store.operations["write"] <= 20 * 5 + 2, "its create, claim, history, line, reply"
    assert world.store.operations["read"] <= 19 * 2 + 6


def test_a_personal_works_steps_are_personal() -> None:
    world = working(count_to(2), command=SECRET_ONE)
    world.minutes(2)
    for it in world.ended().values():
        assert it.message.personal
        assert it.message.content.text is None


def test_no_step_runs_on_while_the_name_is_halted() -> None:
    """It would run with another customer's credentials: it waits, as all that was dispatched."""
    world = working(count_to(2))
    world.tick(minutes=1)
    state = world.store.states(["acme"])["acme"]
    world.store.save_state("acme", replace(state, halted=world.clock()))
    world.deliver()
    assert world.publisher.published == []
    assert world.live()["D-m-1/step/2"].state is State.PENDING


def test_ten_thousand_replies_go_out_in_steps() -> None:
    """As many with each as there is room for, which the consumer asks before it returns."""

    def answer(content: str, context: Context) -> Returned:
        first = int(content)
        replies = [Reply("Row", str(number)) for number in range(first, 10_001)]
        number = context.room_for(replies)
        rest = replies[number:]
        return Continue(str(first + number), replies[:number]) if rest else replies

    world = working(answer)
    world.minutes(12)
    assert sorted(map(int, world.replies_to())) == list(range(1, 10_001))
    assert 7 <= len(ids(world)) <= 10


def test_there_is_room_for_what_can_be_stored_and_no_more() -> None:
    """What room_for says goes through; one more is too much. It reads no further than that."""
    read: list[int] = []

    def endless() -> Any:  # noqa: ANN401
        for number in range(10**9):
            read.append(number)
            yield Reply("Row", "x" * 10_000)

    def answer(content: str, context: Context) -> Returned:
        number = context.room_for(endless())
        assert len(read) == number + 1 < MOST_REPLIES
        return [Reply("Row", "x" * 10_000)] * (number + (content == "more"))

    world = World(behave=answer)
    world.minute()
    for content in ("fits", "more"):
        read.clear()
        world.broker.offer("acme", COMMAND, content, message_id=content)
        world.minutes(1)
    assert "fits" in world.ended()
    assert world.live()["more"].dead_reason is DeadReason.UNWRITTEN_OUTCOME
    assert "Continue with the rest" in str(world.live()["more"].error)


@pytest.mark.parametrize(
    ("returned", "why"),
    [
        (Continue(object()), "The next step: its content"),  # type: ignore[arg-type]
        (Continue("x", Continue("y")), "a Continue within a Continue"),  # type: ignore[arg-type]
        (Continue("x", ["no reply"]), "returned str"),  # type: ignore[list-item]
        ([Continue("x")], "returned Continue"),
    ],
)
def test_what_is_no_step_ends_the_message(returned: Any, why: str) -> None:  # noqa: ANN401
    """Like a reply that cannot be stored: it never runs again by itself."""
    world = working(lambda content, context: returned)  # noqa: ARG005
    world.minute()
    message = world.live()["m-1"]
    assert message.dead_reason is DeadReason.UNWRITTEN_OUTCOME
    assert why in str(message.error)


def test_a_large_step_is_in_the_bucket_and_goes_when_its_predecessor_was_not_settled() -> None:
    """Nothing unreferenced stays."""
    large = "1" + " " * 300_000

    def answer(content: str, context: Context) -> Returned:  # noqa: ARG001
        return None if context.step == 2 else Continue(large, [])

    world = working(answer)
    world.store.faults.fail("commit", Conflict("gone"), times=1)
    world.minutes(3)
    assert ids(world) == ["m-1", "D-m-1/step/2"]
    [name] = world.contents.objects
    assert name in world.contents.expired


def test_a_works_steps_come_before_the_next_message_of_its_key() -> None:
    """In order: the work is one message to those behind it."""
    ran: list[str] = []

    def step(content: str, context: Context) -> Returned:
        ran.append(f"{content} {context.step}")
        return Continue(content) if context.step < 3 and content == "long" else None

    world = World(catalog_json=catalog(**{COMMAND: {"ordered": "tenant"}}), behave=step)
    world.minute()
    for number, content in enumerate(("long", "short")):
        world.broker.offer("acme", COMMAND, content, message_id=f"m{number}")
    world.minutes(10)
    assert ran == ["long 1", "long 2", "long 3", "short 1"]
