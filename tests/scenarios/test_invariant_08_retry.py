"""Invariant 8: retries by RM's formula, a limit, and dead until an operator acts."""

from datetime import timedelta

import pytest

from smartlink.consumer import Context, FatalError, RetryableError, Returned
from smartlink.domain.message import DeadReason, LogType, Result, State
from tests.support.world import COMMAND, World, config_file


def failing(_: str, context: Context) -> Returned:
    text = f"down {context.attempt}"
    raise RetryableError(text)


@pytest.mark.parametrize(
    ("attempts", "factor", "interval", "minutes"),
    [
        (5, 1, 3, [15, 30, 45, 60]),
        (2, 1, 3, [6]),
        (4, 0.5, 3, [6, 12, 18]),  # 3 * 0.5 * 4 = 6 times the attempt
        (3, 1.1, 0.1, [0.33, 0.66]),
        (1, 1, 3, []),
    ],
)
def test_the_wait_is_interval_factor_limit_and_attempt_multiplied(
    attempts: int, factor: float, interval: float, minutes: list[float]
) -> None:
    """Worked by hand; to the second nothing runs before its `DataTentativaExec`."""
    world = World(behave=failing)
    world.config.put(config_file(attempts, factor, interval))
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    waits = []
    while (due := world.live()[request].due) is not None:
        waits.append(due - world.clock())
        world.clock.now = due - timedelta(microseconds=1)
        world.tick()
        assert world.deliver() == 0
        world.clock.now = due
        world.tick()
        world.deliver()
    assert waits == [timedelta(minutes=wait) for wait in minutes]
    assert len(world.ran) == attempts
    message = world.live()[request]
    assert (message.state, message.dead_reason) == (State.DEAD, DeadReason.EXHAUSTED)
    assert [it.error for it in message.attempts] == [f"down {n + 1}" for n in range(attempts)]


def test_the_dead_stay_dead() -> None:
    """No tick, no redelivery, no cold start runs them again; nobody deletes them either."""
    world = World(behave=failing)
    world.config.put(config_file(attempts=1))
    request = world.broker.offer("acme", COMMAND, "precious")
    world.tick(minutes=1)
    (delivery,) = world.publisher.take()
    world.delivery(*delivery)
    world.behave = lambda _, __: None
    assert world.delivery(*delivery) == {"dropped": 1}
    world.cold_start()
    assert world.delivery(*delivery) == {"dropped": 1}
    world.minutes(100)
    world.clock.forward(days=400)
    world.minutes(2)
    assert len(world.ran) == 1
    message = world.live()[request]
    assert (message.state, message.content.text) == (State.DEAD, "precious")
    assert world.ended() == {}


def test_a_fatal_error_is_dead_at_once() -> None:
    """One attempt, its reason kept, an error in the log."""
    world = World()

    def reject(_: str, __: Context) -> Returned:
        text = "no such employee"
        raise FatalError(text)

    world.behave = reject
    request = world.broker.offer("acme", COMMAND)
    world.minutes(90)
    message = world.live()[request]
    assert len(world.ran) == 1
    assert (message.state, message.due) == (State.DEAD, None)
    assert (message.dead_reason, message.error) == (DeadReason.REJECTED, "no such employee")
    assert [it.result for it in message.attempts] == [Result.REJECTED]
    assert [line.type for line in world.logs()] == [LogType.ERROR]


def test_a_success_after_failures_ends_it() -> None:
    """The history tells all attempts."""
    world = World()

    def recover(content: str, context: Context) -> None:
        if context.attempt < 3:
            failing(content, context)

    world.behave = recover
    request = world.broker.offer("acme", COMMAND)
    world.minutes(50)
    ended = world.ended()[request].message
    assert [it.result for it in ended.attempts] == [Result.RETRY, Result.RETRY, Result.DONE]
    assert world.live() == {}


def test_a_lowered_limit_ends_what_waits_beyond_it() -> None:
    """The sweep declares it dead, with its last error; it is not run once more."""
    world = World(behave=failing)
    request = world.broker.offer("acme", COMMAND)
    world.minutes(50)
    assert world.live()[request].attempt == 3
    world.config.put(config_file(attempts=3))
    world.minutes(60)
    message = world.live()[request]
    assert (message.state, message.attempt, message.error) == (State.DEAD, 3, "down 3")
    assert message.dead_reason is DeadReason.EXHAUSTED
    assert len(world.ran) == 3
    assert world.logs()[-1].type is LogType.ERROR


def test_a_raised_limit_counts_from_the_next_attempt() -> None:
    """What waits gets the attempts that the file now allows."""
    world = World(behave=failing)
    world.config.put(config_file(attempts=2))
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    world.config.put(config_file(attempts=4, interval=0.01))
    world.minutes(30)
    assert world.live()[request].attempt == 4


def test_a_crash_in_the_last_attempt_is_the_end() -> None:
    """Nobody was there to say so: the sweep declares it dead when the lease is over."""
    world = World()
    world.config.put(config_file(attempts=2))
    world.runner.crashes = lambda _: True
    request = world.broker.offer("acme", COMMAND)
    world.minutes(45)
    message = world.live()[request]
    assert (message.state, message.attempt) == (State.DEAD, 2)
    assert [it.result for it in message.attempts] == [Result.CRASHED] * 2
    assert "process ended" in (message.error or "")


def test_retries_go_out_in_order_of_their_time_and_together() -> None:
    """Due messages of a command travel in one batch."""
    world = World(behave=failing)
    requests = [world.broker.offer("acme", COMMAND) for _ in range(4)]
    world.minute()
    world.behave = lambda _, __: None
    world.clock.forward(minutes=14)
    world.tick(minutes=1)
    assert world.deliver() == 1
    assert world.ended().keys() == set(requests)
