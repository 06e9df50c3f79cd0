"""Searches a whole database for values: in which columns of which tables does one stand?"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Text, cast, column, select

from consumers.sgdp.inspection.tables import FoundTable, all_tables

_AT_ONCE = 1_000  # rows that are in memory
_MARKS = re.compile(r"[./ ()-]")


@dataclass(frozen=True, slots=True)
class Found:
    """A column holds a value that was looked for."""

    table: str
    column: str
    count: int  # of its rows


def trace(connection: Connection, values: Collection[str]) -> Iterator[Found]:
    """Look for the values in every row of every table, whatever their casing and punctuation."""
    wanted = {value.casefold() for value in values}
    wanted |= {_MARKS.sub("", value) for value in wanted}
    for found in all_tables(connection):
        yield from _in_table(connection, found, wanted)


def _in_table(connection: Connection, found: FoundTable, wanted: set[str]) -> Iterator[Found]:
    source = found.clause(*(column(name) for name in found.columns))
    counts = dict.fromkeys(found.columns, 0)
    query = select(*(cast(source.c[name], Text).label(name) for name in found.columns))
    rows = connection.execution_options(yield_per=_AT_ONCE).execute(query)
    for row in rows:
        for name, value in zip(found.columns, row, strict=True):
            text = (value or "").casefold()
            bare = _MARKS.sub("", text)
            counts[name] += any(it in text or it in bare for it in wanted)
    yield from (Found(found.full_name, name, count) for name, count in counts.items() if count)
