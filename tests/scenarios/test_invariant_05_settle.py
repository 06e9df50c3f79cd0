"""Invariant 5: one commit settles a message, all or nothing, fenced by the claim."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from smartlink.adapters.in_memory import InMemoryConfig, InMemoryContents, InMemoryMessages
from smartlink.consumer import Context, Reply, RetryableError, Returned
from smartlink.domain import lifecycle
from smartlink.domain.message import (
    DeadReason,
    Ended,
    Ending,
    LogType,
    Message,
    Result,
    State,
)
from smartlink.domain.outcome import Line
from smartlink.domain.settlement import Settlement
from smartlink.ports import Conflict, PortError, Refused, Unavailable
from smartlink.services.contents import inline
from smartlink.settings import LIMITS
from tests.scenarios.conftest import Logged
from tests.support.world import (
    COMMAND,
    START,
    Interruptions,
    World,
    catalog,
    config_file,
    end_process,
)


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


@pytest.mark.parametrize(
    ("reply", "number", "said"),
    [
        ("x", 10_000, "It was executed. The consumer returned more than 1,474 replies"),
        ("x" * 500, 1_400, "It was executed. Reply 10"),
        ("\ud83d", 1, "It was executed. Reply 1: audience has half of a surrogate pair"),
    ],
)
def test_an_outcome_that_no_commit_can_hold_never_runs_the_message_again(
    reply: str, number: int, said: str
) -> None:
    """It is dead after that one run; none of its replies is sent, and nothing of them is left."""
    world = World()
    world.behave = lambda _, __: [Reply("ProbeResponse", "x", audience=reply)] * number
    request = world.broker.offer("acme", COMMAND, "one")
    world.minutes(120)
    dead = world.live()[request]
    assert (dead.state, dead.attempt) == (State.DEAD, 1)
    assert dead.dead_reason is DeadReason.UNWRITTEN_OUTCOME
    assert (dead.error or "").startswith(said)
    assert world.ran == [("acme", request)]
    assert world.broker.sent == []
    assert not [it for it in world.live().values() if it.type == "ProbeResponse"]


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


def test_a_settlement_of_unknown_outcome_is_known_beside_a_repeat(logged: Logged) -> None:
    """The broker repeats the message before the consumer learns that its commit was written."""
    world = World(behave=answering)
    request = world.broker.offer("acme", COMMAND, "one")
    world.tick()
    again = world.live()[request]
    interruptions = world.store.faults = Interruptions()
    interruptions.fail("commit", Unavailable("lost answer"), applied=True)
    interruptions.at("after commit", lambda: world.store.create("acme", [again]))
    world.deliver()
    assert request in world.live()
    assert [line["messageId"] for line in logged("message_done")] == [request]
    assert not logged("settle_lost")
    world.minutes(60)
    assert world.replies_to("acme") == ["one", "one again"]
    assert request not in world.live()


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


@pytest.mark.parametrize("error", [Unavailable("ABORTED"), Conflict("FAILED_PRECONDITION")])
def test_a_database_that_takes_nothing_for_seconds_decides_nothing(
    error: PortError, logged: Logged
) -> None:
    """Neither a lost lease nor a lost outcome: the fence holds, and nothing is in the way."""
    world = World(behave=answering)
    request = world.broker.offer("acme", COMMAND, "one")
    world.tick()
    world.store.faults.fail("commit", error, times=9)
    world.deliver()
    assert traces(world) == (1, 2, 2)
    assert world.ran == [("acme", request)]
    assert not logged("settle_lost") + logged("message_dead")


@pytest.mark.parametrize("error", [Unavailable("down"), Refused("the read is refused")])
def test_a_fence_that_cannot_be_looked_up_is_not_lost(error: PortError, logged: Logged) -> None:
    """The settlement is handed in again, and so is the question."""
    world = World(behave=answering)
    world.broker.offer("acme", COMMAND, "one")
    world.tick()
    world.store.faults.fail("commit", Conflict("who knows"), times=3)
    world.store.faults.fail("read", error, times=2)
    world.deliver()
    assert traces(world) == (1, 2, 2)
    assert not logged("settle_lost")


def dead_once(world: World, request: str, why: str, logged: Logged) -> Message:
    """It ran once and is dead, with its reason in document, log and Cloud Logging."""
    message = world.live()[request]
    assert (message.state, message.dead_reason) == (State.DEAD, DeadReason.UNWRITTEN_OUTCOME)
    assert why in (message.error or "")
    assert message.attempts[-1].result is Result.UNKNOWN
    told = [line for line in world.logs() if line.message_id == request]
    assert (told[-1].type, why in told[-1].text) == (LogType.ERROR, True)
    [line] = [it for it in logged("message_dead") if it["messageId"] == request]
    assert line["reason"] == "outcome-unwritten"
    world.minutes(600)
    assert world.live()[request] == message
    assert world.ran.count(("acme", request)) == 1
    return message


@pytest.mark.parametrize("readable", [True, False])
def test_a_reply_that_exists_already_kills_its_message_once(
    readable: bool,  # noqa: FBT001
    logged: Logged,
) -> None:
    """The message came again after its history expired; its reply of then is still there, dead,
    be it readable or not."""
    world = World(behave=answering)
    world.runner.gathers = True
    request, other = (world.broker.offer("acme", COMMAND, it) for it in ("one", "two"))
    world.tick()
    old = lifecycle.to_send(
        message_id=f"D-{request}/reply/2", message_type="T", content=inline("x"), now=START
    )
    world.store.create("acme", [lifecycle.dead(old, DeadReason.EXHAUSTED, "404")])
    if not readable:
        world.store.make_unreadable("acme", old.document)
    world.deliver()
    assert other in world.ended()
    message = dead_once(world, request, f"its reply {old.document} exists already", logged)
    assert [line.text for line in world.logs() if line.message_id == message.id] == [
        "Saw one",
        "Executed in attempt 1 of 5; 2 replies",
        f"Dead: {message.error}",
    ]


def test_a_history_that_exists_already_kills_its_message_once(logged: Logged) -> None:
    """It appeared while the message ran: which of the two is true, only a person can tell."""
    world = World(behave=answering)
    request = world.broker.offer("acme", COMMAND, "one")
    world.tick()
    message = world.live()[request]
    past = Ended(message, Ending.DONE, world.clock(), world.clock() + timedelta(days=9))
    world.store.commit("acme", [Settlement(document=message.document, fence=None, history=past)])
    world.deliver()
    dead_once(world, request, f"the history holds D-{request} already", logged)


def chatty(content: str, context: Context) -> Returned:
    for number in range(99):
        context.log.info("row %d", number, debug="€" * 16_000)
    return Reply("ProbeResponse", content)


def test_log_lines_that_are_too_large_are_shed_the_outcome_is_not(logged: Logged) -> None:
    """As many as fit are kept; the log and Cloud Logging say how many are missing."""
    world = World(behave=chatty)
    request = world.broker.offer("acme", COMMAND, "one")
    world.minute()
    assert world.ran == [("acme", request)]
    assert request in world.ended()
    *kept, note, own = world.logs()
    assert [line.text for line in kept] == [f"row {number}" for number in range(len(kept))]
    assert 60 < len(kept) < 80
    assert sum(len((line.debug or "").encode()) for line in kept) < LIMITS.request
    missing = 99 - len(kept)
    assert note.text.startswith(f"{missing} log lines are missing here")
    assert note.type is LogType.WARNING
    assert own.text.startswith("Executed in attempt 1")
    assert [line["lines"] for line in logged("log_shed")] == [missing]


class Odd(InMemoryMessages):
    """Refuses what one of its settlements holds, in a way of its own."""

    def __init__(self, refuses: Callable[[Settlement], bool], error: Exception) -> None:
        super().__init__()
        self.refuses = refuses
        self.error = error

    def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        if any(map(self.refuses, settlements)):
            raise self.error
        super().commit(tenant, settlements)


ODD = [Refused("INVALID_ARGUMENT"), TypeError("not a str"), OverflowError(), RecursionError()]


def batch(world: World) -> tuple[str, list[str]]:
    """The second of four, and its neighbours."""
    world.runner.gathers = True
    requests = [world.broker.offer("acme", COMMAND, text) for text in ("one", "odd", "two", "six")]
    return requests.pop(1), requests


@pytest.mark.parametrize("error", ODD)
def test_log_lines_that_the_database_refuses_are_shed(error: Exception) -> None:
    """Whatever is wrong with them: the outcome is written, and the neighbours' lines are."""
    odd = Odd(lambda it: any("odd" in line.text for line in it.logs), error)
    world = World(behave=answering, store=odd)
    request, others = batch(world)
    world.minutes(600)
    assert {request, *others} <= world.ended().keys()
    assert len(world.ran) == 4
    texts = [line.text for line in world.logs() if line.message_id == request]
    assert texts[0].startswith("1 log lines are missing here")
    assert next(it.text for it in world.logs() if it.message_id == others[0]) == "Saw one"


