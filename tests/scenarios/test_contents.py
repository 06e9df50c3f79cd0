"""Contents from 0 bytes to 5 MB reach the consumer whole, wherever they are kept."""

import json
from collections.abc import Sequence

import pytest

from smartlink.adapters.in_memory import InMemoryBroker, InMemoryMessages
from smartlink.consumer import Context, Reply, Returned
from smartlink.domain.message import DeadReason, Message, State, Version
from smartlink.ports import Delivery, Unavailable
from smartlink.services.dispatch import decode_dispatch
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, SECRET_ONE, Interruptions, World

LARGE = "á" * 150_000  # 300,000 bytes: RM's own recommended size
CONTENTS = [
    "",
    " \n",
    "{}",
    "no JSON <at> all",
    "\0\x01 🐘 \ud83d",
    "x" * 262_144,
    "x" * 262_145,
    LARGE,
    json.dumps({"header": {"type": "T"}, "content": {"a": ["x" * 1_000] * 5_000}}),
]


def echoing(content: str, _: Context) -> Returned:
    return Reply("ProbeResponse", content)


@pytest.mark.parametrize("content", CONTENTS, ids=[str(len(content)) for content in CONTENTS])
def test_a_content_reaches_the_consumer_and_comes_back_whole(content: str) -> None:
    """Byte for byte, after a retry and a cold start too."""
    world = World()
    seen: list[str] = []

    def answer(given: str, _: Context) -> Returned:
        seen.append(given)
        return Reply("ProbeResponse", given)

    world.behave = answer
    world.broker.offer("acme", COMMAND, content)
    world.tick()
    world.publisher.take()
    world.cold_start()
    world.minutes(5)
    assert seen == [content]
    (sent,) = world.broker.sent_by("acme")
    assert sent.content.decode("utf-8", "surrogatepass") == content


def test_a_large_content_travels_by_its_name_only() -> None:
    """Not in the document, not in the dispatch."""
    world = World(behave=echoing)
    request = world.broker.offer("acme", COMMAND, LARGE)
    world.tick()
    (_, envelope) = world.publisher.published[0]
    assert len(envelope.data) < 2_000
    (stored,) = decode_dispatch(envelope.data).messages
    content = stored.message.content
    assert content.text is None
    assert content.object == f"acme/D-{request}/{content.sha256}"
    assert content.size == 300_000
    assert world.contents.objects[content.object].decode() == LARGE


def test_an_object_expires_from_when_its_message_ended() -> None:
    """Never by age: while the message waits, its content does too."""
    world = World(behave=echoing)
    world.broker.offer("acme", COMMAND, LARGE)
    world.tick()
    world.clock.forward(days=30)
    assert world.contents.expired == {}
    world.minute()
    world.minute()
    done = world.clock()
    world.minutes(2)
    assert len(world.contents.objects) == 2
    assert world.contents.expired.keys() == world.contents.objects.keys()
    assert max(world.contents.expired.values()) <= done


def test_a_personal_object_is_deleted_when_its_message_ends() -> None:
    """Its reply's too; the history keeps hash and size."""
    world = World(behave=echoing)
    request = world.broker.offer("acme", SECRET_ONE, LARGE)
    world.minute()
    assert len(world.contents.objects) == 1, "only the reply's is left"
    world.minute()
    assert world.contents.objects == {}
    content = world.ended()[request].message.content
    assert (content.text, content.object, content.size) == (None, None, 300_000)


@pytest.mark.parametrize("command", [COMMAND, SECRET_ONE])
@pytest.mark.parametrize("dies", [False, True])
def test_a_repeat_leaves_no_object_behind(command: str, dies: bool) -> None:  # noqa: FBT001
    """Its content was stored before it was known: what ends again expires, or goes, again."""
    world = World()
    request = world.broker.offer("acme", command, LARGE)
    world.minute()
    world.clock.forward(days=1)
    world.broker.offer("acme", command, LARGE, message_id=request)
    if dies:
        world.store.faults.fail("history", Unavailable("down"))
    world.minutes(5)
    assert world.live() == {}
    assert len(world.contents.objects) == (command == COMMAND)
    assert world.contents.expired.keys() == world.contents.objects.keys()


@pytest.mark.parametrize("message_id", ["m", None])
def test_personal_repeats_that_come_at_once_leave_no_object_behind(message_id: str | None) -> None:
    """Each puts the same object before either is known for a repeat of what has ended: neither
    leaves it to the other one."""
    world = World()
    world.broker.deliver("acme", Delivery(None, message_id, SECRET_ONE, LARGE))
    world.minutes(2)
    assert world.contents.objects == {}
    for _ in range(2):
        world.broker.deliver("acme", Delivery(None, message_id, SECRET_ONE, LARGE))
    world.minutes(2)
    assert len(world.ran) == 1
    assert world.live() == {}
    assert world.contents.objects == {}


