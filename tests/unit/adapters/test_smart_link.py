"""The broker: every form of `get`, the calls as they go over the wire, sessions kept apart."""

import json
import traceback
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartlink.adapters.http.connections import Bounds, Http
from smartlink.adapters.http.envelope import deliveries
from smartlink.adapters.http.smart_link import SmartLinkBroker
from smartlink.domain.tenant import Credentials, Tenant
from smartlink.ports import BrokerSession, CredentialsRefused, Delivery, Refused, Unavailable
from smartlink.settings import Paths
from tests.unit.adapters.http_server import HttpServer, Reply, Seen, in_turn

BOUNDS = Bounds(
    connect_seconds=5,
    read_seconds=5,
    response_limit=1_000_000,
    retry_after_seconds=0,
    backoff_seconds=0,
)
OK = Reply(204)


def message(number: int = 1, **fields: object) -> dict[str, object]:
    """An entry as the broker writes it, with some fields changed."""
    entry = {
        "MsgId": f"m-{number}",
        "MsgType": "SGDPDataCommand",
        "MsgContent": "{}",
        "MsgAud": "RM",
        "MsgDeliveryTag": number,
    }
    return entry | fields


def parse(value: object) -> list[Delivery]:
    return deliveries(json.dumps(value).encode())


def delivery(number: int = 1) -> Delivery:
    return Delivery(number, f"m-{number}", "SGDPDataCommand", "{}", "RM")


class NumberedTokens:
    """Tokens that count how often they were refused."""

    def __init__(self) -> None:
        self.number = 1

    def token(self, tenant: Tenant, refused: str | None = None, seconds: float = 60) -> str:  # noqa: ARG002
        if refused == f"{tenant.name}-{self.number}":
            self.number += 1
        return f"{tenant.name}-{self.number}"


def tenant(name: str = "acme") -> Tenant:
    secret = {"clientId": name, "clientSecret": "s", "environment": "development"}
    return Tenant(name, Credentials.model_validate(secret))


def broker(server: HttpServer, paths: Paths | None = None, idle: int = 8) -> SmartLinkBroker:
    return SmartLinkBroker(
        Http(BOUNDS), server.url, paths or Paths(), NumberedTokens(), idle_sessions=idle
    )


ZEROS = "00000000-0000-0000-0000-000000000000"
ENVELOPE = {"msgId": "", "msgType": "", "msgContent": "", "msgAud": "", "msgDeliveryTag": "0"}
NOTHING: list[object] = [
    None,
    [],
    {},
    [{}],
    [None],
    [[]],
    0,
    False,
    "",
    "[]",
    "null",
    json.dumps(json.dumps({"messages": []})),
    ENVELOPE,
    [ENVELOPE, ENVELOPE],
    dict.fromkeys(ENVELOPE),
    ENVELOPE | {"msgId": ZEROS, "msgDeliveryTag": 0},
    ENVELOPE | {"msgId": f"{{{ZEROS}}}", "msgContent": "null", "msgDeliveryTag": None},
    ENVELOPE | {"msgContent": "{}", "msgAud": "ERP", "msgDeliveryTag": 0.0},
    ENVELOPE | {"msgContent": {}, "sent": "0001-01-01T00:00:00", "persistent": False},
    ENVELOPE | {"at": "2026-01-02T03:04:05Z", "server": "link-3", "status": 204},
    {"id": 0, "type": None, "content": [], "deliveryTag": 0},
    {"messages": []},
    {"Messages": None, "count": 0},
    {"messages": [], "requestId": "7f", "success": True, "message": "the queue is empty"},
    {"message": ENVELOPE},
    {"data": {"items": [{}]}, "hasNext": False},
    {"items": [], "hasNext": True},
]


@pytest.mark.parametrize("body", ["", " \r\n\t", " [] ", "\ufeff", "\ufeff{}", "\ufeff \r\n"])
def test_nothing_in_each_form(body: str) -> None:
    """An empty queue is no error and no message."""
    assert deliveries(body.encode()) == []
    assert deliveries(b"\xff\xfe" + body.removeprefix("\ufeff").encode("utf-16-le")) == []


