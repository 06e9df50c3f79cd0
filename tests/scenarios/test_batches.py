"""A batch consumer: one call for many messages, and each message comes to its own end."""

from collections.abc import Callable
from typing import Any

import pytest

from smartlink.consumer import (
    BatchContext,
    Continue,
    Item,
    Payload,
    Reply,
    RetryableError,
    batch_consumer,
)
from smartlink.domain.message import DeadReason, State
from smartlink.testing import conforms, deliver, examine
from tests.support.world import COMMAND, World, catalog, config_file


class Point(Payload):
    """A row of the clock."""

    person: str
    fails: str = ""


Many = Callable[[list[Item[Point]], BatchContext], None]


class Batching(World):
    """A world whose consumer takes up to three messages at once."""

    many: Any
    runs: list[list[str]]

    def _consumer(self, command: str) -> Any:  # noqa: ANN401
        @batch_consumer(command, at_most=3)
        def run(items: list[Item[Point]], context: BatchContext) -> None:
            self.runs.append([it.context.message_id for it in items])
            return self.many(items, context)  # type: ignore[no-any-return]

        return run


def batching(many: Many, *contents: str, **world: Any) -> Batching:  # noqa: ANN401
    made = Batching(**world)
    made.many, made.runs = many, []
    made.minute()
    for number, content in enumerate(contents, start=1):
        text = content if content.startswith("{") else f'{{"person": "{content}"}}'
        made.broker.offer("acme", COMMAND, text, message_id=f"m{number}")
    return made


def insert(items: list[Item[Point]], context: BatchContext) -> None:
    """Says of each what became of it."""
    assert (context.tenant, context.command) == ("acme", COMMAND)
    for item in items:
        if item.payload.fails == "retry":
            item.retry("the row is locked")
        elif item.payload.fails == "fatal":
            item.fatal("no such person")
        elif item.payload.fails == "unknown":
            item.unknown("who knows")
        else:
            item.context.log.info("Inserted")
            item.done(Reply("Inserted", {"person": item.payload.person}))


def test_many_messages_are_one_call() -> None:
    """As many as the consumer takes; each has its own history, log lines and reply."""
    world = batching(insert, "a", "b", "c", "d")
    world.minutes(2)
    assert world.runs == [["m1", "m2", "m3"], ["m4"]]
    done = {it.message.id for it in world.ended().values()}
    assert {"m1", "m2", "m3", "m4"} <= done
    assert len(world.replies_to()) == 4
    assert sum(it.text == "Inserted" for it in world.logs()) == 4
    assert not world.live()


def test_each_item_comes_to_its_own_end() -> None:
    """One that fails, or does not fit, harms only itself: no other runs again."""
    bad = ['{"person": "b", "fails": "retry"}', '{"person": "c", "fails": "fatal"}']
    world = batching(insert, "a", *bad, "{}", '{"person": "e", "fails": "unknown"}', "f")
    world.minute()
    assert world.runs == [["m1", "m2", "m3"], ["m5", "m6"]], "m4 does not fit the model"
    live = world.live()
    assert (live["m2"].state, live["m2"].error) == (State.WAITING, "the row is locked")
    assert (live["m3"].state, live["m3"].dead_reason) == (State.DEAD, DeadReason.REJECTED)
    assert live["m4"].dead_reason is DeadReason.REJECTED
    assert (live["m5"].state, live["m5"].error) == (State.WAITING, "who knows")
    assert {"m1", "m6"} <= world.ended().keys()


@pytest.mark.parametrize("error", [RetryableError("down"), KeyError("x"), SystemExit(1)])
def test_a_batch_that_raises_runs_again_alone(error: BaseException) -> None:
    """Whatever was said before: its transaction may be rolled back. No attempt is spent."""

    def many(items: list[Item[Point]], context: BatchContext) -> None:
        insert(items, context)
        if len(items) > 1:
            raise error

    world = batching(many, "a", "b", "c")
    world.minutes(2)
    assert world.runs == [["m1", "m2", "m3"], ["m1"], ["m2"], ["m3"]]
    ended = world.ended()
    assert {it: ended[it].message.attempt for it in ("m1", "m2", "m3")} == dict.fromkeys(
        ("m1", "m2", "m3"), 1
    )
    assert len(world.replies_to()) == 3, "what the batch said is not sent too"
    assert sum(it.text == "Inserted" for it in world.logs()) == 3


def test_an_item_of_which_nothing_is_said_runs_again_alone() -> None:
    """The others are done. Alone it has to be said, else nobody knows what became of it."""

    def many(items: list[Item[Point]], context: BatchContext) -> None:
        insert([it for it in items if it.payload.person != "b"], context)

    world = batching(many, "a", "b", "c")
    world.minute()
    assert world.runs == [["m1", "m2", "m3"], ["m2"]]
    assert (world.live()["m2"].state, world.live()["m2"].attempt) == (State.WAITING, 1)
    assert "said nothing of it" in str(world.live()["m2"].error)


