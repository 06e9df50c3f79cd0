"""What copies a mapped table's rows elsewhere: triggers, rules, views, publications.

A mask changes the mapped rows. What the database itself writes elsewhere of them stays.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text

from consumers.sgdp.inspection.findings import Finding, Level, Topic
from consumers.sgdp.model import Models
from smartlink.domain.said import said

_WRITES = re.compile(
    r"\b(?:INSERT\s+INTO|MERGE\s+INTO|UPDATE(?:\s+OR\s+\w+)?|REPLACE\s+INTO|COPY)\s+"
    r'(?:ONLY\s+)?((?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)',
    re.IGNORECASE,
)
_CALLS = re.compile(
    r"\b(EXECUTE|NOTIFY|pg_notify|dblink\w*)\b|\b(PERFORM|CALL)\s+[\w.\"]+\s*\(", re.IGNORECASE
)
_NO_TABLES = frozenset(("set", "of", "on", "or", "only", "new", "old", "distinct"))
_FIX = said(
    "map the tables that it writes, or say in the map's notPersonal why they hold nobody's data"
)
_LOOK = said("look at it yourself")


@dataclass(frozen=True, slots=True)
class Mapped:
    """The mapped tables as the database names them, and the tables that are said to be nobody's."""

    tables: Mapping[tuple[str, str], str]  # schema and name → full name
    covered: frozenset[str]  # names in lower case, with their schema and without

    def is_covered(self, name: str) -> bool:
        """Tells whether a table, as SQL writes it, is mapped or said to be nobody's."""
        return name.replace('"', "").casefold() in self.covered


def mapped_tables(models: Models, default_schema: str, not_personal: Collection[str]) -> Mapped:
    """Collects the names of a map's tables."""
    tables = {
        (it.table.schema or default_schema, it.table.name): it.table.fullname for it in models
    }
    names = {name for _, name in tables} | set(tables.values()) | set(not_personal)
    names |= {f"{schema}.{name}" for schema, name in tables}
    return Mapped(tables, frozenset(name.casefold() for name in names))


def copies(connection: Connection, mapped: Mapped) -> Iterator[Finding]:
    """Yields what copies the mapped tables' rows; of a dialect that is not known, a warning."""
    match connection.dialect.name:
        case "postgresql":
            yield from _postgresql(connection, mapped)
        case "sqlite":
            yield from _sqlite(connection, mapped)
        case other:
            problem = said(
                "triggers, rules and views are not looked at on {dialect}", dialect=other
            )
            fix = said("look at them yourself")
            yield Finding(Topic.COPIES, Level.WARNING, said("database"), problem, fix)


def _postgresql(connection: Connection, mapped: Mapped) -> Iterator[Finding]:
    for row in connection.execute(_TRIGGERS):
        if name := mapped.tables.get((row.schema, row.relation)):
            body = row.body if row.language in {"plpgsql", "sql"} else None
            place = said("{table}, trigger {name}", table=name, name=row.trigger)
            yield _trigger(place, body, mapped)
    for row in connection.execute(_RULES):
        if name := mapped.tables.get((row.schema, row.relation)):
            place = said("{table}, rule {name}", table=name, name=row.rule)
            yield _trigger(place, row.body.partition(" DO ")[2], mapped)
    for row in connection.execute(_VIEWS):
        if name := mapped.tables.get((row.schema, row.relation)):
            yield _view(name, row.view, held=row.kind == "m")
    for row in connection.execute(_PUBLICATIONS):
        if name := mapped.tables.get((row.schema, row.relation)):
            told = said("sends the table's changes to other databases, which may keep what was")
            fix = said("see what its subscribers keep")
            place = said("{table}, publication {name}", table=name, name=row.publication)
            yield Finding(Topic.COPIES, Level.WARNING, place, told, fix)


