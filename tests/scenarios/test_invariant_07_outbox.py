"""Invariant 7: replies are an outbox: sent by the next poll, at least once, counted if refused."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from smartlink.adapters.in_memory import InMemoryMessages
from smartlink.consumer import Context, Reply, Returned
from smartlink.domain.message import DeadReason, Ended, Ending, LogType, State
from smartlink.domain.settlement import Settlement
from smartlink.ports import CredentialsRefused, Refused, Unavailable
from tests.scenarios.conftest import Logged
from tests.support.inline import ProcessEndedError
from tests.support.world import COMMAND, Interruptions, World, config_file, end_process

DOWN = Unavailable("Smart Link answered 503")


def answering(content: str, _: Context) -> Returned:
    return Reply("ProbeResponse", content, audience="APP")


def answered(contents: tuple[str, ...] = ("one",)) -> World:
    """A world in which these replies wait to be sent."""
    world = World(behave=answering)
    for content in contents:
        world.broker.offer("acme", COMMAND, content)
    world.minute()
    return world


def test_a_reply_goes_out_with_the_next_poll() -> None:
    """Under its type and audience; then the history has it."""
    world = answered()
    assert world.replies_to("acme") == []
    (waiting,) = world.live().values()
    assert waiting.due == world.clock()
    world.minute()
    (sent,) = world.broker.sent_by("acme")
    assert (sent.type, sent.audience, sent.content) == ("ProbeResponse", "APP", b"one")
    assert world.live() == {}
    assert world.ended()[waiting.id].message.attempt == 1


@pytest.mark.parametrize("error", [DOWN, CredentialsRefused("RAC does not know them")])
def test_a_broker_that_is_down_costs_a_reply_no_attempt(error: Exception) -> None:
    """However long: it waits, and goes out when the broker is back."""
    world = answered()
    world.broker.faults.fail("send", error, times=1_000)
    world.minutes(200)
    (waiting,) = world.live().values()
    assert (waiting.state, waiting.attempt, waiting.attempts) == (State.PENDING, 0, ())
    world.broker.faults.clear()
    world.minutes(31)
    assert world.replies_to("acme") == ["one"]


def test_a_failure_holds_up_no_other_reply() -> None:
    """It may be that reply's own: the next one is tried, and goes out in the same poll."""
    world = answered(("one", "two", "three"))
    world.broker.faults.fail("send", DOWN)
    world.minute()
    assert len(world.replies_to("acme")) == 2
    (waiting,) = world.live().values()
    assert (waiting.state, waiting.attempt) == (State.PENDING, 0)
    world.minute()
    assert sorted(world.replies_to("acme")) == ["one", "three", "two"]


def test_after_two_failures_in_a_row_the_others_are_not_tried() -> None:
    """The broker is down for all of them; they are given back at once."""
    world = answered(("one", "two", "three", "four"))
    world.broker.faults.fail("send", DOWN, times=2)
    world.minute()
    assert world.calls("send") == 2
    assert {(it.state, it.attempt) for it in world.live().values()} == {(State.PENDING, 0)}
    world.minute()
    assert sorted(world.replies_to("acme")) == ["four", "one", "three", "two"]


def test_a_refusal_counts_and_the_last_one_is_the_end() -> None:
    """By RM's formula in between; the operator finds the reason in the document and the log."""
    world = answered()
    world.broker.faults.fail("send", Refused("404: no such type"), times=5)
    waits = []
    for number in range(1, 5):
        world.minute()
        (waiting,) = world.live().values()
        assert (waiting.state, waiting.attempt) == (State.WAITING, number)
        assert waiting.due is not None
        waits.append(waiting.due - world.clock())
        world.clock.now = waiting.due - timedelta(minutes=1)
    world.minute()
    (dead,) = world.live().values()
    assert waits == [timedelta(minutes=15 * number) for number in range(1, 5)]
    assert (dead.state, dead.dead_reason) == (State.DEAD, DeadReason.EXHAUSTED)
    assert dead.error == "404: no such type"
    assert world.logs()[-1].type is LogType.ERROR
    world.minutes(100)
    assert world.calls("send") == 5


def test_a_refusal_holds_up_no_other_reply() -> None:
    """Those behind it go out in the same poll."""
    world = answered(("one", "two", "three"))
    world.broker.faults.fail("send", Refused("404"))
    world.minute()
    assert len(world.replies_to("acme")) == 2
    (refused,) = world.live().values()
    assert (refused.state, refused.attempt, refused.error) == (State.WAITING, 1, "404")


