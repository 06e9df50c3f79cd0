"""Reads rows of the mapped tables, a bounded number of them, by bound values only."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, TextClause, and_, or_, select

from consumers.sgdp.failures import failing_at
from consumers.sgdp.lenient import lenient
from consumers.sgdp.model import Model
from consumers.sgdp.plain_values import plain_value
from smartlink.consumer import FatalError

MOST_ROWS = 5_000
"""Of one person, in all tables. It bounds a request's time, memory and transaction."""

Values = tuple[object, ...]

_COMPOSITE = 100  # keys in one query


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a mapped table: the columns that the map names."""

    model: Model
    values: Mapping[str, object] = field(repr=False)

    @property
    def key(self) -> Values:
        """The key's values, as they were read."""
        return tuple(self.values[column.name] for column in self.model.key)

    @property
    def ids(self) -> dict[str, object]:
        """The key, as JSON can hold it."""
        return {column.name: plain_value(self.values[column.name]) for column in self.model.key}

    @property
    def digest(self) -> str:
        """Name the row in the product's own tables."""
        text = json.dumps([self.model.table.fullname, list(self.ids.values())])
        return hashlib.sha256(text.encode()).hexdigest()


def rows_where(
    connection: Connection, model: Model, condition: ColumnElement[bool], most: int = MOST_ROWS
) -> list[Row]:
    """Read the rows that fit, by their key. Raises FatalError if they are too many."""
    found = some_rows(connection, model, condition, most + 1)
    bounded(len(found), model.name, most)
    return found


def some_rows(
    connection: Connection, model: Model, condition: ColumnElement[bool] | TextClause, most: int
) -> list[Row]:
    """Read the rows that fit, by their key; if they are more, any so many of them."""
    columns = (lenient(column).label(column.name) for column in model.table.c)
    query = select(*columns).where(condition)
    key: Sequence[ColumnElement[Any]] = model.key
    if connection.dialect.name == "postgresql":
        # Sorted apart. Else PostgreSQL, when it thinks that many rows fit, walks through the whole
        # table in the order of the key until it has enough of them.
        fitting = query.limit(most).subquery("fitting")
        query, key = select(*fitting.c), [fitting.c[column.name] for column in model.key]
    query = query.order_by(*key).limit(most)

    def alone(trial: Connection, name: str) -> None:
        one = select(lenient(model.table.c[name])).where(condition).limit(most)
        trial.execute(one).all()

    names = [column.name for column in model.table.c]
    with failing_at("reading", model.table, names, alone):
        return [Row(model, dict(row)) for row in connection.execute(query).mappings()]


def rows_again(connection: Connection, rows: Sequence[Row]) -> list[Row]:
    """Read these rows, of one table, once more, by their keys."""
    found: list[Row] = []
    for some in chunks([row.key for row in rows], _COMPOSITE):
        found += rows_where(connection, rows[0].model, among(rows[0].model.key, some))
    return found


def bounded(rows: int, table: str, most: int = MOST_ROWS) -> None:
    """Raise FatalError if there are more, most of them in this table."""
    if rows > most:
        message = (
            f"the request fits more than {most} rows of the ERP's database, most of them in "
            f"{table}, which no answer can hold: see whether the personal data map needs a table "
            f"of that size, else answer this person from the ERP itself"
        )
        raise FatalError(message)


def chunks(values: Collection[Values], size: int) -> Iterator[list[Values]]:
    """Cut into lists of at most that size."""
    left = iter(values)
    while some := list(islice(left, size)):
        yield some


def among(columns: Sequence[ColumnElement[Any]], values: Sequence[Values]) -> ColumnElement[bool]:
    """Compare columns with values that were read from them, or from their like."""
    if len(columns) == 1:
        return lenient(columns[0]).in_([value for (value,) in values])
    # Not each database can compare tuples.
    rows = (zip(columns, value, strict=True) for value in values)
    return or_(*(and_(*(lenient(column) == item for column, item in row)) for row in rows))