@pytest.mark.parametrize("value", NOTHING, ids=json.dumps)
def test_nothing_as_zero_values(value: object) -> None:
    """Gateways of gRPC services, and serializers of .NET, write an empty message so."""
    assert parse(value) == []


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ({"other": "x"}, None),
        ({"code": 204, "message": "empty"}, None),
        ({"messageId": "m", "body": "b"}, None),
        (ENVELOPE | {"msgDeliveryTag": "7"}, 7),
        (ENVELOPE | {"msgContent": "x"}, None),
        (ENVELOPE | {"msgType": "X", "msgContent": None}, None),
        ([ENVELOPE, {"other": "x"}], None),
    ],
)
def test_what_may_be_a_message_is_none_of_nothing(value: object, tag: int | None) -> None:
    """It is kept, with its raw text; a tag of zero was not set."""
    got = parse(value)
    assert got
    assert got[-1].problem is not None
    assert got[-1].tag == tag


@pytest.mark.parametrize(
    "value",
    [
        {"messages": [message(1), message(2)]},
        {"Data": {"Items": [message(1), message(2)]}, "total": 2},
        {"success": True, "result": [message(1), message(2)], "errors": []},
        json.dumps([message(1), message(2)]),
        {"id": None, "value": [message(1), message(2)]},
    ],
)
def test_messages_may_be_wrapped(value: object) -> None:
    """In an object with one list, or in a text: each is read as without it."""
    assert parse(value) == [delivery(1), delivery(2)]


def test_a_message_in_utf_16_is_read() -> None:
    """A byte order mark tells the encoding."""
    body = json.dumps(message(1), ensure_ascii=False)
    assert deliveries(b"\xff\xfe" + body.encode("utf-16-le")) == [delivery(1)]


RECEIPTS = [b"", b" \r\n", b"{}", b"null", b"OK", b"true", b'"done"', b'\xef\xbb\xbf{"ok": true}']
PAGES = [
    b"<!doctype html><title>canary</title>",
    b"\xef\xbb\xbf\r\n<html>",
    b"<?xml version='1.0'?><fault/>",
    b"<!-- canary -->",
    b"Please log in to the network",
    b"Service temporarily unavailable",
    b"{canary}",
    b"[" * 50_000,
    b'{"a": "' + b"x" * 70_000 + b'"}',
]
DOINGS: list[Callable[[BrokerSession], object]] = [
    lambda session: session.setup(["X"]),
    lambda session: session.ack(1),
    lambda session: session.send("X", None, b"{}"),
]


@pytest.mark.parametrize("body", RECEIPTS)
def test_a_receipt_is_nothing_or_json_or_a_word(body: bytes) -> None:
    """What is done needs no more than a status."""
    for do in DOINGS:
        with HttpServer(lambda _: Reply(202, body)) as server:
            with broker(server).session(tenant()) as session:
                do(session)
            assert len(server.seen) == 1


@pytest.mark.parametrize("body", PAGES, ids=lambda body: ascii(body[:20]))
def test_a_page_is_no_receipt(body: bytes) -> None:
    """A captive portal or a gateway answers 200 for a server that never got the call."""
    for do in DOINGS:
        with HttpServer(lambda _: Reply(body=body)) as server:
            with (
                broker(server).session(tenant()) as session,
                pytest.raises(Unavailable, match="not the broker's") as raised,
            ):
                do(session)
            assert "canary" not in str(raised.value)


def test_a_page_instead_of_messages_is_unavailable() -> None:
    """Nothing of it is stored as a message."""
    for body in PAGES[:6]:
        with pytest.raises(Unavailable):
            deliveries(body)


@pytest.mark.parametrize("name", ["messages", "Message", "items", "DATA", "value", "result"])
def test_messages_in_a_member_of_the_answer(name: str) -> None:
    """Whatever else the answer says; an object that names anything of a message is one itself."""
    inner = '{"id": "m", "type": "A", "content": "x", "deliveryTag": 1}'
    for held, number in ((inner, 1), (f"[{inner}, {inner}]", 2), ("[]", 0), ("null", 0)):
        answer = f'{{"count": 2, "{name}": {held}, "more": {{"a": [1]}}}}'
        assert len(deliveries(answer.encode())) == number, answer
    (own,) = deliveries(f'{{"type": "A", "content": "x", "{name}": [{inner}]}}'.encode())
    assert own.type == "A"
    assert own.content == "x"


def test_one_message_or_a_list() -> None:
    """Both are accepted, in order."""
    assert parse(message(1)) == [delivery(1)]
    assert parse([message(2), message(1)]) == [delivery(2), delivery(1)]


