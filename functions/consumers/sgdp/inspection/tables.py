"""The tables of a database, as far as its user sees them, and a sample of their rows."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import (
    Connection,
    Engine,
    LargeBinary,
    TableClause,
    Text,
    cast,
    column,
    func,
    inspect,
    select,
    table,
    text,
)
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.engine.reflection import Inspector, ObjectKind
from sqlalchemy.sql import FromClause

from consumers.sgdp.database import metadata

_OWN = frozenset(metadata.tables)
_LONG = 2_000  # characters of a value that are looked at
# Below so many pages a table is read from its start; of larger ones PostgreSQL picks pages.
_FEW_PAGES = 50
_NOT_THE_ERPS = ("information_schema", "pg_catalog", "pg_toast", "sys", "guest")


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table, or a materialised view, as it stands in the database."""

    schema: str | None  # None: the user's default
    name: str
    columns: Mapping[str, ReflectedColumn]
    primary: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...]  # unique columns that are NOT NULL, and no key
    foreign: tuple["Foreign", ...]
    copy: bool = False  # a materialised view

    @property
    def full_name(self) -> str:
        """Returns the name with its schema, if that is not the default one."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class Foreign:
    """A foreign key."""

    columns: tuple[str, ...]
    schema: str | None
    table: str
    to: tuple[str, ...]


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Opens a transaction that is rolled back at its end."""
    with engine.connect() as connection:
        transaction = connection.begin()
        try:
            yield connection
        finally:
            transaction.rollback()


def all_tables(connection: Connection) -> list[FoundTable]:
    """Reads every table of the ERP, but the product's own and the parts of a partitioned one."""
    inspector = inspect(connection)
    default = inspector.default_schema_name
    found: list[FoundTable] = []
    for schema in _schemas(connection, inspector):
        own = None if schema == default else schema
        parts = _partitions(connection, schema)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # types of the database's own, indexes on expressions
            here = [*_of_schema(inspector, own, ObjectKind.TABLE)]
            if connection.dialect.name in {"postgresql", "oracle"}:
                here += _of_schema(inspector, own, ObjectKind.MATERIALIZED_VIEW)
        found += [it for it in here if it.name not in _OWN and it.name not in parts]
    return sorted(found, key=lambda it: it.full_name)


def sample(connection: Connection, found: FoundTable, rows: int) -> dict[str, list[str]]:
    """Reads the values of so many rows as texts, by column: without blanks around, none empty.

    Of what is no text, SQL makes one, so that no value is beyond what Python holds. Raises
    SQLAlchemyError.
    """
    names = [name for name, it in found.columns.items() if not isinstance(it["type"], LargeBinary)]
    if not names:
        return {}
    clause = table(found.name, *(column(name) for name in names), schema=found.schema)
    source = picked(connection, clause, rows)
    cells = [func.substr(cast(source.c[name], Text), 1, _LONG) for name in names]
    query = select(*(cell.label(f"c{number}") for number, cell in enumerate(cells))).limit(rows)
    if connection.dialect.name == "sqlite":
        query = query.order_by(func.random())
    read = connection.execute(query).all()
    return {name: _texts(row[number] for row in read) for number, name in enumerate(names)}


def picked(connection: Connection, source: TableClause, rows: int) -> FromClause:
    """Returns the table, or on PostgreSQL some pages of a large one, chosen by chance.

    The first rows of a table are the oldest, written as nobody writes them any more.
    """
    if connection.dialect.name != "postgresql":
        return source
    name = connection.dialect.identifier_preparer.format_table(source)
    size = connection.execute(_SIZE, {"name": name}).first()
    if size is None or size.pages <= _FEW_PAGES or size.rows <= 10 * rows:
        return source
    # Twice what is needed: pages are not equally full.
    return source.tablesample(func.system(min(100.0, 200.0 * rows / size.rows)))


_SIZE = text(
    "SELECT reltuples AS rows, relpages AS pages FROM pg_class WHERE oid = to_regclass(:name)"
)
_PARTS = text(
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relispartition AND n.nspname = :schema"
)


def _texts(values: Iterator[str | None]) -> list[str]:
    stripped = (value.strip() for value in values if value is not None)
    return [value for value in stripped if value]


def _schemas(connection: Connection, inspector: Inspector) -> list[str]:
    if connection.dialect.name == "sqlite":
        return ["main"]
    there = inspector.get_schema_names()
    if connection.dialect.name == "oracle":
        return [str(inspector.default_schema_name)]
    return [it for it in there if it not in _NOT_THE_ERPS and not it.startswith(("pg_", "db_"))]


def _partitions(connection: Connection, schema: str) -> frozenset[str]:
    if connection.dialect.name != "postgresql":
        return frozenset()
    return frozenset(connection.scalars(_PARTS.bindparams(schema=schema)))


def _of_schema(inspector: Inspector, schema: str | None, kind: ObjectKind) -> Iterator[FoundTable]:
    columns = inspector.get_multi_columns(schema=schema, kind=kind)
    primary = inspector.get_multi_pk_constraint(schema=schema, kind=kind)
    unique = inspector.get_multi_unique_constraints(schema=schema, kind=kind)
    foreign = inspector.get_multi_foreign_keys(schema=schema, kind=kind)
    for at, its in columns.items():
        by_name = {it["name"]: it for it in its}
        key = primary[at]["constrained_columns"] if at in primary else []
        yield FoundTable(
            schema,
            at[1],
            by_name,
            tuple(key),
            tuple(_proving(by_name, [it["column_names"] for it in unique.get(at, ())])),
            tuple(
                Foreign(
                    tuple(it["constrained_columns"]),
                    it["referred_schema"],
                    it["referred_table"],
                    tuple(it["referred_columns"]),
                )
                for it in foreign.get(at, ())
            ),
            copy=kind is ObjectKind.MATERIALIZED_VIEW,
        )


def _proving(
    columns: Mapping[str, ReflectedColumn], unique: Sequence[Sequence[str]]
) -> Iterator[tuple[str, ...]]:
    return (
        tuple(names) for names in unique if not any(columns[name]["nullable"] for name in names)
    )