@pytest.mark.parametrize("error", ODD)
def test_an_outcome_that_is_refused_harms_no_neighbour(error: Exception, logged: Logged) -> None:
    """It ends dead with that reason; the others are settled, and nothing runs twice."""
    refuses = lambda it: any(reply.content.text == "odd again" for reply in it.created)  # noqa: E731
    world = World(behave=answering, store=Odd(refuses, error))
    request, others = batch(world)
    world.minute()
    assert set(others) <= world.ended().keys()
    assert len(world.ran) == 4
    dead_once(world, request, "It was executed. Its settlement cannot be written", logged)


def test_a_line_that_cannot_even_be_weighed_is_shed(logged: Logged) -> None:
    """What an author slipped past the checks harms no neighbour, and not its own outcome."""

    def answer(content: str, context: Context) -> Returned:
        if content == "odd":
            odd = Line(LogType.WARNING, 5, START)  # type: ignore[arg-type]
            context.log.lines.append(odd)
        return answering(content, context)

    odd_line = lambda it: any(line.text == 5 for line in it.logs)  # noqa: E731
    world = World(behave=answer, store=Odd(odd_line, TypeError("5 is no text")))
    request, others = batch(world)
    world.minute()
    assert {request, *others} <= world.ended().keys()
    assert len(world.ran) == 4
    [shed] = logged("log_shed")
    assert shed["document"] == f"D-{request}"
    assert not logged("message_dead")