@pytest.mark.parametrize(
    "names",
    [
        ("MsgId", "MsgType", "MsgContent", "MsgAud", "MsgDeliveryTag"),
        ("msgId", "msgType", "msgContent", "msgAud", "msgDeliveryTag"),
        ("msgid", "msgtype", "msgcontent", "msgaud", "msgdeliverytag"),
        ("MSGID", "MSGTYPE", "MSGCONTENT", "MSGAUD", "MSGDELIVERYTAG"),
        ("id", "type", "content", "audience", "deliveryTag"),
        ("Id", "Type", "Content", "Audience", "DeliveryTag"),
        ("ID", "TYPE", "CONTENT", "AUDIENCE", "deliverytag"),
    ],
)
def test_names_in_any_casing(names: tuple[str, ...]) -> None:
    """Senders and proxies disagree on them."""
    values = ("m-1", "SGDPDataCommand", "{}", "RM", 1)
    assert parse(dict(zip(names, values, strict=True))) == [delivery(1)]


@pytest.mark.parametrize(
    ("written", "read"),
    [("m", "m"), (7, "7"), (1.5, "1.5"), (None, None), ("", None), (" ", None), (ZEROS, None)],
)
def test_ids(written: object, read: str | None) -> None:
    """A number is an id too; a message may have none."""
    (got,) = parse(message(MsgId=written))
    assert (got.id, got.problem) == (read, None)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (5, 5),
        ("5", 5),
        (2**64 - 1, 2**64 - 1),
        (2**64, None),
        ("9" * 5_000, None),
        (True, None),
        (1.5, None),
        ("x", None),
        ("٣", None),
        ([1], None),
        (None, None),
    ],
)
def test_tags(written: object, read: int | None) -> None:
    """A tag is a number, perhaps in a text; without one the message is still delivered."""
    (got,) = parse(message(MsgDeliveryTag=written))
    assert (got.tag, got.problem) == (read, None)


@pytest.mark.parametrize(
    ("content", "text"),
    [("", ""), ("<a/>", "<a/>"), ({"é": [1, None]}, '{"é":[1,null]}'), ([], "[]"), ("\0", "\0")],
)
def test_contents(content: object, text: str) -> None:
    """A text is taken as it is; an object or a list stands for its JSON text."""
    (got,) = parse(message(MsgContent=content))
    assert (got.content, got.problem) == (text, None)


def test_a_content_is_tidied_up_to_a_mebibyte() -> None:
    """A larger object stays as it was written: to look through it takes too long."""
    for size, blank in ((1_048_576, ""), (1_048_577, " ")):
        text = '{"a": "' + "x" * (size - 9) + '"}'
        (got,) = deliveries(f'{{"MsgType": "A", "MsgContent": {text}}}'.encode())
        assert len(text) == size
        assert got.content == text.replace(" ", blank)


@pytest.mark.parametrize(
    "bad",
    [
        message(9, MsgContent=None),
        message(9, MsgContent=7),
        message(9, MsgContent=False),
        message(9, MsgType=None),
        message(9, MsgType=""),
        message(9, MsgType=["x"]),
        message(9, MsgAud={"a": 1}),
        message(9, MsgId=[1]),
        message(9, MsgId=True),
        {"MsgDeliveryTag": 9, "other": "é"},
    ],
)
def test_a_malformed_message_harms_only_itself(bad: dict[str, object]) -> None:
    """It is delivered raw, with its tag and a problem, so that it can be stored dead and acked."""
    before, got, after = parse([message(1), bad, message(2)])
    assert (before, after) == (delivery(1), delivery(2))
    assert got.tag == 9
    assert got.problem
    assert json.loads(got.content) == bad
    assert got.type in {"", "SGDPDataCommand"}


@pytest.mark.parametrize("bad", [None, 1, "text", [], [message(1)], True])
def test_an_entry_that_is_no_object(bad: object) -> None:
    """It has no tag, but is shown."""
    assert parse([bad, message(1)]) == [
        Delivery(
            None, None, "", json.dumps(bad, separators=(",", ":")), None, "it is no JSON object"
        ),
        delivery(1),
    ]


def hostile(fields: str) -> str:
    return f'{{"MsgDeliveryTag": 9, "MsgType": "T", {fields}}}'


