"""Copies of a person's values that the ERP itself makes, outside the personal data map.

A trigger or rule may write them elsewhere while they are masked, and a column that no map names may
repeat them. What is found is told; it is not changed, as nobody has said how.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from datetime import time as time_of_day
from decimal import Decimal

from sqlalchemy import (
    Connection,
    NestedTransaction,
    TextClause,
    and_,
    func,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from consumers.sgdp.cells import Cells, OutOfTimeError
from consumers.sgdp.database import metadata
from consumers.sgdp.engine import STATEMENT_TIMEOUT
from consumers.sgdp.failures import unreadable
from consumers.sgdp.masking import Change
from consumers.sgdp.model import Model, Models
from consumers.sgdp.needles import Needles, telling
from consumers.sgdp.person import Record
from consumers.sgdp.plain_values import readable
from consumers.sgdp.rows import Row, Values, among, chunks

SECONDS = 2
"""For which the tables that triggers write are looked through, and then the indexed columns: rows
stay locked meanwhile."""

_MOST_VALUES = 200  # that are looked for: those that the most rows hold
_AT_ONCE = 100  # rows in one query
OURS = frozenset(metadata.tables)
"""The product's own tables, which hold no personal data."""


# In a transaction of its own number and those of its savepoints, which are higher.
_WRITTEN_NOW = text("age(xmin) <= age(CAST(CAST(txid_current() % 4294967296 AS text) AS xid))")
# Where new rows stand in most tables; a large one takes too long to be read from its beginning.
_LAST_PAGES = 1_000
_PAGES = text(
    "SELECT pg_relation_size(CAST(:table AS regclass)) / CAST(current_setting('block_size') AS int)"
)
_COUNTED = text(
    "SELECT schemaname, s.relname, n_tup_ins + n_tup_upd AS rows, "
    "n.nspname AS root_schema, r.relname AS root "
    "FROM pg_stat_xact_user_tables s "
    "JOIN pg_class r ON r.oid = coalesce(pg_partition_root(s.relid), s.relid) "
    "JOIN pg_namespace n ON n.oid = r.relnamespace WHERE n_tup_ins + n_tup_upd > 0"
)


_Place = tuple[str, str]  # a schema, and a table in it


@dataclass(frozen=True, slots=True, order=True)
class Copy:
    """A column outside the map that holds what was masked, or (`problem`) a table in which it
    could not be looked for."""

    table: str
    column: str
    problem: str | None = None

    def __str__(self) -> str:
        return f"{self.table}.{self.column}" + (f" ({self.problem})" if self.problem else "")


def values_of(records: Iterable[Record], wanted: Iterable[Change]) -> Needles | None:
    """Collect what to look for: what a mask takes away, and the identifiers that the law keeps.

    What is too short to tell a person is left out; None if nothing is left.
    """
    identifiers: set[str] = set()
    for record in records:
        for item in () if record.dependent else record.model.attributes:
            if item.spec.identifier and item.mask is None:
                identifiers.update(_texts(record.row.values[item.column.name]))
    masked: Counter[str] = Counter()
    for change in wanted:
        for name, value in change.values.items():
            if change.row.values[name] != value:
                left = set(_texts(value))  # of a document, or a list, parts stay
                masked.update(set(_texts(change.row.values[name])) - left)
    values = [*sorted(identifiers), *(value for value, _ in masked.most_common())]
    found = list(dict.fromkeys(filter(telling, values)))[:_MOST_VALUES]
    return Needles.of(found) if found else None


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield readable(value)
        case bool() | None:
            return
        case int() | Decimal() | date() | time_of_day():
            yield str(value)
        case float():
            yield f"{value:.0f}" if value.is_integer() else str(value)
        case Mapping():
            for item in value.values():
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)


def copies_in_rows(connection: Connection, rows: Sequence[Row], needles: Needles) -> set[Copy]:
    """Look into the columns that the map does not name, of the person's own rows."""
    found: set[Copy] = set()
    for model in {row.model.name: row.model for row in rows}.values():
        mapped = {column.name for column in model.table.c}
        keys = [row.key for row in rows if row.model is model]
        with _looking(connection, model.table.schema, model.table.name, found):
            place = (model.table.schema, model.table.name)
            cells = Cells.of(connection, *place, mapped, with_partitions=True)
            if cells.columns:
                columns = [cells.source.c[column.name] for column in model.key]
                for some in chunks(keys, _AT_ONCE):
                    counts = cells.count(connection, needles, among(columns, some))
                    found |= {Copy(model.table.fullname, column) for column in counts}
    return found


