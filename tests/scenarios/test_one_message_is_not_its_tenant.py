"""What the broker or the bucket does to one message harms that message alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from smartlink.adapters.in_memory import InMemoryBroker
from smartlink.consumer import Reply
from smartlink.domain.message import DeadReason, LogType, State
from smartlink.domain.tenant import Tenant
from smartlink.ports import BrokerSession, PortError, Refused, Unavailable
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, World

FAILED = Unavailable("Smart Link's send answered 500")
TIME_OUT = Unavailable("Smart Link's send: an answer took more than 15 s")
LARGE = "y" * 300_000
WEEKEND = 60 * 62


@dataclass
class Picky(InMemoryBroker):
    """A broker that chooses whom it fails."""

    fails: Callable[[bytes], Exception | None] = lambda _: None
    acks: Callable[[int], Exception | None] = lambda _: None
    tried: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @contextmanager
    def session(self, tenant: Tenant) -> Iterator[BrokerSession]:
        with super().session(tenant) as session:
            send, ack = session.send, session.ack

            def picky(message_type: str, audience: str | None, content: bytes) -> None:
                self.tried.append(content)
                if error := self.fails(content):
                    raise error
                send(message_type, audience, content)

            def picky_ack(tag: int) -> None:
                if error := self.acks(tag):
                    raise error
                ack(tag)

            session.send, session.ack = picky, picky_ack  # type: ignore[method-assign]
            yield session


def poisoned(error: Exception = FAILED, **poisons: str) -> World:
    """A world whose broker serves all but these messages."""
    contents = [content.encode() for content in poisons.values()]
    world = World(broker=Picky(fails=lambda content: error if content in contents else None))
    world.minute()
    for name, content in poisons.items():
        world.publish(id=name, content=content)
    return world


def tried(world: World, content: bytes = b"bad") -> int:
    broker = world.broker
    assert isinstance(broker, Picky)
    return broker.tried.count(content)


def good(world: World, number: int) -> None:
    """One message each way."""
    world.publish(id=f"g{number}", content=f"good {number}")
    world.broker.offer("acme", COMMAND, "{}", message_id=f"in{number}")


def failures(world: World) -> int:
    return world.store.states(["acme"])["acme"].failures


@pytest.mark.parametrize(
    "error",
    [FAILED, TIME_OUT, ZeroDivisionError("a surprise")],
    ids=["5xx", "time-out", "surprise"],
)
def test_a_poison_among_others_dies_of_its_own_attempts(error: Exception, logged: Logged) -> None:
    """Everybody else goes out, and comes in, in the poll of the very minute; the poison is tried
    as often as the policy says, then dead, its reason in document and log."""
    world = poisoned(error, p="bad")
    for number in range(24 * 4):
        good(world, number)
        world.minute()
        assert len(world.replies_to()) == len(world.ran) == number + 1
        world.minutes(14)
    (dead,) = world.live().values()
    assert (dead.state, dead.attempt) == (State.DEAD, 5)
    assert dead.dead_reason is DeadReason.EXHAUSTED
    assert dead.error
    lines = [line for line in world.logs() if line.message_id == "p"]
    assert [line.type for line in lines] == [LogType.WARNING] * 4 + [LogType.ERROR]
    assert dead.error in lines[-1].text
    assert tried(world) < 12, "what proves nothing yet is tried ever less often"
    assert not logged("tenant_failed")
    assert len(logged("message_dead")) == 1


def test_a_poison_alone_loses_no_attempt_and_is_tried_ever_less_often() -> None:
    """That a `get` works proves nothing of `send`. Everything that comes is received."""
    world = poisoned(p="bad")
    minutes = []
    for minute in range(24 * 60):
        before = tried(world)
        world.broker.offer("acme", COMMAND)
        world.minute()
        assert len(world.ran) == minute + 1
        minutes += [minute] * (tried(world) - before)
    poison = world.live()["p"]
    assert (poison.state, poison.attempt, poison.attempts) == (State.PENDING, 0, ())
    assert poison.error == str(FAILED)
    gaps = [later - earlier for earlier, later in pairwise(minutes)]
    assert gaps == sorted(gaps)
    assert gaps[:4] == [1, 2, 4, 8]
    assert set(gaps[6:]) == {30}
    assert failures(world) == 0


def test_what_others_sent_before_a_failure_does_not_count() -> None:
    """They were accepted, then it failed, then nobody else was sent: it may be the broker."""
    world = World(broker=Picky(fails=lambda content: FAILED if content == b"bad" else None))
    for number in range(3):
        good(world, number)
    world.minute()
    world.publish(id="p", content="bad")
    world.minutes(24 * 60)
    assert len(world.replies_to()) == 3
    assert world.live()["p"].attempt == 0


def test_what_others_sent_after_a_failure_counts_once() -> None:
    """Once they are through, nothing new is proven."""
    world = poisoned(p="bad")
    world.minute()
    for number in range(3):
        good(world, number)
    world.minutes(24 * 60)
    assert len(world.replies_to()) == 3
    assert world.live()["p"].attempt == 1


def test_one_that_was_accepted_long_after_counts() -> None:
    """In another tick, by another process: the poison's next failure is an attempt."""
    world = poisoned(p="bad")
    world.minutes(5 * 60)
    world.cold_start()
    assert world.live()["p"].attempt == 0
    good(world, 1)
    world.minute()
    assert world.replies_to() == ["good 1"]
    world.cold_start()
    world.minutes(60)
    assert world.live()["p"].attempt == 1


