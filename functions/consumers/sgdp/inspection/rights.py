"""What the database's user may not do, with the GRANT that fixes it."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from consumers.sgdp.database import metadata
from consumers.sgdp.inspection.findings import Finding, Level, Topic
from consumers.sgdp.model import Models
from consumers.sgdp.rights import MissingRight, entry_right, missing_rights, select_grant
from smartlink.domain.said import said


def rights(connection: Connection, models: Models) -> Iterator[Finding]:
    """Yields the rights that are missing for finding, showing, masking and logging."""
    if connection.dialect.name == "sqlite":
        return  # who may write the file may do everything
    if connection.dialect.name != "postgresql":
        dialect = connection.dialect.name
        problem = said("rights are not looked at on {dialect}", dialect=dialect)
        fix = said("compare them with functions/consumers/sgdp/README.md")
        yield Finding(Topic.RIGHTS, Level.WARNING, said("database"), problem, fix)
        return
    told = set()
    for it in missing_rights(connection, models, metadata.sorted_tables):
        if it.grant not in told:  # of a schema once
            told.add(it.grant)
            yield _lacking(it)
    preparer = connection.dialect.identifier_preparer
    names = {table.name: preparer.format_table(table) for table in metadata.sorted_tables}
    missing = [it for it, name in names.items() if not _there(connection, name)]
    if missing and not connection.scalar(_MAY_CREATE):
        problem = said("the product's own tables are missing, and the user may not create them")
        fix = said("have the DBA run the DDL in functions/consumers/sgdp/README.md")
        yield Finding(Topic.RIGHTS, Level.FAULT, ", ".join(missing), problem, fix)


def rights_to_look(connection: Connection, data_map: object) -> Iterator[Finding]:
    """Yields the rights that are missing for comparing a map, as JSON has it, with the database."""
    if connection.dialect.name != "postgresql":
        return
    preparer = connection.dialect.identifier_preparer
    tables = data_map.get("tables") if isinstance(data_map, dict) else None
    for entry, spec in tables.items() if isinstance(tables, dict) else ():
        if not isinstance(spec, dict):
            continue
        schema, name = spec.get("schema"), str(spec.get("name") or entry)
        if schema and not connection.scalar(_SCHEMA.bindparams(name=schema)):
            yield _lacking(entry_right(connection, schema))
            continue
        full = ".".join(preparer.quote(part) for part in (schema, name) if part)
        if _there(connection, full) and not connection.scalar(_ANY.bindparams(name=full)):
            fix = f"{select_grant(connection, schema, name)};"
            problem = said("the user may not SELECT of it")
            yield Finding(Topic.RIGHTS, Level.FAULT, full, problem, fix)


def _lacking(right: MissingRight) -> Finding:
    problem = said("the user may not {what}", what=right.what)
    return Finding(Topic.RIGHTS, Level.FAULT, right.place, problem, f"{right.grant};")


def _there(connection: Connection, name: str) -> bool:
    return bool(connection.scalar(_THERE.bindparams(name=name)))


_SCHEMA = text("SELECT has_schema_privilege(:name, 'USAGE')")
_ANY = text("SELECT has_any_column_privilege(:name, 'SELECT')")
_THERE = text("SELECT to_regclass(:name) IS NOT NULL")
_MAY_CREATE = text("SELECT has_schema_privilege(current_schema(), 'CREATE')")
