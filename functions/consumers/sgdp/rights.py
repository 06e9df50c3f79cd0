"""The rights that the ERP's user lacks, as the statements by which a DBA grants them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Table, text

from consumers.sgdp.database import masked_rows
from consumers.sgdp.model import Models
from smartlink.domain.said import Said, said

_RELATION = text(
    "SELECT c.oid, n.nspname, has_schema_privilege(n.oid, 'USAGE') AS usable "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relname = :name AND c.relkind IN ('r', 'p', 'v', 'm', 'f') "
    "AND CASE WHEN CAST(:schema AS text) IS NULL THEN pg_table_is_visible(c.oid) "
    "ELSE n.nspname = :schema END"
)
_ALLOWED = text(
    "SELECT attname FROM pg_attribute WHERE attrelid = :oid AND attnum > 0 "
    "AND NOT attisdropped AND has_column_privilege(attrelid, attnum, :right)"
)
_OWN_FILES = ("aclchk.c", "sequence.c")  # PostgreSQL's: a function's RAISE could quote a value
_DENIED = re.compile(r'permission denied for (?:(foreign) )?(\w+) "?([^"]+?)"?$')
_STATEMENT = re.compile(r'^SQL [^"]*"\s*(INSERT|UPDATE|DELETE|SELECT)\b', re.IGNORECASE)
_OF_KIND = {"sequence": "USAGE", "schema": "USAGE", "function": "EXECUTE", "type": "USAGE"}


@dataclass(frozen=True, slots=True)
class MissingRight:
    """What the user may not do, and the statement by which a DBA allows it."""

    place: str  # a table, or a schema
    what: Said
    grant: str


def missing_rights(
    connection: Connection, models: Models, own: Iterable[Table]
) -> Iterator[MissingRight]:
    """Yield the rights without which the map's tables, or the product's own, cannot be used.

    PostgreSQL says what its user may; of other databases nothing is yielded.
    """
    if connection.dialect.name != "postgresql":
        return
    for model in models:
        columns = [column.name for column in model.table.c]
        masked = [item.column.name for item in model.masked]
        yield from _missing(connection, model.table, {"SELECT": columns, "UPDATE": masked})
    for table in own:
        columns = [column.name for column in table.c]
        rights = {"SELECT": columns, "INSERT": columns}
        if table is masked_rows:
            rights["UPDATE"] = columns
        yield from _missing(connection, table, rights)


def _missing(
    connection: Connection, table: Table, rights: dict[str, list[str]]
) -> Iterator[MissingRight]:
    prepare = connection.dialect.identifier_preparer
    user = prepare.quote(connection.scalar(text("SELECT current_user")) or "")
    place = {"name": table.name, "schema": table.schema}
    relation = connection.execute(_RELATION, place).first()
    if relation is None:
        return
    if not relation.usable:
        yield entry_right(connection, relation.nspname)
    name = prepare.format_table(table)
    for right, columns in rights.items():
        allowed = set(connection.scalars(_ALLOWED, {"oid": relation.oid, "right": right}))
        lacking = [column for column in columns if column not in allowed]
        if lacking:
            some = f" ({', '.join(map(prepare.quote, lacking))})"
            of = some if right == "UPDATE" or allowed else ""
            what = Said(f"{right} {', '.join(lacking)}")
            yield MissingRight(table.fullname, what, f"GRANT {right}{of} ON {name} TO {user}")


def entry_right(connection: Connection, schema: str) -> MissingRight:
    """Return the right, which is missing, to a schema of PostgreSQL's."""
    quote = connection.dialect.identifier_preparer.quote
    user = quote(connection.scalar(text("SELECT current_user")) or "")
    grant = f"GRANT USAGE ON SCHEMA {quote(schema)} TO {user}"
    return MissingRight(schema, said("enter it"), grant)


def select_grant(connection: Connection, schema: str | None, name: str) -> str:
    """Write the GRANT by which the connection's user may read a table."""
    prepare = connection.dialect.identifier_preparer
    place = ".".join(prepare.quote(part) for part in (schema, name) if part)
    postgresql = connection.dialect.name == "postgresql"
    user = connection.scalar(text("SELECT current_user")) if postgresql else None
    return f"GRANT SELECT ON {place} TO {prepare.quote(user) if user else 'its user'}"


def grant_for(connection: Connection, error: object) -> str | None:
    """Write the GRANT that PostgreSQL missed, of whatever a trigger needs; None if it is not
    said."""
    diagnosis = getattr(error, "diag", None)
    if diagnosis is None or diagnosis.source_file not in _OWN_FILES:
        return None
    denied = _DENIED.search(diagnosis.message_primary or "")
    if denied is None:
        return f"the GRANT for which it says: {diagnosis.message_primary}"
    kind, name = denied[2], denied[3]
    statement = _STATEMENT.search(diagnosis.context or "")
    right = _OF_KIND.get(kind) or (statement[1].upper() if statement else "SELECT")
    quote = connection.dialect.identifier_preparer.quote
    user = quote(connection.scalar(text("SELECT current_user")) or "")
    of = f"{kind.upper()} " if kind in _OF_KIND else ""
    return f"GRANT {right} ON {of}{quote(name)} TO {user}"
