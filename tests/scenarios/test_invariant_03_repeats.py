"""Invariant 3: a repeated id is executed once; the same id with another content is kept as dead."""

import pytest

from smartlink.consumer import Context, FatalError, RetryableError, Returned
from smartlink.domain.identity import content_hash
from smartlink.domain.message import DeadReason, Message, Past, State
from smartlink.domain.settlement import Settlement
from smartlink.ports import Conflict, PortError, Unavailable
from tests.support.inline import ProcessEndedError
from tests.support.world import COMMAND, OTHER, START, Interruptions, World, end_process


def failing(_: str, __: Context) -> Returned:
    text = "down"
    raise RetryableError(text)


def fatal(_: str, __: Context) -> Returned:
    text = "never"
    raise FatalError(text)


def reused(world: World) -> list[Message]:
    """What is kept as dead because its id was taken."""
    live = [stored.message for stored in world.store.live("acme").values()]
    return [message for message in live if message.dead_reason is DeadReason.ID_REUSED]


def test_a_repeat_of_what_is_live_is_acked_and_not_run() -> None:
    """It waits for its retry while the broker delivers it again."""
    world = World(behave=failing)
    request = world.broker.offer("acme", COMMAND, "same")
    world.minute()
    world.broker.offer("acme", COMMAND, "same", message_id=request)
    world.minutes(4)
    assert world.ran == [("acme", request)]
    assert world.live()[request].attempt == 1
    assert len(world.broker.acked) == 2
    assert "Repeated: it is stored already" in [line.text for line in world.logs()]


def test_a_repeat_of_what_has_ended_is_acked_and_not_run() -> None:
    """Also long after: as long as the history knows it."""
    world = World()
    request = world.broker.offer("acme", COMMAND, "same")
    world.minute()
    world.clock.forward(days=60)
    world.broker.offer("acme", COMMAND, "same", message_id=request)
    world.minutes(4)
    assert world.ran == [("acme", request)]
    assert world.live() == {}
    assert len(world.broker.acked) == 2
    assert "Repeated: it had ended already" in [line.text for line in world.logs()]


READABLE = Past(COMMAND, content_hash("same"), START)
NOTHING = Past(None, None, None)


def broken(left: Past) -> World:
    """A world in which "one" has ended, and somebody edited its history."""
    world = World()
    world.broker.offer("acme", COMMAND, "same", message_id="one")
    world.minute()
    world.store.break_history("acme", "D-one", left=left)
    return world


@pytest.mark.parametrize("left", [READABLE, NOTHING, Past(COMMAND, None, START)])
@pytest.mark.parametrize("content", ["same", "other"])
def test_a_history_that_cannot_be_read_is_one_all_the_same(left: Past, content: str) -> None:
    """Nothing runs again. A repeat that can be told is dropped, anything else is kept as dead:
    it may be a message of its own."""
    world = broken(left)
    world.broker.offer("acme", COMMAND, content, message_id="one")
    world.minutes(600)
    assert world.ran == [("acme", "one")]
    assert world.broker.waiting("acme") == 0
    dropped = content == "same" and left is READABLE
    dead = list(world.live().values())
    assert [message.content.text for message in dead] == ([] if dropped else [content])
    if left is not READABLE:
        assert dead[0].dead_reason is DeadReason.UNKNOWN_OUTCOME
        assert "cannot be read" in (dead[0].error or "")


def test_a_sweep_knows_a_history_that_cannot_be_read() -> None:
    """The poll died right after it had stored the repeat."""
    world = broken(READABLE)
    interruptions = world.store.faults = Interruptions()
    interruptions.at("after create", end_process)
    world.broker.offer("acme", COMMAND, "same", message_id="one")
    with pytest.raises(ProcessEndedError):
        world.tick(minutes=1)
    world.minutes(60)
    assert world.ran == [("acme", "one")]
    assert world.live() == {}


@pytest.mark.parametrize("error", [Unavailable("ABORTED"), Conflict("FAILED_PRECONDITION")])
def test_a_reused_id_is_acked_only_once_it_is_kept(error: PortError) -> None:
    """The database does not take it for a while, or says that it is there though it is not."""
    world = World(behave=failing)
    world.broker.offer("acme", COMMAND, "first", message_id="one")
    world.minute()
    world.broker.offer("acme", COMMAND, "second", message_id="one")
    world.store.faults.fail("commit", error, times=2)
    world.tick(minutes=1)
    assert len(world.broker.acked) == 1
    world.broker.release()
    world.store.faults.clear()
    world.minutes(3)
    assert [message.content.text for message in reused(world)] == ["second"]
    assert len(world.broker.acked) == 2
    assert world.broker.waiting("acme") == 0


def test_a_repeat_of_what_is_dead_does_not_revive_it() -> None:
    """Only an operator does."""
    world = World(behave=fatal)
    request = world.broker.offer("acme", COMMAND, "same")
    world.minute()
    world.broker.offer("acme", COMMAND, "same", message_id=request)
    world.minutes(4)
    assert world.ran == [("acme", request)]
    assert world.live()[request].dead_reason is DeadReason.REJECTED
    assert world.broker.waiting("acme") == 0


def test_repeats_within_one_batch_are_one_message() -> None:
    """The broker hands out the same message three times at once."""
    world = World()
    for _ in range(3):
        world.broker.offer("acme", COMMAND, "same", message_id="one")
    world.minutes(4)
    assert world.ran == [("acme", "one")]
    assert len(world.broker.acked) == 3


def test_another_content_within_one_batch_is_kept_as_dead() -> None:
    """The first is executed, the second kept, and a repeat of each is known."""
    world = World()
    for content in ("first", "second", "first", "second"):
        world.broker.offer("acme", COMMAND, content, message_id="one")
    world.minutes(4)
    assert world.ran == [("acme", "one")]
    (dead,) = reused(world)
    assert dead.content.text == "second"
    assert len(world.broker.acked) == 4