def test_a_failing_item_alone_is_charged_by_its_own_outcome() -> None:
    """The poisonous one; its neighbours are done in the same call."""

    def many(items: list[Item[Point]], context: BatchContext) -> None:
        if any(it.payload.person == "b" for it in items):
            raise RetryableError("b breaks the statement")
        insert(items, context)

    world = batching(many, "a", "b", "c")
    world.minute()
    assert list(world.live()) == ["m2", *[it for it in world.live() if it != "m2"]]
    assert world.live()["m2"].error == "b breaks the statement"
    assert {"m1", "m3"} <= world.ended().keys()


def test_a_batch_that_crashes_is_charged_as_a_shared_claim() -> None:
    """Each gets its attempt back and runs alone; only the one that crashes alone is charged."""
    world = batching(insert, "a", "b", "c")
    world.runner.crashes = lambda stored: stored.message.id == "m1" and not stored.message.alone
    world.tick(minutes=1)
    world.deliver()
    assert {it.state for it in world.live().values()} == {State.RUNNING}
    world.undelivered.clear()
    world.minutes(15)
    assert world.runs == [["m1", "m2", "m3"], ["m1"], ["m2"], ["m3"]]
    assert {it.message.attempt for it in world.ended().values() if it.message.id[0] == "m"} == {1}


def test_a_batch_past_its_time_out_is_handed_back_to_run_alone() -> None:
    """The process ends; nobody knows which of them took too long, so none is charged."""
    world = batching(insert, "a", "b", "c", "d")
    world.runner.overdue = lambda stored: stored.message.id == "m1" and not stored.message.alone
    world.tick(minutes=1)
    world.deliver()
    live = world.live()
    for name in ("m1", "m2", "m3"):
        assert (live[name].state, live[name].attempt, live[name].alone) == (State.PENDING, 0, True)
    assert (live["m4"].state, live["m4"].attempt, live["m4"].alone) == (State.PENDING, 0, False)
    world.undelivered.clear()
    world.minutes(4)
    assert world.runs[1:] == [["m1"], ["m2"], ["m3"], ["m4"]]
    assert len(world.replies_to()) == 4


def test_what_is_too_late_to_run_alone_runs_without_others_next_time() -> None:
    """Else the same batch would raise again, for ever."""

    def many(items: list[Item[Point]], context: BatchContext) -> None:
        if len(items) > 1:
            world.clock.forward(seconds=500)
            raise KeyError
        insert(items, context)

    world = batching(many, "a", "b")
    world.minute()
    assert world.runs == [["m1", "m2"]]
    assert all(it.alone and it.attempt == 0 for it in world.live().values())
    world.minutes(3)
    assert world.runs[1:] == [["m1"], ["m2"]]


def test_a_command_that_holds_takes_one_at_a_time() -> None:
    """After a crash the one that ran is known; what is unknown waits for a person."""

    def many(items: list[Item[Point]], context: BatchContext) -> None:
        if items[0].payload.person == "b":
            raise KeyError
        insert(items, context)

    held = catalog(**{COMMAND: {"unknownOutcome": "hold"}})
    world = batching(many, "a", "b", "c", catalog_json=held)
    world.minute()
    assert world.runs == [["m1"], ["m2"], ["m3"]]
    assert world.live()["m2"].dead_reason is DeadReason.UNKNOWN_OUTCOME


def test_a_batch_costs_no_more_than_its_messages() -> None:
    """4 writes, 1 delete and 1 read each, as ever."""
    world = batching(insert, *"abcdefghijklmnopqrst")
    world.many = lambda items, _context: [it.done() for it in items] and None
    world.store.operations.clear()
    world.minute()
    assert world.store.operations["delete"] == 20
    assert world.store.operations["write"] <= 4 * 20 + 2
    assert world.store.operations["read"] <= 20 + 8


def test_an_item_may_continue_its_work() -> None:
    def many(items: list[Item[Point]], context: BatchContext) -> None:  # noqa: ARG001
        for item in items:
            first = item.context.step == 1
            item.done(Continue({"person": "b"}, Reply("One", "1")) if first else Reply("Two", "2"))

    world = batching(many, "a")
    world.minutes(2)
    assert sorted(world.replies_to()) == ["1", "2"]


def test_a_reply_that_cannot_be_stored_is_its_items_alone() -> None:
    def many(items: list[Item[Point]], context: BatchContext) -> None:  # noqa: ARG001
        for item in items:
            item.done(Reply("R", {"x": object()}) if item.payload.person == "a" else None)

    world = batching(many, "a", "b")
    world.minute()
    assert world.live()["m1"].dead_reason is DeadReason.UNWRITTEN_OUTCOME
    assert "m2" in world.ended()