def _sqlite(connection: Connection, mapped: Mapped) -> Iterator[Finding]:
    own = {name.casefold(): full for (_, name), full in mapped.tables.items()}
    for row in connection.execute(_SQLITE):
        if row.type == "trigger" and row.tbl_name.casefold() in own:
            body = re.split(r"\bBEGIN\b", row.sql, maxsplit=1, flags=re.IGNORECASE)[-1]
            table = own[row.tbl_name.casefold()]
            place = said("{table}, trigger {name}", table=table, name=row.name)
            yield _trigger(place, body, mapped)
        elif row.type == "view":
            words = {word.casefold() for word in re.findall(r"\w+", row.sql)}
            for name in sorted(words & own.keys()):
                yield _view(own[name], row.name, held=False)


def _trigger(place: str, body: str | None, mapped: Mapped) -> Finding:
    if body is None:
        problem = said("what it does cannot be read: it may write the rows elsewhere")
        return Finding(Topic.COPIES, Level.WARNING, place, problem, _LOOK)
    written = {it.replace('"', "") for it in _WRITES.findall(_without_comments(body))}
    written = {it for it in written if it.casefold() not in _NO_TABLES}
    elsewhere = sorted(it for it in written if not mapped.is_covered(it))
    if elsewhere:
        problem = said(
            "writes to {tables}, which the map does not have", tables=", ".join(elsewhere)
        )
        return Finding(Topic.COPIES, Level.FAULT, place, problem, _FIX)
    if _CALLS.search(_without_comments(body)):
        problem = said("calls or sends what cannot be told from its text")
        return Finding(Topic.COPIES, Level.WARNING, place, problem, _LOOK)
    told = (
        said("writes to {tables}", tables=", ".join(sorted(written)))
        if written
        else said("writes to no other table")
    )
    return Finding(Topic.COPIES, Level.NOTE, place, told)


def _view(table: str, view: str, *, held: bool) -> Finding:
    place = said("{table}, view {name}", table=table, name=view)
    if held:
        problem = said(
            "is a materialised view of the table: it keeps what was until it is refreshed"
        )
        fix = said("REFRESH MATERIALIZED VIEW {name} after a mask", name=view)
        return Finding(Topic.COPIES, Level.WARNING, place, problem, fix)
    return Finding(Topic.COPIES, Level.NOTE, place, said("shows the table"))


def _without_comments(body: str) -> str:
    """Takes comments and the locks of `SELECT … FOR UPDATE` out of the body."""
    ignored = r"--[^\n]*|/\*.*?\*/|\bFOR\s+(NO\s+KEY\s+)?UPDATE\b"
    return re.sub(ignored, " ", body, flags=re.DOTALL | re.IGNORECASE)


_TRIGGERS = text(
    "SELECT n.nspname AS schema, c.relname AS relation, t.tgname AS trigger, "
    "p.prosrc AS body, l.lanname AS language FROM pg_trigger t "
    "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_language l ON l.oid = p.prolang "
    "WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY 1, 2, 3"
)
_RULES = text(
    "SELECT n.nspname AS schema, c.relname AS relation, r.rulename AS rule, "
    "pg_get_ruledef(r.oid) AS body FROM pg_rewrite r "
    "JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE r.ev_type <> '1' AND r.ev_enabled <> 'D' ORDER BY 1, 2, 3"
)
_VIEWS = text(
    "SELECT DISTINCT n.nspname AS schema, c.relname AS relation, v.oid::regclass::text AS view, "
    "v.relkind AS kind FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid "
    "AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass "
    "JOIN pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm') "
    "JOIN pg_class c ON c.oid = d.refobjid AND c.oid <> v.oid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY 1, 2, 3"
)
_PUBLICATIONS = text(
    "SELECT schemaname AS schema, tablename AS relation, pubname AS publication "
    "FROM pg_publication_tables ORDER BY 1, 2, 3"
)
_SQLITE = text(
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type IN ('trigger', 'view') "
    "ORDER BY name"
)
