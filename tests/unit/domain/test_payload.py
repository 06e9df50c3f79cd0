"""The styles in which apps write contents, in any casing."""

import base64
import copy
import json
import pickle
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from smartlink.domain.payload import (
    Number,
    PayloadError,
    Style,
    beyond_doubles,
    correlation_id,
    glance,
    parse_payload,
    read_json,
    request_id,
    write_json,
)

CANARY = "canary-529"
TOTVS = {"header": {"type": "Probe", "tenantId": "t-1", "locale": "pt-BR"}, "content": {"a": 1}}
EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/tpd",
    "type": "Probe",
    "tenantid": "t-1",
    "correlationid": "c-1",
    "data": {"a": 1},
}


@pytest.mark.parametrize(
    ("document", "style", "body"),
    [
        (TOTVS, Style.TOTVS, {"a": 1}),
        ({"Header": {"TenantId": "t-1"}, "Content": {"a": 1}}, Style.TOTVS, {"a": 1}),
        ({"HEADER": {"TENANTID": "t-1"}, "CONTENT": "x", "more": 1}, Style.TOTVS, "x"),
        ({"header": {"tenantid": "t-1"}, "content": None}, Style.TOTVS, None),
        (EVENT, Style.CLOUD_EVENTS, {"a": 1}),
        ({"SpecVersion": "1.0", "TenantID": "t-1", "Data": [1]}, Style.CLOUD_EVENTS, [1]),
        ({"specversion": "1.0", "tenantId": "t-1"}, Style.CLOUD_EVENTS, None),
    ],
)
def test_the_styles_in_any_casing(document: object, style: Style, body: object) -> None:
    """Body and header are found however their names are cased."""
    payload = parse_payload(json.dumps(document))
    assert (payload.style, payload.body) == (style, body)
    assert payload.text("tenantId") == payload.text("TENANTID") == "t-1"


@pytest.mark.parametrize(
    "document",
    [
        {"a": 1},
        {},
        [],
        [{"header": {}, "content": {}}],
        "text",
        7,
        None,
        True,
        {"header": "text", "content": {}},  # no header in TOTVS's sense
        {"header": {"type": "Probe"}},
        {"content": {"a": 1}},
        {"data": {"a": 1}},
    ],
)
def test_json_of_no_known_style_is_its_own_body(document: object) -> None:
    """What no style claims is handed over whole."""
    payload = parse_payload(json.dumps(document))
    assert (payload.style, payload.body, payload.header) == (Style.JSON, document, {})


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        "",
        " ",
        "<a>1</a>",
        f'{{"a": "{CANARY}',
        f'"{CANARY}\n"',
        f"{{{CANARY}: 1}}",
        "%7B%22a%22%3A1%7D",
        "[" * 100_000,
        '{"a":' * 100_000,
        "1" * 5_000,
        "\ud800",
        "\x00",
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_what_is_no_json_is_said_without_quoting_it(text: str) -> None:
    """Invariant 10: the error says where, never what."""
    with pytest.raises(PayloadError, match="JSON") as refused:
        parse_payload(text)
    assert CANARY not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_byte_order_mark_is_passed_over() -> None:
    """Windows writes one before the JSON."""
    assert parse_payload('\ufeff{"a": 1}').body == {"a": 1}


BARE_EVENT = {"specversion": "1.0", "id": "1", "source": "s", "type": "X"}


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (json.dumps(json.dumps({"n": 7})), {"n": 7}),
        (json.dumps(json.dumps(json.dumps({"n": 7}))), {"n": 7}),
        (json.dumps({"header": {}, "content": json.dumps({"n": 7})}), {"n": 7}),
        (json.dumps({"header": "{}", "content": json.dumps([7])}), [7]),
        (json.dumps(json.dumps({"header": {}, "content": '\ufeff{"n": 7}'})), {"n": 7}),
        (json.dumps({**BARE_EVENT, "data": ' {"n": 7}'}), {"n": 7}),
        (json.dumps({"header": {}, "content": "{no JSON"}), "{no JSON"),
        (json.dumps({"header": {}, "content": "7"}), "7"),
        (json.dumps("text"), "text"),
        (json.dumps({"header": {}, "content": json.dumps({"n": "{}"})}), {"n": "{}"}),
    ],
)
def test_json_in_a_json_string_is_read(content: str, body: object) -> None:
    """Some senders write a body, or the whole, twice; a field's own text stays a text."""
    assert parse_payload(content).body == body


