"""Looks for a person's values in a whole database: each schema, table, column, type and row.

It takes as long as it takes, since it reads everything once. Its memory is bounded: rows are read
as a stream, and a long cell in pieces.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    LargeBinary,
    Select,
    Text,
    TextClause,
    case,
    cast,
    column,
    func,
    inspect,
    literal_column,
    select,
    table,
    text,
    type_coerce,
)
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import NullType

from consumers.sgdp.failures import described
from consumers.sgdp.needles import OVERLAP, Needles

_SYSTEM = frozenset({"information_schema", "pg_catalog", "sys", "system"})
_SHORT_CELL = 16_384  # characters or bytes; what is longer is read alone, in pieces
_PIECE = 1_048_576
_CELLS_AT_ONCE = 2_048


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
                yield from _in_table(connection, inspector, schema, name, needles)
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


def _in_table(
    connection: Connection, inspector: Inspector, schema: str, name: str, needles: Needles
) -> Iterator[Found]:
    try:
        with connection.begin_nested():
            reader = _reader(connection, inspector, schema, name)
            counts = reader.count(connection, needles)
    except SQLAlchemyError as error:
        if connection.invalidated:
            raise
        yield Found(schema, name, "*", 0, described(error))
        return
    for found, rows in counts.items():
        yield Found(schema, name, found, rows)


@dataclass(frozen=True, slots=True)
class _Address:
    """How a database names one row, whatever its key, so that a cell can be read in pieces."""

    selected: str
    fits: str


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads a table's cells as texts or bytes, whatever their types."""

    source: FromClause
    columns: Sequence[tuple[str, ColumnElement[object]]]
    address: "_Address | None"

    def count(self, connection: Connection, needles: Needles) -> dict[str, int]:
        """Count by column the rows in which a value stands."""
        counts: dict[str, int] = {}
        width = len(self.columns)
        for row in connection.execute(self._short_cells()):
            for number, (name, cell) in enumerate(self.columns):
                stands = needles.stand_in(row[number])
                if self.address is not None and row[width + number]:
                    at = text(self.address.fits).bindparams(address=row[-1])
                    stands = self._in_pieces(connection, cell, at, needles)
                if stands:
                    counts[name] = counts.get(name, 0) + 1
        return counts

    def _short_cells(self) -> Select[*tuple[object, ...]]:
        """Each cell; if rows have an address, NULL for a long one, whether it is, and the
        address."""
        cells: list[ColumnElement[object]] = [cell for _, cell in self.columns]
        if self.address is not None:
            lengths = [func.length(cell) for cell in cells]
            long: list[ColumnElement[object]] = [
                case((length > _SHORT_CELL, 1), else_=0) for length in lengths
            ]
            cells = [
                case((length <= _SHORT_CELL, cell))
                for cell, length in zip(cells, lengths, strict=True)
            ]
            cells = [*cells, *long, literal_column(self.address.selected)]
        at_once = max(1, _CELLS_AT_ONCE // max(1, len(self.columns)))
        return self._from(*cells).execution_options(yield_per=at_once)

    def _in_pieces(
        self, connection: Connection, cell: ColumnElement[object], at: TextClause, needles: Needles
    ) -> bool:
        first = 1
        while piece := connection.scalar(
            self._from(func.substr(cell, first, _PIECE + OVERLAP)).where(at)
        ):
            if needles.stand_in(piece):
                return True
            first += _PIECE
        return False

    def _from(self, *columns: ColumnElement[object]) -> Select[*tuple[object, ...]]:
        # A partitioned or inherited table's rows are its children's, which are read too.
        return (
            select(*columns).select_from(self.source).with_hint(self.source, "ONLY", "postgresql")
        )


def _reader(connection: Connection, inspector: Inspector, schema: str, name: str) -> _Reader:
    columns = inspector.get_columns(name, schema=schema)
    source = table(name, *(column(it["name"], it["type"]) for it in columns), schema=schema)
    dialect = connection.dialect.name
    cells = [(it.name, _readable(dialect, it)) for it in source.columns]
    return _Reader(source, cells, _address(connection, inspector, schema, name))


def _readable(dialect: str, of: ColumnElement[object]) -> ColumnElement[object]:
    """Have a cell written by the database: no driver can refuse a date or text that it holds."""
    match dialect:
        case "sqlite":
            return cast(of, LargeBinary)
        case "postgresql" if not isinstance(of.type, LargeBinary):
            return cast(of, Text)
        case _:
            return type_coerce(of, NullType())


def _address(
    connection: Connection, inspector: Inspector, schema: str, name: str
) -> _Address | None:
    if connection.dialect.name == "postgresql":
        kind = connection.scalar(
            text(
                "SELECT c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname = :schema AND c.relname = :name"
            ),
            {"schema": schema, "name": name},
        )
        return _Address("ctid", "ctid = CAST(:address AS tid)") if kind in ("r", "m") else None
    if connection.dialect.name == "sqlite" and not _without_rowid(connection, schema, name):
        taken = {it["name"].lower() for it in inspector.get_columns(name, schema=schema)}
        free = next((it for it in ("rowid", "_rowid_", "oid") if it not in taken), None)
        return _Address(free, f"{free} = :address") if free else None
    return None


def _without_rowid(connection: Connection, schema: str, name: str) -> bool:
    kind = text("SELECT wr FROM pragma_table_list WHERE schema = :schema AND name = :name")
    return bool(connection.scalar(kind, {"schema": schema, "name": name}))


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
    while piece := connection.scalar(select(func.lo_get(number, first, _PIECE + OVERLAP))):
        if needles.stand_in(piece):
            return True
        first += _PIECE
    return False
