"""Types for fields of payloads that RM and other systems write.

    class Invoice(Payload):
        number: str
        issued: RmDate                    # 2026-11-27, 27/11/2026, /Date(1795737600000)/, 46353
        total: RmDecimal                  # 1234.56 as a JSON number, "1.234,56", "1234.56"
        customer: Cpf | Cnpj              # "012.345.678-90": kept as its digits
        approved: RmBool                  # true, 1, "T", "S", "Sim", "Verdadeiro", …
        batch: Guid                       # with or without braces and hyphens

Each type reads the forms that its docstring names, and refuses all others. It guesses nothing: if a
text can mean two things ("1.234" is over a thousand, or between one and two), the type's docstring
says which it takes. A field that allows None, or has a default, needs no other type: see `Payload`.
A whole body in XML is `Xml[Invoice]`, as the annotation of a consumer's payload. A file of rows
is a text, of which `csv_rows` and `fixed_width_rows` make models.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator

from smartlink.consumer import Xml
from smartlink.rows import Columns, csv_rows, fixed_width_rows

__all__ = [
    "Cnpj",
    "Columns",
    "Cpf",
    "Guid",
    "RmBool",
    "RmDate",
    "RmDateTime",
    "RmDecimal",
    "Xml",
    "csv_rows",
    "fixed_width_rows",
]

_GROUPED = re.compile(
    r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+),[0-9]+|[+-]?[0-9]{1,3}(?:\.[0-9]{3}){2,}"
)
_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_DOTNET = re.compile(r"\\?/Date\((-?[0-9]{1,17})([+-][0-9]{4})?\)\\?/")
_BRAZILIAN = re.compile(
    r"([0-9]{2})/([0-9]{2})/([0-9]{4})(?:[ T]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_MILLISECONDS = -62_135_510_400_000  # a day after the year 1 began
_MOST_MILLISECONDS = 253_402_214_400_000  # a day before the year 10000, in any time zone
_OLE_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001  (an OADate names no time zone)
_OLE_RANGE = (-657_434.0, 2_958_466.0)  # .NET: 1 January 100 to 31 December 9999
_TRUE = frozenset({"1", "-1", "t", "true", "s", "sim", "y", "yes", "v", "verdadeiro"})
_FALSE = frozenset({"0", "f", "false", "n", "não", "nao", "no", "falso"})
_MARKS = re.compile(r"[.\-/\s]")
_CPF = re.compile(r"[0-9]{11}")
_CNPJ = re.compile(r"[0-9A-Z]{12}[0-9]{2}")


def _decimal(value: object) -> object:
    """Reads a JSON number with all its digits, or a text in Brazilian or plain notation."""
    if isinstance(value, bool):
        message = "is true or false, no number"
        raise ValueError(message)  # noqa: TRY004  (pydantic reports ValueError as the field's)
    if not isinstance(value, str):
        return Decimal(str(value)) if isinstance(value, float) else value
    text = value.strip().removeprefix("R$").strip()
    if _GROUPED.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    elif not _PLAIN.fullmatch(text):
        message = 'is no number: write 1234.56, "1234.56" or "1.234,56"'
        raise ValueError(message)
    try:
        return Decimal(text)
    except InvalidOperation:
        message = "is no number"
        raise ValueError(message) from None


def _instant(value: object) -> object:
    """Reads an instant in .NET's, Brazil's or OLE's form; pydantic reads ISO 8601."""
    if isinstance(value, str):
        text = value.strip()
        if found := _DOTNET.fullmatch(text):
            instant = _EPOCH + timedelta(milliseconds=_bounded(int(found[1])))
            return instant.astimezone(_offset(found[2])) if found[2] else instant
        if found := _BRAZILIAN.fullmatch(text):
            day, month, year, hour, minute, second = (int(part or 0) for part in found.groups())
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  (it names none)
        return text
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not _OLE_RANGE[0] < value < _OLE_RANGE[1]:
            message = "is no OADate (days since 30 December 1899)"
            raise ValueError(message)
        # Before its epoch an OADate's fraction still counts forwards within the day.
        days = int(value)
        return _OLE_EPOCH + timedelta(days=days, seconds=round(abs(value - days) * 86_400, 3))
    return value


