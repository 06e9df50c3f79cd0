"""Whatever the broker answers: no crash, no loss, bounded memory; good messages are executed."""

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlink.adapters.http.envelope import deliveries
from smartlink.domain.message import State
from smartlink.ports import PortError, Refused, Unavailable
from tests.hostile.corpus import BODIES, BOUNDED, BYTES, JSON_TEXTS, bomb, entry, written
from tests.hostile.wire import wired
from tests.scenarios.conftest import Logged
from tests.unit.adapters.http_server import Reply

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.sampled_from(["MsgId", "id", "MsgType", "type", "MsgContent", "msgcontent", "MsgAud"])
GOOD = entry("{}", 99, MsgId="good")


@given(st.binary(max_size=300) | st.sampled_from(sorted(BODIES.values())))
@BOUNDED
def test_any_bytes_are_messages_or_a_port_error(body: bytes) -> None:
    """Nothing else gets out: the relay knows what to do with either."""
    try:
        got = deliveries(body)
    except PortError:
        return
    assert all(isinstance(delivery.content, str) for delivery in got)


@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=5) | VALUES, max_size=5))
@BOUNDED
def test_a_hostile_entry_hides_no_good_one(entries: list[object]) -> None:
    """Before it and behind it: each entry becomes one delivery, the good ones as they are."""
    got = deliveries(json.dumps([GOOD, *entries, GOOD | {"MsgId": "last"}]).encode())
    assert len(got) == len(entries) + 2
    assert [(it.id, it.tag, it.problem) for it in (got[0], got[-1])] == [
        ("good", 99, None),
        ("last", 99, None),
    ]


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_message_stops_nothing(name: str) -> None:
    """Over HTTP, then the queue goes on: the good message that comes next is executed."""
    with wired() as wire:
        wire.answers += [Reply(body=BODIES[name])]
        wire.world.minute()
        wire.answers += [Reply(body=written(GOOD))]
        wire.world.minutes(2)
        assert ("acme", "good") in wire.world.ran
        assert 99 in wire.acked


@pytest.mark.parametrize("name", JSON_TEXTS)
def test_an_entry_of_any_text_is_kept_here_or_by_the_broker(name: str) -> None:
    """Raw, behind a good one. That runs and the other is kept as dead; or the answer was no JSON
    as a whole, and nothing of what could not be read is acked: the broker keeps it."""
    raw = JSON_TEXTS[name].encode("utf-8", "surrogatepass")
    good = json.dumps(GOOD).encode()
    with wired() as wire:
        wire.answers += [Reply(body=b"[" + good + b"," + raw + b"]")]
        wire.world.minutes(2)
        known = {*wire.world.ended(), *wire.world.live()}
        assert ("good" in known) == (99 in wire.acked) == (wire.world.ran == [("acme", "good")])
        if readable(JSON_TEXTS[name]):
            assert 99 in wire.acked
            assert wire.world.ended().keys() == {"good"}
            [other] = wire.world.live().values()
            assert other.state is State.DEAD


def readable(text: str) -> bool:
    """Whether Python takes the text for JSON."""
    try:
        json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return False
    return True


@pytest.mark.parametrize("name", BYTES)
def test_a_content_that_is_not_utf8_keeps_its_bytes(name: str) -> None:
    """Inside a JSON text: each invalid byte stands as U+DC80 to U+DCFF, and comes back from it."""
    if name in {"UTF-16", "UTF-16 without its mark", "UTF-32", "surrogates as bytes"}:
        raw = BYTES[name].replace(b'"', b"'")
    else:
        raw = BYTES[name].replace(b'"', b"'").replace(b"\\", b"/")
    body = b'[{"id": "odd", "type": "Nobodys", "deliveryTag": 1, "content": "' + raw + b'"}]'
    (got,) = deliveries(body.replace(b"\\", b"/"))
    assert got.content.encode("utf-8", "surrogateescape") == raw.replace(b"\\", b"/")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "nonsense", "gzip, gzip"])
def test_a_body_that_is_not_what_it_is_declared_to_be(encoding: str, logged: Logged) -> None:
    """The tick fails for this tenant, the log says so, the next one works."""
    with wired() as wire:
        headers = {"Content-Encoding": encoding}
        wire.answers += [Reply(body=b"\x00 this is not compressed", headers=headers)]
        wire.world.minute()
        assert len(logged("tenant_failed")) == 1
        wire.answers += [Reply(body=written(GOOD))]
        wire.world.minute()
        assert wire.world.ran == [("acme", "good")]


def test_a_decompression_bomb_is_bounded(logged: Logged) -> None:
    """200 MB in 200 KB: it is given up at the limit; little more than that is ever in memory."""
    packed = bomb()
    with wired() as wire:
        wire.world.minute()
        wire.answers += [Reply(body=packed, headers={"Content-Encoding": "gzip"})]
        tracemalloc.start()
        wire.world.minute()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20_000_000
        assert len(logged("tenant_failed")) == 1
        state = wire.world.store.states(["acme"])["acme"]
        assert "answered more than 4000000 bytes" in str(state.last_error)
        wire.answers += [Reply(body=written(GOOD))]
        wire.world.minute()
        assert wire.world.ran == [("acme", "good")]


@pytest.mark.parametrize("entry_text", [b"{}", b"7", b'"a"'])
def test_a_list_of_trifles_is_bounded(entry_text: bytes) -> None:
    """A million tiny entries would take 50 times their bytes: after 10,000 it is refused."""
    body = b"[" + entry_text + (b"," + entry_text) * 500_000 + b"]"
    tracemalloc.start()
    with pytest.raises(Refused, match="more than 10000 messages"):
        deliveries(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(body) + 20_000_000


@pytest.mark.parametrize("trifle", [b"[]", b"{}", b"[[[[]]]]", b"0"])
def test_a_content_of_trifles_is_not_made_into_objects(trifle: bytes) -> None:
    """A list of a million of them would take 20 times its bytes."""
    body = b'{"MsgType": "T", "MsgContent": [' + (trifle + b",") * 1_000_000 + trifle + b"]}"
    tracemalloc.start()
    (got,) = deliveries(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(got.content) > 1_000_000
    assert peak < 4 * len(body)


def test_no_text_without_an_end_takes_quadratic_time() -> None:
    """It is looked through once, not from each quote on."""
    body = b"[" + b"9" * 5_000 + b"," + b'"\\' * 200_000
    started = time.process_time()
    with pytest.raises(Unavailable, match="no JSON"):
        deliveries(body)
    assert time.process_time() - started < 2