@pytest.mark.parametrize("first", ["one batch", "two"])
def test_of_two_deliveries_under_one_id_only_what_is_stored_is_acked(first: str) -> None:
    """The bucket does not give the second one's content, so it cannot be kept yet. That the first
    one may be acked says nothing of it."""
    large = "second" + "x" * 300_000
    world = World()
    world.broker.offer("acme", COMMAND, "first", message_id="one")
    if first == "two":
        world.minute()
        world.broker.offer("acme", COMMAND, "first", message_id="one")
    acked = len(world.broker.acked)
    world.broker.offer("acme", COMMAND, large, message_id="one")
    world.contents.faults.fail("get", Unavailable("down"))
    world.tick(minutes=1)
    assert len(world.broker.acked) == acked + 1
    world.broker.release()
    world.minutes(4)
    (dead,) = reused(world)
    assert dead.content.object is not None
    assert world.contents.get(dead.content.object).decode() == large
    assert world.broker.waiting("acme") == 0


@pytest.mark.parametrize("before", ["live", "ended", "dead"])
@pytest.mark.parametrize(("command", "content"), [(COMMAND, "other"), (OTHER, "same")])
def test_a_reused_id_is_kept_as_dead_once(before: str, command: str, content: str) -> None:
    """Whatever became of the first: the second is neither run nor lost, nor kept twice."""
    world = World()
    if before != "ended":
        world.behave = {"live": failing, "dead": fatal}[before]
    world.broker.offer("acme", COMMAND, "same", message_id="one")
    world.minute()
    for _ in range(2):
        world.broker.offer("acme", command, content, message_id="one")
        world.minutes(2)
    (dead,) = reused(world)
    assert (dead.type, dead.content.text, dead.state) == (command, content, State.DEAD)
    assert dead.due is None
    assert world.ran == [("acme", "one")]
    assert world.broker.waiting("acme") == 0
    first = world.store.live("acme").get("D-one")
    assert (first is None) is (before == "ended")


@pytest.mark.parametrize("content", ["same", "other"])
@pytest.mark.parametrize("moment", ["after create", "before history", "before commit"])
def test_a_poll_that_dies_over_a_repeat_leaves_it_to_the_sweep(content: str, moment: str) -> None:
    """Created, but nobody had looked into the history: the sweep does, before it dispatches."""
    world = World()
    world.broker.offer("acme", COMMAND, "same", message_id="one")
    world.minute()
    world.broker.offer("acme", COMMAND, content, message_id="one")
    interruptions = world.store.faults = Interruptions()
    interruptions.at(moment, end_process)
    with pytest.raises(ProcessEndedError):
        world.tick(minutes=1)
    world.minutes(5)
    assert world.ran == [("acme", "one")]
    assert [dead.content.text for dead in reused(world)] == ["other"] * (content == "other")
    assert "D-one" not in world.store.live("acme")
    assert world.broker.waiting("acme") == 0


def test_the_sweep_reads_the_history_of_what_never_ran() -> None:
    """A repeat that was stored while the history could not be read is dropped, not run."""
    world = World()
    world.broker.offer("acme", COMMAND, "same", message_id="one")
    world.minute()
    world.broker.offer("acme", COMMAND, "same", message_id="one")
    world.store.faults.fail("history", Unavailable("down"))
    world.tick(minutes=1)
    assert world.live().keys() == {"one"}
    world.minutes(4)
    assert world.ran == [("acme", "one")]
    assert world.live() == {}


def test_what_vanished_between_two_looks_is_not_acked() -> None:
    """It was there when the repeat came, and nowhere a moment later: the broker keeps it."""
    world = World(behave=failing)
    world.broker.offer("acme", COMMAND, "same", message_id="one")
    world.minute()
    world.behave = lambda _, __: None
    world.broker.offer("acme", COMMAND, "same", message_id="one")
    interruptions = world.store.faults = Interruptions()

    def gone() -> None:
        (stored,) = world.store.live("acme").values()
        document = stored.message.document
        world.store.commit("acme", [Settlement(document=document, fence=stored.version)])

    interruptions.at("before read", gone)
    world.tick(minutes=1)
    assert len(world.broker.acked) == 1
    world.minute()
    assert world.ended().keys() == {"one"}


def test_a_true_repeat_is_told_from_a_reuse_that_is_just_being_found_out() -> None:
    """Two polls: one has stored a reuse of the ended id, the other receives a repeat of it."""
    world = World()
    world.broker.offer("acme", COMMAND, "same", message_id="one")
    world.minute()
    world.broker.offer("acme", COMMAND, "other", message_id="one")
    interruptions = world.store.faults = Interruptions()

    def meanwhile() -> None:
        world.broker.offer("acme", COMMAND, "same", message_id="one")
        world.elsewhere().tick()

    interruptions.at("after create", meanwhile)
    world.tick(minutes=1)
    world.minutes(4)
    assert [dead.content.text for dead in reused(world)] == ["other"]
    assert world.ran == [("acme", "one")]


def test_a_repeat_that_meets_the_end_of_its_message_is_acked() -> None:
    """It was live when the repeat was to be stored, and had ended a moment later."""
    world = World()
    request = world.broker.offer("acme", COMMAND, "same")
    world.tick(minutes=1)
    world.broker.offer("acme", COMMAND, "same", message_id=request)
    interruptions = world.store.faults = Interruptions()
    interruptions.at("after create", world.deliver)
    world.tick(minutes=1)
    assert len(world.broker.acked) == 2, "in this very tick"
    world.minutes(3)
    assert world.ran == [("acme", request)]
