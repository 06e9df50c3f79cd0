"""What the database says of the mapped tables: columns, keys, what must be unique or present."""

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, inspect
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.engine.reflection import Inspector

from consumers.sgdp.map_error import refuse
from consumers.sgdp.personal_data import PersonalTable

_Reflected = Mapping[tuple[str | None, str], Any]


@dataclass(frozen=True, slots=True)
class Structure:
    """A table as it stands in the database."""

    schema: str | None
    name: str
    columns: Mapping[str, ReflectedColumn]
    unique: Sequence[frozenset[str]]  # each set of columns that no two rows share
    joined: frozenset[str]  # columns in a foreign key, or referred to by one of a mapped table
    primary: frozenset[str]

    def column(self, place: str, name: str) -> ReflectedColumn:
        """Find a column, in any casing if that is unambiguous; else raise MapError."""
        found = _named(name, self.columns)
        if found is None:
            refuse(place, "the table has no such column")
        return self.columns[found]


def read_structures(
    connection: Connection, tables: Mapping[str, PersonalTable]
) -> dict[str, Structure]:
    """Read the mapped tables' structures, by their names in the map.

    Raises MapError at a table that is missing; SQLAlchemyError if the database fails.
    """
    inspector = inspect(connection)
    found: dict[str, Structure] = {}
    for schema in {table.db_schema for table in tables.values()}:
        wanted = {name: table for name, table in tables.items() if table.db_schema == schema}
        there = inspector.get_table_names(schema=schema)
        names = {name: _table(name, table, there) for name, table in wanted.items()}
        for name, structure in _read(inspector, schema, set(names.values())).items():
            found |= {mapped: structure for mapped, own in names.items() if own == name}
    return found


def _table(name: str, table: PersonalTable, there: Collection[str]) -> str:
    found = _named(table.name or name, there)
    if found is None:
        where = f"schema {table.db_schema}" if table.db_schema else "the user's default schema"
        problem = f"{where} has no such table, or its user may not see it"
        refuse(f"map.tables.{name}", problem)
    return found


def _read(inspector: Inspector, schema: str | None, names: set[str]) -> dict[str, Structure]:
    only: dict[str, Any] = {"schema": schema, "filter_names": sorted(names)}
    columns = inspector.get_multi_columns(**only)
    primary = inspector.get_multi_pk_constraint(**only)
    foreign = inspector.get_multi_foreign_keys(**only)
    with warnings.catch_warnings():
        # An index on an expression says nothing about a column; SQLAlchemy warns that it skips it.
        warnings.simplefilter("ignore")
        constraints = inspector.get_multi_unique_constraints(**only)
        indexes = inspector.get_multi_indexes(**only)
    found = {}
    for name in names:
        at = _key(columns, name)
        key = frozenset(primary[at]["constrained_columns"])
        unique: list[list[str | None]] = [
            [*item["column_names"]] for item in constraints.get(at, ())
        ]
        unique += [item["column_names"] for item in indexes.get(at, ()) if item["unique"]]
        found[name] = Structure(
            schema=schema,
            name=name,
            columns={column["name"]: column for column in columns[at]},
            unique=[key, *(frozenset(filter(None, item)) for item in unique if None not in item)],
            joined=_joined(name, foreign),
            primary=key,
        )
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
