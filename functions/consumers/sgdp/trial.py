"""Asks the database whether a column takes a value, and writes nothing.

The value is cast to the column's type, and the table's CHECKs are evaluated over it, in a
savepoint that is rolled back: no row is touched, so no trigger fires.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Column,
    Connection,
    String,
    Table,
    bindparam,
    text,
)
from sqlalchemy.exc import DBAPIError, StatementError

from consumers.sgdp.catalogue import Check
from consumers.sgdp.map_error import refuse
from consumers.sgdp.structure import Structure
from smartlink.domain.said import said

_SHOWN = 200  # characters of a CHECK in an error
_SAMPLE = 1_000  # rows over which a CHECK of several columns is evaluated


@contextmanager
def _undone(connection: Connection) -> Iterator[None]:
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


def taken(
    connection: Connection, place: str, structure: Structure, column: Column[Any], value: object
) -> object:
    """Return the value as the column would hold it; on PostgreSQL the database reads it.

    Raises MapError if the column takes it not, or only cut or rounded.
    """
    types = structure.types[column.name]
    cast, parameter = _parameter("v", structure, column, value)
    whole = "true"
    if types.cuts:
        bare = cast.removesuffix(f"{types.declared})") + f"{types.base})"
        whole = f"CAST({cast} AS {types.base}) IS NOT DISTINCT FROM {bare}"
    bound = text(f"SELECT {cast} AS v, {whole} AS whole").bindparams(parameter)
    try:
        with _undone(connection):
            row = connection.execute(bound.columns(Column("v", column.type), Column("whole"))).one()
    except (DBAPIError, StatementError, ValueError) as error:
        why = type(getattr(error, "orig", None) or error).__name__
        refuse(
            place,
            said("it is no value of the column, {type} ({why})", type=types.declared, why=why),
        )
    if not row.whole:
        refuse(
            place,
            said(
                "it is no value of the column, {type}, which would cut or round it",
                type=types.declared,
            ),
        )
    taken_value: object = row.v
    return taken_value


def _parameter(
    name: str, structure: Structure, column: Column[Any], value: object
) -> tuple[str, BindParameter[Any]]:
    """Bind a value: on PostgreSQL as the text that it reads, else as one of the column's own."""
    if not structure.types:
        return f":{name}", bindparam(name, value, column.type)
    declared = structure.types[column.name].declared
    items = isinstance(value, list) and isinstance(column.type, ARRAY)
    said = _as_list(value) if items else _as_text(value)
    return f"CAST(CAST(:{name} AS text) AS {declared})", bindparam(name, said, String)


def _as_list(value: object) -> str:
    """Write a list as PostgreSQL reads one."""
    if isinstance(value, list):
        return f"{{{','.join(map(_as_list, value))}}}"
    text = _as_text(value)
    if text is None:
        return "NULL"
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def check_what_is_written(
    connection: Connection,
    place: str,
    structure: Structure,
    table: Table,
    writes: Mapping[str, Sequence[object]],
) -> None:
    """Refuse masks that the table's CHECKs refuse.

    `writes` holds, by column, what a mask may write; one of the values has to pass. What else a
    CHECK looks at is taken from rows of the table.
    """
    for check in structure.checks:
        columns = [name for name in writes if name in check.columns]
        if not columns:
            continue
        at = f"{place}.columns.{columns[0]}.mask"
        named = {"name": check.name, "sql": check.sql[:_SHOWN]}
        values = product(*(writes[name] for name in columns))
        wanted = (dict(zip(columns, some, strict=True)) for some in values)
        try:
            passes = any(_passes(connection, check, structure, table, some) for some in wanted)
        except (DBAPIError, StatementError) as error:
            why = type(getattr(error, "orig", None) or error).__name__
            refuse(
                at,
                said(
                    "the CHECK {name} ({sql}) cannot be evaluated over what the mask writes "
                    "({why})",
                    **named,
                    why=why,
                ),
            )
        if not passes:
            refuse(
                at,
                said(
                    "the CHECK {name} ({sql}) refuses what the mask writes: "
                    "use another value or rule",
                    **named,
                ),
            )


def _passes(
    connection: Connection,
    check: Check,
    structure: Structure,
    table: Table,
    written: Mapping[str, object],
) -> bool:
    preparer = connection.dialect.identifier_preparer
    alone = check.columns <= written.keys()
    said, parameters = [], []
    for number, name in enumerate(sorted(check.columns)):
        quoted = preparer.quote(name)
        if name not in written:
            said.append(quoted)
            continue
        source, parameter = _parameter(f"v{number}", structure, table.c[name], written[name])
        parameters.append(parameter)
        # What is absent stays so.
        case = source if alone else f"CASE WHEN {quoted} IS NOT NULL THEN {source} END"
        said.append(f"{case} AS {quoted}")
    of = "" if alone else f"FROM {preparer.format_table(table)} LIMIT {_SAMPLE}"
    sql = check.sql.replace(":", "\\:")
    query = f"SELECT 1 FROM (SELECT {', '.join(said)} {of}) AS t WHERE NOT ({sql}) LIMIT 1"  # noqa: S608
    with _undone(connection):
        return connection.execute(text(query).bindparams(*parameters)).first() is None


def _as_text(value: object) -> str | None:
    """Write what a map says of a value as the text that a database reads."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
