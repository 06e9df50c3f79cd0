"""Looks for the CPF, e-mail and phone that were in every indexed column of the database.

It is what an index can answer at once: whole values, in the forms in which they are written. All
columns and forms are the task of `trace`, which reads everything.
"""

import re
import time
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from sqlalchemy import Connection, inspect, table, text
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import Integer, Numeric, String

from consumers.sgdp.copies import OURS, SECONDS, Copy, limited
from consumers.sgdp.identifiers import CPF_DIGITS, canonical, is_cpf, plain, punctuated_cpf
from consumers.sgdp.masking import Change
from consumers.sgdp.model import Model, Models
from consumers.sgdp.plain_values import readable
from consumers.sgdp.rows import some_rows
from smartlink.types import check_digits

_AT_ONCE = 50  # tables in one query
_LEAST = 8  # characters; no phone, CPF or e-mail has fewer
_PHONE = re.compile(r"[+]?[0-9 ().-]{10,20}")
_PHONE_DIGITS = range(10, 14)
_MOST_VALUES = 100

_ON_POSTGRESQL = text(
    "SELECT DISTINCT n.nspname, c.relname, coalesce(a.attname, e.attname) AS attname, "
    "rn.nspname AS root_schema, r.relname AS root, "
    "pg_get_indexdef(i.indexrelid, 1, true) AS expression, "
    "format_type(k.atttypid, NULL) AS kind, t.typcategory AS category, "
    "i.indisprimary AS prime, has_schema_privilege(n.oid, 'USAGE') "
    "AND (has_table_privilege(c.oid, 'SELECT') OR coalesce(has_column_privilege(c.oid, a.attnum, "
    "'SELECT'), false)) AS readable "
    "FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_class r ON r.oid = coalesce(pg_partition_root(c.oid), c.oid) "
    "JOIN pg_namespace rn ON rn.oid = r.relnamespace "
    "JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam "
    "JOIN pg_attribute k ON k.attrelid = i.indexrelid AND k.attnum = 1 "
    "JOIN pg_type t ON t.oid = k.atttypid "
    "LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] "
    "AND a.attnum > 0 "
    # An expression on one column is told by the column's name.
    "LEFT JOIN LATERAL (SELECT min(o.attname) AS attname FROM pg_depend d JOIN pg_attribute o "
    "ON o.attrelid = d.refobjid AND o.attnum = d.refobjsubid "
    "WHERE d.classid = CAST('pg_class' AS regclass) AND d.objid = i.indexrelid "
    "AND d.refobjid = i.indrelid HAVING count(DISTINCT o.attnum) = 1) e ON a.attnum IS NULL "
    "WHERE i.indisvalid AND i.indpred IS NULL AND m.amname IN ('btree', 'hash') "
    "AND c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' "
    "AND n.nspname NOT LIKE 'pg\\_%' "
    "AND (t.typcategory = 'S' AND (a.atttypmod IS NULL OR a.atttypmod < 4 "
    "OR a.atttypmod - 4 >= :least) OR t.typname IN ('int4', 'int8', 'numeric')) "
    "ORDER BY 1, 2"
)


@dataclass(frozen=True, slots=True)
class _Indexed:
    """A column, or an expression, that leads an index."""

    schema: str | None
    table: str
    column: str | None  # None: an expression on several
    expression: str = field(compare=False)  # as the database writes it
    kind: str = field(compare=False)
    number: bool = field(compare=False)
    prime: bool = field(compare=False)
    root: tuple[str, str] | None = field(compare=False, default=None)  # if it is a partition's


@dataclass(slots=True)
class Equal:
    """Where an equal value stands."""

    outside: set[Copy] = field(default_factory=set)  # the map
    others: set[str] = field(default_factory=set)  # columns of the map, in somebody else's row
    unsearched: int = 0  # indexed columns that were not looked into
    looked: bool = True


