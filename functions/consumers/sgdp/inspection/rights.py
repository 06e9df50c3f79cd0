"""What the database's user may not do, with the GRANT that fixes it."""

from collections.abc import Iterator

from sqlalchemy import Connection, text
from sqlalchemy.sql.compiler import IdentifierPreparer

from consumers.sgdp.database import masked_rows, metadata
from consumers.sgdp.inspection.findings import Finding, Level, Topic
from consumers.sgdp.model import Model, Models


def rights(connection: Connection, models: Models) -> Iterator[Finding]:
    """Yields the rights that are missing for finding, showing, masking and logging."""
    if connection.dialect.name == "sqlite":
        return  # who may write the file may do everything
    if connection.dialect.name != "postgresql":
        problem = f"rights are not looked at on {connection.dialect.name}"
        fix = "compare them with functions/consumers/sgdp/README.md"
        yield Finding(Topic.RIGHTS, Level.WARNING, "database", problem, fix)
        return
    preparer = connection.dialect.identifier_preparer
    user = preparer.quote(str(connection.scalar(text("SELECT current_user"))))
    closed = set()
    for schema in sorted({it.table.schema for it in models if it.table.schema}):
        if not connection.scalar(_SCHEMA.bindparams(name=schema)):
            closed.add(schema)
            fix = f"GRANT USAGE ON SCHEMA {preparer.quote_schema(schema)} TO {user};"
            yield Finding(Topic.RIGHTS, Level.FAULT, schema, "the user may not enter it", fix)
    for model in models:
        if model.table.schema not in closed:  # of others PostgreSQL does not say
            yield from _of_table(connection, preparer, user, model)
    yield from _of_own_tables(connection, preparer, user)


def rights_to_look(connection: Connection, data_map: object) -> Iterator[Finding]:
    """Yields the rights that are missing for comparing a map, as JSON has it, with the database."""
    if connection.dialect.name != "postgresql":
        return
    preparer = connection.dialect.identifier_preparer
    user = preparer.quote(str(connection.scalar(text("SELECT current_user"))))
    tables = data_map.get("tables") if isinstance(data_map, dict) else None
    for entry, spec in tables.items() if isinstance(tables, dict) else ():
        if not isinstance(spec, dict):
            continue
        schema, name = spec.get("schema"), preparer.quote(str(spec.get("name") or entry))
        if schema and not connection.scalar(_SCHEMA.bindparams(name=schema)):
            fix = f"GRANT USAGE ON SCHEMA {preparer.quote_schema(schema)} TO {user};"
            yield Finding(Topic.RIGHTS, Level.FAULT, schema, "the user may not enter it", fix)
            continue
        full = f"{preparer.quote_schema(schema)}.{name}" if schema else name
        there = connection.scalar(_THERE.bindparams(name=full))
        if there and not connection.scalar(_ANY.bindparams(name=full)):
            fix = f"GRANT SELECT ON {full} TO {user};"
            yield Finding(Topic.RIGHTS, Level.FAULT, full, "the user may not SELECT of it", fix)


def _of_table(
    connection: Connection, preparer: IdentifierPreparer, user: str, model: Model
) -> Iterator[Finding]:
    name = preparer.format_table(model.table)
    masked = {item.column.name for item in model.masked}
    for right, wanted in (("SELECT", {it.name for it in model.table.c}), ("UPDATE", masked)):
        missing = [it for it in sorted(wanted) if not _may(connection, name, right, it)]
        if missing:
            some = "" if right == "SELECT" else f" ({', '.join(map(preparer.quote, missing))})"
            problem = f"the user may not {right} {', '.join(missing)}"
            fix = f"GRANT {right}{some} ON {name} TO {user};"
            yield Finding(Topic.RIGHTS, Level.FAULT, model.table.fullname, problem, fix)


def _of_own_tables(
    connection: Connection, preparer: IdentifierPreparer, user: str
) -> Iterator[Finding]:
    missing = []
    for table in metadata.sorted_tables:
        name = preparer.format_table(table)
        if not connection.scalar(_THERE.bindparams(name=name)):
            missing.append(table.name)
            continue
        wanted = ["SELECT", "INSERT", *(["UPDATE"] if table is masked_rows else [])]
        lacking = [it for it in wanted if not _may(connection, name, it, None)]
        if lacking:
            problem = f"the user may not {', '.join(lacking)}"
            fix = f"GRANT {', '.join(lacking)} ON {name} TO {user};"
            yield Finding(Topic.RIGHTS, Level.FAULT, table.name, problem, fix)
    if missing and not connection.scalar(_MAY_CREATE):
        problem = "the product's own tables are missing, and the user may not create them"
        fix = "have the DBA run the DDL in functions/consumers/sgdp/README.md"
        yield Finding(Topic.RIGHTS, Level.FAULT, ", ".join(missing), problem, fix)


def _may(connection: Connection, table: str, right: str, column: str | None) -> bool:
    if connection.scalar(_TABLE.bindparams(name=table, right=right)):
        return True
    return column is not None and bool(
        connection.scalar(_COLUMN.bindparams(name=table, column=column, right=right))
    )


_SCHEMA = text("SELECT has_schema_privilege(:name, 'USAGE')")
_ANY = text("SELECT has_any_column_privilege(:name, 'SELECT')")
_THERE = text("SELECT to_regclass(:name) IS NOT NULL")
_TABLE = text("SELECT has_table_privilege(:name, :right)")
_COLUMN = text("SELECT has_column_privilege(:name, :column, :right)")
_MAY_CREATE = text("SELECT has_schema_privilege(current_schema(), 'CREATE')")