@pytest.mark.parametrize(
    ("encoded", "body"),
    [
        (base64.b64encode(b'{"n": 7}').decode(), {"n": 7}),
        (base64.b64encode(b'\xef\xbb\xbf{"n": 7}').decode(), {"n": 7}),
        (base64.b64encode(b'{"n": 7.10}').decode().rstrip("="), {"n": Number("7.10")}),
        (base64.encodebytes(b'{"n": "' + b"x" * 99 + b'"}').decode(), {"n": "x" * 99}),
        (base64.urlsafe_b64encode('["ÿ?þ>"]'.encode()).decode(), ["ÿ?þ>"]),
        (base64.b64encode("ação".encode()).decode(), "ação"),
        (base64.b64encode(b"7").decode(), 7),
    ],
)
def test_the_data_of_a_cloud_event_may_be_base64(encoded: str, body: object) -> None:
    """The CloudEvents' form for bytes, with or without padding; JSON in it is read."""
    payload = parse_payload(json.dumps({**BARE_EVENT, "Data_Base64": encoded}))
    assert (payload.style, payload.body) == (Style.CLOUD_EVENTS, body)
    assert "data_base64" not in payload.header
    both = parse_payload(json.dumps({**BARE_EVENT, "data": None, "data_base64": encoded}))
    assert both.body == body


@pytest.mark.parametrize("encoded", ["a", "*", f"{CANARY}*", 7, [], "/w=="])
def test_what_is_no_base64_is_said_without_quoting_it(encoded: object) -> None:
    """Invariant 10: the error names the field, never what it holds."""
    with pytest.raises(PayloadError, match="data_base64") as refused:
        parse_payload(json.dumps({**BARE_EVENT, "data_base64": encoded}))
    assert CANARY not in str(refused.value)


def test_a_correlation_id_of_zeros_is_none() -> None:
    """An unset GUID of .NET would join messages that have nothing in common."""
    zeros = "00000000-0000-0000-0000-000000000000"
    assert correlation_id(json.dumps({"header": {"correlationId": zeros}, "content": {}})) is None


def test_the_content_is_in_no_repr() -> None:
    """A payload that lands in an error's text shows no content."""
    assert CANARY not in repr(parse_payload(json.dumps({"header": {CANARY: 1}, "content": CANARY})))


def test_of_a_repeated_name_the_last_one_counts() -> None:
    """As every JSON parser does; also where the casing differs."""
    assert parse_payload('{"a": 1, "a": 2}').body == {"a": 2}
    twice = parse_payload('{"header": {"a": 1, "A": 2}, "content": 1, "CONTENT": 2}')
    assert (twice.body, twice.header) == (2, {"a": 2})


def test_deep_contents_are_read() -> None:
    """Nesting that Python can read is no obstacle."""
    payload = parse_payload('{"header": {}, "content": ' + "[" * 500 + "]" * 500 + "}")
    assert payload.style is Style.TOTVS


def test_lone_surrogates_come_through() -> None:
    """A JSON escape may hold half of a pair."""
    assert parse_payload('{"a": "\\ud83d"}').body == {"a": "\ud83d"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (EVENT, "c-1"),
        ({**EVENT, "correlationid": "", "CorrelatedId": "d"}, "d"),
        ({"header": {"correlationId": "c"}, "content": {}}, "c"),
        ({"HEADER": {"CORRELATIONID": "c"}, "content": {}}, "c"),
        ({"Header": {"CorrelatedId": "c"}, "Content": {}}, "c"),
        ({"header": {"correlationId": 7}, "content": {}}, "7"),
        ({"header": {}, "content": {"correlationId": "c"}}, None),  # the body is the author's
        ({"correlationId": "c"}, None),
        (TOTVS, None),
    ],
)
def test_the_correlation_id(document: object, expected: str | None) -> None:
    """It is the header's, in RM's and in CloudEvents' name; a text, not empty."""
    assert correlation_id(json.dumps(document)) == expected


