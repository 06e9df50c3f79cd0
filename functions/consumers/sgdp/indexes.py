"""Which indexes the map's questions need, and whether the database has them."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    CursorResult,
    Dialect,
    Select,
    Table,
    inspect,
    literal_column,
    select,
    text,
)

from consumers.sgdp.comparison import Comparison
from consumers.sgdp.model import Model, Models


@dataclass(frozen=True, slots=True)
class NeededIndex:
    """An index without which a request reads the whole table."""

    table: str  # in the database, with its schema if the map names one
    columns: tuple[str, ...]
    expressions: tuple[str, ...]  # what it is on, as SQL: the columns as they are compared
    sql: str  # the statement that creates it
    exists: bool  # whether an index that serves the question is there, under any name
    analyze: str = ""  # the statement by which the database learns what it holds
    analyzed: bool = True  # whether that was run since the index is there


# What PostgreSQL takes for the share of rows that a value is in if it knows nothing of the column.
_UNKNOWN_SHARE = 0.005
_FEW = 10  # rows
# As PostgreSQL up to 16, and later, writes it; of a varchar or char it casts both sides.
_VALUE = re.compile(r" = \(*(?:\$[0-9]|InitPlan)")
Columns = tuple[Column[Any], ...]


def needed_indexes(connection: Connection, models: Models) -> list[NeededIndex]:
    """Tell every index that finding a person by this map needs.

    PostgreSQL and SQLite are asked how they would answer; of others the catalogue is read, where
    an index on an expression is known by the name that its statement here gives it.
    """
    found: dict[str, NeededIndex] = {}
    for model in models:
        for columns, comparisons in _questions(models, model):
            pairs = zip(columns, comparisons, strict=True)
            said = [_written(connection.dialect, how.expression(column)) for column, how in pairs]
            name = _name(_table(columns), said)
            if name not in found:
                exists, analyzed = _exists(connection, name, columns, comparisons)
                found[name] = NeededIndex(
                    table=_table(columns).fullname,
                    columns=tuple(column.name for column in columns),
                    expressions=tuple(said),
                    sql=_statement(connection, name, _table(columns), said),
                    exists=exists,
                    analyze=_analyze(connection, _table(columns)),
                    analyzed=analyzed,
                )
    return list(found.values())


def _questions(models: Models, model: Model) -> Iterator[tuple[Columns, tuple[Comparison, ...]]]:
    """Yield by which columns the model's rows are looked for."""
    for item in model.attributes:
        if item.spec.identifier:
            yield (item.column,), (item.comparison,)
    for link in model.links:
        yield link.columns, link.comparisons
    for other in models:
        climbed = other.to_same_person
        if climbed and climbed.parent == model.name:
            yield climbed.to, climbed.comparisons


def _exists(
    connection: Connection, name: str, columns: Columns, comparisons: tuple[Comparison, ...]
) -> tuple[bool, bool]:
    """Tell whether an index serves, and whether the database knows what it holds."""
    table = _table(columns)
    query = _question(table, columns, comparisons)
    if connection.dialect.name == "postgresql":
        return _served_by_postgresql(connection, query, columns)
    if connection.dialect.name == "sqlite":
        return _served_by_sqlite(connection, query, len(columns)), True
    pairs = zip(columns, comparisons, strict=True)
    plain = all(comparison.expression(column) is column for column, comparison in pairs)
    names = [column.name for column in columns]
    return _in_the_catalogue(connection, name, table, names, plain=plain), True


def _table(columns: Columns) -> Table:
    return columns[0].table


def _question(
    table: Table, columns: Sequence[Column[object]], comparisons: Sequence[Comparison]
) -> Select[Any]:
    """Write a query like those that find rows; the value to look for comes from the table."""
    other = table.alias("smartlink_other")
    query: Select[Any] = select(literal_column("1")).select_from(table)
    for column, comparison in zip(columns, comparisons, strict=True):
        value = select(comparison.expression(other.c[column.name])).limit(1).scalar_subquery()
        query = query.where(comparison.expression(column) == value)
    return query


def _explained(connection: Connection, how: str, query: Select[Any]) -> CursorResult[Any]:
    said = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    return connection.exec_driver_sql(f"{how} {said}")