def test_a_repeat_of_what_is_live_harms_its_object_in_nothing() -> None:
    """It is the same object: the message still needs it."""
    world = World(behave=echoing)
    request = world.broker.offer("acme", COMMAND, LARGE)
    world.tick()
    world.broker.offer("acme", COMMAND, LARGE, message_id=request)
    world.tick(minutes=1)
    assert world.contents.expired == {}
    world.minutes(2)
    assert world.replies_to("acme") == [LARGE]


def test_a_published_repeat_leaves_no_object_behind() -> None:
    """Nor does one that is refused because the id is taken."""
    world = World()
    world.publish(id="one", content=LARGE)
    world.minute()
    assert world.publish(id="one", content=LARGE).repeated
    with pytest.raises(ValueError, match="another message has this id"):
        world.publish(id="one", content=LARGE + "!")
    assert len(world.contents.objects) == 1
    assert world.contents.expired.keys() == world.contents.objects.keys()


def test_a_reused_id_with_a_large_content_keeps_it() -> None:
    """The operator who looks into it finds all of it."""
    world = World()
    world.broker.offer("acme", COMMAND, "small", message_id="one")
    world.minute()
    world.broker.offer("acme", COMMAND, LARGE, message_id="one")
    world.minutes(3)
    (dead,) = world.live().values()
    assert dead.dead_reason is DeadReason.ID_REUSED
    assert world.contents.get(dead.content.object or "").decode() == LARGE
    assert world.contents.expired == {}


def test_a_bucket_that_is_down_leaves_the_message_in_the_broker() -> None:
    """Nothing is stored without its content, and nothing acked."""
    world = World()
    request = world.broker.offer("acme", COMMAND, LARGE)
    world.contents.faults.fail("put", Unavailable("down"))
    world.tick()
    assert (world.live(), world.broker.acked) == ({}, [])
    world.minute()
    assert world.ended().keys() == {request}


def test_a_bucket_that_is_down_costs_the_message_no_attempt() -> None:
    """It is handed back, and runs when its content can be had."""
    world = World()
    request = world.broker.offer("acme", COMMAND, LARGE)
    world.contents.faults.fail("get", Unavailable("down"), times=3)
    world.minute()
    message = world.live()[request]
    assert (message.state, message.attempt) == (State.PENDING, 0)
    world.minutes(5)
    assert world.ended()[request].message.attempt == 1


def test_a_content_that_is_gone_is_dead_at_once() -> None:
    """No retry brings it back; the reason names the object."""
    world = World()
    request = world.broker.offer("acme", COMMAND, LARGE)
    interruptions = world.store.faults = Interruptions()
    interruptions.at("before swap", world.contents.objects.clear)
    world.minute()
    message = world.live()[request]
    assert message.dead_reason is DeadReason.REJECTED
    assert "no longer in the bucket" in (message.error or "")


@pytest.mark.parametrize(("command", "call"), [(SECRET_ONE, "delete"), (COMMAND, "expire")])
def test_an_object_that_could_not_be_released_costs_nothing_else(
    command: str, call: str, logged: Logged
) -> None:
    """The message has ended; a line names the object for whoever tidies up."""
    world = World()
    request = world.broker.offer("acme", command, LARGE)
    world.contents.faults.fail(call, Unavailable("down"))
    world.minute()
    assert world.ended().keys() == {request}
    assert world.live() == {}
    [name] = world.contents.objects
    assert [line["object"] for line in logged("content_not_released")] == [name]


@pytest.mark.parametrize(("mebibytes", "parts"), [(1, [3]), (3, [2, 1]), (5, [1, 1, 1])])
def test_an_answer_of_large_contents_is_stored_part_by_part(
    mebibytes: int, parts: list[int]
) -> None:
    """On its way each content is in memory several times: 8 MiB of them at once."""
    stored: list[int] = []

    class Store(InMemoryMessages):
        def create(self, tenant: str, messages: Sequence[Message]) -> list[Version | None]:
            stored.append(len(messages))
            return super().create(tenant, messages)

    world = World(store=Store(), broker=InMemoryBroker(page=3))
    for _ in range(3):
        world.broker.offer("acme", COMMAND, "x" * (mebibytes << 20))
    world.minutes(2)
    assert stored == parts
    assert len(world.ended()) == 3
