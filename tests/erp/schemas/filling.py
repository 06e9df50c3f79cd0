"""Fills tables that others made, and remembers whose each row is."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, text
from sqlalchemy.types import JSON

from tests.erp.schemas.people import Person

_NEUTRAL: Mapping[type, object] = {
    str: "",
    int: 1,
    Decimal: Decimal(1),
    float: 1.0,
    bool: False,
    date: date(2026, 1, 2),
    datetime: datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
}


@dataclass
class Filling:
    """A database that is being filled."""

    connection: Connection
    tables: Mapping[str, Table]
    owned: dict[Person, dict[str, list[dict[str, Any]]]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)

    def add(self, table: str, whose: Person | None, **values: object) -> int:
        """Insert a row of somebody's, or nobody's; what must have a value gets a neutral one.

        Answers its number, if it has one.
        """
        found = self.tables[table]
        self.last[table] = number = self.last.get(table, 1_000) + 1
        key = {column.name: values.get(column.name, number) for column in found.primary_key}
        row = {**{it.name: _neutral(it) for it in found.c if _needed(it)}, **key, **values}
        self.connection.execute(found.insert().values(row))
        if whose is not None:
            self.owned.setdefault(whose, {}).setdefault(table, []).append(key)
        return number


@contextmanager
def filling(engine: Engine) -> Iterator[Filling]:
    """Read the structure; foreign keys may lead to rows that nobody made."""
    found = MetaData()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # indexes on expressions
        found.reflect(engine, resolve_fks=False)
    with engine.begin() as connection:
        connection.execute(text("SET session_replication_role = replica"))
        yield Filling(connection, {it.name: it for it in found.tables.values()})


def _needed(column: Any) -> bool:  # noqa: ANN401
    return not column.nullable and column.server_default is None and column.computed is None


def _neutral(column: Any) -> object:  # noqa: ANN401
    kind = column.type
    if isinstance(kind, JSON):
        return {}
    return _NEUTRAL[kind.python_type]
