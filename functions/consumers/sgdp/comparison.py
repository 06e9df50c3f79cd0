"""Compares identifiers in the database as `identifiers.canonical` does in Python.

Stored values are brought into their canonical form by an expression that an index can serve:
it is built of constants and of functions that the database knows to be deterministic.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Enum,
    Numeric,
    String,
    Text,
    Unicode,
    false,
    literal,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from consumers.sgdp.identifiers import (
    ADDRESS_MARKS,
    LOWER,
    MARKS,
    NUMBERS,
    UPPER,
    canonical,
    is_cpf,
    written,
)
from consumers.sgdp.lenient import lenient

DIALECTS = ("postgresql", "sqlite", "mssql", "oracle")
"""The databases for which the expressions are written."""

ENCODINGS = ("UTF8", "LATIN1", "LATIN9", "WIN1252")
"""PostgreSQL's encodings that have the letters whose casing is dropped."""

_BIG, _MOST_DIGITS = 18, 38  # digits that a big integer holds; that a decimal holds
_WIDEST = 64  # characters of a key that is padded
_POSITIONS = 64  # characters of a value that SQLite strips of marks, one by one

_Ranges = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a column's values are compared: as an identifier's, or exactly."""

    identifier: str | None
    zeros: bool = False  # whether leading zeros tell nothing: numbers have none
    widths: frozenset[int] = frozenset()  # to which exact texts may be padded

    def value(self, stored: object) -> object:
        """Return what a stored value is compared as; None if nothing is left of it."""
        if stored is None:
            return None
        if self.identifier is None:
            if isinstance(stored, Decimal) and stored.is_finite() and stored == int(stored):
                return int(stored)  # which every driver takes for a column of integers
            return stored.rstrip() if isinstance(stored, str) else stored
        text = canonical(self.identifier, written(stored))
        return (text.lstrip("0") if self.zeros else text) or None

    def reference(self, stored: object) -> object:
        """Return the same of a value that refers to somebody; None if it refers to nobody."""
        if self.identifier == "CPF" and stored is not None:
            text = canonical("CPF", written(stored))
            if is_cpf(text) and len(set(text)) == 1:
                return None  # 111.111.111-11 and its like are nobody's, and in many rows
        return self.value(stored)

    def among(self, column: Column[Any], values: Collection[object]) -> ColumnElement[bool]:
        """Compare a column with values that are as `value` returns them."""
        if self.identifier is None:
            return lenient(column).in_(sorted({*values, *self._padded(values)}, key=str))
        if is_text(column.type):
            return self.expression(column).in_(sorted(map(str, values)))
        numbers = [it for value in values if (it := _number(column, str(value))) is not None]
        return column.in_(numbers) if numbers else false()

    def _padded(self, values: Collection[object]) -> Iterator[str]:
        """Yield exact texts as columns of these lengths may hold them."""
        for value in values:
            if isinstance(value, str):
                yield from (value.ljust(width) for width in self.widths if width <= _WIDEST)

    def expression(self, column: Column[Any]) -> ColumnElement[Any]:
        """Return the column as it is compared: what an index has to be on."""
        if self.identifier is None or not is_text(column.type):
            return column
        if self.identifier == "EMAIL":
            return _Address(column)
        if self.identifier in NUMBERS:
            return _Number(column)
        return _Unpadded(column) if self.zeros else _Document(column)


def compared(kind: str | None, *types: TypeEngine[Any]) -> Comparison:
    """Choose how columns of these types that hold the same identifier are compared."""
    number = kind is not None and not all(map(is_text, types))
    lengths = (getattr(it, "length", None) for it in types if kind is None and is_text(it))
    return Comparison(kind, number or kind in NUMBERS, frozenset(filter(None, lengths)))


def is_text(column_type: TypeEngine[Any]) -> bool:
    """Tell whether a column holds free texts: an enumeration's labels are none."""
    return isinstance(column_type, String) and not isinstance(column_type, Enum)


