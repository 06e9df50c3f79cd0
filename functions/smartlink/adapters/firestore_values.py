"""Texts, instants and flags as raw protobuf values of Firestore, both ways.

A text that UTF-8 cannot carry (a JSON escape may hold half of a surrogate pair) is stored as
bytes, so that it comes back as it was.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from smartlink.domain.identity import encode

Raw = Any  # a protobuf message; `fields` is the map of a Document or a MapValue
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DocumentError(ValueError):
    """A document does not hold what we store: somebody else wrote to it. It names the field."""


def put_text(value: Raw, text: str) -> bool:
    """Store a text exactly; False if it had to be as bytes."""
    try:
        value.string_value = text
    except UnicodeEncodeError:
        value.bytes_value = encode(text)
        return False
    return True


def put_time(value: Raw, at: datetime) -> None:
    """Store an instant, to the microsecond."""
    since = at - _EPOCH
    timestamp = value.timestamp_value
    timestamp.seconds = since.days * 86_400 + since.seconds
    timestamp.nanos = since.microseconds * 1_000


def put_optional_text(fields: Raw, name: str, text: str | None) -> None:
    """Store a text, unless there is none."""
    if text is not None:
        put_text(fields[name], text)


def put_optional_time(fields: Raw, name: str, at: datetime | None) -> None:
    """Store an instant, unless there is none."""
    if at is not None:
        put_time(fields[name], at)


def put_flag(fields: Raw, name: str, *, flag: bool) -> None:
    """Store a flag that is set."""
    if flag:
        fields[name].boolean_value = True


def put_count(fields: Raw, name: str, count: int) -> None:
    """Store a number that is not 0."""
    if count:
        fields[name].integer_value = count


def get_optional_text(fields: Raw, name: str) -> str | None:
    """Read a text, however it was stored."""
    value = fields.get(name)
    return None if value is None else text_of(value)


def text_of(value: Raw) -> str:
    """Read a text's value."""
    text: str = value.string_value
    return text or value.bytes_value.decode("utf-8", "surrogatepass")


def get_text(fields: Raw, name: str) -> str:
    """Read a text that must be there."""
    text = get_optional_text(fields, name)
    if text is None:
        message = f"the field {name} is missing"
        raise DocumentError(message)
    return text


def get_optional_time(fields: Raw, name: str) -> datetime | None:
    """Read an instant."""
    value = fields.get(name)
    if value is None or not value.HasField("timestamp_value"):
        return None
    timestamp = value.timestamp_value
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1_000)


def get_time(fields: Raw, name: str) -> datetime:
    """Read an instant that must be there."""
    at = get_optional_time(fields, name)
    if at is None:
        message = f"the field {name} is missing or is no timestamp"
        raise DocumentError(message)
    return at


def get_count(fields: Raw, name: str) -> int:
    """Read a number; 0 where there is none."""
    value = fields.get(name)
    return 0 if value is None else int(value.integer_value)


def get_flag(fields: Raw, name: str) -> bool:
    """Read a flag; false where there is none."""
    value = fields.get(name)
    return value is not None and bool(value.boolean_value)