@dataclass(frozen=True, slots=True)
class Watch:
    """What a database's transaction had written before the mask."""

    models: Models
    counted: Mapping[_Place, tuple[int, _Place]]

    @classmethod
    def begin(cls, connection: Connection, models: Models) -> "Watch":
        """Remember it."""
        postgresql = connection.dialect.name == "postgresql"
        return cls(models, _counted(connection) if postgresql else {})

    def replaces(self, connection: Connection, wanted: Sequence[Change]) -> Counter[str]:
        """Count by model the rows, about to be masked, that the transaction itself has written."""
        found: Counter[str] = Counter()
        if connection.dialect.name == "postgresql":
            for model in {it.row.model.name: it.row.model for it in wanted}.values():
                keys = [it.row.key for it in wanted if it.row.model is model]
                found[model.name] = _written_among(connection, model, keys)
        return found

    def copies(
        self,
        connection: Connection,
        needles: Needles,
        masked: Sequence[Change],
        replaced: Mapping[str, int],
    ) -> set[Copy]:
        """Look into the tables that were written meanwhile, besides by the mask itself.

        Of the rows that it wrote, so many of each model the transaction had written before.
        """
        models = {it.row.model.name: it.row.model for it in masked}
        match connection.dialect.name:
            case "postgresql":
                return self._on_postgresql(connection, needles, masked, replaced)
            case "sqlite":
                return self._on_sqlite(connection, needles, models.values())
            case _:
                return set(_untold(connection, models.values()))

    def _on_postgresql(
        self,
        connection: Connection,
        needles: Needles,
        masked: Sequence[Change],
        replaced: Mapping[str, int],
    ) -> set[Copy]:
        # Triggers that wait for the commit write now.
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        found: set[Copy] = set()
        if connection.scalar(text("SHOW track_counts")) != "on":
            problem = "the server's track_counts is off: it does not say what triggers wrote"
            set_off = (it for it in self.models if it.masked and triggers(connection, it))
            found |= {Copy(model.table.fullname, "*", problem) for model in set_off}
        default = connection.dialect.default_schema_name
        mapped = {(it.table.schema or default, it.table.name): it for it in self.models}
        until = time.monotonic() + SECONDS
        counted = _counted(connection)
        written: Counter[_Place] = Counter()
        for place, (rows, root) in counted.items():
            written[root] += rows - self.counted.get(place, (0, root))[0]
        for place, (rows, root) in sorted(counted.items()):
            schema, name = None if place[0] == default else place[0], place[1]
            model = mapped.get(root)
            own = [it for it in masked if it.row.model is model]
            meanwhile = rows - self.counted.get(place, (0, root))[0]
            if meanwhile <= 0 or written[root] <= len(own) or name in OURS:
                continue
            if model is not None and place == root:
                meanwhile -= replaced.get(model.name, 0)
            else:
                own = []  # a partition's are not told from another's
            with _looking(connection, schema, name, found):
                columns = _in_written(connection, place, model, own, needles, meanwhile, until)
                found |= {Copy(f"{schema}.{name}" if schema else name, it) for it in columns}
        return found

    def _on_sqlite(
        self, connection: Connection, needles: Needles, masked: Iterable[Model]
    ) -> set[Copy]:
        found: set[Copy] = set()
        until = time.monotonic() + SECONDS
        mapped = {it.table.name: it for it in self.models}
        written = set().union(*(_written_by_triggers(connection, model) for model in masked))
        for name in sorted(written - OURS):
            with _looking(connection, None, name, found):
                # Of a mapped table only what is not mapped: the rest may be anybody's.
                known = {it.name for it in mapped[name].table.c} if name in mapped else set()
                columns = Cells.of(connection, None, name, known).count(
                    connection, needles, until=until
                )
                found |= {Copy(name, column) for column in columns}
        return found


def _in_written(
    connection: Connection,
    place: _Place,
    model: Model | None,
    own: Sequence[Change],
    needles: Needles,
    rows: int,
    until: float,
) -> Collection[str]:
    """Look into the rows that the transaction wrote, so many at most; of a table outside the map
    into the older ones too, unless the first have told enough.

    Its `own` rows, those that the mask wrote, were read back.
    """
    known = set()
    if model is not None:
        masked = {item.column.name for item in model.masked}
        known = {column.name for column in model.table.c} - masked
    cells = Cells.of(connection, *place, known)
    quoted = connection.dialect.identifier_preparer.format_table(cells.source)
    pages = connection.scalar(_PAGES, {"table": quoted}) or 0
    first = max(0, pages - _LAST_PAGES)
    last = text(f"ctid >= '({first},0)'")
    found = cells.count(connection, needles, and_(last, _WRITTEN_NOW), until)
    if not found and first:
        # The whole table is read only if what was written is not all in its last pages.
        query = select(func.count()).select_from(cells.source).where(last, _WRITTEN_NOW)
        seen = connection.scalar(query.with_hint(cells.source, "ONLY", "postgresql")) or 0
        if model is not None:
            keys = {change.row.digest: change.row.key for change in own}
            earlier = text(f"ctid < '({first},0)'")
            seen += _written_among(connection, model, list(keys.values()), earlier)
        if seen < rows:
            found = cells.count(connection, needles, _WRITTEN_NOW, until)
    if not found and model is None:
        found = cells.count(connection, needles, until=until)
    return found