def test_a_limit_that_was_lowered_ends_a_refused_reply() -> None:
    """It has had its attempts: it is not sent once more, and keeps its last error."""
    world = answered()
    world.broker.faults.fail("send", Refused("404: no such type"), times=3)
    world.minute()
    world.minutes(46)
    assert world.calls("send") == 3
    world.config.put(config_file(attempts=2))
    world.minutes(120)
    (dead,) = world.live().values()
    assert (dead.state, dead.attempt) == (State.DEAD, 3)
    assert dead.error == "404: no such type"
    assert world.calls("send") == 3


@pytest.mark.parametrize(
    ("port", "moment", "times"),
    [
        ("store", "after swap", 1),  # claimed: the lease has to end first
        ("broker", "before send", 1),
        ("broker", "after send", 2),
        ("store", "before commit", 2),
        ("store", "after commit", 1),
    ],
)
def test_a_poll_that_dies_sending_sends_again(port: str, moment: str, times: int) -> None:
    """At least once: only what was settled is known to be sent."""
    world = answered()
    interruptions = getattr(world, port).faults = Interruptions()
    interruptions.at(moment, end_process)
    with pytest.raises(ProcessEndedError):
        world.tick(minutes=1)
    world.cold_start()
    world.minutes(8)
    assert world.replies_to("acme") == ["one"] * times
    assert world.live() == {}


def test_a_send_of_unknown_outcome_is_repeated() -> None:
    """It got through, the answer did not: the receiver gets it twice, and no attempt is lost."""
    world = answered()
    world.broker.faults.fail("send", DOWN, applied=True)
    world.minutes(2)
    assert world.replies_to("acme") == ["one", "one"]
    (ended,) = [it for it in world.ended().values() if it.message.type == "ProbeResponse"]
    assert ended.message.attempt == 1


@pytest.mark.parametrize("applied", [False, True])
def test_a_settlement_that_got_lost_leaves_nothing_behind(applied: bool) -> None:  # noqa: FBT001
    """Written or not, it is handed in again while the tick lasts: nothing is sent twice."""
    world = answered()
    world.store.faults.fail("commit", Unavailable("down"), times=4, applied=applied)
    world.minutes(8)
    assert world.replies_to("acme") == ["one"]
    assert world.live() == {}
    assert world.waits == sorted(world.waits)


def test_a_database_that_stays_away_has_a_reply_sent_again(logged: Logged) -> None:
    """The tick ends, and with it the trying: its lease ends, and it is sent again."""
    world = answered()
    world.store.faults.fail("commit", Unavailable("down"), times=1_000)
    report = world.minute()
    assert logged("settle_failed")
    assert report.counts["unsettled"] == 1
    world.store.faults.clear()
    world.minutes(8)
    assert world.replies_to("acme") == ["one", "one"]
    assert world.live() == {}


def test_a_reply_whose_history_is_there_already_is_sent_once(logged: Logged) -> None:
    """Its request came again after its own history had expired: the broker took the reply, and
    that cannot be noted. It is dead, with the reason in document, log and Cloud Logging."""
    world = answered()
    (waiting,) = world.live().values()
    past = Ended(waiting, Ending.DONE, world.clock(), world.clock() + timedelta(days=9))
    world.store.commit("acme", [Settlement(document=waiting.document, fence=None, history=past)])
    world.minutes(600)
    assert world.replies_to("acme") == ["one"]
    (dead,) = world.live().values()
    assert (dead.dead_reason, dead.attempt) == (DeadReason.UNWRITTEN_OUTCOME, 1)
    why = f"It was sent. Its settlement cannot be written: the history holds {dead.document}"
    assert (dead.error or "").startswith(why)
    assert [line.type for line in world.logs() if why in line.text] == [LogType.ERROR]
    assert [line["reason"] for line in logged("message_dead")] == ["outcome-unwritten"]


@pytest.mark.parametrize("error", [Refused("INVALID_ARGUMENT"), ValueError("a surprise")])
@pytest.mark.parametrize("lines", [False, True])
def test_a_settlement_that_is_refused_harms_no_other_reply(
    error: Exception,
    lines: bool,  # noqa: FBT001
    logged: Logged,
) -> None:
    """Nor is its own sent again; where its line is refused too, the document alone tells it."""

    class Odd(InMemoryMessages):
        def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
            odd = [it for it in settlements if it.document.startswith("U-D-odd")]
            if any(it.history or (lines and it.logs) for it in odd):
                raise error
            super().commit(tenant, settlements)

    world = World(behave=answering, store=Odd())
    for name in ("one", "odd", "two"):
        world.broker.offer("acme", COMMAND, name, message_id=name)
    world.minutes(600)
    assert sorted(world.replies_to("acme")) == ["odd", "one", "two"]
    (dead,) = world.live().values()
    assert dead.dead_reason is DeadReason.UNWRITTEN_OUTCOME
    assert (dead.error or "").startswith("It was sent. ")
    assert logged("message_dead")