def test_a_send_that_is_down_for_a_weekend_kills_nothing(logged: Logged) -> None:
    """50 messages wait without losing an attempt, everything is received meanwhile, and the
    broker gets hardly a call a minute more; then all go out, each once."""
    world = World(broker=Picky(fails=lambda _: FAILED))
    world.minute()
    for number in range(50):
        world.publish(id=f"u{number}", content=str(number))
    for number in range(WEEKEND):
        if number % 60 == 0:
            world.broker.offer("acme", COMMAND, message_id=f"in{number}")
        world.minute()
    assert len(world.ran) == WEEKEND // 60 + (WEEKEND % 60 > 0)
    waiting = world.live().values()
    assert {(it.state, it.attempt) for it in waiting} == {(State.PENDING, 0)}
    broker = world.broker
    assert isinstance(broker, Picky)
    assert 50 < len(broker.tried) < WEEKEND * 1.1
    assert not logged("tenant_failed")
    writes = world.store.operations["write"]
    world.minutes(60)
    assert world.store.operations["write"] - writes < 60 * 4, "a claim and its return, each try"

    broker.fails = lambda _: None
    world.minutes(31)
    assert sorted(world.replies_to(), key=int) == [str(number) for number in range(50)]
    assert world.live() == {}
    assert {it.message.attempt for it in world.ended().values()} == {1}


def test_a_broker_that_comes_and_goes_kills_nothing() -> None:
    """It takes what it takes between two outages; who failed in each loses an attempt at most
    for each time that others went through while it did not."""
    world = World(broker=Picky())
    broker = world.broker
    assert isinstance(broker, Picky)
    world.minute()
    for number in range(40):
        world.publish(id=f"u{number}", content=str(number))
        broker.fails = lambda _, down=number % 8 < 7: FAILED if down else None  # type: ignore[misc]
        world.minutes(10)
    broker.fails = lambda _: None
    world.minutes(31)
    assert len(world.replies_to()) == 40
    assert world.live() == {}


def test_two_poisons_share_nothing_but_their_tenant() -> None:
    """Both die; whoever waits behind them goes out a minute later at most."""
    world = poisoned(p="bad", q="worse")
    for number in range(24 * 6):
        good(world, number)
        world.minutes(2)
        assert len(world.replies_to()) == len(world.ran) == number + 1
        world.minutes(8)
    assert {it.state for it in world.live().values()} == {State.DEAD}
    assert {it.attempt for it in world.live().values()} == {5}
    assert tried(world, b"bad") + tried(world, b"worse") < 24


