"""Invariant 6: a message of a batch harms only itself."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest

from smartlink.consumer import Context, FatalError, Logger, RetryableError
from smartlink.domain.message import DeadReason, Result, State
from smartlink.ports import Unavailable
from smartlink.services.dispatch import decode_dispatch
from smartlink.settings import SettingsError
from tests.scenarios.conftest import Logged
from tests.support.inline import ProcessEndedError
from tests.support.world import COMMAND, Interruptions, World, catalog, config_file


def batch(world: World, size: int = 5) -> list[str]:
    """Messages that are dispatched together; answers their ids."""
    requests = [world.broker.offer("acme", COMMAND) for _ in range(size)]
    world.tick(minutes=1)
    return requests


def sizes(world: World) -> list[int]:
    """How many messages each dispatch that waits in Pub/Sub holds."""
    waiting = [envelope for _, envelope in world.publisher.published]
    return [len(decode_dispatch(envelope.data).messages) for envelope in waiting]


class _Untellable:
    """A value of an author's whose own text fails."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


@pytest.mark.parametrize(
    "wrong",
    [
        lambda log: setattr(log, "lines", None),
        lambda log: log.lines.append("no line"),
        lambda log: log.info("%s", _Untellable()),
        lambda log: log.info("%d", 10**5_000),
        lambda log: log.info("%d", "seven"),
    ],
)
def test_what_an_author_does_to_the_log_fails_no_message(wrong: Callable[[Logger], None]) -> None:
    """Neither the one whose run it was nor its neighbours: both are done, each run once."""
    world = World(
        behave=lambda content, context: wrong(context.log) if content == "wrong" else None
    )
    for content in ("wrong", "right"):
        world.broker.offer("acme", COMMAND, content, message_id=content)
    world.minutes(2)
    assert world.ended().keys() == {"wrong", "right"}
    assert len(world.ran) == 2


def test_outcomes_are_settled_as_they_come() -> None:
    """When the next message runs the last one's outcome is written."""
    world = World()
    seen: list[int] = []
    world.behave = lambda _, __: seen.append(len(world.ended()))
    batch(world, 3)
    world.deliver()
    assert seen == [0, 1, 2]


@pytest.mark.parametrize(
    "failure",
    [
        RetryableError("down"),
        FatalError("never"),
        KeyError("x"),
        SystemExit(3),
        KeyboardInterrupt(),
    ],
)
def test_whatever_a_consumer_raises_is_its_own_messages_failure(failure: BaseException) -> None:
    """Even an order to exit."""
    world = World()
    requests = batch(world)

    def fail(_: str, context: Context) -> None:
        if context.message_id == requests[2]:
            raise failure

    world.behave = fail
    world.deliver()
    assert [message for _, message in world.ran] == requests
    assert world.ended().keys() == set(requests) - {requests[2]}
    assert world.live().keys() == {requests[2]}


@pytest.mark.parametrize("limit", [1, 3])
def test_a_poison_message_dies_alone(limit: int) -> None:
    """Each time it runs the process ends: its neighbours run once, and it ends up dead."""
    world = World()
    world.config.put(config_file(attempts=limit))
    requests = batch(world)
    poison = requests[2]
    world.runner.crashes = lambda stored: stored.message.id == poison
    world.deliver()
    assert world.ended().keys() == set(requests[:2]), "settled before the crash"

    world.clock.forward(minutes=10)
    world.tick()
    assert sizes(world) == [1, 1, 1], "each that shared the claim is dispatched by itself"
    assert {it.attempt for it in world.live().values()} == {0}, "the shared crash does not count"

    world.deliver()
    world.minutes(12 * limit)
    ended = world.ended()
    assert ended.keys() == set(requests) - {poison}
    assert {it.message.attempt for it in ended.values()} == {1}
    message = world.live()[poison]
    assert (message.state, message.dead_reason) == (State.DEAD, DeadReason.EXHAUSTED)
    assert message.attempt == limit
    assert [attempt.result for attempt in message.attempts] == [Result.CRASHED] * limit
    assert world.ran.count(("acme", poison)) == limit + 1
    assert all(world.ran.count(("acme", request)) == 1 for request in ended)


def test_a_crash_of_two_poison_messages_is_sorted_out() -> None:
    """One by one they show themselves."""
    world = World()
    world.config.put(config_file(attempts=2))
    requests = batch(world)
    world.runner.crashes = lambda stored: stored.message.id in requests[1:3]
    world.deliver()
    world.minutes(45)
    assert world.ended().keys() == {requests[0], *requests[3:]}
    assert {it.state for it in world.live().values()} == {State.DEAD}


