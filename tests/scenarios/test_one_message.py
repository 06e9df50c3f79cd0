"""One message's way, from the broker to the answer."""

from datetime import timedelta

import pytest

from smartlink.consumer import Context, FatalError, Reply, RetryableError, Returned
from smartlink.domain.message import DeadReason, LogType, Result, State
from tests.support.world import COMMAND, World


def answering(content: str, context: Context) -> Returned:
    context.log.info("Saw %s", content)
    return Reply("ProbeResponse", {"echo": content}, audience="APP")


def test_a_request_is_executed_and_answered() -> None:
    """What the broker holds is executed once; its answer goes out with the next poll."""
    world = World(behave=answering)
    request = world.broker.offer("acme", COMMAND, '{"a": 1}')

    world.minute()
    assert world.ran == [("acme", request)]
    assert world.live().keys() == {"D-message-1/reply/1"} or len(world.live()) == 1
    assert world.replies_to("acme") == []

    world.minute()
    assert world.replies_to("acme") == ['{"echo":"{\\"a\\": 1}"}']
    assert world.live() == {}
    assert {ended.ending for ended in world.ended().values()} == {"Concluida"}
    texts = [line.text for line in world.logs()]
    assert texts == ['Saw {"a": 1}', "Executed in attempt 1 of 5; 1 replies"]


def test_a_failure_waits_by_rms_formula() -> None:
    """Interval 3, factor 1, limit 5: after attempt n the wait is 3 * 1 * 5 * n minutes."""
    world = World()
    waits = []

    def fail(_: str, context: Context) -> Returned:
        text = f"down {context.attempt}"
        raise RetryableError(text)

    world.behave = fail
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    for _ in range(4):
        message = world.live()[request]
        assert message.state is State.WAITING
        assert message.due is not None
        waits.append(message.due - world.clock())
        world.clock.now = message.due - timedelta(seconds=1)
        world.tick()
        assert not world.deliver(), "not before its DataTentativaExec"
        world.clock.forward(seconds=1)
        world.tick()
        assert world.deliver() == 1
    assert waits == [timedelta(minutes=15 * n) for n in (1, 2, 3, 4)]

    message = world.live()[request]
    assert message.state is State.DEAD
    assert message.dead_reason is DeadReason.EXHAUSTED
    assert message.due is None
    assert [attempt.result for attempt in message.attempts] == [Result.RETRY] * 5
    assert message.error == "down 5"
    assert world.logs()[-1].type is LogType.ERROR
    assert world.ended() == {}, "kept where an operator redrives it"


def test_a_fatal_error_is_dead_at_once() -> None:
    """RM's fatal exception: no second attempt, the reason is kept."""
    world = World()

    def reject(_: str, __: Context) -> Returned:
        reason = "no such employee"
        raise FatalError(reason)

    world.behave = reject
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    world.minute()
    assert len(world.ran) == 1
    assert world.live()[request].state is State.DEAD
    assert world.live()[request].error == "no such employee"


@pytest.mark.parametrize("wrong", ["a text", 7, [7], object()])
def test_a_consumer_that_returns_nonsense_is_told_so(wrong: object) -> None:
    """An author's mistake, met after the work was done: dead after one run, with a text that
    names it. Another run would do the work again, and fail again."""
    world = World(behave=lambda _, __: wrong)  # type: ignore[arg-type,return-value]
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    message = world.live()[request]
    world.minutes(160)
    assert message.state is State.DEAD
    assert message.dead_reason is DeadReason.UNWRITTEN_OUTCOME
    assert "The consumer returned" in (message.error or "")
    assert len(world.ran) == 1