def _number(column: Column[Any], value: str) -> ColumnElement[object] | None:
    """Write an identifier as a number; None for what the column cannot hold."""
    if not (value.isascii() and value.isdigit()):
        return None
    if len(value) <= _BIG:
        # As a big integer, or a number that the column cannot hold would be the database's error.
        return literal(int(value), BigInteger)
    exact = isinstance(column.type, Numeric) and len(value) <= _MOST_DIGITS
    return literal(Decimal(value), Numeric(_MOST_DIGITS, 0)) if exact else None


class _Canonical(FunctionElement[str]):
    """A text column's canonical form."""

    type = Text()
    inherit_cache = True
    marks: _Ranges = MARKS
    letters = (LOWER, UPPER)
    number = False  # whether a spreadsheet's decimal zero is dropped
    unpadded = False  # whether leading zeros are


class _Document(_Canonical):
    name = "document"
    inherit_cache = True


class _Unpadded(_Canonical):
    name = "unpadded_document"
    inherit_cache = True
    unpadded = True


class _Number(_Canonical):
    name = "number_of_known_length"
    inherit_cache = True
    number = unpadded = True


class _Address(_Canonical):
    name = "address"
    inherit_cache = True
    marks = ADDRESS_MARKS
    letters = (UPPER, LOWER)


def _column(element: _Canonical, compiler: SQLCompiler, **more: object) -> str:
    (column,) = element.clauses
    return compiler.process(column, **more)


def _quoted(compiler: SQLCompiler, text: str, *, national: bool = False) -> str:
    return compiler.render_literal_value(text, Unicode() if national else String())


@compiles(_Canonical, "postgresql")
def _on_postgresql(element: _Canonical, compiler: SQLCompiler, **more: object) -> str:
    """Write it for a database of any encoding: the marks are named by their codes.

    The collation is C, because others know no regular expressions, or other letters.
    """
    said = f'(CAST({_column(element, compiler, **more)} AS TEXT) COLLATE "C")'
    old, new = (_quoted(compiler, letters) for letters in element.letters)
    ranges = "".join(f"\\u{ord(a):04x}-\\u{ord(b):04x}" for a, b in element.marks)
    marks = _quoted(compiler, f"[{ranges}]+")
    case = "upper" if element.letters[1] == UPPER else "lower"
    ascii_only = _quoted(compiler, r"^[\u0001-\u007f]*$")
    # To translate takes ten times as long, so it is left to values that have other letters.
    bare = (
        f"CASE WHEN {said} ~ {ascii_only} THEN regexp_replace({case}({said}), {marks}, '', 'g') "
        f"ELSE regexp_replace(translate({said}, {old}, {new}), {marks}, '', 'g') END"
    )
    if element.number:
        whole, digits = _quoted(compiler, "^ *([0-9]+)[.]0 *$"), _quoted(compiler, r"\1")
        bare = (
            f"CASE WHEN {said} ~ {whole} THEN regexp_replace({said}, {whole}, {digits}) "
            f"ELSE {bare} END"
        )
    return f"ltrim({bare}, '0')" if element.unpadded else f"({bare})"


@compiles(_Canonical, "sqlite")
def _on_sqlite(element: _Canonical, compiler: SQLCompiler, **more: object) -> str:
    """Write it character by character.

    SQLite has no function that replaces several characters, and calls nest 20 deep at most.
    """
    said = f"trim(CAST({_column(element, compiler, **more)} AS TEXT))"
    marks = "".join(f"{a}-{b}" if a != b else a for a, b in element.marks)
    upper = element.letters[1] == UPPER
    latin = "[à-öø-þ]" if upper else "[À-ÖØ-Þ]"
    case, shift = ("upper", "- 32") if upper else ("lower", "+ 32")
    pieces = []
    for number in range(1, _POSITIONS + 1):
        one = f"substr({said}, {number}, 1)"
        pieces.append(
            f"CASE WHEN {one} GLOB '[{marks}]' THEN '' "
            f"WHEN {one} GLOB '{latin}' THEN char(unicode({one}) {shift}) ELSE {case}({one}) END"
        )
    ready = "'*[^0-9A-Z]*'" if upper else "'*[^0-9a-z.@_-]*'"
    rest = f"{case}(substr({said}, {_POSITIONS + 1}))"
    said_so = f"CASE WHEN {said} GLOB {ready} THEN {' || '.join(pieces)} || {rest} ELSE {said} END"
    if element.number:
        whole = f"substr({said}, 1, length({said}) - 2)"
        said_so = (
            f"CASE WHEN {said} GLOB '[0-9]*.0' AND NOT {whole} GLOB '*[^0-9]*' THEN {whole} "
            f"ELSE {said_so} END"
        )
    return f"ltrim({said_so}, '0')" if element.unpadded else f"({said_so})"


