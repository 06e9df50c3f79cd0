"""What the database says of the mapped tables: columns, keys, what must be unique or present."""

import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, MetaData, Table, inspect, text
from sqlalchemy.dialects.postgresql.base import PGInspector
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedIndex
from sqlalchemy.engine.reflection import Inspector

from consumers.sgdp.catalogue import (
    ON_AN_EXPRESSION,
    PARTIAL,
    Check,
    ColumnType,
    Uniqueness,
    mentioned,
    read_relation,
    unique_on_sqlite,
)
from consumers.sgdp.comparison import DIALECTS, ENCODINGS
from consumers.sgdp.map_error import refuse
from consumers.sgdp.personal_data import PersonalTable
from smartlink.domain.said import Said, said

_Reflected = Mapping[tuple[str | None, str], Any]


@dataclass(frozen=True, slots=True)
class Structure:
    """A table as it stands in the database."""

    schema: str | None
    name: str
    columns: Mapping[str, ReflectedColumn]
    unique: Sequence[Uniqueness]
    joined: frozenset[str]  # columns in a foreign key, or referred to by one of a mapped table
    primary: frozenset[str]
    checks: Sequence[Check] = ()
    types: Mapping[str, ColumnType] = field(default_factory=dict)  # PostgreSQL's alone

    def column(self, place: str, name: str) -> ReflectedColumn:
        """Find a column, in any casing if that is unambiguous; else raise MapError."""
        found = _named(name, self.columns)
        if found is None:
            refuse(place, said("the table has no such column"))
        return self.columns[found]


def read_structures(
    connection: Connection, tables: Mapping[str, PersonalTable]
) -> dict[str, Structure]:
    """Read the mapped tables' structures, by their names in the map.

    Raises MapError at a table that is missing; SQLAlchemyError if the database fails.
    """
    if connection.dialect.name not in DIALECTS:
        known = ", ".join(DIALECTS)
        refuse("databaseUrl", said("identifiers are compared on {known} only", known=known))
    if connection.dialect.name == "postgresql":
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding not in ENCODINGS:
            refuse(
                "databaseUrl",
                said(
                    "letters are compared in {known}, not {encoding}",
                    known=", ".join(ENCODINGS),
                    encoding=encoding,
                ),
            )
    inspector = inspect(connection)
    found: dict[str, Structure] = {}
    for schema in {table.db_schema for table in tables.values()}:
        wanted = {name: table for name, table in tables.items() if table.db_schema == schema}
        there = inspector.get_table_names(schema=schema)
        names = {name: _table(inspector, name, table, there) for name, table in wanted.items()}
        for name, structure in _read(inspector, schema, set(names.values())).items():
            for mapped in (mapped for mapped, own in names.items() if own == name):
                found[mapped] = _completed(connection, f"map.tables.{mapped}", structure)
    return found


def _table(inspector: Inspector, name: str, table: PersonalTable, there: Collection[str]) -> str:
    found = _named(table.name or name, there)
    if found is None:
        place = f"map.tables.{name}"
        for kind, others in _no_tables(inspector, table.db_schema):
            if _named(table.name or name, others):
                refuse(
                    place,
                    said(
                        "it is a {kind}, whose rows are kept elsewhere: map the tables beneath it",
                        kind=kind,
                    ),
                )
        where = (
            said("schema {schema}", schema=table.db_schema)
            if table.db_schema
            else said("the user's default schema")
        )
        refuse(place, said("{where} has no such table, or its user may not see it", where=where))
    return found


def _no_tables(inspector: Inspector, schema: str | None) -> Iterator[tuple[Said, list[str]]]:
    """Yield what has a table's name and is none."""
    yield said("view"), inspector.get_view_names(schema=schema)
    with suppress(NotImplementedError):  # SQLAlchemy knows them of PostgreSQL and Oracle alone
        yield said("materialised view"), inspector.get_materialized_view_names(schema=schema)
    if isinstance(inspector, PGInspector):
        yield said("foreign table"), inspector.get_foreign_table_names(schema=schema)