@pytest.mark.parametrize("text", ["", "correlationId", '{"correlationid": ', "[" * 99_999])
def test_an_opaque_content_has_no_correlation_id(text: str) -> None:
    """And that is no error: such a message is for a consumer that takes texts."""
    assert correlation_id(text) is None


def test_a_content_whose_data_cannot_be_read_has_no_correlation_id() -> None:
    """And harms nobody else: the process that looks for it receives for all tenants."""
    for odd in ("!", 7, "AAAAA"):
        assert correlation_id(json.dumps({**EVENT, "data": None, "data_base64": odd})) is None


@pytest.mark.parametrize(
    ("body", "pointer", "expected"),
    [
        ({"requestID": "r-1"}, "/requestID", "r-1"),
        ({"requestid": "r-1"}, "/requestID", "r-1"),
        ({"requestID": "  r-1\n"}, "/requestID", "r-1"),
        ({"requestID": 12345678901234567890}, "/requestID", "12345678901234567890"),
        ({"requestID": 10.5}, "/requestID", "10.5"),
        ({"a": [{"b~/c": "r"}]}, "/a/0/b~0~1c", "r"),
        ({"requestID": "x" * 200}, "/requestID", "x" * 200),
        ({"requestID": "x" * 201}, "/requestID", None),
        ({"requestID": ""}, "/requestID", None),
        ({"requestID": " "}, "/requestID", None),
        ({"requestID": "a\u202eb"}, "/requestID", None),
        ({"requestID": "\ud83d"}, "/requestID", None),
        ({"requestID": True}, "/requestID", None),
        ({"requestID": None}, "/requestID", None),
        ({"requestID": ["r"]}, "/requestID", None),
        ({"requestID": {"id": "r"}}, "/requestID", None),
        ({"requestID": "r", "RequestID": "s", "REQUESTID": "t"}, "/requestid", None),
        ({}, "/requestID", None),
        ([], "/requestID", None),
        (["r"], "/1", None),
        ("r", "/requestID", None),
        (7, "/requestID", None),
    ],
)
def test_the_request_id(body: object, pointer: str, expected: str | None) -> None:
    """A text or a number that can be searched; whatever else stands there is none, and no error.
    It is found in every style, and in JSON that stands in a JSON string."""
    written = json.dumps(body)
    contents = [
        {"header": {"type": "T"}, "content": body},
        {"header": {"type": "T"}, "content": written},
        {"specversion": "1.0", "data": body},
        {"specversion": "1.0", "data_base64": base64.b64encode(written.encode()).decode()},
    ]
    texts = [json.dumps(it) for it in contents]
    for text in [*texts, written, json.dumps(texts[0]), f"\ufeff{texts[0]}"]:
        payload = glance(text)
        assert payload is not None
        assert request_id(payload, pointer) == expected


OPAQUE = ["", "<xml/>", '{"requestID": ', "[" * 99_999, '"' + "x" * 5_000_000]


@pytest.mark.parametrize("text", OPAQUE, ids=[it[:9] for it in OPAQUE])
def test_an_opaque_content_has_no_request_id(text: str) -> None:
    assert glance(text) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, None, True]}, '{"a":[1,null,true]}'),
        ({"a": "ação 😀"}, '{"a":"ação 😀"}'),
        ({"a": "\ud83d"}, '{"a":"\\ud83d"}'),
        ({"\ud83d": "ç"}, '{"\\ud83d":"\\u00e7"}'),
    ],
)
def test_json_that_utf8_can_carry(value: object, text: str) -> None:
    """Readable where it can be; half of a surrogate pair stays an escape, and is not lost."""
    assert write_json(value) == text
    assert json.loads(write_json(value).encode()) == value


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": {1}}, object(), b""])
def test_what_json_has_no_form_for(value: object) -> None:
    """It is an error here, not a surprise at the receiver's."""
    with pytest.raises((TypeError, ValueError)):
        write_json(value)


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_causes_another_error(text: str) -> None:
    """Whatever arrives, it is a payload or a PayloadError."""
    try:
        parse_payload(text)
    except PayloadError as error:
        assert str(error)  # noqa: PT017  (both ends are fine)


NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)


@given(NUMBERS)
def test_numbers_are_written_as_they_were_read(number: str) -> None:
    """However many digits they have, and wherever they stand."""
    text = f'{{"a":[{number},{{"b":{number}}}],"c":{{}},"d":[]}}'
    assert write_json(read_json(text)) == text
    assert write_json(read_json(text.encode())) == text


class Amounts(BaseModel):
    exact: Decimal
    rough: float


@pytest.mark.parametrize("number", ["12345678901234567.89", "10.10", "0.1", "1E2", "1e400", "7"])
def test_a_consumers_decimal_has_every_digit(number: str) -> None:
    """And its float is the float that it always was."""
    body = parse_payload(f'{{"exact": {number}, "rough": {number}}}').body
    amounts = Amounts.model_validate(body)
    assert str(amounts.exact) == str(Decimal(number))
    assert amounts.rough == float(number)


def test_a_number_as_written_is_a_float_too() -> None:
    """A consumer that calculates with it need not know; copies lose nothing."""
    number = read_json("10.10")
    assert isinstance(number, float)
    assert (number + 1, number == 10.1, hash(number)) == (11.1, True, hash(10.1))
    for copied in (copy.deepcopy(number), pickle.loads(pickle.dumps(number))):  # noqa: S301
        assert isinstance(copied, Number)
        assert write_json([copied]) == "[10.10]"
    assert type(read_json("10.1")) is float, "most numbers need no such care"


def test_half_of_a_surrogate_pair_beside_such_a_number() -> None:
    """It stays an escape."""
    text = '{"a":"\\ud800 \\u00e9","b":10.10}'
    assert write_json(read_json(text)) == text


@pytest.mark.parametrize(
    ("text", "beyond"),
    [
        ('{"a":[1e400]}', True),
        (f"[-1{'0' * 309}]", True),
        ("[1e308, 1e-400]", False),
        (f"[{'9' * 308}, true]", False),
    ],
)
def test_what_no_double_holds_is_found(text: str, *, beyond: bool) -> None:
    """Its reader would have infinity."""
    assert beyond_doubles(read_json(text)) is beyond


@pytest.mark.parametrize("number", ["10.10", "0.5"])
def test_what_holds_itself_is_no_json(number: str) -> None:
    """It is told, and not looked through for ever."""
    value: list[object] = [read_json(number)]
    value.append(value)
    with pytest.raises(ValueError, match="Circular"):
        write_json(value)


@pytest.mark.parametrize("number", ["7", "12345678901234567890", "10.10", "1e400", "-0.0", "0"])
def test_a_correlation_id_that_is_a_number_is_the_text_it_was_written_as(number: str) -> None:
    assert correlation_id(f'{{"header":{{"correlationId":{number}}},"content":{{}}}}') == number
    assert correlation_id(f'{{"specversion":"1.0","correlationid":{number}}}') == number
    assert write_json(read_json(f'{{"a":{number}}}')) == f'{{"a":{number}}}'


@pytest.mark.parametrize("value", ["true", "null", "[1]", "{}", '""'])
def test_what_is_neither_text_nor_number_is_no_correlation_id(value: str) -> None:
    assert correlation_id(f'{{"header":{{"correlationId":{value}}},"content":{{}}}}') is None


def test_a_content_is_looked_into_up_to_its_limit() -> None:
    """A correlation id is found in 4,194,304 characters, and not looked for in one more."""
    frame = '{"header": {"correlationId": "c-1"}, "content": "%s"}'
    room = 4_194_304 - len(frame % "")
    assert correlation_id(frame % ("x" * room)) == "c-1"
    assert correlation_id(frame % ("x" * (room + 1))) is None