def test_two_poisons_alone_are_the_brokers_failure() -> None:
    """Nothing else was sent: who can tell?"""
    world = poisoned(p="bad", q="worse")
    world.minutes(24 * 60)
    assert {(it.state, it.attempt) for it in world.live().values()} == {(State.PENDING, 0)}
    assert tried(world) < 60


def test_a_poison_that_recovers_is_sent() -> None:
    """The attempts that it lost stand in its history; nothing of its failure is left."""
    world = poisoned(p="bad")
    for number in range(6):
        good(world, number)
        world.minutes(10)
    assert 0 < world.live()["p"].attempt < 5
    assert isinstance(world.broker, Picky)
    world.broker.fails = lambda _: None
    world.minutes(61)
    assert world.live() == {}
    assert world.replies_to().count("bad") == 1


def test_a_long_outbox_with_poison_in_it_goes_out_at_once() -> None:
    """Chunk after chunk, page after page: each poison ends nobody's turn but its own."""
    world = World(broker=Picky(fails=lambda it: FAILED if it.startswith(b"bad") else None))
    world.minute()
    for number in range(300):
        bad = number % 60 == 7
        world.publish(id=f"u{number}", content=f"bad {number}" if bad else str(number))
    world.minute()
    assert len(world.replies_to()) == 295
    assert len(world.live()) == 5


def test_what_the_ticks_end_cut_off_is_no_attempt() -> None:
    """A message so large that it is still on its way then waits, and is never dead of it."""
    world = World(broker=Picky())
    broker = world.broker
    assert isinstance(broker, Picky)
    world.minute()

    def slow(content: bytes) -> Exception | None:
        if content != b"slow":
            return None
        world.clock.forward(seconds=50)
        return Unavailable("it took more than the time that was left")

    broker.fails = slow
    world.publish(id="p", content="slow")
    for number in range(60):
        good(world, number)
        world.minutes(10)
    assert world.live()["p"].attempt == 0
    assert len(world.ran) == len(world.replies_to()) == 60


# The bucket.


@pytest.mark.parametrize(
    "error", [Refused("its hash differs"), Refused("403 Forbidden")], ids=["hash", "403"]
)
def test_an_object_that_can_never_be_read_is_dead_of_its_attempts(error: PortError) -> None:
    """Both ways: each try counts, and document and log say why. The others go on."""
    world = World()
    world.broker.offer("acme", COMMAND, LARGE, message_id="down")
    world.publish(id="up", content=LARGE)
    world.contents.faults.fail("get", error, times=1_000)
    for number in range(24):
        good(world, number)
        world.minutes(10)
    assert len(world.replies_to()) == 24
    assert len(world.ran) == 24
    for name in ("down", "up"):
        message = world.live()[name]
        assert (message.state, message.attempt) == (State.DEAD, 5)
        assert str(error) in (message.error or "")
        lines = [line for line in world.logs() if line.message_id == name]
        assert len(lines) == 5
        assert str(error) in lines[-1].text


def test_an_object_that_is_no_text_is_refused_like_that() -> None:
    """It is not what was stored, whatever its hash."""
    world = World()
    world.broker.offer("acme", COMMAND, LARGE, message_id="down")
    world.tick()
    world.contents.objects = dict.fromkeys(world.contents.objects, b"\xff\xfe")
    world.minutes(200)
    assert {it.state for it in world.live().values()} == {State.DEAD}
    assert all("no text" in (it.error or "") for it in world.live().values())


def test_a_bucket_that_is_down_for_one_object_keeps_it_alone() -> None:
    """It waits ever longer and loses no attempt, whatever the others do."""
    world = World()
    world.publish(id="up", content=LARGE)
    world.contents.faults.fail("get", Unavailable("503"), times=10_000)
    for number in range(24):
        good(world, number)
        world.minutes(10)
    assert len(world.replies_to()) == 24
    assert (world.live()["up"].state, world.live()["up"].attempt) == (State.PENDING, 0)
    world.contents.faults.clear()
    world.minutes(31)
    assert LARGE in world.replies_to()


