"""Writes and reads texts, instants and flags as raw protobuf values of Firestore.

A JSON escape may put half of a surrogate pair into a text, which UTF-8 cannot carry. Such a text is
stored as bytes, and is read back unchanged. Reading raises only DocumentError, whatever a document
holds. A field of another kind raises too: it does not count as missing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from smartlink.domain.identity import encode

E = TypeVar("E", bound=StrEnum)
Raw = Any  # a protobuf message; `fields` is the map of a Document or a MapValue
LONG_AGO = datetime(2, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(9999, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Python's years are 1 to 9999. The first and the last are excluded, so that sums do not overflow.
_EARLIEST = int(LONG_AGO.timestamp())
_LATEST = int(FAR_OFF.timestamp())
_MOST = 2**53  # the largest integer that JSON carries exactly


class DocumentError(ValueError):
    """A document holds what we do not write, so somebody else wrote it. The text names the
    field."""


def put_text(value: Raw, text: str) -> bool:
    """Stores a text exactly; returns False if it is stored as bytes."""
    try:
        value.string_value = text
    except UnicodeEncodeError:
        value.bytes_value = encode(text)
        return False
    return True


def put_time(value: Raw, at: datetime) -> None:
    """Stores an instant, to the microsecond."""
    since = at - _EPOCH
    timestamp = value.timestamp_value
    timestamp.seconds = since.days * 86_400 + since.seconds
    timestamp.nanos = since.microseconds * 1_000


def put_optional_text(fields: Raw, name: str, text: str | None) -> None:
    """Stores a text if there is one."""
    if text is not None:
        put_text(fields[name], text)


def put_optional_time(fields: Raw, name: str, at: datetime | None) -> None:
    """Stores an instant if there is one."""
    if at is not None:
        put_time(fields[name], at)


def put_flag(fields: Raw, name: str, *, flag: bool) -> None:
    """Stores a flag that is set."""
    if flag:
        fields[name].boolean_value = True


def put_count(fields: Raw, name: str, count: int) -> None:
    """Stores a number that is not 0."""
    if count:
        fields[name].integer_value = count


def _value(fields: Raw, name: str, *kinds: str) -> Raw | None:
    """Returns a field of one of these kinds; None if it is missing or null.

    Raises DocumentError if it is of another kind.
    """
    value = fields.get(name)
    if value is None:
        return None
    kind = value.WhichOneof("value_type")
    if kind in kinds:
        return value
    if kind is None or kind == "null_value":
        return None
    found, wanted = (it.removesuffix("_value") for it in (kind, kinds[0]))
    message = f"the field {name} is of the kind {found}, not {wanted}"
    raise DocumentError(message)


def get_optional_text(fields: Raw, name: str) -> str | None:
    """Reads a text, however it was stored."""
    value = _value(fields, name, "string_value", "bytes_value")
    try:
        return None if value is None else text_of(value)
    except UnicodeDecodeError:
        message = f"the field {name} holds bytes that are no text"
        raise DocumentError(message) from None


def text_of(value: Raw) -> str:
    """Reads a text's value. Raises UnicodeDecodeError."""
    text: str = value.string_value
    return text or value.bytes_value.decode("utf-8", "surrogatepass")


def get_text(fields: Raw, name: str) -> str:
    """Reads a text that must be there."""
    text = get_optional_text(fields, name)
    if text is None:
        raise _missing(name)
    return text


def get_one_of(fields: Raw, name: str, kind: type[E]) -> E:
    """Reads one of an enumeration's values, which must be there."""
    text = get_text(fields, name)
    try:
        return kind(text)
    except ValueError:
        message = f"the field {name} holds {text[:40]!r}, which this version does not know"
        raise DocumentError(message) from None


def get_optional_time(fields: Raw, name: str) -> datetime | None:
    """Reads an instant."""
    value = _value(fields, name, "timestamp_value")
    if value is None:
        return None
    timestamp = value.timestamp_value
    if not _EARLIEST <= timestamp.seconds <= _LATEST:
        message = f"the field {name} holds an instant that cannot be reckoned with"
        raise DocumentError(message)
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1_000)


def get_time(fields: Raw, name: str) -> datetime:
    """Reads an instant that must be there."""
    at = get_optional_time(fields, name)
    if at is None:
        raise _missing(name)
    return at


def get_count(fields: Raw, name: str) -> int:
    """Reads a number; 0 if there is none."""
    value = _value(fields, name, "integer_value")
    if value is None:
        return 0
    count = int(value.integer_value)
    if not 0 <= count <= _MOST:
        message = f"the field {name} holds a number that cannot be a count"
        raise DocumentError(message)
    return count


def get_flag(fields: Raw, name: str) -> bool:
    """Reads a flag; False if there is none."""
    value = _value(fields, name, "boolean_value")
    return value is not None and bool(value.boolean_value)


def get_bytes(fields: Raw, name: str) -> bytes:
    """Reads bytes that must be there."""
    value = _value(fields, name, "bytes_value")
    if value is None:
        raise _missing(name)
    return bytes(value.bytes_value)


def get_map(fields: Raw, name: str) -> Raw | None:
    """Reads the fields of a map."""
    value = _value(fields, name, "map_value")
    return None if value is None else value.map_value.fields


def get_list(fields: Raw, name: str) -> Sequence[Raw]:
    """Reads the values of an array; no value if there is no array."""
    value = _value(fields, name, "array_value")
    return () if value is None else value.array_value.values


def plain(value: Raw) -> object:
    """Returns any value as JSON can show it; what JSON has no type for becomes a text."""
    kind = value.WhichOneof("value_type")
    if kind is None or kind == "null_value":
        return None
    if kind == "map_value":
        return {name: plain(item) for name, item in value.map_value.fields.items()}
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "timestamp_value":
        return value.timestamp_value.ToJsonString()
    held = getattr(value, kind)
    return held if isinstance(held, str | int | float | bool) else str(held).strip()


def _missing(name: str) -> DocumentError:
    return DocumentError(f"the field {name} is missing")


def put_texts(value: Raw, texts: tuple[str, ...]) -> None:
    """Fills a list of texts."""
    value.array_value.SetInParent()  # also if there is none
    for text in texts:
        put_text(value.array_value.values.add(), text)


def get_texts(fields: Raw, name: str) -> tuple[str, ...]:
    """Reads one; a missing list is an empty one. Raises DocumentError."""
    try:
        return tuple(text_of(value) for value in get_list(fields, name))
    except UnicodeDecodeError:
        message = f"the field {name} holds bytes that are no text"
        raise DocumentError(message) from None