def test_what_is_said_twice_is_an_error_and_nothing_that_was_said_counts() -> None:
    def many(items: list[Item[Point]], context: BatchContext) -> None:  # noqa: ARG001
        items[0].done()
        items[0].retry("no")

    world = batching(many, "a", "b")
    world.minute()
    assert world.runs == [["m1", "m2"], ["m1"], ["m2"]]
    assert "was said already" in str(world.live()["m1"].error)


def test_a_batch_consumer_returns_nothing() -> None:
    """A reply that it returns would be lost unseen."""

    def many(items: list[Item[Point]], context: BatchContext) -> Any:  # noqa: ANN401
        insert(items, context)
        return [Reply("R", "x")]

    world = batching(many, "a")
    world.minute()
    assert "it returns nothing" in str(world.live()["m1"].error)


def test_the_wrong_annotation_is_refused_where_it_is_written() -> None:
    for at_most in (1, 0, 1_001, "3", True):
        with pytest.raises(ValueError, match="at_most is 2 to 1,000"):
            batch_consumer("X", at_most=at_most)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"list\[Item"):

        @batch_consumer("X", at_most=2)  # type: ignore[arg-type]
        def one(item: Point, context: BatchContext) -> None:
            """Takes one."""

    with pytest.raises(TypeError, match="annotate items as list"):

        @batch_consumer("X", at_most=2)
        def ints(items: list[Item[int]], context: BatchContext) -> None:
            """Takes numbers."""

    with pytest.raises(TypeError, match="async"):

        @batch_consumer("X", at_most=2)  # type: ignore[arg-type]
        async def later(items: list[Item[Point]], context: BatchContext) -> None:
            """Never awaited."""


@batch_consumer("PointCommand", at_most=4)
def points(items: list[Item[Point]], context: BatchContext) -> None:
    """As `insert`, of any tenant."""
    assert context.time_left > 0
    for item in items:
        if item.payload.fails:
            item.retry(f"the row is {item.payload.fails}")
        else:
            item.done(Reply("Inserted", {"person": item.payload.person}))


def test_the_kit_delivers_a_batch() -> None:
    """`batch=` are the further messages of the same call."""
    outcome = deliver(points, {"person": "a"}, batch=[{"person": "b", "fails": "locked"}, {}])
    assert outcome.replied("Inserted") == {"person": "a"}
    second, third = outcome.batch
    second.must_retry("locked")
    third.is_fatal("person: missing")
    assert deliver(points, {"person": "a"}).replied("Inserted") == {"person": "a"}
    with pytest.raises(ValueError, match="more than at_most=4"):
        deliver(points, {"person": "a"}, batch=[{}] * 4)


def test_a_good_batch_consumer_conforms() -> None:
    report = conforms(points, {"person": "a"}, others=[{"person": "b"}])
    assert "at once come to what each comes to alone" in report.check("batch").detail


def test_a_batch_that_mixes_its_items_up_is_caught() -> None:
    """What it says of one is what happened to another."""

    @batch_consumer("PointCommand", at_most=4)
    def mixes(items: list[Item[Point]], context: BatchContext) -> None:  # noqa: ARG001
        for item in items:
            item.done(Reply("Inserted", {"person": items[-1].payload.person}))

    report = examine(mixes, {"person": "a"}, others=[{"person": "b"}])
    assert [it.name for it in report.failed] == ["batch"]
    assert "item.done, item.retry" in report.check("batch").advice


def test_the_attempts_of_a_failing_batch_end() -> None:
    """Each message is charged by what it comes to alone, until none is left."""

    def many(items: list[Item[Point]], context: BatchContext) -> None:  # noqa: ARG001
        raise RetryableError("the database is down")

    world = batching(many, "a", "b")
    world.config.put(config_file(attempts=2))
    world.minutes(120)
    assert {it.dead_reason for it in world.live().values()} == {DeadReason.EXHAUSTED}
    assert {it.attempt for it in world.live().values()} == {2}


def test_a_batch_holds_one_message_of_a_key() -> None:
    """In order: the second one of a person runs when the first one has ended, and not beside it."""

    def many(items: list[Item[Point]], context: BatchContext) -> None:
        people = [item.payload.person for item in items]
        assert len({*people}) == len(people)
        insert(items, context)

    ordered = catalog(**{COMMAND: {"ordered": "/person"}})
    world = batching(many, "a", "b", "a", "a", catalog_json=ordered)
    world.minutes(2)
    assert not world.live()
    order = [name for run in world.runs for name in run]
    assert [name for name in order if name != "m2"] == ["m1", "m3", "m4"]
    assert world.runs[0] == ["m1", "m2"]


def test_the_rest_of_a_key_waits_for_an_item_that_failed() -> None:
    """Others of the same batch go on."""
    bad = '{"person": "a", "fails": "retry"}'
    ordered = catalog(**{COMMAND: {"ordered": "/person"}})
    world = batching(insert, bad, "b", "a", catalog_json=ordered)
    world.minute()
    assert "m2" in world.ended()
    assert {"m1", "m3"} <= world.live().keys()
    assert [name for run in world.runs for name in run] == ["m1", "m2"]
