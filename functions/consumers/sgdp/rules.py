"""What each rule writes instead of a value. Pure: it knows neither the database nor the request."""

import json
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Numeric, SmallInteger
from sqlalchemy.types import TypeEngine

from consumers.sgdp.identifiers import written
from consumers.sgdp.masks import (
    ConstantMask,
    EachMask,
    FakeMask,
    HashMask,
    JsonMask,
    Mask,
    PartMask,
    RedactMask,
    RemoveMask,
    TruncateDateMask,
)
from consumers.sgdp.model import Attribute
from consumers.sgdp.plain_values import readable
from consumers.sgdp.pseudonyms import (
    MOST_HASH,
    drawn_number,
    drawn_text,
    faked,
    hashed,
    hashed_bytes,
    hashed_number,
    hashed_uuid,
    truncated,
    truncated_text,
)
from consumers.sgdp.redaction import Redaction

_BIG_DIGITS = 18  # that any big integer holds
_REMOVED = object()
_Paths = Sequence[tuple[tuple[str, ...], PartMask]]


def masked(item: Attribute, value: object, salt: bytes, redaction: Redaction) -> object:
    """Return what a column holds once it is masked; what is absent stays so."""
    if value is None or value == "":
        return value
    match item.mask:
        case ConstantMask():
            return item.constant
        case TruncateDateMask(to=to) if isinstance(value, date | str):
            # A text is a date that Python has none for: of the year 12024, say.
            return truncated(value, to) if isinstance(value, date) else truncated_text(value, to)
        case HashMask() | FakeMask():
            return _drawn(item, value, salt)
        case RedactMask() | JsonMask() | EachMask():
            return _within(item, value, salt, redaction)
        case _:
            return None


def _within(item: Attribute, value: object, salt: bytes, redaction: Redaction) -> object:
    """Mask what stands in a value."""
    match item.mask:
        case JsonMask() as mask:
            return _document(item, mask, value, salt, redaction)
        case EachMask(mask=mask):
            return _each(value, lambda it: _part(item, mask, it, salt, redaction))
        case _:
            said = readable(str(value))
            left = redaction.apply(said)
            return value if left == said else left


def stable_text(value: object) -> str:
    """Write a masked value so that it is the same after the database gave it back."""
    if isinstance(value, dict | list):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=written)
    return value.hex() if isinstance(value, bytes) else written(value)


def digits_of(column_type: TypeEngine[Any]) -> int:
    """Tell how many digits a number in this column may have at least."""
    if isinstance(column_type, BigInteger):
        return _BIG_DIGITS
    if isinstance(column_type, Numeric):
        precision = column_type.precision or _BIG_DIGITS
        return min(precision - (column_type.scale or 0), _BIG_DIGITS)
    return 0


def most_of(column_type: TypeEngine[Any]) -> int:
    """Tell the largest number that this column is sure to hold."""
    digits = digits_of(column_type)
    if digits or isinstance(column_type, Numeric):
        return int("9" * digits or "0")  # of a number without whole digits nothing can be drawn
    return (1 << (15 if isinstance(column_type, SmallInteger) else 31)) - 1


def draw_of(item: Attribute, value: object, salt: bytes, draw: int) -> object:
    """Return what the mask `draw` may write, the value's own aside: the caller looks if it is
    free."""
    said = readable(written(value))
    if item.kind in (int, Decimal):
        return drawn_number(salt, said, most_of(item.column.type), draw)
    return drawn_text(salt, said, item.length or MOST_HASH, draw)


def _drawn(item: Attribute, value: object, salt: bytes) -> object:
    """Draw a pseudonym of the value's type."""
    kind = item.spec.identifier
    if isinstance(item.mask, FakeMask):
        return faked(salt, kind, readable(str(value)), item.length)
    if item.kind in (int, Decimal):  # a number that no Python type holds was read as a text
        return hashed_number(salt, kind, written(value), digits_of(item.column.type))
    match value:
        case UUID():
            return hashed_uuid(salt, kind, str(value))
        case bytes():
            return hashed_bytes(salt, kind, value.hex())
        case _:
            return hashed(salt, kind, readable(str(value)), item.length)


def _document(
    item: Attribute, mask: JsonMask, value: object, salt: bytes, redaction: Redaction
) -> object:
    """Mask a document; a text that is none, or would no longer fit, leaves an empty one."""
    paths = [(_segments(path), part) for path, part in mask.paths.items()]
    # A name goes before `*`, which leads there too.
    paths.sort(key=lambda path: [segment == "*" for segment in path[0]])

    def on(part: PartMask, found: object) -> object:
        return _part(item, part, found, salt, redaction)

    if not isinstance(value, str):
        return _at(value, paths, on, keep=mask.others == "keep") or {}
    try:
        read = json.loads(readable(value))
    except (ValueError, RecursionError):
        return "{}"
    left = _at(read, paths, on, keep=mask.others == "keep") or {}
    if left == read:
        return value
    said = json.dumps(left, ensure_ascii=False)
    return said if item.length is None or len(said) <= item.length else "{}"


def _segments(path: str) -> tuple[str, ...]:
    return tuple(it.replace("~1", "/").replace("~0", "~") for it in path.split("/")[1:])


def _at(
    value: object, paths: _Paths, on: Callable[[PartMask, object], object], *, keep: bool
) -> object:
    """Mask what the paths lead to from here."""
    if not paths:
        return value if keep else _REMOVED
    segments, part = paths[0]
    if not segments:
        return on(part, value)

    def below(name: str, found: object) -> object:
        further = [(path[1:], rule) for path, rule in paths if path and path[0] in (name, "*")]
        return _at(found, further, on, keep=keep)

    if isinstance(value, dict):
        members = {name: below(name, found) for name, found in value.items()}
        return {name: found for name, found in members.items() if found is not _REMOVED}
    if isinstance(value, list):
        items = (below(str(number), found) for number, found in enumerate(value))
        return [found for found in items if found is not _REMOVED]
    return None  # the paths go deeper than the document, which is another than the map expects


def _part(
    item: Attribute, mask: PartMask | Mask, value: object, salt: bytes, redaction: Redaction
) -> object:
    """Mask a part of a document or an item of a list."""
    match mask:
        case RemoveMask():
            return _REMOVED
        case ConstantMask():
            return mask.value if item.constant is None else item.constant
        case HashMask():
            return _each(value, lambda it: hashed(salt, None, written(it), None))
        case FakeMask():
            return _each(value, lambda it: faked(salt, None, written(it), None))
        case RedactMask():
            return _each(value, lambda it: _redacted(it, redaction))
        case _:
            return None


def _redacted(value: object, redaction: Redaction) -> object:
    said = written(value)
    left = redaction.apply(said)
    return value if left == said else left


def _each(value: object, mask: Callable[[object], object]) -> object:
    """Mask every text and number in a value, and leave its shape."""
    if isinstance(value, dict):
        return {name: _each(found, mask) for name, found in value.items()}
    if isinstance(value, list):
        return [_each(found, mask) for found in value]
    return value if value is None or value == "" or isinstance(value, bool) else mask(value)
