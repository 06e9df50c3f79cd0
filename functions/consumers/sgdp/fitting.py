"""Refuses a mask that its column cannot take, and reads the constants of the others."""

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import ARRAY, JSON, REAL, Column, Connection, Integer, Numeric, SmallInteger
from sqlalchemy.dialects.postgresql import DOMAIN
from sqlalchemy.types import TypeEngine

from consumers.sgdp.comparison import is_text
from consumers.sgdp.identifiers import punctuated_cpf
from consumers.sgdp.map_error import MapError, refuse
from consumers.sgdp.masks import (
    ConstantMask,
    DrawMask,
    EachMask,
    FakeMask,
    HashMask,
    JsonMask,
    Mask,
    NullMask,
    RedactMask,
    TruncateDateMask,
)
from consumers.sgdp.model import Attribute
from consumers.sgdp.personal_data import PersonalColumn
from consumers.sgdp.pseudonyms import FAKE_HOST, LEAST_DIGITS, LEAST_HASH, MOST_HASH
from consumers.sgdp.rules import digits_of, most_of
from consumers.sgdp.structure import Structure
from consumers.sgdp.trial import taken
from smartlink.domain.said import Said, said

_SAMPLE_CPF = "52998224725"  # the one that examples use
_MAY_REPEAT = ConstantMask | FakeMask | TruncateDateMask | RedactMask | JsonMask | EachMask