@dataclass(slots=True)
class _Forms:
    """How the values may be written in a column."""

    texts: set[str] = field(default_factory=set)
    numbers: set[int] = field(default_factory=set)
    cpfs: set[int] = field(default_factory=set)  # those of the numbers that no phone is

    def add(self, value: str, *, cpf: bool) -> None:
        bare = plain(value)
        digits = canonical("CPF", value)
        if cpf or (is_cpf(digits) and digits == digits[:9] + check_digits(digits[:9])):
            self.texts |= {value, digits, digits.lstrip("0"), punctuated_cpf(digits)}
            self.cpfs.add(int(digits))
        elif "@" in value:
            self.texts |= {value, value.strip(), value.strip().lower(), value.strip().upper()}
        phone = re.sub("[ ()+.-]", "", value)
        if _PHONE.fullmatch(value) and len(phone) in _PHONE_DIGITS:
            self.texts |= {value, phone, bare}
            self.numbers.add(int(phone))


def equal_values(
    connection: Connection, models: Models, wanted: Iterable[Change], own: Collection[str]
) -> Equal:
    """Look for what the mask took away; `own` are the digests of the person's own rows."""
    forms, found = _forms(wanted), Equal()
    if not forms.texts:
        return found
    until = time.monotonic() + SECONDS
    columns = _columns(connection, found)
    tables = [list(some) for _, some in groupby(columns, key=lambda it: (it.schema, it.table))]
    for number in range(0, len(tables), _AT_ONCE):
        some = tables[number : number + _AT_ONCE]
        if time.monotonic() > until:
            found.unsearched += sum(map(len, some))
            continue
        try:
            with limited(connection) as locks:
                _by_indexes_alone(connection)
                for group in _hits(connection, some, forms):
                    for (hit,) in _hits(connection, [[it] for it in group], forms):
                        _sort_out(connection, models, hit, forms, own, found)
                # What was read stays locked no longer: an ERP may have ten thousand tables.
                locks.rollback()
        except SQLAlchemyError:
            if connection.invalidated:
                raise
            found.unsearched += sum(map(len, some))
    return found


