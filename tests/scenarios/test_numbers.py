"""Numbers and identifiers go through the relay as they were written, whatever a double holds."""

from smartlink.consumer import Context, Reply, Returned
from smartlink.domain.payload import parse_payload
from smartlink.services.publishing.publish import parse_request
from tests.hostile.wire import Wire, wired
from tests.support.world import COMMAND, World
from tests.unit.adapters.http_server import Reply as Answer

WIDE = '{"valor":12345678901234567.89,"taxa":[10.10,1E5,-0.0,1e400],"n":123456789012345678901234}'


def envelope(content: str, identity: str = '"m"', tag: int = 1) -> str:
    named = f'"MsgId":{identity},"MsgType":"{COMMAND}","MsgContent":{content}'
    return f'{{{named},"MsgDeliveryTag":{tag}}}'


def echoing(content: str, _: Context) -> Returned:
    body = parse_payload(content).body
    assert isinstance(body, dict)
    return Reply("ProbeResponse", body)


def received(wire: Wire, *envelopes: str) -> None:
    wire.answers[:] = [Answer(body=f"[{','.join(envelopes)}]".encode())]
    wire.world.minutes(3)


def test_a_content_that_is_an_object_comes_and_goes_as_it_was_written() -> None:
    """From the broker to the store and the consumer, and in an answer that repeats it."""
    with wired(World(behave=echoing)) as wire:
        received(wire, envelope(WIDE))
        assert wire.world.ended()["m"].message.content.text == WIDE
        assert wire.sent == [WIDE.encode()]


def test_messages_whose_ids_differ_in_the_last_digit_stay_two() -> None:
    """Both run; neither is taken for a repeat, or for an id that was used again."""
    ids = ["12345678901234567.1", "12345678901234567.2", "9007199254740993", "9007199254740992"]
    with wired() as wire:
        received(wire, *(envelope('"c"', it, tag) for tag, it in enumerate(ids)))
        assert sorted(wire.world.ran) == sorted(("acme", it) for it in ids)
        assert wire.world.live() == {}


def test_what_is_published_is_sent_as_it_was_written() -> None:
    """Whoever publishes JSON and not its text."""
    content = WIDE.replace(",1e400", "")
    body = f'{{"tenant":"acme","type":"T","content":{content},"id":"n"}}'
    world = World()
    world.publish(**parse_request(body.encode()).model_dump(exclude_none=True))
    world.minute()
    assert world.replies_to() == [content]
