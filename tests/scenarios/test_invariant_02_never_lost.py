"""Invariant 2: once in, never lost: a message is live or ended, whatever it looks like."""

from dataclasses import replace

import pytest

from smartlink.adapters.in_memory import InMemoryBroker
from smartlink.adapters.in_memory.broker import InMemorySession
from smartlink.domain.message import DeadReason, LogType, State
from smartlink.ports import Delivery, Unavailable
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, World

HOSTILE = [
    "",
    " ",
    ".",
    "..",
    "../../etc/passwd",
    "__x__",
    "a/b",
    "a%2Fb",
    "~",
    "D-message",
    "a\0b\n",
    "🐘" * 300,
    "\ud83d",
    "x" * 5_000,
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_id_is_an_id_like_any_other(hostile: str) -> None:
    """It is stored, acked, executed under its own name, and a repeat of it is known."""
    world = World()
    world.broker.offer("acme", COMMAND, message_id=hostile)
    world.minute()
    world.broker.offer("acme", COMMAND, message_id=hostile)
    world.minutes(4)
    assert world.ran == [("acme", hostile)]
    assert world.ended().keys() == {hostile}
    assert world.live() == {}
    assert len(world.broker.acked) == 2


def test_no_two_hostile_ids_share_a_document() -> None:
    """The escape is injective: each of them is executed."""
    world = World()
    for hostile in HOSTILE:
        world.broker.offer("acme", COMMAND, message_id=hostile)
    world.minute()
    assert sorted(message for _, message in world.ran) == sorted(HOSTILE)


def test_a_command_nobody_knows_is_kept_as_dead(logged: Logged) -> None:
    """With its content, acked, logged; the messages behind it go on."""
    world = World()
    strange = world.broker.offer("acme", "NobodysCommand", "kept <as> it came")
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    message = world.live()[strange]
    assert (message.state, message.due) == (State.DEAD, None)
    assert message.dead_reason is DeadReason.UNKNOWN_COMMAND
    assert message.content.text == "kept <as> it came"
    assert world.ran == [("acme", request)]
    assert len(world.broker.acked) == 2
    assert next((it.message_id, it.type) for it in world.logs()) == (strange, LogType.ERROR)
    assert logged("message_dead")[0]["messageId"] == strange


@pytest.mark.parametrize("content", ["{broken", "", "[" * 5_000, "ï»¿\0", "\ud800"])
@pytest.mark.parametrize("identity", ["an-id", None])
def test_an_envelope_that_makes_no_sense_is_kept_as_dead(
    content: str, identity: str | None
) -> None:
    """The raw envelope is there for who looks into it; the queue goes on."""
    world = World()
    broken = Delivery(None, identity, "", content, problem="it has no type")
    world.broker.deliver("acme", broken)
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    (message,) = world.live().values()
    assert message.dead_reason is DeadReason.MALFORMED
    assert message.content.text == content
    assert message.error == "it has no type"
    assert world.ran == [("acme", request)]
    assert world.broker.waiting("acme") == 0
    assert LogType.ERROR in {line.type for line in world.logs()}


def test_names_beyond_any_measure_are_kept_as_dead() -> None:
    """An id, a type or an audience too long for a document: the whole envelope is kept."""
    world = World()
    world.broker.offer("acme", COMMAND, "one", message_id="i" * 9_000)
    world.broker.offer("acme", "T" * 600, "two")
    world.broker.offer("acme", COMMAND, "three", audience="a" * 600)
    world.minute()
    dead = sorted(world.live().values(), key=lambda message: message.content.size)
    assert {message.dead_reason for message in dead} == {DeadReason.MALFORMED}
    texts = [message.content.text or "" for message in dead]
    two, three = sorted(texts[:2], key=lambda text: '"three"' in text)
    assert '"two"' in two
    assert "T" * 600 in two
    assert '"three"' in three
    assert "a" * 600 in three
    assert '"one"' in texts[2]
    assert "i" * 9_000 in texts[2]
    assert world.broker.waiting("acme") == 0
    assert world.ran == []


def test_the_death_of_a_message_is_logged_though_the_process_died() -> None:
    """Stored, then the log could not be written: the redelivery makes up for it."""
    world = World()
    strange = world.broker.offer("acme", "NobodysCommand")
    world.store.faults.fail("log", Unavailable("down"))
    world.tick()
    assert world.logs() == []
    world.minute()
    assert [(line.message_id, line.type) for line in world.logs()] == [(strange, LogType.ERROR)]
    assert world.broker.waiting("acme") == 0


class Tagless(InMemoryBroker):
    def lease(self, session: InMemorySession) -> list[Delivery]:
        return [replace(delivery, tag=None) for delivery in super().lease(session)]


def test_a_message_that_cannot_be_acked_is_executed_once_and_holds_up_no_tick() -> None:
    """It comes with every tick, and is known; asking for it again and again would not help."""
    world = World(broker=Tagless(), variables={"SMARTLINK_RECEIVE_BATCH": "1"})
    world.turns.budget = 20
    request = world.broker.offer("acme", COMMAND)
    for _ in range(6):
        world.tick(minutes=1)
        world.deliver()
    assert world.ran == [("acme", request)]
    assert world.calls("get") <= 2 * 6


def test_a_command_taken_out_of_the_catalogue_leaves_no_orphan_behind() -> None:
    """Its waiting messages are declared dead when due; they do not circle for ever."""
    world = World()
    request = world.broker.offer("acme", "OtherCommand", "precious")
    world.tick()
    world.publisher.take()  # lost
    smaller = world.catalog_json.replace("OtherCommand", "RenamedCommand")
    world.catalog_json = smaller
    world.clock.forward(minutes=1)  # what is deployed within a minute came together with the rest
    world.cold_start()
    world.minutes(3)
    message = world.live()[request]
    assert message.dead_reason is DeadReason.UNKNOWN_COMMAND
    assert message.content.text == "precious"


def test_the_longest_id_that_may_be_is_kept_as_it_came() -> None:
    """8,192 characters: one more, and the whole envelope is kept instead."""
    world = World()
    world.broker.offer("acme", COMMAND, "one", message_id="i" * 8_192)
    world.minute()
    assert world.ran == [("acme", "i" * 8_192)]


def test_one_that_the_database_refuses_harms_only_itself() -> None:
    """The others are stored, acked and run; it is dead, with all that came as its content."""
    world = World()
    world.store.uncreatable = lambda message: message.document == "D-bad"
    for name in ("one", "bad", "two"):
        world.broker.offer("acme", COMMAND, f"of {name}", message_id=name)
    world.minutes(3)
    assert world.ended().keys() == {"one", "two"}
    assert world.broker.waiting("acme") == 0
    (dead,) = world.live().values()
    assert (dead.state, dead.id) == (State.DEAD, "bad")
    assert '"content": "of bad"' in (dead.content.text or "")
    world.broker.offer("acme", COMMAND, "of bad", message_id="bad")
    world.minutes(2)
    assert len(world.live()) == 1
    assert world.broker.waiting("acme") == 0


def test_one_that_the_database_takes_in_no_shape_stays_in_the_broker() -> None:
    """Counted; the others go on."""
    world = World()
    world.store.uncreatable = lambda message: message.id == "bad"
    for name in ("one", "bad", "two"):
        world.broker.offer("acme", COMMAND, name, message_id=name)
    assert world.minute().counts["not_stored"] == 1
    assert world.ended().keys() == {"one", "two"}
    assert world.broker.waiting("acme") == 1
    assert world.live() == {}


def test_one_whose_next_state_is_refused_harms_only_itself() -> None:
    """Neither the sweep nor a claim that it shares with others fails for it; it stays as it was."""
    world = World()
    world.store.unswappable = lambda message: message.id == "bad"
    for name in ("one", "bad", "two"):
        world.broker.offer("acme", COMMAND, name, message_id=name)
    world.tick()
    world.publisher.take()  # lost: the sweep takes all three, and then a claim does
    world.minutes(90)
    assert world.ended().keys() == {"one", "two"}
    (stuck,) = world.live().values()
    assert (stuck.id, stuck.attempt, stuck.state) == ("bad", 0, State.PENDING)
    world.store.unswappable = lambda _: False
    world.minutes(90)
    assert world.ended().keys() == {"one", "bad", "two"}


def test_a_message_that_comes_again_for_ever_is_told_ever_more_rarely() -> None:
    """Its ack fails each time, say."""
    world = World()
    for _ in range(40):
        world.broker.offer("acme", COMMAND, "same", message_id="one")
        world.minute()
    told = [line.text for line in world.logs() if line.text.startswith("Repeated")]
    assert 5 <= len(told) <= 7
    assert "(32 times)" in told[-1]
    assert len(world.ran) == 1
