"""PostgreSQL's and SQLite's catalogues: what of a table SQLAlchemy's reflection leaves out."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, text

from smartlink.domain.said import Said, said

_RELATION = text("""
SELECT c.oid, c.relispartition AS is_partition, row_security_active(c.oid) AS hides_rows,
    (SELECT min(i.inhparent::regclass::text) FROM pg_inherits AS i WHERE i.inhrelid = c.oid)
        AS parent,
    (SELECT min(i.inhrelid::regclass::text) FROM pg_inherits AS i WHERE i.inhparent = c.oid)
        AS heir,
    c.relkind = 'p' AS is_partitioned
FROM pg_class AS c WHERE c.oid = to_regclass(:name)
""")

_INDEXES = text("""
SELECT c.relname AS name, i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
        AND i.indisvalid AND i.indimmediate AS proves,
    i.indpred IS NOT NULL AS partial, i.indexprs IS NOT NULL AS computed,
    i.indisvalid AS valid, i.indimmediate AS immediate,
    ARRAY(
        SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = i.indrelid AND a.attnum = ANY (
            (i.indkey::smallint[])[0:i.indnkeyatts - 1]
            || ARRAY(
                SELECT d.refobjsubid::smallint FROM pg_depend AS d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                    AND d.refobjid = i.indrelid AND i.indexprs IS NOT NULL
            )
        )
    ) AS columns
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = :oid AND (i.indisunique OR i.indisexclusion)
""")

_TYPES = text("""
WITH RECURSIVE under AS (
    SELECT a.attname, a.atttypid, a.atttypmod AS cut, a.atttypid AS base, 0 AS depth
    FROM pg_attribute AS a WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT u.attname, u.atttypid, greatest(u.cut, t.typtypmod), t.typbasetype, u.depth + 1
    FROM under AS u JOIN pg_type AS t ON t.oid = u.base AND t.typtype = 'd'
)
SELECT DISTINCT ON (under.attname) under.attname::text AS name, cut >= 0 AS cuts, depth,
    format_type(a.atttypid, a.atttypmod) AS type, format_type(base, -1) AS base
FROM under JOIN pg_attribute AS a ON a.attrelid = :oid AND a.attname = under.attname
ORDER BY under.attname, depth DESC
""")

_CHECKS = text("""
SELECT conname::text AS name, pg_get_expr(conbin, conrelid) AS sql,
    ARRAY(
        SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = conrelid AND a.attnum = ANY (conkey)
    ) AS columns
FROM pg_constraint WHERE conrelid = :oid AND contype = 'c' ORDER BY conname
""")

# Of SQLite's indexes SQLAlchemy skips those on expressions, and some of constraints.
_SQLITE_INDEXES = text("""
SELECT i.name, i.partial, m.sql, group_concat(x.name, char(10)) AS columns,
    count(*) > count(x.name) AS computed
FROM pragma_index_list(:name, :schema) AS i, pragma_index_xinfo(i.name, :schema) AS x
LEFT JOIN sqlite_master AS m ON m.type = 'index' AND m.name = i.name
WHERE i."unique" AND x.key
GROUP BY i.name
""")
PARTIAL = said("is partial: rows outside it may share a key")
ON_AN_EXPRESSION = said("is on an expression, not on the columns as they are")


@dataclass(frozen=True, slots=True)
class Uniqueness:
    """Columns that an index keeps unique; `flaw` says why it proves nothing of a key."""

    name: str
    columns: frozenset[str]
    flaw: Said | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """A CHECK constraint."""

    name: str
    sql: str
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type as the database writes it."""

    declared: str
    base: str  # without its length or precision, nor the domains over it
    cuts: bool  # whether it has a length or a precision
    domain: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """What PostgreSQL says of a table."""

    refused: Said | None  # why it cannot be mapped
    unique: Sequence[Uniqueness]
    checks: Sequence[Check]
    types: Mapping[str, ColumnType]


def read_relation(connection: Connection, name: str) -> Relation:
    """Read a table's facts; the name is as SQL writes it, quoted where it must be."""
    found = connection.execute(_RELATION, {"name": name}).mappings().one()
    of = {"oid": found["oid"]}
    return Relation(
        refused=_refused(found),
        unique=[
            Uniqueness(row["name"], frozenset(row["columns"]), _flaw(row))
            for row in connection.execute(_INDEXES, of).mappings()
        ],
        checks=[
            Check(row.name, row.sql, frozenset(row.columns))
            for row in connection.execute(_CHECKS, of)
        ],
        types={
            row.name: ColumnType(row.type, row.base, row.cuts, row.depth > 0)
            for row in connection.execute(_TYPES, of)
        },
    )


def unique_on_sqlite(
    connection: Connection, schema: str | None, name: str, columns: Collection[str]
) -> list[Uniqueness]:
    """Read a table's unique indexes; of an expression each column counts that it may name."""
    found = []
    for row in connection.execute(_SQLITE_INDEXES, {"name": name, "schema": schema or "main"}):
        own = frozenset((row.columns or "").splitlines())
        flaw = ON_AN_EXPRESSION if row.computed else PARTIAL if row.partial else None
        others = mentioned(row.sql, columns) if row.computed else frozenset()
        found.append(Uniqueness(row.name, own | others, flaw))
    return found


def mentioned(sql: str, columns: Collection[str]) -> frozenset[str]:
    """Tell which columns an expression may name."""
    words = {word.casefold() for word in re.findall(r"\w+", sql)}
    return frozenset(column for column in columns if column.casefold() in words)


def _refused(found: RowMapping) -> Said | None:
    if found["is_partition"]:
        return said(
            "it is a partition of {parent}, whose other rows are elsewhere: map that",
            parent=found["parent"],
        )
    if found["heir"] and not found["is_partitioned"]:
        return said(
            "{heir} inherits from it, and no key holds over the rows of both: "
            "make it a partitioned table, or end the inheritance",
            heir=found["heir"],
        )
    if found["hides_rows"]:
        return said(
            "row security hides rows of it from the user, who would not find them: let the user "
            "bypass it (ALTER ROLE … BYPASSRLS)"
        )
    return None


def _flaw(index: RowMapping) -> Said | None:
    """Say why an index is no proof that its columns name one row."""
    if index["partial"]:
        return PARTIAL
    if index["computed"]:
        return ON_AN_EXPRESSION
    if not index["valid"]:
        return said("is not valid: its creation failed, so drop it and create it anew")
    if not index["immediate"]:
        return said("is deferrable: two rows may share a key within a transaction")
    return None if index["proves"] else said("excludes, which is less than unique")
