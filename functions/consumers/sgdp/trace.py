"""Looks for a person's values in a whole database: each schema, table, column, type and row.

It takes as long as it takes, since it reads everything once. Its memory is bounded: rows are read
as a stream, and a long cell in pieces.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import SQLAlchemyError

from consumers.sgdp.cells import PIECE, Cells
from consumers.sgdp.failures import described, unreadable
from consumers.sgdp.needles import OVERLAP, Needles

_SYSTEM = frozenset({"information_schema", "pg_catalog", "sys", "system"})


@dataclass(frozen=True, slots=True)
class Found:
    """A column in which one of the values stands, or (`problem`) one that could not be read."""

    schema: str
    table: str
    column: str
    rows: int  # in which one of the values stands
    problem: str | None = None


def trace(connection: Connection, values: Collection[str]) -> Iterator[Found]:
    """Look for the values in everything that the connection's user may read, table by table.

    The connection must be in a transaction, which stays open: a snapshot of its isolation level.
    A table that cannot be read is told as a Found with a `problem`, and never passed over. Raises
    ValueError if a value has neither letter nor digit; SQLAlchemyError if the database is gone.
    """
    needles = Needles.of(values)
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
    inspector = inspect(connection)
    for schema in inspector.get_schema_names():
        if schema.lower() not in _SYSTEM:
            for name in sorted(_tables(connection, inspector, schema)):
                yield from _in_table(connection, schema, name, needles)
    if connection.dialect.name == "postgresql":
        yield from _in_large_objects(connection, needles)


def _tables(connection: Connection, inspector: Inspector, schema: str) -> set[str]:
    """Name what holds rows of its own: materialised views and foreign tables too."""
    found = set(inspector.get_table_names(schema=schema))
    if connection.dialect.name in ("postgresql", "oracle"):
        found.update(inspector.get_materialized_view_names(schema=schema))
    if connection.dialect.name == "postgresql":
        foreign = text(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.relkind = 'f' AND n.nspname = :schema"
        )
        found.update(connection.scalars(foreign, {"schema": schema}))
    return found


def _in_table(connection: Connection, schema: str, name: str, needles: Needles) -> Iterator[Found]:
    try:
        with connection.begin_nested():
            counts = Cells.of(connection, schema, name).count(connection, needles)
    except SQLAlchemyError as error:
        if connection.invalidated:
            raise
        yield Found(schema, name, "*", 0, unreadable(connection, error, schema, name))
        return
    for found, rows in counts.items():
        yield Found(schema, name, found, rows)


def _in_large_objects(connection: Connection, needles: Needles) -> Iterator[Found]:
    """PostgreSQL's large objects are no table's, though a column may hold their numbers."""
    place = ("pg_catalog", "pg_largeobject", "data")
    numbers = text("SELECT oid FROM pg_largeobject_metadata")
    rows = 0
    try:
        with connection.begin_nested():
            for (number,) in connection.execute(numbers.execution_options(yield_per=1_000)):
                rows += _in_large_object(connection, number, needles)
    except SQLAlchemyError as error:
        if connection.invalidated:
            raise
        yield Found(*place, rows, described(error))
        return
    if rows:
        yield Found(*place, rows)


def _in_large_object(connection: Connection, number: int, needles: Needles) -> bool:
    first = 0
    while piece := connection.scalar(select(func.lo_get(number, first, PIECE + OVERLAP))):
        if needles.stand_in(piece):
            return True
        first += PIECE
    return False
