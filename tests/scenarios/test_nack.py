"""A message of a command that nobody knows may be handed to the broker's own dead-letter queue."""

import json

import pytest

from smartlink.domain.message import DeadReason, Ending, LogType, State
from smartlink.ports import Refused, Unavailable
from smartlink.settings import SettingsError, load_settings
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, World

NACK = {
    "SMARTLINK_UNKNOWN_COMMAND": "nack",
    "SMARTLINK_PATHS": json.dumps({"nack": "POST /api/v1/link/ack"}),
}
STRANGE = "NobodysCommand"


def world_that_nacks() -> World:
    return World(variables=NACK)


def test_it_is_stored_nacked_and_kept_in_the_history(logged: Logged) -> None:
    """Its content is there for as long as the history lives; what is behind it goes on."""
    world = world_that_nacks()
    strange = world.broker.offer("acme", STRANGE, "kept <as> it came")
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    assert world.broker.dead_letters == [("acme", strange)]
    assert world.broker.acked == [("acme", request)]
    ended = world.ended()[strange]
    assert ended.ending is Ending.DISCARDED
    assert ended.message.dead_reason is DeadReason.UNKNOWN_COMMAND
    assert ended.message.content.text == "kept <as> it came"
    assert world.live() == {}
    assert world.ran == [("acme", request)]
    [line] = [it for it in world.logs() if it.message_id == strange]
    assert line.type is LogType.WARNING
    assert "dead-letter queue (nack)" in line.text
    assert logged("message_nacked")[0]["messageId"] == strange
    assert not logged("message_dead")  # nobody has to act


def test_only_unknown_commands_are_nacked() -> None:
    """What makes no sense, and what a consumer refuses, is an operator's."""
    world = world_that_nacks()
    world.broker.offer("acme", COMMAND, problem="it has no type")
    world.broker.offer("acme", COMMAND, "fine")
    world.minute()
    assert world.broker.dead_letters == []
    [dead] = world.live().values()
    assert dead.dead_reason is DeadReason.MALFORMED


@pytest.mark.parametrize("error", [Refused("405"), Unavailable("503")])
def test_a_nack_that_fails_keeps_it_as_dead(error: Exception, logged: Logged) -> None:
    """It leaves the broker by an ack, as without a nack."""
    world = world_that_nacks()
    world.broker.faults.fail("nack", error)
    strange = world.broker.offer("acme", STRANGE)
    world.minute()
    [message] = world.live().values()
    assert (message.id, message.state) == (strange, State.DEAD)
    assert message.dead_reason is DeadReason.UNKNOWN_COMMAND
    assert world.broker.acked == [("acme", strange)]
    assert world.broker.dead_letters == []
    assert logged("nack_failed")
    assert logged("message_dead")


def test_a_nack_whose_answer_was_lost_keeps_it_as_dead() -> None:
    """The broker has it, and so does the operator: twice is better than never."""
    world = world_that_nacks()
    world.broker.faults.fail("nack", Unavailable("no answer"), applied=True)
    strange = world.broker.offer("acme", STRANGE)
    world.minutes(2)
    assert world.broker.dead_letters == [("acme", strange)]
    assert world.live()[strange].dead_reason is DeadReason.UNKNOWN_COMMAND


def test_a_broker_that_gives_it_again_ends_in_an_ack() -> None:
    """Should it requeue what is nacked, nothing goes round for ever, and nothing is lost."""
    world = world_that_nacks()
    world.broker.requeues = True
    strange = world.broker.offer("acme", STRANGE, "once")
    world.minutes(3)
    assert world.broker.acked == [("acme", strange)]
    assert world.broker.waiting("acme") == 0
    assert world.ended()[strange].message.content.text == "once"
    assert world.live() == {}


def test_a_history_that_fails_leaves_it_dead() -> None:
    """As for a lost answer: the operator has it, too."""
    world = world_that_nacks()
    world.store.faults.fail("commit", Unavailable("down"))
    strange = world.broker.offer("acme", STRANGE)
    world.minute()
    assert world.broker.dead_letters == [("acme", strange)]
    assert world.live()[strange].state is State.DEAD
    assert world.ended() == {}


def test_by_default_it_is_kept() -> None:
    world = World()
    strange = world.broker.offer("acme", STRANGE)
    world.minute()
    assert world.broker.dead_letters == []
    assert world.live()[strange].dead_reason is DeadReason.UNKNOWN_COMMAND


def test_without_a_proven_nack_it_cannot_be_set() -> None:
    """Nobody hands messages to a call that may drop them."""
    environ = {
        "GOOGLE_CLOUD_PROJECT": "p",
        "SMARTLINK_ENVIRONMENT": "staging",
        "SMARTLINK_CONFIG_URI": "gs://b/c.json",
        "SMARTLINK_UNKNOWN_COMMAND": "nack",
    }
    with pytest.raises(SettingsError, match="smartlink broker discover"):
        load_settings(environ)
    with pytest.raises(SettingsError, match="SMARTLINK_UNKNOWN_COMMAND"):
        load_settings(environ | {"SMARTLINK_UNKNOWN_COMMAND": "drop"})
    paths = json.dumps({"nack": "POST /nack", "nack_body": "{}"})
    with pytest.raises(SettingsError, match=r"nack or nack_body needs \{tag\}"):
        load_settings(environ | {"SMARTLINK_PATHS": paths})


@pytest.mark.parametrize("requeues", [False, True])
@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize(
    "call", ["create", "history", "read", "commit", "log", "get", "nack", "ack"]
)
@pytest.mark.parametrize("times", [1, 2])
def test_whatever_fails_it_is_live_or_ended_and_leaves_the_broker(
    *, call: str, applied: bool, requeues: bool, times: int
) -> None:
    """Invariants 1 and 2, with a failure at each call, before or after it took effect."""
    world = world_that_nacks()
    world.broker.requeues = requeues
    world.minute()
    faults = world.broker.faults if call in ("get", "nack", "ack") else world.store.faults
    faults.fail(call, Unavailable("no answer"), times=times, applied=applied)
    strange = world.broker.offer("acme", STRANGE, "kept")
    request = world.broker.offer("acme", COMMAND)
    world.minutes(12)
    stored = [*world.live().values(), *(it.message for it in world.ended().values())]
    [kept] = [it for it in stored if it.id == strange]
    assert kept.content.text == "kept"
    assert world.broker.waiting("acme") == 0
    gone = {it for _, it in [*world.broker.acked, *world.broker.dead_letters]}
    assert gone == {strange, request}
    assert [it for _, it in world.ran] == [request]