def _completed(connection: Connection, place: str, structure: Structure) -> Structure:
    """Add what only the database's own catalogue tells; refuse a table that cannot be mapped."""
    if connection.dialect.name == "sqlite":
        where = (structure.schema, structure.name, structure.columns)
        unique = [*structure.unique, *unique_on_sqlite(connection, *where)]
        return replace(structure, unique=unique)
    if connection.dialect.name != "postgresql":
        return structure
    name = Table(structure.name, MetaData(), schema=structure.schema)
    quoted = connection.dialect.identifier_preparer.format_table(name)
    relation = read_relation(connection, quoted)
    if relation.refused:
        refuse(place, relation.refused)
    return replace(
        structure,
        unique=relation.unique,
        checks=relation.checks,
        types=relation.types,
    )


def _read(inspector: Inspector, schema: str | None, names: set[str]) -> dict[str, Structure]:
    only: dict[str, Any] = {"schema": schema, "filter_names": sorted(names)}
    with warnings.catch_warnings():
        # SQLAlchemy warns of types that the database alone knows, and of indexes on expressions.
        warnings.simplefilter("ignore")
        columns = inspector.get_multi_columns(**only)
        primary = inspector.get_multi_pk_constraint(**only)
        foreign = inspector.get_multi_foreign_keys(**only)
        constraints = inspector.get_multi_unique_constraints(**only)
        indexes = inspector.get_multi_indexes(**only)
    found = {}
    for name in names:
        at = _key(columns, name)
        own = {column["name"]: column for column in columns[at]}
        key = frozenset(primary[at]["constrained_columns"])
        unique = [Uniqueness("of the primary key", key)] if key else []
        unique += [
            Uniqueness(item["name"] or "of a constraint", frozenset(item["column_names"]))
            for item in constraints.get(at, ())
        ]
        unique += [_uniqueness(item, own) for item in indexes.get(at, ()) if item["unique"]]
        found[name] = Structure(
            schema=schema,
            name=name,
            columns=own,
            unique=unique,
            joined=_joined(name, foreign),
            primary=key,
            checks=_checks(inspector, schema, name, own),
        )
    return found


def _uniqueness(index: ReflectedIndex, columns: Collection[str]) -> Uniqueness:
    """Judge a unique index; of an expression every column counts that it may name."""
    name = index["name"] or "without a name"
    own = frozenset(filter(None, index["column_names"]))
    if None in index["column_names"]:
        own |= mentioned(" ".join(index.get("expressions") or columns), columns)
        return Uniqueness(name, own, ON_AN_EXPRESSION)
    options = index.get("dialect_options", {})
    if any(option.endswith("_where") and value is not None for option, value in options.items()):
        return Uniqueness(name, own, PARTIAL)
    return Uniqueness(name, own)


def _checks(
    inspector: Inspector, schema: str | None, name: str, columns: Collection[str]
) -> list[Check]:
    """Read the CHECKs where SQLAlchemy can; PostgreSQL's come from its catalogue."""
    if inspector.dialect.name != "sqlite":
        return []
    found = []
    for item in inspector.get_check_constraints(name, schema):
        said = item["sqltext"]
        found.append(Check(item["name"] or "without a name", said, mentioned(said, columns)))
    return found


def _joined(name: str, foreign: _Reflected) -> frozenset[str]:
    own = (
        column
        for (_, table), keys in foreign.items()
        if table == name
        for key in keys
        for column in key["constrained_columns"]
    )
    referred = (
        column
        for keys in foreign.values()
        for key in keys
        if key["referred_table"] == name
        for column in key["referred_columns"]
    )
    return frozenset({*own, *referred})


def _key(reflected: _Reflected, name: str) -> tuple[str | None, str]:
    return next(key for key in reflected if key[1] == name)


def _named(name: str, there: Iterable[str]) -> str | None:
    """Find a name as it is written, else the only one that differs in casing alone."""
    names = list(there)
    if name in names:
        return name
    alike = [other for other in names if other.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None