def _bounded(milliseconds: int) -> int:
    if not _LEAST_MILLISECONDS < milliseconds < _MOST_MILLISECONDS:
        message = "is no instant of the years 1 to 9999"
        raise ValueError(message)
    return milliseconds


def _offset(text: str) -> timezone:
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[3:])))


def _day(value: object) -> object:
    instant = _instant(value)
    if isinstance(instant, datetime):
        return instant.date()
    if isinstance(instant, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", instant):
        return datetime.fromisoformat(instant).date()
    return instant


def _bool(value: object) -> object:
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    message = "is neither true nor false: RM writes 1 and 0, T and F, S and N, Sim and Não"
    raise ValueError(message)


def _guid(value: object) -> object:
    """Removes parentheses, because Python reads all other forms: braces, `urn:uuid:`, no
    hyphens."""
    return value.strip().strip("()") if isinstance(value, str) else value


def _number_of_a_person(value: object) -> object:
    """Returns a text or a whole number as a text. A number has lost its leading zeros."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        message = "is no text"
        raise ValueError(message)  # noqa: TRY004  (pydantic reports ValueError as the field's)
    return value if isinstance(value, str) else str(value)


def _cpf(text: str) -> str:
    digits = _MARKS.sub("", text)
    digits = digits.zfill(11) if digits.isascii() and digits.isdigit() else digits
    valid = _CPF.fullmatch(digits) and len(set(digits)) > 1
    if not valid or check_digits(digits[:9]) != digits[9:]:
        message = "is no CPF: 11 digits of which the last two check the others"
        raise ValueError(message)
    return digits


def _cnpj(text: str) -> str:
    """Checks a CNPJ, numeric or alphanumeric (from July 2026). A character's value is its code -
    48."""
    signs = _MARKS.sub("", text).upper()
    signs = signs.zfill(14) if signs.isascii() and signs.isdigit() else signs
    valid = _CNPJ.fullmatch(signs) and len(set(signs)) > 1
    if not valid or check_digits(signs[:12], 9) != signs[12:]:
        message = "is no CNPJ: 12 letters or digits and the two digits that check them"
        raise ValueError(message)
    return signs


def check_digits(base: str, most: int = 11) -> str:
    """Compute the two check digits of a CPF's first nine, or with 9 of a CNPJ's first twelve.

    The weights rise from 2, from the right, up to `most`, and begin again.
    """
    signs = base
    for _ in range(2):
        total = sum(
            (ord(sign) - 48) * (2 + place % (most - 1)) for place, sign in enumerate(signs[::-1])
        )
        signs += str(total * 10 % 11 % 10)
    return signs[len(base) :]


RmDecimal = Annotated[Decimal, BeforeValidator(_decimal, json_schema_input_type=Decimal)]
"""An exact Decimal, from a JSON number, "1.234,56" (with dots as separators) or "1234.56".

A text with a single dot ("1.234") is read as a plain decimal, between one and two.
"""

RmDate = Annotated[date, BeforeValidator(_day, json_schema_input_type=date | str | float)]
"""A day in ISO, dd/MM/yyyy, .NET's `/Date(ms)/` or OADate form. A time of day is ignored."""

RmDateTime = Annotated[
    datetime, BeforeValidator(_instant, json_schema_input_type=datetime | str | float)
]
"""An instant in the same forms. It has a time zone only if the text names one."""

RmBool = Annotated[bool, BeforeValidator(_bool, json_schema_input_type=bool | int | str)]
"""True or false as RM's tables and screens write it."""

Guid = Annotated[UUID, BeforeValidator(_guid, json_schema_input_type=UUID | str)]
"""A GUID in any of .NET's forms (N, D, B, P)."""

Cpf = Annotated[
    str,
    BeforeValidator(_number_of_a_person, json_schema_input_type=str | int),
    AfterValidator(_cpf),
]
"""A CPF with correct check digits, as its 11 digits."""

Cnpj = Annotated[
    str,
    BeforeValidator(_number_of_a_person, json_schema_input_type=str | int),
    AfterValidator(_cnpj),
]
"""A CNPJ with correct check digits, numeric or alphanumeric, as its 14 characters."""
