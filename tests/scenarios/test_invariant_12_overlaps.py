"""Invariant 12: overlaps, duplicates, lost answers, a kill at any instant: 1 to 11 still hold."""

from contextlib import suppress

import pytest

from smartlink.adapters.in_memory import Faults
from smartlink.consumer import Context, Reply, Returned
from smartlink.ports import Delivery, Unavailable
from tests.support.inline import ProcessEndedError
from tests.support.world import COMMAND, OTHER, Interruptions, World, end_process

MOMENTS = [
    ("store", "before states"),
    ("store", "before due"),
    ("broker", "after get"),
    ("store", "before create"),
    ("store", "after create"),
    ("store", "before history"),
    ("broker", "before ack"),
    ("broker", "after ack"),
    ("publisher", "before publish"),
    ("publisher", "after publish"),
    ("store", "before swap"),
    ("store", "after swap"),
    ("broker", "before send"),
    ("broker", "after send"),
    ("store", "before commit"),
    ("store", "after commit"),
    ("store", "before log"),
    ("store", "before save_state"),
]
IDS = [f"{port}-{moment}" for port, moment in MOMENTS]


def answering(content: str, context: Context) -> Returned:
    return Reply("ProbeResponse", f"{context.message_id[:8]} {content}")


def busy() -> World:
    """Replies to be sent, a lost dispatch, repeats of what has ended and of what lives, a reuse,
    new messages, one without an id."""
    world = World(behave=answering)
    for number in (1, 2):
        world.broker.offer("acme", COMMAND, "early", message_id=f"early-{number}")
    world.minute()
    world.broker.offer("acme", COMMAND, "lost", message_id="lost")
    world.tick(minutes=1)
    world.publisher.take()
    world.clock.forward(minutes=2)
    world.broker.offer("acme", COMMAND, "early", message_id="early-1")
    world.broker.offer("acme", OTHER, "reused", message_id="early-2")
    for number in (1, 2, 2):
        world.broker.offer("acme", OTHER, "new", message_id=f"new-{number}")
    world.broker.deliver("acme", Delivery(None, None, COMMAND, "nameless"))
    return world


def check(world: World, *, sent_once: bool = True) -> None:
    """What must have come of `busy`, whatever happened meanwhile."""
    runs = sorted(message[:7] for _, message in world.ran)
    assert runs == ["content", "early-1", "early-2", "lost", "new-1", "new-2"]
    (dead,) = world.live().values()
    assert (dead.id, dead.content.text) == ("early-2", "reused")
    replies = sorted(world.replies_to("acme"))
    expected = ["content- nameless", "early-1 early", "early-2 early", "lost lost"]
    expected += ["new-1 new", "new-2 new"]
    assert sorted(set(replies)) == expected
    assert not sent_once or replies == expected
    assert len(world.ended()) == 12
    assert world.broker.waiting("acme") == 0
    done = [line for line in world.logs() if line.text.startswith("Executed")]
    assert len(done) == 6, "each settled once"


@pytest.mark.parametrize(("port", "moment"), MOMENTS, ids=IDS)
@pytest.mark.parametrize("everything", [False, True])
def test_another_poll_in_the_middle_of_any_call(
    port: str,
    moment: str,
    everything: bool,  # noqa: FBT001
) -> None:
    """The broker's leases run out and another process polls, and perhaps all of it is consumed."""
    world = busy()
    other = world.elsewhere()
    interruptions = getattr(world, port).faults = Interruptions()

    def meanwhile() -> None:
        world.broker.release()
        other.tick()
        if everything:
            world.deliver()
            world.broker.release()
            other.tick()

    interruptions.at(moment, meanwhile)
    world.tick()
    world.minutes(15)
    check(world, sent_once=(port, moment) != ("broker", "after send"))


@pytest.mark.parametrize(("port", "moment"), MOMENTS, ids=IDS)
@pytest.mark.parametrize("later", [0, 1, 2])
def test_a_kill_in_any_call(port: str, moment: str, later: int) -> None:
    """The poll's process ends there, at its first such call or a later one."""
    world = busy()
    interruptions = getattr(world, port).faults = Interruptions()

    killed: list[str] = []

    def wait(more: int) -> None:
        if more:
            interruptions.at(moment, lambda: wait(more - 1))
        else:
            killed.append(moment)
            end_process()

    interruptions.at(moment, lambda: wait(later))
    for _ in range(25):
        try:
            world.minute()
        except ProcessEndedError:
            world.cold_start()
    assert killed or later, "the first such call is always made"
    runs = {message[:7] for _, message in world.ran}
    assert runs == {"content", "early-1", "early-2", "lost", "new-1", "new-2"}
    assert len(world.ended()) == 12
    (dead,) = world.live().values()
    assert dead.content.text == "reused"
    assert world.broker.waiting("acme") == 0
    done = [line for line in world.logs() if line.text.startswith("Executed")]
    assert len(done) == 6
    if moment not in {"before commit", "after commit"}:  # a consumer may have died over these
        assert len(world.ran) == 6


@pytest.mark.parametrize("call", ["create", "swap", "commit"])
@pytest.mark.parametrize("times", [1, 2, 3, 5])
def test_answers_of_the_database_that_get_lost(call: str, times: int) -> None:
    """Written, though it said that it was not available."""
    world = busy()
    world.store.faults.fail(call, Unavailable("lost answer"), times=times, applied=True)
    world.minutes(40)
    check(world, sent_once=False)


class Flaky(Faults):
    """Every other call fails, so many times in all."""

    def __init__(self, call: str, times: int) -> None:
        super().__init__()
        self.call = call
        self.left = 2 * times

    def before(self, call: str, subject: str) -> None:
        super().before(call, subject)
        if call == self.call and self.left:
            self.left -= 1
            if self.left % 2:
                message = "down"
                raise Unavailable(message)


@pytest.mark.parametrize(
    "call",
    [
        *("create", "history", "read", "swap", "commit", "due", "log", "references", "states"),
        *("save_state", "pin", "known_tenants", "commands", "note_commands", "content_sweep"),
        *("save_content_sweep", "undated", "load", "save"),
    ],
)
def test_calls_that_fail_now_and_then(call: str) -> None:
    """Every other one, for a while."""
    world = busy()
    world.store.faults = Flaky(call, 12)
    for _ in range(200):
        with suppress(Unavailable):  # the target answers 503, and the next tick comes
            world.minute()
    check(world, sent_once=False)


def test_everything_delivered_twice_and_backwards() -> None:
    """Pub/Sub's worst day."""
    world = busy()
    for _ in range(20):
        world.tick(minutes=1)
        for delivery in world.publisher.take()[::-1] * 2:
            world.delivery(*delivery)
    check(world)


def test_the_broker_delivers_everything_again_and_again() -> None:
    """Its acks get lost six times in a row."""
    world = busy()
    faults = world.broker.faults
    faults.fail("ack", Unavailable("down"), times=6)
    world.minutes(60)
    check(world)