@compiles(_Canonical, "oracle")
def _on_oracle(element: _Canonical, compiler: SQLCompiler, **more: object) -> str:
    """Write it in the national character set, which has every character.

    Regular expressions depend on the session there, so no index can be on one.
    """
    said = f"TO_NCHAR({_column(element, compiler, **more)})"
    old, new = element.letters
    marks = "".join(_enumerated(element.marks))
    bare = f"TRANSLATE({said}, {_unistr(old + marks)}, {_unistr(new)})"
    if element.number:
        cut = f"TRIM({said})"
        whole = f"SUBSTR({cut}, 1, LENGTH({cut}) - 2)"
        others = f"TRANSLATE({whole}, 'x0123456789', 'x')"
        bare = (
            f"CASE WHEN SUBSTR({cut}, -2) = '.0' AND {others} IS NULL THEN {whole} ELSE {bare} END"
        )
    return f"LTRIM({bare}, '0')" if element.unpadded else bare


@compiles(_Canonical, "mssql")
def _on_sql_server(element: _Canonical, compiler: SQLCompiler, **more: object) -> str:
    """Write it by TRANSLATE, which there needs a blank for each mark, and REPLACE for the blanks.

    The collation is binary: others find letters equal that are not.
    """
    column = _column(element, compiler, **more)
    said = f"(CAST({column} AS NVARCHAR(400)) COLLATE Latin1_General_BIN2)"
    old, new = element.letters
    marks = [mark for mark in _enumerated(element.marks) if mark != " "]
    characters = f"{_nchar(compiler, old + ''.join(marks))}"
    instead = _quoted(compiler, new + " " * len(marks), national=True)
    bare = f"REPLACE(TRANSLATE({said}, {characters}, {instead}), N' ', N'')"
    if element.number:
        cut = f"LTRIM(RTRIM({said}))"
        whole = f"LEFT({cut}, LEN({cut}) - 2)"
        digits, others = (_quoted(compiler, it, national=True) for it in ("%_.0", "%[^0-9]%"))
        bare = (
            f"CASE WHEN {cut} NOT LIKE {digits} THEN {bare} "
            f"WHEN {whole} LIKE {others} THEN {bare} ELSE {whole} END"
        )
    if element.unpadded:  # no blank is left by then: zeros may become blanks for a moment
        bare = f"REPLACE(LTRIM(REPLACE({bare}, N'0', N' ')), N' ', N'0')"
    return bare


def _enumerated(ranges: _Ranges) -> Iterator[str]:
    """List the marks for a database without ranges: of the controls, those that are blanks."""
    for first, last in ranges:
        for code in range(ord(first), ord(last) + 1):
            if chr(code) >= " " or chr(code) in "\t\n\v\f\r":
                yield chr(code)


def _unistr(text: str) -> str:
    plain = (it if it.isascii() and it.isalnum() else f"\\{ord(it):04X}" for it in text)
    return f"UNISTR('{''.join(plain)}')"


def _nchar(compiler: SQLCompiler, text: str) -> str:
    """Write a text of which nothing is invisible: an editor could change that."""
    shown = "".join(char for char in text if char.isprintable())
    codes = "".join(f" + NCHAR({ord(char)})" for char in text if not char.isprintable())
    return f"{_quoted(compiler, shown, national=True)}{codes}"
