"""Indexes that the lookups need and the database lacks, with what that costs at this size."""

from collections.abc import Iterator, Sequence
from time import perf_counter

from sqlalchemy import Connection, Table, column, func, literal_column, or_, select, table, text

from consumers.sgdp.indexes import NeededIndex, needed_indexes
from consumers.sgdp.inspection.findings import Finding, Level, Topic
from consumers.sgdp.model import Models
from smartlink.domain.said import said

_TIMED_ROWS = 50_000
# A request has seconds, and makes one lookup for each identifier and reference.
_FAULT_SECONDS, _WARNING_SECONDS = 2.0, 0.1
_FEW_ROWS = 10_000  # are read at once whatever the indexes; a busy machine alone would warn of them
_RELATION = text(
    "SELECT reltuples AS rows, pg_size_pretty(pg_relation_size(oid)) AS size "
    "FROM pg_class WHERE oid = to_regclass(:name)"
)


def missing_indexes(connection: Connection, models: Models) -> Iterator[Finding]:
    """Yields each index that is missing, with the time that a lookup takes without it.

    The time is measured on the table's first rows and multiplied up to all of them.
    """
    tables = {model.table.fullname: model.table for model in models}
    every = needed_indexes(connection, models)
    for name, on in tables.items():
        of_table = [needed for needed in every if needed.table == name]
        missing = [_missing(connection, it, on) for it in of_table if not it.exists]
        yield from missing
        yield from _not_analyzed(connection, on, of_table, missing)


def _missing(connection: Connection, needed: NeededIndex, on: Table) -> Finding:
    rows, size = _size(connection, on)
    timed, seconds = _timed(connection, needed, on)
    takes = seconds * max(1.0, rows / timed) if timed else 0.0
    place = f"{needed.table} ({', '.join(needed.columns)})"
    told = said("no index: a lookup reads {rows:,} rows", rows=rows)
    if size:
        told = said("{told} ({size})", told=told, size=size)
    level = Level.NOTE
    if takes >= _WARNING_SECONDS and rows > _FEW_ROWS:
        told = said("{told}, which takes about {takes:.1f} s", told=told, takes=takes)
        level = Level.FAULT if takes >= _FAULT_SECONDS else Level.WARNING
    return Finding(Topic.INDEXES, level, place, told, needed.sql)


def _not_analyzed(
    connection: Connection, on: Table, needed: Sequence[NeededIndex], missing: Sequence[Finding]
) -> Iterator[Finding]:
    """Yields that the table has to be analyzed: of an index on an expression the database knows
    nothing until then, and may pass it over."""
    analyze = next((it.analyze for it in needed if not (it.exists and it.analyzed)), "")
    rows, _ = _size(connection, on)
    if not analyze or rows <= _FEW_ROWS:
        return
    if missing:
        # No worse than the least of them, so that it is told after them all.
        slow = all(it.level is not Level.NOTE for it in missing)
        told = said(
            "once its indexes are made, it has to be analyzed: they may be passed over until then"
        )
        yield Finding(
            Topic.INDEXES, Level.WARNING if slow else Level.NOTE, on.fullname, told, analyze
        )
    else:
        told = said(
            "the indexes of its {rows:,} rows are there, but it was not analyzed since", rows=rows
        )
        yield Finding(Topic.INDEXES, Level.WARNING, on.fullname, told, analyze)


def _size(connection: Connection, on: Table) -> tuple[int, str]:
    """Returns the number of rows and the size; counts the rows of a table without statistics."""
    if connection.dialect.name == "postgresql":
        name = connection.dialect.identifier_preparer.format_table(on)
        found = connection.execute(_RELATION, {"name": name}).one()
        if found.rows > 0:
            return int(found.rows), str(found.size)
    return connection.scalar(select(func.count()).select_from(on)) or 0, ""


def _timed(connection: Connection, needed: NeededIndex, on: Table) -> tuple[int, float]:
    """Compares the first rows as a lookup does; returns their number and the seconds it took."""
    source = table(on.name, *(column(name) for name in needed.columns), schema=on.schema)
    some = select(*source.c).limit(_TIMED_ROWS).subquery("some")
    compared = or_(*(literal_column(it).is_(None) for it in needed.expressions))
    query = select(func.count(), func.count().filter(compared)).select_from(some)
    began = perf_counter()
    timed, _ = connection.execute(query).one()
    return timed, perf_counter() - began
