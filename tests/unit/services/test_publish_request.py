"""The body of a `publish`: what is accepted, and how what is not is named."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlink.services.publishing import publish
from smartlink.services.publishing.publish import PublishError, PublishRequest, parse_request
from tests.support.world import World

GOOD: dict[str, object] = {"tenant": "acme", "type": "Probe", "content": "x"}


def parse(**changes: object) -> PublishRequest:
    return parse_request(json.dumps(GOOD | changes).encode())


def refused_field(body: bytes) -> str:
    with pytest.raises(PublishError) as refused:
        parse_request(body)
    assert str(refused.value)
    assert not refused.value.conflict
    return refused.value.field


@pytest.mark.parametrize("content", ["", "opaque", "\x00", {}, {"a": None}, [], [1, {"b": "ç"}]])
def test_a_content_is_a_text_or_json(content: object) -> None:
    """What it says is free, as in RM."""
    assert parse(content=content).content == content


@pytest.mark.parametrize("text", ["x" * 512, "a/b", "ação", "😀", "__x__", "~", "...", " "])
@pytest.mark.parametrize("name", ["type", "audience", "correlationId", "id"])
def test_names_are_free_within_reason(name: str, text: str) -> None:
    """Up to 512 characters of whatever the receiver expects."""
    assert parse(**{name: text})


@pytest.mark.parametrize("name", ["type", "audience", "correlationId", "id"])
@pytest.mark.parametrize("text", ["", "x" * 513, "a\x00b", "\x00", "\n", "\x7f", "\ud800"])
def test_a_name_that_cannot_be_is_named(name: str, text: str) -> None:
    """Empty, too long, with a control character, or no text that UTF-8 can carry."""
    assert refused_field(json.dumps(GOOD | {name: text}).encode()) == name


@pytest.mark.parametrize("name", ["type", "audience"])
@pytest.mark.parametrize("text", [".", ".."])
def test_a_path_of_the_broker_can_hold_it(name: str, text: str) -> None:
    """These two have no escaped form: it could never be sent, so it is not accepted."""
    assert refused_field(json.dumps(GOOD | {name: text}).encode()) == name
    assert parse(id=text, correlationId=text)


@pytest.mark.parametrize("missing", ["tenant", "type", "content"])
def test_what_is_missing_is_named(missing: str) -> None:
    """By its own name."""
    body = {name: value for name, value in GOOD.items() if name != missing}
    assert refused_field(json.dumps(body).encode()) == missing


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tenant": 7}, "tenant"),
        ({"tenant": None}, "tenant"),
        ({"type": 7}, "type"),
        ({"type": None}, "type"),
        ({"audience": 7}, "audience"),
        ({"correlationId": ["c"]}, "correlationId"),
        ({"id": {}}, "id"),
        ({"id": "00000000-0000-0000-0000-000000000000"}, "id"),
        ({"content": 7}, "content"),
        ({"content": None}, "content"),
        ({"content": True}, "content"),
        ({"content": "\ud800"}, "content"),
        ({"contents": "x"}, "contents"),
        ({"Tenant": "acme"}, "Tenant"),
        ({"\ud800": 1}, "body"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, object], field: str) -> None:
    """Of another kind, or unknown: it is the field as the caller wrote it."""
    assert refused_field(json.dumps(GOOD | changes).encode()) == field


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"\xff\xfe",
        b"tenant=acme&type=Probe",
        b'{"tenant": "acme", "type": "Probe", "content": {"a": NaN}}',
        b'{"tenant": "acme", "type": "Probe", "content": [-Infinity]}',
        b"[" * 100_000,
        b'{"content":' * 100_000,
        b"1" * 5_000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_a_body_that_is_no_json_object_is_named(body: bytes) -> None:
    """Also the `NaN` that Python would take for JSON, and nesting that nobody can read."""
    assert refused_field(body) == "body"


@given(st.binary(max_size=100) | st.text(st.characters(exclude_categories=())).map(json.dumps))
def test_no_body_causes_another_error(body: bytes | str) -> None:
    """Whatever is posted, it is a request or a PublishError."""
    with pytest.raises(PublishError):
        parse_request(body if isinstance(body, bytes) else body.encode())


def test_no_nesting_causes_another_error() -> None:
    """Each depth is stored or refused, also the one that can be read and not be written."""
    world = World()
    accepted = 0
    for depth in [*range(1, 1_000, 50), *range(800, 1_000)]:
        body = b'{"tenant":"acme","type":"T","content":' + b"[" * depth + b"]" * depth + b"}"
        try:
            request = parse_request(body)
            world.publish(**request.model_dump(exclude_none=True, by_alias=True))
        except PublishError as error:
            assert error.field in {"body", "content"}  # noqa: PT017  (both ends are fine)
        else:
            accepted += 1
    assert accepted


def test_an_id_of_a_reply_is_refused() -> None:
    """Taken by a segment, it would keep the message whose reply it is from ever ending."""
    with pytest.raises(PublishError, match="relay's own replies") as refused:
        parse_request(b'{"tenant": "acme", "type": "T", "content": "", "id": "D-x/reply/1"}')
    assert refused.value.field == "id"


@pytest.mark.parametrize(
    "content",
    [
        '{"n": 1e400}',
        '[{"a": [-1e999]}]',
        "[1.8e308]",
        f"[1{'0' * 400}]",
        f'{{"n": [-1{"0" * 309}]}}',
    ],
)
def test_a_number_that_no_double_holds_is_refused(content: str) -> None:
    """Its readers would have infinity; the field is named."""
    body = f'{{"tenant": "acme", "type": "T", "content": {content}}}'
    with pytest.raises(PublishError, match="too large") as error:
        parse_request(body.encode())
    assert error.value.field == "content"


@pytest.mark.parametrize("number", ["1e308", "-1.7976931348623157e308", "9" * 308, "-0", "1E2"])
def test_a_number_that_a_double_holds_is_sent_as_it_was_written(number: str) -> None:
    world = World()
    body = f'{{"tenant": "acme", "type": "T", "content": [{number}]}}'
    world.publish(**parse_request(body.encode()).model_dump(exclude_none=True, by_alias=True))
    world.minute()
    assert world.replies_to() == [f"[{number}]"]


@pytest.mark.parametrize("part", ["{}", "[]", '{"a":1}', '{"[[":"{{"}'])
def test_a_content_of_too_many_parts_is_refused_before_it_is_read(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes 200 bytes once it is read: 9 MB of them would take all of an instance's memory."""

    def body(number: int) -> bytes:  # the request itself and the list in it are two more
        parts = ",".join([part] * (number - 2))
        return f'{{"tenant":"acme","type":"T","content":[{parts}]}}'.encode()

    monkeypatch.setattr(publish, "_CONTAINERS", 1_000)
    assert parse_request(body(1_000))
    monkeypatch.setattr(publish, "read_json", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(PublishError, match="more than 1000 objects and lists") as error:
        parse_request(body(1_001))
    assert error.value.field == "content"


@pytest.mark.parametrize(
    "text", ["[{" * 1_000_000, '{\\"[' * 600_000, "\\" * 600_000 + "[{" * 300_000]
)
def test_what_stands_in_a_text_is_no_part(text: str) -> None:
    assert parse(content=text).content == text


def test_a_text_without_an_end_takes_no_quadratic_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked through once, not from each quote on."""
    monkeypatch.setattr(publish, "_CONTAINERS", 1_000)
    began = time.process_time()
    with pytest.raises(PublishError, match="no JSON"):
        parse_request(b'{"content": "' + b'[\\"' * 40_000)
    assert time.process_time() - began < 1


def test_an_integer_that_python_cannot_read_is_the_contents() -> None:
    """It is JSON, so that is not what is said of it."""
    body = f'{{"tenant": "acme", "type": "T", "content": [{"9" * 5_000}]}}'
    with pytest.raises(PublishError, match="more digits than can be read") as error:
        parse_request(body.encode())
    assert error.value.field == "content"