def plain_type(column_type: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type under the domains, one that writes SQL's NULL for what is absent."""
    while isinstance(column_type, DOMAIN):
        column_type = column_type.data_type
    if isinstance(column_type, JSON):
        column_type.none_as_null = True
    return column_type


def python_kind(column_type: TypeEngine[Any]) -> type:
    """Tell of what type a column's values are in Python."""
    if isinstance(column_type, JSON):
        return dict
    try:
        return column_type.python_type
    except NotImplementedError:  # a type of the database's own
        return object


def fitting_constant(
    connection: Connection,
    place: str,
    structure: Structure,
    spec: PersonalColumn,
    column: Column[Any],
) -> object:
    """Refuse a mask that the column cannot take; answers the constant that it writes, if any."""
    kind = python_kind(column.type)
    if spec.identifier:
        sqlite = connection.dialect.name == "sqlite"  # whose real numbers are double
        _check_identifier(f"{place}.identifier", column, kind, exact=sqlite)
    if spec.mask is None:
        return None
    at, facts = f"{place}.mask", structure.columns[column.name]
    if column.name in structure.primary | structure.joined:
        refuse(at, said("the column is in a primary or foreign key, which stays: keep it"))
    if facts.get("computed") or facts.get("identity"):
        refuse(at, said("the database computes the column: mask what it is computed from"))
    if isinstance(spec.mask, NullMask) and not facts["nullable"]:
        refuse(at, said("the column is NOT NULL: use another mask"))
    unique = any(column.name in item.columns for item in structure.unique)
    if isinstance(spec.mask, _MAY_REPEAT) and unique:
        refuse(
            at,
            said(
                "the column is unique, and two people could get one value by {rule}: "
                "use hash, draw or null",
                rule=spec.mask.rule,
            ),
        )
    _check_type(at, spec.mask, column, kind)
    if column.name in structure.types and structure.types[column.name].domain:
        _check_domain(connection, at, structure, _samples(spec, spec.mask, column), column)
    return _constant(connection, at, structure, spec.mask, column)


def _check_domain(
    connection: Connection,
    place: str,
    structure: Structure,
    written: Sequence[object],
    column: Column[Any],
) -> None:
    """Refuse a mask of whose values a domain takes none."""
    refused: list[MapError] = []
    for sample in written:
        try:
            taken(connection, place, structure, column, sample)
        except MapError as error:
            refused.append(error)
    if refused and len(refused) == len(written):
        raise refused[0]


def samples(item: Attribute, *, as_written: bool) -> list[object]:
    """Return what the mask may write, as the map writes it or as values of the column."""
    if item.mask is None:
        return []
    if isinstance(item.mask, ConstantMask):
        return [item.mask.value if as_written else item.constant]
    return _samples(item.spec, item.mask, item.column)


def _samples(spec: PersonalColumn, mask: Mask, column: Column[Any]) -> list[object]:
    """Return examples of what a mask writes whose values are of one form."""
    length = getattr(column.type, "length", None)
    match mask:
        case NullMask():
            return [None]
        case HashMask():
            return [_pseudonym(column, length)]
        case DrawMask():
            number = python_kind(column.type) in (int, Decimal)
            return [most_of(column.type) if number else _pseudonym(column, length)]
        case FakeMask() if spec.identifier == "CPF":
            forms = (punctuated_cpf(_SAMPLE_CPF), _SAMPLE_CPF)
            return [form for form in forms if length is None or len(form) <= length]
        case FakeMask() if spec.identifier == "EMAIL":
            return [f"anonimo{FAKE_HOST}"[-(length or MOST_HASH) :]]
        case _:
            return []


def _pseudonym(column: Column[Any], length: int | None) -> object:
    kind = python_kind(column.type)
    if kind is UUID:
        return "9f3c1b7e-2f0e-4c3b-9d7e-0d7a5f6c1a42"
    if kind is bytes:
        return "\\x" + "9f" * MOST_HASH
    if kind in (int, Decimal):
        return int("9" * digits_of(column.type))
    return ("a2b3c4d5" * (MOST_HASH // 8))[: min(length or MOST_HASH, MOST_HASH)]


def _check_identifier(place: str, column: Column[Any], kind: type, *, exact: bool) -> None:
    if not (is_text(column.type) or kind in (int, Decimal, float)):
        refuse(
            place, said("an identifier is a text or a number, not {type}", type=repr(column.type))
        )
    if isinstance(column.type, REAL) and not exact:
        refuse(
            place, said("a real number holds 6 digits, fewer than an identifier: widen the column")
        )


def _check_type(place: str, mask: Mask, column: Column[Any], kind: type) -> None:
    text = is_text(column.type)
    match mask:
        case HashMask():
            _check_hash(place, column, kind)
        case DrawMask() if not text and (kind not in (int, Decimal) or not most_of(column.type)):
            _needs(place, mask.rule, said("a column of texts or whole numbers"), column)
        case FakeMask() | RedactMask() if not text:
            _needs(place, mask.rule, said("a text column"), column)
        case TruncateDateMask() if kind not in (date, datetime):
            _needs(place, mask.rule, said("a date column"), column)
        case JsonMask() if not text and not isinstance(column.type, JSON):
            _needs(place, mask.rule, said("a column of documents or texts"), column)
        case EachMask(mask=part):
            if not isinstance(column.type, ARRAY):
                _needs(place, mask.rule, said("a list's column"), column)
            if not isinstance(part, NullMask | ConstantMask) and not is_text(column.type.item_type):
                _needs(place, part.rule, said("a list of texts"), column)
        case _:
            pass


def _check_hash(place: str, column: Column[Any], kind: type) -> None:
    length = getattr(column.type, "length", None)
    if kind in (int, Decimal) and digits_of(column.type) < LEAST_DIGITS:
        refuse(
            place,
            said(
                "hash needs {least} digits, so that no two people share a number, this is {type}: "
                "use draw, constant or null",
                least=LEAST_DIGITS,
                type=repr(column.type),
            ),
        )
    if not is_text(column.type):
        if kind not in (int, Decimal, UUID, bytes):
            _needs(place, "hash", said("a text column"), column)
    elif length is not None and length < LEAST_HASH:
        refuse(
            place,
            said(
                "hash needs {least} characters, so that no two people share a pseudonym; "
                "the column has {length}: use draw, fake, constant or null",
                least=LEAST_HASH,
                length=length,
            ),
        )


def _needs(place: str, rule: str, what: Said, column: Column[Any]) -> NoReturn:
    kind = repr(column.type)
    refuse(place, said("{rule} needs {what}, this is {type}", rule=rule, what=what, type=kind))


def _constant(
    connection: Connection, place: str, structure: Structure, mask: Mask, column: Column[Any]
) -> object:
    if isinstance(mask, EachMask) and isinstance(mask.mask, ConstantMask):
        found = taken(connection, f"{place}.mask.value", structure, column, [mask.mask.value])
        return found[0] if isinstance(found, list) and found else None
    if not isinstance(mask, ConstantMask):
        return None
    at, value = f"{place}.value", mask.value
    length = getattr(column.type, "length", None)
    try:
        read = _read(value, column, on_server=bool(structure.types))
    except (ValueError, InvalidOperation):
        read = None
    fits = not isinstance(read, str) or length is None or len(read) <= length
    if read is None or not fits:
        refuse(at, said("it is no value of the column, {type}", type=repr(column.type)))
    if structure.types:
        asked = read if isinstance(read, int) else value  # 5.0 is an integer, but none in SQL
        return taken(connection, at, structure, column, asked)
    if not _in_range(read, column, connection.dialect.name):
        refuse(at, said("it is out of the column's range, {type}", type=repr(column.type)))
    return read


def _read(value: object, column: Column[Any], *, on_server: bool) -> object:
    """Read the map's value as one of the column's type; None if it is none.

    Of the types that PostgreSQL alone knows, and of those that it writes in several ways, it is
    asked itself (`on_server`).
    """
    kind = python_kind(column.type)
    if kind in (int, float, Decimal):
        return _number(value, kind)
    if kind is str or kind in _DATES:
        return _DATES.get(kind, str)(value) if isinstance(value, str) else None
    if on_server:
        return value
    if isinstance(value, str) and kind in _OTHERS:
        return _OTHERS[kind](value)
    plain = not isinstance(value, dict | list)
    return value if kind is dict or type(value) is kind or (kind is object and plain) else None


def _bytes(value: str) -> bytes:
    return bytes.fromhex(value[2:]) if value.startswith("\\x") else value.encode()


_DATES: dict[type, Callable[[str], object]] = {
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
}
_OTHERS: dict[type, Callable[[str], object]] = {
    bytes: _bytes,
    dict: json.loads,
    time: time.fromisoformat,
    UUID: UUID,
}


def _number(value: object, kind: type) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if kind is int:
        return int(value) if float(value).is_integer() else None
    return Decimal(str(value)) if kind is Decimal else float(value)


def _in_range(value: object, column: Column[Any], dialect: str) -> bool:
    """Compare a number with what the column's type holds; SQLite's integers are all big."""
    if isinstance(value, Decimal) and isinstance(column.type, Numeric) and column.type.precision:
        scale = column.type.scale or 0
        most = Decimal(10) ** (column.type.precision - scale)
        return value == round(value, scale) and abs(value) < most
    if isinstance(value, int) and isinstance(column.type, Integer):
        small = isinstance(column.type, SmallInteger)
        big = dialect == "sqlite" or digits_of(column.type) > 0
        bits = 16 if small else 64 if big else 32
        return -(1 << bits - 1) <= value < 1 << bits - 1
    return True
