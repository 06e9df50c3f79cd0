"""Reads the cells of any table as texts or bytes, whatever their types, in bounded memory."""

import time
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    TableClause,
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
from sqlalchemy.types import NullType

from consumers.sgdp.needles import OVERLAP, Needles

PIECE = 1_048_576
"""Characters or bytes of a long cell that are read at once."""

_SHORT_CELL = 16_384  # what is longer is read alone, in pieces
_CELLS_AT_ONCE = 2_048


class OutOfTimeError(Exception):
    """There was not time enough to read all rows."""


@dataclass(frozen=True, slots=True)
class _Address:
    """How a database names one row, whatever its key, so that a cell can be read in pieces."""

    selected: str
    fits: str


@dataclass(frozen=True, slots=True)
class Cells:
    """Some columns of a table."""

    source: TableClause
    columns: Sequence[tuple[str, ColumnElement[object]]]
    address: _Address | None
    with_partitions: bool = False  # of a partitioned or inherited table, which are tables too

    @classmethod
    def of(
        cls,
        connection: Connection,
        schema: str | None,
        name: str,
        leaving_out: Collection[str] = frozenset(),
        *,
        with_partitions: bool = False,
    ) -> "Cells":
        """Look up the table's columns, and leave out some."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a type that SQLAlchemy does not know is read too
            columns = inspect(connection).get_columns(name, schema=schema)
        source = table(name, *(column(it["name"], it["type"]) for it in columns), schema=schema)
        dialect = connection.dialect.name
        wanted = [it for it in source.columns if it.name not in leaving_out]
        cells = [(it.name, _readable(dialect, it)) for it in wanted]
        names = {it["name"].lower() for it in columns}
        with_partitions = with_partitions and _has_partitions(connection, schema, name)
        address = None if with_partitions else _address(connection, schema, name, names)
        return cls(source, cells, address, with_partitions)

    def count(
        self,
        connection: Connection,
        needles: Needles,
        among: ColumnElement[bool] | TextClause | None = None,
        until: float | None = None,
    ) -> dict[str, int]:
        """Count by column the rows in which a value stands.

        Raises OutOfTimeError if it is not done when the monotonic clock reaches `until`.
        """
        counts: dict[str, int] = {}
        width = len(self.columns)
        query = self._short_cells() if among is None else self._short_cells().where(among)
        for row in connection.execute(query):
            if until is not None and time.monotonic() > until:
                raise OutOfTimeError
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
        # Without an address a long cell is read whole.
        room = _CELLS_AT_ONCE if self.address is not None else _CELLS_AT_ONCE // 32
        at_once = max(1, room // max(1, len(self.columns)))
        return self._from(*cells).execution_options(yield_per=at_once)

    def _in_pieces(
        self, connection: Connection, cell: ColumnElement[object], at: TextClause, needles: Needles
    ) -> bool:
        first = 1
        while piece := connection.scalar(
            self._from(func.substr(cell, first, PIECE + OVERLAP)).where(at)
        ):
            if needles.stand_in(piece):
                return True
            first += PIECE
        return False

    def _from(self, *columns: ColumnElement[object]) -> Select[*tuple[object, ...]]:
        query = select(*columns).select_from(self.source)
        return query if self.with_partitions else query.with_hint(self.source, "ONLY", "postgresql")


def _readable(dialect: str, of: ColumnElement[object]) -> ColumnElement[object]:
    """Have a cell written by the database: no driver can refuse a date or text that it holds."""
    match dialect:
        case "sqlite":
            return cast(of, LargeBinary)
        case "postgresql" if not isinstance(of.type, LargeBinary):
            return cast(of, Text)
        case _:
            return type_coerce(of, NullType())


_RELATION = (
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relname = :name AND CASE WHEN CAST(:schema AS text) IS NULL "
    "THEN pg_table_is_visible(c.oid) ELSE n.nspname = :schema END"
)


def _has_partitions(connection: Connection, schema: str | None, name: str) -> bool:
    if connection.dialect.name != "postgresql":
        return False
    query = text(f"SELECT c.relhassubclass {_RELATION}")
    return bool(connection.scalar(query, {"schema": schema, "name": name}))


def _address(
    connection: Connection, schema: str | None, name: str, columns: Collection[str]
) -> _Address | None:
    if connection.dialect.name == "postgresql":
        kind = text(f"SELECT c.relkind {_RELATION}")
        ordinary = connection.scalar(kind, {"schema": schema, "name": name}) in ("r", "m")
        return _Address("ctid", "ctid = CAST(:address AS tid)") if ordinary else None
    if connection.dialect.name == "sqlite" and not _without_rowid(connection, name):
        free = next((it for it in ("rowid", "_rowid_", "oid") if it not in columns), None)
        return _Address(free, f"{free} = :address") if free else None
    return None


def _without_rowid(connection: Connection, name: str) -> bool:
    kind = text("SELECT max(wr) FROM pragma_table_list WHERE name = :name")
    return bool(connection.scalar(kind, {"name": name}))