DEEP = "[" * 5_000 + "]" * 5_000
HUGE = "9" * 5_000


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        (f'"MsgContent": {DEEP}', Delivery(9, None, "T", DEEP)),
        (f'"MsgContent": "c", "x": {{"a": {DEEP}}}', Delivery(9, None, "T", "c")),
        (f'"MsgContent": "c", "MsgId": {HUGE}', Delivery(9, HUGE, "T", "c")),
        (f'"MsgContent": "c,\\"}}]:", "x": -{HUGE}', Delivery(9, None, "T", 'c,"}]:')),
    ],
)
def test_what_python_cannot_read_harms_nobody(fields: str, want: Delivery) -> None:
    """Nesting and numbers beyond Python's limits: the message is delivered, so are the others."""
    good = json.dumps(message(1))
    text = f"[ {good} , {hostile(fields)},{good}]"
    assert deliveries(text.encode()) == [delivery(1), want, delivery(1)]
    assert deliveries(hostile(fields).encode()) == [want]


def test_a_huge_content_is_a_content() -> None:
    """However long a number in it, however deep it is; an id is none."""
    (got,) = deliveries(hostile(f'"MsgContent": [{HUGE}]').encode())
    assert (got.tag, got.content, got.problem) == (9, f"[{HUGE}]", None)
    (got,) = deliveries(hostile(f'"MsgContent": [{HUGE}], "MsgId": {DEEP}').encode())
    assert got.tag == 9
    assert f'"MsgContent":[{HUGE}],"MsgId":{DEEP}' in got.content
    assert got.problem == "its id is neither a text nor a number"


@pytest.mark.parametrize(
    "number",
    [
        "12345678901234567.89",
        "10.10",
        "1e400",
        "-0.0",
        "1E5",
        "0.1000000000000000055511151231257827",
        "123456789012345678901234567890",
        "-0",
        "1.0",
    ],
)
def test_numbers_stay_as_they_are_written(number: str) -> None:
    """In a content that is an object or a list, however deep, and as an id."""
    content = f'{{ "a" : [ {number} , {{"b":{number}}} ], "é\u00e9": "\n" }}'
    (got,) = deliveries(hostile(f'"MsgContent": {content}, "MsgId": {number}').encode())
    assert got.content == f'{{"a":[{number},{{"b":{number}}}],"éé":"\\n"}}'
    assert got.id == number


def test_ids_that_differ_in_the_last_digit_stay_two() -> None:
    """No double could tell them apart."""
    ids = [
        "12345678901234567890.1",
        "12345678901234567890.2",
        "9007199254740992",
        "9007199254740993",
    ]
    body = "[" + ",".join(hostile(f'"MsgContent": "c", "MsgId": {it}') for it in ids) + "]"
    assert [got.id for got in deliveries(body.encode())] == ids


@pytest.mark.parametrize(
    "bad",
    [
        '"MsgContent": "c", "x": nope',
        '"MsgContent": "c" "x": 1',
        '"MsgContent": "c", x: 1',
        '"MsgContent": "c",',
        '"MsgContent": "c", "x"',
        '"MsgContent": 01',
    ],
)
def test_an_entry_that_is_no_json_harms_only_itself(bad: str) -> None:
    """It is kept raw, with the tag that stood before the mistake: it blocks nobody."""
    good = json.dumps(message(1))
    raw = hostile(bad)
    one, got, two = deliveries(f"[{good}, {raw}, {good}]".encode())
    assert one == two == delivery(1)
    assert got.tag == 9
    assert "no JSON" in (got.problem or "")
    assert "MsgContent" in got.content


def test_a_content_that_is_no_json_is_its_consumers_business() -> None:
    """It is delivered as it is written, and dead by its own consumer, nobody else's."""
    (got,) = deliveries(hostile('"MsgContent": {"a": nope, "b": NaN}').encode())
    assert (got.content, got.problem) == ('{"a":nope,"b":NaN}', None)


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ('"MsgContent": "a", "MsgContent": "b"', "b"),
        ('"MsgContent": "\\ud800"', "\ud800"),
        ('"MsgContent": "a\nb\tc"', "a\nb\tc"),
        ('"MsgContent": "c", "x": NaN, "y": -Infinity', "c"),
        ('"MsgContent": "\\u0000"', "\0"),
    ],
)
def test_odd_json_is_read(fields: str, content: str) -> None:
    """Duplicate names (the last counts), lone surrogates, raw control characters, NaN."""
    assert deliveries(hostile(fields).encode()) == [Delivery(9, None, "T", content)]


