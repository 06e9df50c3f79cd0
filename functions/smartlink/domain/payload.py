"""Reads and writes contents: TOTVS's apps write them in two styles, other senders in any.

    TOTVS        {"header": {"type", "tenantId", "generatedOn", "locale", …}, "content": {…}}
    CloudEvents  {"specversion": "1.0", "id", "source", "type", "time", "tenantid",
                  "correlationid", "data": {…}}     or "data_base64" instead of "data"

Senders write these names in different casings, so they are found in any casing. Some senders write
the JSON of the body, or of the whole content, into a JSON string: then that string's JSON is read.
"""

import binascii
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from smartlink.domain.identity import is_no_id
from smartlink.domain.json_bytes import unmarked
from smartlink.domain.pointer import found_at

_BEYOND_ASCII = re.compile("[^\x00-\x7f]+")
_LOOKED_INTO = 4_194_304  # characters
_REQUEST_ID = 200  # characters, as TPD's consumers take
_LAYERS = 3  # of JSON in a JSON string
_DATA = frozenset({"data", "data_base64"})
_STANDARD = str.maketrans("-_", "+/")  # of base64 as URLs have it
_MINUS_ZERO = re.compile(r"-0(?![\d.eE])")
_LARGEST = sys.float_info.max
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Number(float):
    """A number that a double would write differently: `10.10`, `12345678901234567.89`, `1e400`.

    It is a float that keeps its text, so no digit is lost: pydantic makes a Decimal from the text,
    and `write_json` writes the text.
    """

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Makes the number from its JSON text."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __str__(self) -> str:
        """Returns the text as it was written."""
        return self.text

    def __reduce__(self) -> tuple[type["Number"], tuple[str]]:
        """Makes a copy from the text, so that the text is not lost."""
        return Number, (self.text,)


def _number(text: str) -> float:
    value = float(text)
    return value if repr(value) == text else Number(text)


class Style(StrEnum):
    """How a content is written."""

    TOTVS = "totvs"
    CLOUD_EVENTS = "cloudevents"
    JSON = "json"  # JSON of no known style: the whole content is the body
    XML = "xml"  # the whole content is the body


class PayloadError(ValueError):
    """The content is not JSON, or not the XML or the encoding that the consumer expects."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A parsed content. The names of the header are in lower case."""

    style: Style
    body: object = field(repr=False)
    header: Mapping[str, object] = field(default_factory=dict, repr=False)

    def text(self, *names: str) -> str | None:
        """Returns the header's first value under these names: a text, or a number as it is
        written."""
        for name in names:
            value = self.header.get(name.lower())
            if isinstance(value, str) and value:
                return value
            if isinstance(value, int | float) and not isinstance(value, bool):
                return str(value)
        return None

    @property
    def correlation_id(self) -> str | None:
        """The id that the sender wants to find in the answer; None if there is none, or if it is a
        GUID of zeros."""
        found = self.text("correlationId", "correlatedId")
        return None if found is None or is_no_id(found) else found