@pytest.mark.parametrize("gathers", [False, True])
def test_a_message_past_its_time_out_ends_the_process(
    gathers: bool,  # noqa: FBT001
    logged: Logged,
) -> None:
    """What has finished is settled, it waits for its retry, the rest is handed back."""
    world = World()
    world.runner.gathers = gathers
    requests = batch(world)
    overdue = requests[2]
    world.runner.overdue = lambda stored: stored.message.id == overdue

    (delivery,) = world.publisher.take()
    with pytest.raises(ProcessEndedError):
        world.delivery(*delivery)
    assert [message for _, message in world.ran] == requests[:3]
    assert world.ended().keys() == set(requests[:2])
    assert logged("message_overdue")[0]["messageId"] == overdue
    live = world.live()
    assert (live[overdue].state, live[overdue].attempt) == (State.WAITING, 1)
    assert "time-out" in (live[overdue].error or "")
    for request in requests[3:]:
        assert (live[request].state, live[request].attempt) == (State.PENDING, 0)
        assert live[request].due == world.clock()

    world.runner.overdue = lambda _: False
    world.minutes(20)
    assert world.ended().keys() == set(requests)
    assert world.ended()[overdue].message.attempt == 2
    assert {world.ended()[request].message.attempt for request in requests[3:]} == {1}


def test_a_message_past_its_time_out_ends_the_process_without_a_database_too() -> None:
    """Nothing else frees a thread that loops; when the lease is over all of them run again."""
    world = World()
    requests = batch(world, 3)
    world.runner.overdue = lambda stored: stored.message.id == requests[1]
    (delivery,) = world.publisher.take()
    world.store.faults.fail("commit", Unavailable("down"), times=99)
    with pytest.raises(ProcessEndedError):
        world.delivery(*delivery)
    world.store.faults.clear()
    world.runner.overdue = lambda _: False
    world.minutes(12)
    assert world.ended().keys() == set(requests)


def test_a_message_that_could_not_end_in_time_is_not_started() -> None:
    """A call has 540 s, a message 60 s, settling 5 s: nothing starts after 475 s."""
    world = World()
    requests = batch(world, 8)
    started = world.clock()
    starts: list[timedelta] = []

    def slow(_: str, __: Context) -> None:
        starts.append(world.clock() - started)
        world.clock.forward(seconds=95)

    world.behave = slow
    world.deliver()
    assert starts == [timedelta(seconds=95 * number) for number in range(6)]
    live = world.live()
    assert live.keys() == set(requests[6:])
    assert {(it.state, it.attempt, it.due) for it in live.values()} == {
        (State.PENDING, 0, world.clock())
    }
    world.minute()
    assert world.ended().keys() == set(requests)
    assert {it.message.attempt for it in world.ended().values()} == {1}
    assert len(world.ran) == 8


def test_a_call_that_claims_late_starts_nothing() -> None:
    """The database took all of the time to answer: everything is handed back."""
    world = World()
    requests = batch(world)
    interruptions = world.store.faults = Interruptions()
    interruptions.at("after swap", lambda: world.clock.forward(seconds=476))
    world.deliver()
    assert world.ran == []
    assert {it.attempt for it in world.live().values()} == {0}
    world.minute()
    assert [message for _, message in world.ran] == requests


@pytest.mark.parametrize(
    ("call", "message"), [(601, 60), (540, 540), (540, 539), (540, 530), (60, 60)]
)
def test_time_outs_that_leave_no_room_are_refused_at_start(call: int, message: int) -> None:
    """A call that Pub/Sub would give up, a message that could never start: never deployed."""
    document = json.loads(catalog(ProbeCommand={"timeoutSeconds": message}))
    document["functions"]["consume"]["timeoutSeconds"] = call
    with pytest.raises(SettingsError, match="consume"):
        World(catalog_json=json.dumps(document))


def test_the_lease_outlasts_the_function() -> None:
    """A call that was cut off is over before its messages are taken from it."""
    settings = World().settings
    call = timedelta(seconds=settings.catalog.functions.consume.timeout)
    assert call <= timedelta(seconds=600)
    assert settings.lease >= call + timedelta(seconds=30)


def test_a_call_says_what_became_of_its_messages(logged: Logged) -> None:
    """In its answer and in one line: so the figures of a dashboard are right."""
    world = World()
    failures = {"1": FatalError("never"), "2": RetryableError("down")}

    def behave(content: str, _: Context) -> None:
        if content in failures:
            raise failures[content]

    world.behave = behave
    for number in range(4):
        world.broker.offer("acme", COMMAND, str(number))
    world.tick(minutes=1)
    ((topic, envelope),) = world.publisher.take()
    assert world.delivery(topic, envelope) == {"done": 2, "dead": 1, "retried": 1}
    assert world.delivery(topic, envelope) == {"dropped": 4}
    first, second = logged("consume_done")
    assert (first["done"], first["dead"], first["retried"]) == (2, 1, 1)
    assert second["dropped"] == 4