def test_a_body_that_is_not_utf8_keeps_its_bytes() -> None:
    """They can be had back from the text."""
    body = hostile('"MsgContent": "a\xe9b"').encode("latin-1")
    (got,) = deliveries(body)
    assert got.content.encode("utf-8", "surrogateescape") == b"a\xe9b"


@pytest.mark.parametrize("body", ["<html>", "{", '[{"a": 1}', "7", '"text"', "true", "[1] x", "]"])
def test_no_json_is_unavailable(body: str) -> None:
    """Nothing in it can be acked: a proxy's page, perhaps; it may be gone the next time."""
    with pytest.raises(Unavailable, match="Smart Link get answered"):
        deliveries(body.encode())


@settings(deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(alphabet='[]{}",:\\ 1en\ud800x', max_size=60).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
)
def test_no_body_crashes(body: bytes) -> None:
    """Whatever comes: deliveries, or Unavailable."""
    try:
        got = deliveries(body)
    except Unavailable:
        return
    assert all(isinstance(item.content, str) for item in got)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(["MsgId", "type", "MSGTYPE", "content", "deliveryTag", "audience", "x"])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.dictionaries(names, json_values) | json_values, max_size=4))
def test_every_entry_is_delivered(entries: list[object]) -> None:
    """None is lost, none is added, and the good one among them is intact."""
    assert parse([*entries, message(1)])[-1] == delivery(1)
    assert len(parse([*entries, message(1)])) == len(entries) + 1


def test_the_calls_on_the_wire() -> None:
    """Verbs, paths, headers and bodies are those of the facts."""
    with HttpServer(lambda _: OK) as server, broker(server).session(tenant()) as session:
        session.setup(["A", "B"])
        assert session.get() == []
        session.ack(7)
        session.send("SGDPDataResponse", "SGDP", b' {"a": "\xc3\xa9"}')
        session.send("SGDPDataResponse", None, b"<xml/>")
    calls = [(seen.verb, seen.path, seen.body) for seen in server.seen]
    assert calls == [
        ("POST", "/api/v1/link/setup", b'{"subscriptions": ["A", "B"]}'),
        ("GET", "/api/v1/link/get", b""),
        ("POST", "/api/v1/link/ack", b'{"deliveryTag": 7, "ack": true}'),
        ("POST", "/api/v1/link/send/SGDPDataResponse/SGDP", b' {"a": "\xc3\xa9"}'),
        ("POST", "/api/v1/link/send/SGDPDataResponse", b"<xml/>"),
    ]
    kinds = [seen.headers.get("Content-Type") for seen in server.seen]
    assert kinds == [
        "application/json",
        None,
        "application/json",
        "application/json",
        "text/plain; charset=utf-8",
    ]
    assert {seen.headers["Authorization"] for seen in server.seen} == {"Bearer acme-1"}
    assert all(seen.headers["User-Agent"].startswith("smartlink-gcp") for seen in server.seen)
    assert len({seen.connection for seen in server.seen}) == 1


def test_a_send_carries_its_messages_trace() -> None:
    """The next one only: no other call, and no other message, belongs to it."""
    traced = f"00-{'a' * 32}-{'b' * 16}-01"
    with HttpServer(lambda _: OK) as server, broker(server).session(tenant()) as session:
        session.trace(traced)
        session.get()
        session.ack(1)
        session.send("X", None, b"{}")
        session.send("X", None, b"{}")
    seen = [(it.path.split("/")[4], it.headers.get("traceparent")) for it in server.seen]
    assert seen == [("get", None), ("ack", None), ("send", traced), ("send", None)]


def test_paths_and_verbs_are_settings() -> None:
    """An assumption that proves wrong is corrected without a change of code."""
    paths = Paths(get="POST /v2/next", send_audience="PUT /v2/{audience}/{type}")
    with HttpServer(lambda _: OK) as server, broker(server, paths).session(tenant()) as session:
        session.get()
        session.send("T", "A", b"")
    assert [(seen.verb, seen.path) for seen in server.seen] == [
        ("POST", "/v2/next"),
        ("PUT", "/v2/A/T"),
    ]