def _served_by_postgresql(
    connection: Connection, query: Select[Any], columns: Columns
) -> tuple[bool, bool]:
    every: Select[Any] = select(literal_column("1")).select_from(_table(columns))
    with connection.begin_nested() as savepoint:
        # A small table is read whole whatever its indexes: the question is whether one fits.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        (plan,) = _explained(connection, "EXPLAIN (FORMAT JSON)", query).scalar_one()
        (whole,) = _explained(connection, "EXPLAIN (FORMAT JSON)", every).scalar_one()
        savepoint.rollback()
    served = any(
        len(_VALUE.findall(condition)) == len(columns) and _leads(connection, index, columns)
        for index, condition in _conditions(plan["Plan"])
    )
    # Where it takes few rows for granted it uses the index, whatever it knows.
    unknown = whole["Plan"]["Plan Rows"] * _UNKNOWN_SHARE ** len(columns)
    return served, unknown < _FEW or abs(plan["Plan"]["Plan Rows"] - unknown) > unknown / 100


def _conditions(plan: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each index that the plan uses, and for what."""
    if "Index Cond" in plan:
        yield plan["Index Name"], plan["Index Cond"]
    for part in plan.get("Plans", ()):
        if part["Parent Relationship"] != "InitPlan":
            yield from _conditions(part)


def _leads(connection: Connection, index: str, columns: Columns) -> bool:
    """Tell whether the columns are the index's first ones: else all of it would be read."""
    query = text(
        "SELECT pg_get_indexdef(pg_class.oid, n, false) FROM pg_class, generate_series(1, :n) AS n "
        "WHERE relname = :name AND relkind IN ('i', 'I')"
    )
    first = connection.scalars(query, {"n": len(columns), "name": index})
    return all(any(column.name in written for column in columns) for written in first)


def _served_by_sqlite(connection: Connection, query: Select[Any], columns: int) -> bool:
    # The driver keeps statements, and a kept explanation is that of an earlier structure.
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    steps = _explained(connection, f"EXPLAIN QUERY PLAN /* {version} */", query).all()
    return any(
        step.parent == 0 and step.detail.startswith("SEARCH") and step.detail.count("=?") == columns
        for step in steps
    )


def _in_the_catalogue(
    connection: Connection, name: str, table: Table, columns: Sequence[str], *, plain: bool
) -> bool:
    inspector = inspect(connection)
    there = inspector.get_indexes(table.name, table.schema)
    if any((index["name"] or "").casefold() == name for index in there):
        return True
    key = inspector.get_pk_constraint(table.name, table.schema)["constrained_columns"]
    leading = [key[: len(columns)], *(index["column_names"][: len(columns)] for index in there)]
    return plain and list(columns) in leading


def _name(table: Table, wanted: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join((table.fullname, *wanted)).encode()).hexdigest()
    return f"ix_smartlink_{digest[:12]}"  # older Oracles take 30 characters


def _statement(connection: Connection, name: str, table: Table, wanted: Sequence[str]) -> str:
    preparer = connection.dialect.identifier_preparer
    there = preparer.format_table(table)
    match connection.dialect.name:
        case "postgresql":
            # Of a partitioned table the index can only be made while writers wait.
            kind = text("SELECT relkind FROM pg_class WHERE oid = to_regclass(:name)")
            partitioned = connection.scalar(kind, {"name": there}) == "p"
            how = "" if partitioned else "CONCURRENTLY "
            return f"CREATE INDEX {how}{name} ON {there} ({', '.join(f'({it})' for it in wanted)});"
        case "mssql":
            return _statement_of_sql_server(name, there, wanted)
        case _:
            return f"CREATE INDEX {name} ON {there} ({', '.join(wanted)});"


def _analyze(connection: Connection, table: Table) -> str:
    """Of an expression PostgreSQL knows nothing until then, and takes any index for a bad one."""
    if connection.dialect.name != "postgresql":
        return ""
    return f"ANALYZE {connection.dialect.identifier_preparer.format_table(table)};"


def _statement_of_sql_server(name: str, table: str, wanted: Sequence[str]) -> str:
    """There an index is on columns alone: an expression becomes a computed one."""
    statements, columns = [], []
    for number, expression in enumerate(wanted):
        plain = "(" not in expression
        columns.append(expression if plain else f"{name}_{number}")
        if not plain:
            statements.append(f"ALTER TABLE {table} ADD {columns[-1]} AS ({expression});")
    return "\n".join([*statements, f"CREATE INDEX {name} ON {table} ({', '.join(columns)});"])


def _written(dialect: Dialect, expression: ColumnElement[Any]) -> str:
    # By names, so that no driver's escapes are in what people run.
    made: Any = type(dialect)
    named = made(paramstyle="named")
    return str(expression.compile(dialect=named, compile_kwargs={"include_table": False}))
