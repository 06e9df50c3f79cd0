"""Reads rows of the mapped tables, a bounded number of them, by bound values only."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from sqlalchemy import ColumnElement, Connection, select

from consumers.sgdp.model import Model
from consumers.sgdp.plain_values import plain_value
from smartlink.consumer import FatalError

MOST_ROWS = 5_000
"""Of one person, in all tables. It bounds a request's time, memory and transaction."""

Values = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a mapped table: the columns that the map names."""

    model: Model
    values: Mapping[str, object] = field(repr=False)

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
    query = select(model.table).where(condition).order_by(*model.key).limit(most + 1)
    found = [Row(model, dict(row)) for row in connection.execute(query).mappings()]
    bounded(len(found), most)
    return found


def bounded(rows: int, most: int = MOST_ROWS) -> None:
    """Raise FatalError if there are more."""
    if rows > most:
        message = (
            f"the request fits more than {most} rows of the ERP's database, which no answer can "
            f"hold: see whether the personal data map needs a table of that size"
        )
        raise FatalError(message)


def chunks(values: Collection[Values], size: int) -> Iterator[list[Values]]:
    """Cut into lists of at most that size."""
    left = iter(values)
    while some := list(islice(left, size)):
        yield some