@pytest.mark.parametrize(
    "name",
    ["a/b", "../../x", "a?b=c", "a#b", "a b", "é😀", "%2e%2e", "{audience}", "a\r\nb", "\0", "..."],
)
def test_hostile_types_and_audiences_are_escaped(name: str) -> None:
    """They stay one segment of the path, whatever they hold."""
    with HttpServer(lambda _: OK) as server, broker(server).session(tenant()) as session:
        session.send(name, name, b"x")
    head, first, second = server.seen[0].path.rsplit("/", 2)
    assert head == "/api/v1/link/send"
    assert unquote(first) == unquote(second) == name


@pytest.mark.parametrize("name", [".", "..", ""])
def test_a_type_that_no_path_can_hold_is_refused(name: str) -> None:
    """`..` would be resolved: the request would reach another path."""
    with (
        HttpServer(lambda _: OK) as server,
        broker(server).session(tenant()) as session,
        pytest.raises(Refused, match="type of a message"),
    ):
        session.send(name, "A", b"x")
    assert server.seen == []


CALLS: dict[str, Callable[[BrokerSession], object]] = {
    "setup": lambda session: session.setup(["T"]),
    "get": lambda session: session.get(),
    "ack": lambda session: session.ack(1),
    "send": lambda session: session.send("T", None, b"content"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_refused_token_is_renewed_once(name: str) -> None:
    """A 401 costs one renewal and one repetition, of any call."""

    def answering(seen: Seen) -> Reply:
        return Reply(200 if seen.headers["Authorization"] == "Bearer acme-2" else 401)

    with HttpServer(answering) as server, broker(server).session(tenant()) as session:
        CALLS[name](session)
        session.get()
    first, again, _ = server.seen
    assert (first.verb, first.path, first.body) == (again.verb, again.path, again.body)
    assert name in first.path


@pytest.mark.parametrize("name", CALLS)
def test_a_second_401_is_a_refusal(name: str) -> None:
    """Two requests, no more; the tenant's credentials are to blame, not what was sent."""
    with (
        HttpServer(lambda _: Reply(401)) as server,
        broker(server).session(tenant()) as session,
        pytest.raises(CredentialsRefused, match="tenant acme"),
    ):
        CALLS[name](session)
    assert len(server.seen) == 2


class NoTokens:
    """RAC that refuses for some other reason than the credentials."""

    def token(self, tenant: Tenant, refused: str | None = None, seconds: float = 60) -> str:  # noqa: ARG002
        del refused
        message = f"no token for {tenant.name}"
        raise Refused(message)


def test_without_a_token_no_message_is_to_blame() -> None:
    """A refusal of a `send` would count against the message, which RAC has not seen."""
    link = SmartLinkBroker(Http(BOUNDS), "http://127.0.0.1:1", Paths(), NoTokens())
    with link.session(tenant()) as session, pytest.raises(CredentialsRefused, match="for acme"):
        session.send("T", None, b"x")


def channel(seen: Seen) -> Reply:
    """Gives each connection a cookie of its own when it comes without one."""
    if "Cookie" in seen.headers:
        return OK
    return Reply(204, headers={"Set-Cookie": f"channel={seen.connection}; Path=/"})


def test_concurrent_sessions_are_apart() -> None:
    """Neither cookies nor connections are shared: a delivery tag belongs to its session."""
    with HttpServer(channel) as server:
        link = broker(server)
        with link.session(tenant()) as one, link.session(tenant()) as two:
            for session in (one, two, one, two):
                session.get()
    first, second, *later = server.seen
    assert first.connection != second.connection
    assert [seen.headers["Cookie"] for seen in later] == [
        f"channel={first.connection}",
        f"channel={second.connection}",
    ]
    assert [seen.connection for seen in later] == [first.connection, second.connection]


def test_a_session_is_used_again_by_the_same_tenant_only() -> None:
    """The next holder finds its cookies and its connection; another tenant gets neither."""
    with HttpServer(channel) as server:
        link = broker(server)
        for name in ("acme", "acme", "zeta", "acme"):
            with link.session(tenant(name)) as session:
                session.get()
    acme, again, zeta, last = server.seen
    assert acme.connection == again.connection == last.connection != zeta.connection
    assert again.headers["Cookie"] == last.headers["Cookie"] == f"channel={acme.connection}"
    assert "Cookie" not in zeta.headers
    assert zeta.headers["Authorization"] != acme.headers["Authorization"]


def test_a_session_with_unacked_messages_is_closed() -> None:
    """So the broker gives them to the next one, and no later holder acks a stranger's tag."""
    offers = Reply(body=json.dumps([message(1), message(2)]).encode())
    with HttpServer(in_turn(offers, OK, offers, OK, OK, OK)) as server:
        link = broker(server)
        with link.session(tenant()) as session:
            session.get()
            session.ack(1)
        with link.session(tenant()) as session:
            session.get()
            session.ack(1)
            session.ack(2)
        with link.session(tenant()) as session:
            session.get()
    connections = [seen.connection for seen in server.seen]
    assert len(set(connections[:2])) == 1
    assert len(set(connections[2:])) == 1
    assert connections[0] != connections[2]


@pytest.mark.parametrize("reply", [Reply(500), Reply(body=b"[", missing=1), Reply(404)])
def test_a_session_that_failed_is_closed(reply: Reply) -> None:
    """Its successor starts anew."""
    with HttpServer(in_turn(reply, OK)) as server:
        link = broker(server)
        with link.session(tenant()) as session, pytest.raises((Unavailable, Refused)):
            session.get()
        with link.session(tenant()) as session:
            session.get()
    assert len({seen.connection for seen in server.seen}) == 2


def test_failures_tell_no_secret() -> None:
    """Invariant 10: neither token, content, type nor audience shows."""
    secret = "can" + "ary"  # its own lines stand in a traceback
    calls: list[Callable[[BrokerSession], object]] = [
        lambda session: session.send(secret, secret, secret.encode()),
        lambda session: session.setup([secret]),
        lambda session: session.get(),
        lambda session: session.ack(7),
    ]
    for reply in (
        Reply(400, b"canary"),
        Reply(403, b"canary"),
        Reply(500, b"canary"),
        Reply(302, b"canary", {"Location": "http://canary/"}),
        Reply(hang_up=True),
    ):
        for call in calls:
            with HttpServer(in_turn(reply, reply)) as server:
                shown = failure(broker(server), call)
            assert "canary" not in shown


def failure(link: SmartLinkBroker, call: Callable[[BrokerSession], object]) -> str:
    """What is shown of it, with all that it came of."""
    with link.session(tenant()) as session:
        with pytest.raises((Refused, Unavailable)) as raised:
            call(session)
        return "".join(traceback.format_exception(raised.value)) + repr(session)


def test_blanks_may_follow_a_list() -> None:
    body = json.dumps([message()]).encode()
    assert deliveries(body + b" \r\n") == [delivery()]


def test_a_tag_is_a_number_of_64_bits() -> None:
    """With a sign or without: what is beyond is none, and its message is kept all the same."""
    for tag in (-(2**63), 2**64 - 1):
        assert parse(message(MsgDeliveryTag=tag))[0].tag == tag
    for tag in (-(2**63) - 1, 2**64):
        [odd] = parse(message(MsgDeliveryTag=tag))
        assert odd == replace(delivery(), tag=None)


def test_an_answer_has_ten_thousand_messages_at_most() -> None:
    """As many are taken; with one more none is."""
    assert len(deliveries(b"[" + b",".join([b"[7]"] * 10_000) + b"]")) == 10_000
    with pytest.raises(Refused, match="more than 10000 messages"):
        deliveries(b"[" + b",".join([b"{}"] * 10_001) + b"]")


def test_texts_beside_a_nested_content_are_read_as_json_has_them() -> None:
    """With blanks behind them and with escapes, those that JSON has and those that it has not."""
    body = rb'{"MsgType": "A\u0042\n" , "MsgId" : "plain" , "MsgAud": "\x" , "MsgContent": [1] }'
    (got,) = deliveries(body)
    assert (got.type, got.id, got.audience, got.content) == ("AB\n", "plain", "\\x", "[1]")


def test_a_token_is_waited_for_as_long_as_the_call_may_last() -> None:
    """Not longer: a token that comes after the tick is of no use to it."""
    asked: list[float] = []

    class Tokens(NumberedTokens):
        def token(self, tenant: Tenant, refused: str | None = None, seconds: float = 60) -> str:
            asked.append(seconds)
            return super().token(tenant, refused, seconds)

    with HttpServer(lambda _: OK) as server:
        link = SmartLinkBroker(Http(BOUNDS), server.url, Paths(), Tokens(), idle_sessions=8)
        with link.session(tenant()) as session:
            session.limit(30)
            session.ack(7)
    [seconds] = asked
    assert 20 < seconds <= 30