def _by_indexes_alone(connection: Connection) -> None:
    """Of an index on which it has no statistics PostgreSQL expects a value in each of some rows,
    and reads the table until it meets one; there is none, mostly. The savepoint's end undoes it."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(
            "SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)"
        )


def _forms(wanted: Iterable[Change]) -> _Forms:
    forms = _Forms()
    for change in wanted:
        for item in change.row.model.masked:
            name = item.column.name
            old = change.row.values[name]
            if old is None or old == change.values[name] or len(forms.texts) > _MOST_VALUES:
                continue
            value = readable(str(old)).rstrip()
            cpf = item.spec.identifier == "CPF" and is_cpf(canonical("CPF", value))
            if len(value) >= _LEAST:
                forms.add(value, cpf=cpf and len(plain(value)) <= CPF_DIGITS)
    return forms


def _columns(connection: Connection, found: Equal) -> list[_Indexed]:
    match connection.dialect.name:
        case "postgresql":
            columns = []
            default = connection.dialect.default_schema_name
            for it in connection.execute(_ON_POSTGRESQL, {"least": _LEAST}):
                if it.relname in OURS:
                    continue
                if not it.readable:
                    found.unsearched += 1
                    continue
                schema = None if it.nspname == default else it.nspname
                number = it.category == "N"
                columns.append(
                    _Indexed(
                        schema,
                        it.relname,
                        it.attname,
                        it.expression,
                        it.kind,
                        number,
                        it.prime,
                        (it.root_schema, it.root),
                    )
                )
            return columns
        case "sqlite":
            return list(_on_sqlite(connection))
        case _:
            found.looked = False
            return []


def _on_sqlite(connection: Connection) -> Iterator[_Indexed]:
    inspector = inspect(connection)
    for name in sorted(set(inspector.get_table_names()) - OURS):
        kinds = {it["name"]: it["type"] for it in inspector.get_columns(name)}
        prime = inspector.get_pk_constraint(name)["constrained_columns"][:1]
        leading = {*prime, *_leading(inspector, name)}
        for lead in sorted(leading & kinds.keys()):
            number = isinstance(kinds[lead], Integer | Numeric)
            if number or isinstance(kinds[lead], String):
                quoted = connection.dialect.identifier_preparer.quote(lead)
                yield _Indexed(None, name, lead, quoted, "", number, lead in prime)


def _leading(inspector: Inspector, name: str) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an index on an expression has no column
        columns = [it["column_names"] for it in inspector.get_indexes(name)]
        columns += [[*it["column_names"]] for it in inspector.get_unique_constraints(name)]
    yield from (leading for leading, *_ in filter(None, columns) if leading)


def _hits(
    connection: Connection, groups: Sequence[Sequence[_Indexed]], forms: _Forms
) -> list[Sequence[_Indexed]]:
    """Have the database say in which of the groups, each of one table's columns, one of the values
    stands, in one query."""
    questions: list[str] = []
    values: dict[str, object] = {}
    for number, group in enumerate(groups):
        fits = [
            _fits(connection, it, forms, f"v{number}_{n}", values) for n, it in enumerate(group)
        ]
        if any(fits):
            # The names are the database's own, quoted as it writes them; the values are bound.
            wanted = " OR ".join(filter(None, fits))
            source = f"(SELECT 1 FROM {_quoted(connection, group[0])} WHERE {wanted})"  # noqa: S608
            questions.append(f"SELECT {number} WHERE EXISTS {source}")
    if not questions:
        return []
    query = text(" UNION ALL ".join(questions))
    return [groups[number] for number in connection.scalars(query, values).all()]


def _fits(
    connection: Connection, it: _Indexed, forms: _Forms, name: str, values: dict[str, object]
) -> str | None:
    """Write the condition that one of the values stands in a column, and bind them."""
    # A key that the ERP counts up comes to the number of a phone by itself.
    numbers = [*forms.cpfs, *(() if it.prime else forms.numbers)]
    sought = numbers if it.number else sorted(forms.texts)
    if not sought:
        return None
    if connection.dialect.name == "postgresql":
        kind = it.kind.replace("integer", "bigint") if it.number else it.kind
        values[name] = [str(value) for value in sought]
        return f"{it.expression} = ANY (CAST(:{name} AS {kind}[]))"
    names = [f"{name}_{n}" for n, _ in enumerate(sought)]
    values |= dict(zip(names, sought, strict=True))
    return f"{it.expression} IN ({', '.join(f':{each}' for each in names)})"


def _quoted(connection: Connection, of: _Indexed) -> str:
    return connection.dialect.identifier_preparer.format_table(table(of.table, schema=of.schema))


def _sort_out(
    connection: Connection,
    models: Models,
    hit: _Indexed,
    forms: _Forms,
    own: Collection[str],
    found: Equal,
) -> None:
    """Tell what is outside the map from a row of the map, the person's or somebody else's."""
    model = _model(connection, models, hit)
    shown = f"{hit.schema}.{hit.table}" if hit.schema else hit.table
    if model is None or hit.column is None or hit.column not in model.table.c:
        found.outside.add(Copy(shown, hit.column or hit.expression))
        return
    if hit.column not in {item.column.name for item in model.masked}:
        return  # kept, or a key: the answer says so
    values: dict[str, object] = {}
    fits = _fits(connection, hit, forms, "v", values)
    if fits is None:
        return
    rows = some_rows(connection, model, text(fits).bindparams(**values), len(own) + 1)
    if any(row.digest not in own for row in rows):
        found.others.add(f"{shown}.{hit.column}")


def _model(connection: Connection, models: Models, hit: _Indexed) -> Model | None:
    default = connection.dialect.default_schema_name
    place = hit.root or (hit.schema or default, hit.table)
    return next((it for it in models if (it.table.schema or default, it.table.name) == place), None)