def _written_among(
    connection: Connection, model: Model, keys: Sequence[Values], *also: TextClause
) -> int:
    """Count the rows with these keys that the transaction has written."""
    counted = select(func.count()).select_from(model.table)
    return sum(
        connection.scalar(counted.where(among(model.key, some), _WRITTEN_NOW, *also)) or 0
        for some in chunks(keys, _AT_ONCE)
    )


@contextmanager
def _looking(
    connection: Connection, schema: str | None, name: str, found: set[Copy]
) -> Iterator[None]:
    """Go on if a table cannot be looked into, and tell it."""
    problem = None
    try:
        with limited(connection):
            yield
    except OutOfTimeError:
        problem = f"not looked through in {SECONDS} s"
    except SQLAlchemyError as error:
        if connection.invalidated:
            raise
        problem = unreadable(connection, error, schema, name)
    if problem:
        found.add(Copy(f"{schema}.{name}" if schema else name, "*", problem))


@contextmanager
def limited(connection: Connection) -> Iterator[NestedTransaction]:
    """Let a statement take so long at most; if one fails, the transaction goes on."""
    with connection.begin_nested() as savepoint:
        _wait_at_most(connection, f"{SECONDS}s")
        yield savepoint
        if savepoint.is_active:  # else what was set is undone
            _wait_at_most(connection, STATEMENT_TIMEOUT)


def _wait_at_most(connection: Connection, limit: str) -> None:
    if connection.dialect.name == "postgresql":
        wanted = text("SELECT set_config('statement_timeout', :limit, true)")
        connection.execute(wanted, {"limit": limit})


def _counted(connection: Connection) -> dict[_Place, tuple[int, _Place]]:
    """By table: the rows that the transaction wrote, and the table of which it is a partition."""
    return {
        (it.schemaname, it.relname): (it.rows, (it.root_schema, it.root))
        for it in connection.execute(_COUNTED)
    }


def _written_by_triggers(connection: Connection, model: Model) -> set[str]:
    """Have SQLite name the tables that it would write by triggers, theirs too."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        return set()
    written: set[str] = set()

    def remember(action: int, table: str | None, *others: str | None) -> int:
        trigger = others[-1]
        if trigger and table and action in (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE):
            written.add(table)
        return sqlite3.SQLITE_OK

    same = {item.column: item.column for item in model.masked}
    statement = update(model.table).values(same).compile(dialect=connection.dialect)
    driver.set_authorizer(remember)
    try:
        connection.exec_driver_sql(f"EXPLAIN {statement}").close()
    finally:
        driver.set_authorizer(None)
    return written


def triggers(connection: Connection, model: Model) -> list[str]:
    """Name the triggers and rules that a mask of the table sets off."""
    query = _TRIGGERS.get(connection.dialect.name)
    if query is None:
        return []
    table = model.table
    name = connection.dialect.identifier_preparer.format_table(table)
    return sorted(connection.scalars(text(query), {"quoted": name, "name": table.name}))


_TRIGGERS = {
    "postgresql": (
        "SELECT tgname FROM pg_trigger WHERE tgrelid = CAST(:quoted AS regclass) "
        "AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 16 <> 0 "
        "UNION ALL SELECT rulename FROM pg_rewrite "
        "WHERE ev_class = CAST(:quoted AS regclass) AND ev_type = '2' AND :name <> ''"
    ),
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name "
    "AND :quoted <> ''",
    "mssql": "SELECT name FROM sys.triggers WHERE parent_id = OBJECT_ID(:quoted) "
    "AND is_disabled = 0 AND :name <> ''",
    "oracle": "SELECT trigger_name FROM all_triggers WHERE upper(table_name) = upper(:name) "
    "AND status = 'ENABLED' AND :quoted IS NOT NULL",
}


def _untold(connection: Connection, masked: Iterable[Model]) -> Iterator[Copy]:
    """Of a database that does not say what triggers write it is told that there are some."""
    for model in masked:
        if names := triggers(connection, model):
            problem = f"what its triggers write was not looked for: {', '.join(names)}"
            yield Copy(model.table.fullname, "*", problem)
