"""The id by which the sender knows a request: it goes with all that the request leads to."""

import json

import pytest

from smartlink.consumer import Context, Continue, Reply, Returned
from smartlink.domain.message import DeadReason, Ending, State
from tests.support.world import COMMAND, OTHER, SECRET_ONE, World, catalog

POINTER = {"requestId": "/requestID"}


def request(identity: object, number: int = 1) -> str:
    body = {"requestID": identity, "number": number}
    return json.dumps({"header": {"correlationId": "c-1"}, "content": body})


def world(command: str = COMMAND, **more: object) -> World:
    made = World(catalog_json=catalog(**{command: {**POINTER, **more}}), behave=answer)
    made.minute()
    return made


def answer(content: str, _context: Context) -> Returned:
    number = json.loads(content)["content"]["number"]
    reply = Reply("Answer", str(number))
    return Continue(request("another", number + 1), [reply]) if number == 1 else reply


@pytest.mark.parametrize("command", [COMMAND, SECRET_ONE])
def test_it_is_kept_with_the_message_its_steps_and_its_replies(command: str) -> None:
    """Of a personal command too: it names a request, not a person."""
    relay = world(command)
    relay.broker.offer("acme", command, request("r-1"), message_id="m-1")
    relay.minutes(2)
    ended = relay.ended()
    assert {it.message.type for it in ended.values()} == {command, "Answer"}
    assert len(ended) == 4
    assert {it.message.request_id for it in ended.values()} == {"r-1"}
    assert {it.message.correlation_id for it in ended.values()} == {"c-1"}


@pytest.mark.parametrize(
    "content",
    ["", "no JSON", "[]", request(None), request([1]), request("x" * 201), request("a\x00b"),
     json.dumps({"specversion": "1.0", "correlationid": "c", "data_base64": "!"})],
)  # fmt: skip
def test_a_message_without_one_runs_as_any_other(content: str) -> None:
    """And so do those that come with it."""
    made = World(catalog_json=catalog(**{COMMAND: POINTER}))
    made.minute()
    made.broker.offer("acme", COMMAND, content, message_id="m-1")
    made.broker.offer("acme", COMMAND, request("r-2"), message_id="m-2")
    made.minute()
    assert {it.ending for it in made.ended().values()} == {Ending.DONE}
    assert [it.message.request_id for it in made.ended().values()] == [None, "r-2"]


@pytest.mark.parametrize("command", [COMMAND, OTHER])
def test_a_content_that_cannot_be_decoded_blocks_no_queue(command: str) -> None:
    """Its correlation id is looked for at the receipt, whatever its command asks for."""
    made = World(catalog_json=catalog(**{COMMAND: POINTER}))
    made.minute()
    odd = {"specversion": "1.0", "correlationid": "c", "data_base64": "!"}
    made.broker.offer("acme", command, json.dumps(odd), message_id="m-1")
    made.broker.offer("acme", command, request("r-2"), message_id="m-2")
    made.minute()
    assert set(made.ended()) == {"m-1", "m-2"}


def test_what_fails_keeps_it() -> None:
    """Through claims, retries and death, each of which writes the message."""

    def fail(_content: str, _context: Context) -> Returned:
        raise ValueError("broken")

    made = World(catalog_json=catalog(**{COMMAND: {**POINTER, "attempts": 2}}), behave=fail)
    made.minute()
    made.broker.offer("acme", COMMAND, request("r-1"), message_id="m-1")
    made.minutes(30)
    [dead] = made.live().values()
    assert (dead.state, dead.dead_reason) == (State.DEAD, DeadReason.EXHAUSTED)
    assert dead.request_id == "r-1"


def test_a_command_that_asks_for_none_has_none() -> None:
    made = world()
    made.broker.offer("acme", OTHER, request("r-1"), message_id="m-1")
    made.minutes(2)
    assert {it.message.request_id for it in made.ended().values()} == {None}
