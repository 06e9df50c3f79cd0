"""Whatever a content is: it reaches the consumer as it came, and harms no other message."""

import hashlib
import tracemalloc
from typing import Any

import pytest
from google.cloud.firestore_v1 import types
from hypothesis import given
from hypothesis import strategies as st

from smartlink.adapters.firestore import documents
from smartlink.consumer import Consumer, Context, Payload, Reply, Returned, consumer
from smartlink.domain.identity import encode
from smartlink.domain.message import Ended, Ending, Message, State
from smartlink.domain.payload import correlation_id
from smartlink.ports import Delivery
from smartlink.services.contents import inline
from smartlink.services.dispatch import decode_dispatch
from tests.hostile.corpus import BOUNDED, JSON_TEXTS
from tests.support.samples import owned
from tests.support.world import COMMAND, START, World

SHORT = [text for text in JSON_TEXTS.values() if len(text) < 10_000]
TEXTS = st.text(st.characters(codec=None), max_size=60) | st.sampled_from(sorted(SHORT))


class Picky(Payload):
    """What most consumers are like: they want a field."""

    requestID: str  # noqa: N815  (a name on the wire)


@consumer(COMMAND)
def picky(request: Picky, context: Context) -> Returned:
    return Reply("Answer", f"{request.requestID} {context.message_id}")


class PickyWorld(World):
    """A world whose consumer parses the payload."""

    def _consumer(self, command: str) -> Consumer:
        return picky if command == COMMAND else super()._consumer(command)


@given(st.lists(TEXTS, min_size=1, max_size=4))
@BOUNDED
def test_any_content_reaches_the_consumer_as_it_came(contents: list[str]) -> None:
    """Through the document, the dispatch and back out as a reply: code point for code point."""
    seen: dict[str, str] = {}

    def echo(content: str, context: Context) -> Returned:
        seen[context.message_id] = content
        return Reply("Answer", content)

    world = World(behave=echo)
    offered = {world.broker.offer("acme", COMMAND, content): content for content in contents}
    world.minutes(2)
    assert seen == offered
    sent = sorted(sent.content for sent in world.broker.sent_by("acme"))
    assert sent == sorted(map(encode, contents))
    assert world.live() == {}


@pytest.mark.parametrize("name", JSON_TEXTS)
def test_a_content_that_a_model_refuses_dies_alone(name: str) -> None:
    """In one batch with good ones before and behind: those are answered, it is dead at once,
    with a reason that does not quote it."""
    world = PickyWorld()
    good = [world.broker.offer("acme", COMMAND, '{"requestID": "r"}') for _ in range(2)]
    bad = world.broker.offer("acme", COMMAND, JSON_TEXTS[name])
    last = world.broker.offer("acme", COMMAND, '{"requestID": "r"}')
    world.minutes(2)
    downstream = {it.id for it in (e.message for e in world.ended().values())} & {*good, last, bad}
    assert downstream == {*good, last}
    message = world.live()[bad]
    assert (message.state, message.attempt) == (State.DEAD, 1)
    assert message.content.text == JSON_TEXTS[name]
    assert message.error
    assert len(world.broker.acked) == 4


@pytest.mark.parametrize("name", JSON_TEXTS)
def test_a_hostile_name_is_stored_and_harms_nobody(name: str) -> None:
    """As id, type and audience of a message: it is live as dead or ended, and acked."""
    world = World()
    text = JSON_TEXTS[name]
    world.broker.offer("acme", text, message_id=text or "-", audience=text)
    world.broker.offer("acme", COMMAND, message_id=text or "-")
    good = world.broker.offer("acme", COMMAND)
    world.minutes(3)
    assert ("acme", good) in world.ran
    assert len(world.broker.acked) == 3
    assert len(world.store.live("acme")) + len(world.store.ended("acme")) == 3


def stored(message: Message) -> tuple[Message, Ended, bytes]:
    """The message, live and ended, as Firestore gives it back; and the live document's bytes."""
    live = types.Document.pb()()
    documents.put_live(live.fields, owned(message))
    history = types.Document.pb()()
    documents.put_history(history.fields, Ended(message, Ending.DONE, START, START))
    written: bytes = live.SerializeToString()
    again: Any = types.Document.pb().FromString(written)
    ended: Any = types.Document.pb().FromString(history.SerializeToString())
    return (
        documents.get_live(message.document, again.fields),
        documents.get_history(message.document, ended.fields),
        written,
    )


@given(TEXTS, TEXTS)
@BOUNDED
def test_what_is_stored_is_faithful_or_says_how_it_was_escaped(name: str, content: str) -> None:
    """The rule: text that UTF-8 carries is stored as that text; other text as the bytes of
    UTF-8 with surrogates, and `Codificacao` says so. Hash and size are of the same bytes."""
    world = World()
    world.broker.deliver("acme", Delivery(None, name or None, "Nobodys", content))
    world.tick()
    (live,) = world.store.live("acme").values()
    read, ended, written = stored(live.message)
    assert (read.content, read.id, read.type) == (
        inline(content),
        live.message.id,
        live.message.type,
    )
    assert ended.message.content == read.content
    assert read.content.sha256 == hashlib.sha256(encode(content)).hexdigest()
    assert encode(content) in written
    assert (b"surrogatepass" in written) == (not carried(content))


def carried(text: str) -> bool:
    """Whether UTF-8 can carry it."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


@given(TEXTS)
@BOUNDED
def test_a_dispatch_carries_any_content(content: str) -> None:
    """What Pub/Sub brings is what was stored."""
    world = World()
    world.broker.offer("acme", COMMAND, content)
    world.tick()
    ((_, envelope),) = world.publisher.published
    assert decode_dispatch(envelope.data).messages[0].message.content == inline(content)


def test_looking_for_a_correlation_id_is_bounded() -> None:
    """The poll looks into contents, and works for other tenants too: one of 9 MB that would
    take 200 MB as parsed JSON is not looked into; it travels on all the same."""
    content = '{"correlationId": "c", "rows": [' + "{}," * 3_000_000 + "{}]}"
    tracemalloc.start()
    assert correlation_id(content) is None
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert correlation_id('{"header": {"correlationId": "c"}, "content": 1}') == "c"