def test_a_burial_whose_line_is_refused_is_written_without_it(logged: Logged) -> None:
    """The document tells why it is dead; nothing makes it run again."""
    refuses = lambda it: "odd" in it.document and bool(it.history or it.logs)  # noqa: E731
    world = World(behave=answering, store=Odd(refuses, Refused("INVALID_ARGUMENT")))
    world.broker.offer("acme", COMMAND, "one", message_id="odd")
    world.minutes(600)
    assert world.ran == [("acme", "odd")]
    message = world.live()["odd"]
    assert message.dead_reason is DeadReason.UNWRITTEN_OUTCOME
    assert "It was executed" in (message.error or "")
    assert logged("message_dead")


def test_a_failure_that_cannot_be_written_is_dead_with_its_own_error(logged: Logged) -> None:
    """Its next attempt could not be written either."""

    def fail(_: str, __: Context) -> Returned:
        raise RetryableError("no connection to the ERP")

    refuses = lambda it: it.live is not None and it.live.state is State.WAITING  # noqa: E731
    world = World(behave=fail, store=Odd(refuses, Refused("INVALID_ARGUMENT")))
    request = world.broker.offer("acme", COMMAND, "one")
    world.minute()
    dead_once(world, request, "no connection to the ERP", logged)


def test_what_follows_a_settlement_harms_no_other(logged: Logged) -> None:
    """The first one's content cannot be released; those that run after it are settled."""

    class Broken(InMemoryContents):
        def expire(self, name: str, now: datetime) -> None:  # noqa: ARG002
            raise ValueError(name)

    world = World(contents=Broken())
    requests = [world.broker.offer("acme", COMMAND, it) for it in ("x" * 300_000, "two", "six")]
    world.minute()
    assert set(requests) <= world.ended().keys()
    assert len(world.ran) == 3
    assert logged("settle_surprised")


def late(world: World, hours: float) -> Callable[[str, Context], Returned]:
    """A consumer that ends after its lease: the sweep has moved its message meanwhile."""

    def run(_: str, __: Context) -> Returned:
        world.clock.forward(hours=hours)
        world.elsewhere().tick()
        return Reply("ProbeResponse", "too late")

    return run


def test_a_late_result_of_the_last_attempt_is_told(logged: Logged) -> None:
    """The sweep took it for a crash and declared it dead; but it was executed, and whoever
    redrives it must know."""
    world = World(config=InMemoryConfig(config_file(attempts=1)))
    world.behave = late(world, hours=1)
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    message = world.live()[request]
    assert message.dead_reason is DeadReason.UNWRITTEN_OUTCOME
    assert "It was executed in attempt 1" in (message.error or "")
    assert "ended before the message did" in (message.error or "")
    assert any("It was executed in attempt 1" in line.text for line in world.logs())
    assert logged("settle_lost")
    world.minutes(600)
    assert world.live()[request] == message
    assert len(world.ran) == 1


def test_a_late_result_of_a_held_command_is_told() -> None:
    """It is a case for a person already: the log says that it was executed."""
    world = World(catalog_json=catalog(**{COMMAND: {"unknownOutcome": "hold"}}))
    world.behave = late(world, hours=1)
    request = world.broker.offer("acme", COMMAND)
    world.minutes(600)
    assert world.live()[request].dead_reason is DeadReason.UNKNOWN_OUTCOME
    assert any("It was executed in attempt 1" in line.text for line in world.logs())
    assert len(world.ran) == 1


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