def test_a_late_settlement_of_a_reply_is_told(logged: Logged) -> None:
    """Another poll took the reply when its lease was over; both sent it, one has settled."""
    world = answered()
    broker = world.broker.faults = Interruptions()

    def later() -> None:
        world.clock.forward(minutes=6)
        world.elsewhere().tick()

    broker.at("before send", later)
    world.minutes(3)
    assert world.replies_to() == ["one", "one"]
    assert world.live() == {}
    [lost] = logged("settle_lost")
    assert lost["document"] == "U-D-message-1%2Freply%2F1"
    assert len(world.ended()) == 2


def test_two_polls_do_not_both_send() -> None:
    """The claim decides."""
    world = answered(("one", "two"))
    interruptions = world.store.faults = Interruptions()
    for moment in ("before swap", "after swap", "before commit"):
        interruptions.at(moment, world.elsewhere().tick)
    world.tick(minutes=1)
    assert sorted(world.replies_to("acme")) == ["one", "two"]


def test_a_poll_does_not_take_over_what_another_is_sending() -> None:
    """It read the reply as due just before the other claimed it, and the other hangs."""
    world = answered()
    claimed = world.broker.faults = Interruptions()
    claimed.at("before send", end_process)
    interruptions = world.store.faults = Interruptions()

    def other() -> None:
        with pytest.raises(ProcessEndedError):
            world.elsewhere().tick()

    interruptions.at("before swap", other)
    world.tick(minutes=1)
    assert world.replies_to("acme") == []
    world.minutes(6)
    assert world.replies_to("acme") == ["one"]


def test_a_bucket_that_is_down_costs_no_attempt_and_no_tick() -> None:
    """A large reply waits for its content; it is not asked for again and again."""
    world = World(variables={"SMARTLINK_DUE_PAGE": "2"})
    world.behave = lambda _, __: [Reply("ProbeResponse", "x" * 300_000 + str(it)) for it in "123"]
    world.broker.offer("acme", COMMAND)
    world.minute()
    world.contents.faults.fail("get", Unavailable("down"), times=6)
    world.minute()
    assert {it.attempt for it in world.live().values()} == {0}
    world.minutes(3)
    assert len(world.replies_to("acme")) == 3


def test_a_content_that_is_gone_from_the_bucket_counts_as_refused() -> None:
    """It can never be sent: after the last attempt an operator reads why."""
    world = World(behave=lambda _, __: Reply("ProbeResponse", "x" * 300_000))
    world.broker.offer("acme", COMMAND)
    world.minute()
    world.contents.objects.clear()
    world.minutes(160)
    (dead,) = world.live().values()
    assert (dead.state, dead.attempt) == (State.DEAD, 5)
    assert "no longer in the bucket" in (dead.error or "")
    assert world.calls("send") == 0


def test_a_long_outbox_is_sent_in_one_tick() -> None:
    """Chunk after chunk, each sent once."""
    world = answered(tuple(str(number) for number in range(130)))
    world.minute()
    assert sorted(map(int, world.replies_to("acme"))) == list(range(130))
    assert world.live() == {}


@pytest.mark.parametrize(("more", "sessions"), [(0, 1), (1, 2)])
def test_large_contents_are_sent_by_several_sessions(more: int, sessions: int) -> None:
    """256 KiB in a turn, to the byte, unless a single content is larger."""
    world = World()
    world.minute()
    for size in (131_072, 131_072 + more):
        world.publish(content="x" * size)
    before = world.calls("session")
    world.minute()
    assert len(world.replies_to()) == 2
    assert world.calls("session") - before == sessions


def test_a_message_that_is_being_sent_is_leased_for_five_minutes() -> None:
    """Far longer than the poll that sends it lives: nobody else sends it meanwhile."""
    world = World()
    interruptions = Interruptions()
    world.broker.faults = interruptions
    world.publish(id="p", content="{}")
    seen = []
    interruptions.at("before send", lambda: seen.append(world.live()["p"]))
    world.minute()
    [message] = seen
    assert (message.state, message.due) == (State.RUNNING, world.clock() + timedelta(minutes=5))