def parse_payload(text: str) -> Payload:
    """Parses a content. Raises PayloadError, which never quotes the content."""
    try:
        value = _opened(read_json(text))
    except json.JSONDecodeError as error:
        message = (
            f"the content is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        )
        raise PayloadError(message) from None
    except (ValueError, RecursionError) as error:
        message = f"the content is JSON that cannot be read ({type(error).__name__})"
        raise PayloadError(message) from None
    return _taken_apart(value)


def _taken_apart(value: object) -> Payload:
    if not isinstance(value, dict):
        return Payload(Style.JSON, value)
    names = {key.lower(): item for key, item in value.items()}
    header = _opened(names.get("header"))
    if isinstance(header, dict) and "content" in names:
        lowered = {key.lower(): item for key, item in header.items()}
        return Payload(Style.TOTVS, _opened(names["content"]), lowered)
    if "specversion" in names:
        attributes = {name: item for name, item in names.items() if name not in _DATA}
        return Payload(Style.CLOUD_EVENTS, _data(names), attributes)
    return Payload(Style.JSON, value)


def _opened(value: object) -> object:
    """Returns the object or the list whose JSON text a string is; all else as it is."""
    for _ in range(_LAYERS):
        if not isinstance(value, str) or unmarked(value).lstrip()[:1] not in ("{", "[", '"'):
            return value
        try:
            inner = read_json(value)
        except (ValueError, RecursionError):
            return value
        if not isinstance(inner, dict | list | str):
            return value
        value = inner
    return value


def _data(event: Mapping[str, object]) -> object:
    """Returns a CloudEvent's data. Bytes in base64 are JSON, or else a text."""
    encoded = event.get("data_base64")
    if event.get("data") is not None or encoded is None:
        return _opened(event.get("data"))
    if not isinstance(encoded, str):
        message = "the content's data_base64 is no text"
        raise PayloadError(message)
    written = "".join(encoded.split()).rstrip("=").translate(_STANDARD)
    try:
        data = binascii.a2b_base64(f"{written}{'=' * (-len(written) % 4)}", strict_mode=True)
    except binascii.Error:
        message = "the content's data_base64 is no base64"
        raise PayloadError(message) from None
    try:
        text = unmarked(data).decode()
    except UnicodeDecodeError:
        message = "the content's data_base64 is neither JSON nor a text in UTF-8"
        raise PayloadError(message) from None
    try:
        return _opened(read_json(text))
    except (ValueError, RecursionError):
        return text


def read_json(text: str | bytes, *, constants: bool = True) -> object:
    """Reads a JSON text. `write_json` can write its numbers as they stand in the text.

    It skips a byte order mark. Raises ValueError or RecursionError. Without `constants` it refuses
    `NaN` and `Infinity`, which only Python accepts as JSON.
    """
    text = unmarked(text)
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    value: object = json.loads(
        text,
        parse_float=_number,
        parse_int=_integer if _MINUS_ZERO.search(text) else None,
        parse_constant=None if constants else _refused,
    )
    return value


def _integer(text: str) -> float:
    return Number(text) if text == "-0" else int(text)


def _refused(name: str) -> None:
    message = f"{name} is no JSON"
    raise json.JSONDecodeError(message, name, 0)


def write_json(value: object) -> str:
    """Writes a value as JSON that UTF-8 can carry: half of a surrogate pair becomes an escape.

    Raises TypeError or ValueError if JSON has no form for the value, as for `NaN`.
    """
    plain = next(_numbers(value), None) is None
    if not plain:
        json.dumps(value)  # raises if the value contains itself, or has no form in JSON
    text = _encode(value) if plain else "".join(_written(value))
    try:
        text.encode()
    except UnicodeEncodeError:
        return _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
    return text


def as_written(plain: object, exact: object) -> object:
    """Returns what pydantic made of a model for JSON, with the numbers of the same model's plain
    dump: for JSON it makes doubles of them."""
    if isinstance(exact, Number):
        return exact if plain is None or isinstance(plain, float) else plain
    if isinstance(plain, dict) and isinstance(exact, dict) and len(plain) == len(exact):
        values = zip(plain.items(), exact.values(), strict=True)
        return {name: as_written(value, its) for (name, value), its in values}
    if isinstance(plain, list) and isinstance(exact, list | tuple) and len(plain) == len(exact):
        return [as_written(value, its) for value, its in zip(plain, exact, strict=True)]
    return plain


def beyond_doubles(value: object) -> bool:
    """Tells whether the value holds a number so large that a double of it is infinite."""
    return any(
        isinstance(item, int | float) and not -_LARGEST <= item <= _LARGEST for item in _all(value)
    )


def _numbers(value: object) -> Iterator[Number]:
    """Finds the numbers that a double would write differently."""
    return (item for item in _all(value) if isinstance(item, Number))


def _all(value: object) -> Iterator[object]:
    """Finds each part of a value, even if the value contains itself."""
    left: list[object] = [value]
    seen: set[int] = set()
    while left:
        item = left.pop()
        if not isinstance(item, dict | list | tuple):
            yield item
        elif id(item) not in seen:
            seen.add(id(item))
            left.extend(item.values() if isinstance(item, dict) else item)


def _written(value: object) -> Iterator[str]:
    """Writes JSON for a value with such numbers, because the library's encoder writes only
    doubles."""
    if isinstance(value, Number):
        yield value.text
    elif isinstance(value, dict) and value:
        for number, (name, item) in enumerate(value.items()):
            yield f"{',' if number else '{'}{_encode({name: 0})[1:-2]}"
            yield from _written(item)
        yield "}"
    elif isinstance(value, list | tuple) and value:
        for number, item in enumerate(value):
            yield "," if number else "["
            yield from _written(item)
        yield "]"
    else:
        yield _encode(value)


def traceparent(text: str) -> str | None:
    """Finds the `traceparent` in a content's header, as CloudEvents' extension for traces has it.

    A content without that word, and one of over 4 million characters, is not parsed.
    """
    if len(text) > _LOOKED_INTO or ("raceparent" not in text and "RACEPARENT" not in text):
        return None
    try:
        return parse_payload(text).text("traceparent")
    except PayloadError:
        return None


def correlation_id(text: str) -> str | None:
    """Finds the correlation id in a content. A content without that word is not parsed.

    A content of over 4 million characters is not parsed either: see `glance`.
    """
    if "correlat" not in text and "Correlat" not in text and "CORRELAT" not in text:
        return None
    found = glance(text)
    return found.correlation_id if found is not None else None


def glance(text: str) -> Payload | None:
    """Parses a content for the few ids that the receiving process looks for in it.

    A content that cannot be parsed, or has over 4 million characters, has none (None). Parsed JSON
    may take 25 times its size, and the receiving process works for other tenants too.
    """
    if len(text) > _LOOKED_INTO:
        return None
    try:  # numbers as their texts: those of the rows are not looked at, and take less so
        value = json.loads(text.removeprefix("\ufeff"), parse_float=str, parse_int=str)
        return _taken_apart(_opened(value))
    except (ValueError, RecursionError):
        return None


def request_id(payload: Payload, pointer: str) -> str | None:
    """Returns the id by which the sender knows its request: the text or the number that stands at
    a place of the body, without the blanks around it.

    None if there is none, or none that can be searched: one of over 200 characters, or with
    characters that nobody can see.
    """
    found = found_at(pointer, payload.body)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return None
    text = str(found).strip()
    return text if 0 < len(text) <= _REQUEST_ID and text.isprintable() else None
