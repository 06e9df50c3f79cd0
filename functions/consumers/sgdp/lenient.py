"""Reads what no Python type holds as the text that the database wrote.

One date of a person that is `infinity`, before Christ or after the year 9999, one text whose bytes
are no UTF-8, must not keep the person's other data from being answered or masked.
"""

import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.abc import Buffer, Loader
from psycopg.adapt import AdaptersMap
from psycopg.adapt import Loader as BaseLoader
from psycopg.pq import Format
from psycopg.types.string import StrDumper
from sqlalchemy import ColumnElement, Dialect, type_coerce
from sqlalchemy.types import NullType, TypeDecorator, TypeEngine

_Processor = Callable[[Any], Any]

_MOST_NESTED = 100  # lists and objects within each other; Python writes some hundreds as JSON
_UNREADABLE = (
    psycopg.Error,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
)


class Lenient(TypeDecorator[Any]):
    """A column's own type; a value that it cannot convert stays as the driver read it."""

    impl = NullType
    cache_ok = True

    def __init__(self, own: TypeEngine[Any]) -> None:
        super().__init__()
        self.own = own
        self.impl = own  # type: ignore[assignment]  # as SQLAlchemy's own instances do

    def result_processor(self, dialect: Dialect, coltype: object) -> _Processor | None:
        """Convert what can be converted."""
        convert = super().result_processor(dialect, coltype)
        return None if convert is None else _or_as_it_is(convert)

    def bind_processor(self, dialect: Dialect) -> _Processor | None:
        """Write a text that was read so as it was read."""
        convert = super().bind_processor(dialect)
        return None if convert is None else _or_as_it_is(convert, str)


def lenient(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Read and compare a column so."""
    return type_coerce(column, Lenient(column.type))


def _or_as_it_is(convert: _Processor, kind: type = object) -> _Processor:
    def process(value: object) -> object:
        if kind is object and isinstance(value, str) and _deep(value.encode("utf-8", "replace")):
            return value
        try:
            converted = convert(value)
        except _UNREADABLE:
            if isinstance(value, kind):
                return value
            raise
        # Python finds each text true, and no more says which it was.
        return value if isinstance(value, str) and isinstance(converted, bool) else converted

    return process


def decoded(raw: bytes) -> str:
    """Read bytes as UTF-8; what is none can be told from it, and written back as it was."""
    return raw.decode("utf-8", "surrogateescape")


def read_leniently(connection: object) -> None:
    """Have a driver's new connection do so, as far as it can be had."""
    if isinstance(connection, sqlite3.Connection):
        connection.text_factory = decoded
    elif isinstance(connection, psycopg.Connection):
        adapters = connection.adapters
        for info in list(adapters.types):
            own = adapters.get_loader(info.oid, Format.TEXT)
            if own is not None and info.name != "bytea":
                adapters.register_loader(info.oid, _lenient_loader(own))
        _read_any_text(connection, adapters)


def _read_any_text(connection: "psycopg.Connection[Any]", adapters: AdaptersMap) -> None:
    """Of a type without a loader the driver returns the text, or bytes where nothing says in which
    encoding the database keeps it."""
    unknown = adapters.get_loader(0, Format.TEXT)
    if unknown is not None:
        adapters.register_loader(0, _lenient_loader(unknown))
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        adapters.register_dumper(str, _BytesDumper)


class _BytesDumper(StrDumper):
    def dump(self, obj: str) -> bytes:
        return obj.encode("utf-8", "surrogateescape")


@lru_cache
def _lenient_loader(own: type[Loader]) -> type[Loader]:
    class LenientLoader(BaseLoader):
        """Holds the driver's own: those that are written in C cannot be inherited from."""

        def __init__(self, oid: int, connection: Any = None) -> None:  # noqa: ANN401  (psycopg's)
            super().__init__(oid, connection)
            self._own = own(oid, connection)

        def load(self, data: Buffer) -> object:
            raw = bytes(data)
            if _deep(raw):
                return decoded(raw)
            try:
                value: object = self._own.load(data)
            except _UNREADABLE:
                return decoded(raw)
            return decoded(value) if isinstance(value, bytes) else value

    return LenientLoader


def _deep(raw: bytes) -> bool:
    """Tell whether a document nests too deep for Python; brackets in its texts count too."""
    if raw[:1] not in (b"[", b"{"):
        return False
    depth = 0
    for byte in raw:
        if byte in b"[{":
            depth += 1
            if depth > _MOST_NESTED:
                return True
        elif byte in b"]}":
            depth -= 1
    return False