@pytest.mark.parametrize(
    "error", [Refused("403 Forbidden"), Unavailable("503")], ids=["403", "503"]
)
def test_a_content_that_the_bucket_does_not_take_holds_up_no_other(
    error: PortError, logged: Logged
) -> None:
    """The broker keeps it, those behind it are received, and it is said."""
    world = World()
    world.minute()
    world.contents.faults.fail("put", error, times=10_000)
    for number in range(3):
        world.broker.offer("acme", COMMAND, LARGE, message_id=f"large{number}")
        world.broker.offer("acme", COMMAND, message_id=f"small{number}")
    assert world.minute().counts["not_stored"] >= 1
    world.minutes(2)
    assert sorted(world.ran) == [("acme", f"small{number}") for number in range(3)]
    assert world.broker.waiting("acme") == 3
    assert logged("message_not_stored")
    world.contents.faults.clear()
    world.minutes(3)
    assert len(world.ran) == 6


def test_a_reply_that_the_bucket_never_takes_ends_its_message() -> None:
    """Its consumer ran to its end each time: it must not do so for ever."""
    world = World(behave=lambda _, __: Reply("ProbeResponse", LARGE))
    request = world.broker.offer("acme", COMMAND)
    world.contents.faults.fail("put", Refused("403 Forbidden"), times=10_000)
    world.minutes(300)
    assert world.live()[request].state is State.DEAD
    assert len(world.ran) == 5


# Acks.


def test_an_ack_that_always_fails_holds_up_no_other() -> None:
    """The broker offers that message again and again; it is known, and everybody else comes in."""
    world = World(broker=Picky())
    broker = world.broker
    assert isinstance(broker, Picky)
    world.minute()
    world.broker.offer("acme", COMMAND, message_id="stuck")
    poison: list[int] = []

    def acks(tag: int) -> Exception | None:
        session = broker._sessions[-1]  # noqa: SLF001
        stuck = any(it.id == "stuck" and it.tag == tag for it in session.leased.values())
        poison.extend([tag] * stuck)
        return Unavailable("Smart Link's ack answered 500") if stuck else None

    broker.acks = acks
    for number in range(60):
        good(world, number)
        world.minute()
        assert len(world.replies_to()) == number + 1
    assert {name for _, name in world.ran} == {"stuck", *(f"in{number}" for number in range(60))}
    assert len(world.ran) == 61
    assert failures(world) == 0
    assert len(poison) > 30


def test_an_ack_that_fails_for_all_pauses_the_tenant() -> None:
    """What is not acked comes again: it is asked for ever less often."""
    world = World(broker=Picky(acks=lambda _: Unavailable("Smart Link's ack answered 500")))
    for number in range(5):
        world.broker.offer("acme", COMMAND, message_id=f"m{number}")
    world.minutes(60)
    assert failures(world) > 3
    assert world.calls("get") < 60


def test_acks_that_fail_now_and_then_hold_up_no_other() -> None:
    """Only two in a row are the broker's failure: in between, one that is taken says it works."""
    turns = iter(range(5))

    def acks(_: int) -> Exception | None:
        failing = next(turns, 1) % 2 == 0
        return Unavailable("Smart Link's ack answered 500") if failing else None

    world = World(broker=Picky(acks=acks))
    world.broker.page = 5
    for number in range(5):
        world.broker.offer("acme", COMMAND, message_id=f"m{number}")
    world.tick(minutes=1)
    assert [name for _, name in world.broker.acked[:2]] == ["m1", "m3"]
    assert failures(world) == 0
    world.minutes(2)
    assert sorted(name for _, name in world.ran) == [f"m{number}" for number in range(5)]
