"""With the indexes that the check prints, no statement of a request reads a whole table.

Each identifier and each way to join tables is on a table large enough that the database has the
choice. How long it takes at 5 million people, `make bench ARGS="--only tpd"` measures.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine.interfaces import DBAPICursor

from consumers.sgdp.binding import bind
from consumers.sgdp.inspection.indexes import missing_indexes
from consumers.sgdp.maps import parse_map
from consumers.sgdp_data import answer_with_data as data
from tests.erp.small import NULL, column, erp_of, found, masked, table
from tests.support.tpd import SALT, Tpd

WHO = 242
ROWS = {"postgresql": 12_000, "sqlite": 300}  # SQLite chooses without knowing how many there are
WIDE = 900  # characters of an audit's row: beyond its last thousand pages there are more
HASH = {"rule": "hash"}
IDENTIFIERS: Mapping[str, object] = {
    "CPF": f"{10_000_000_000 + WHO}",
    "CNPJ": f"{20_000_000_000_000 + WHO}",
    "EMAIL": f"P{WHO}@x.invalid ",
    "RG": f"mg{WHO}",
    "RA": f"{WHO}",
}
HOLDERS = (
    "CREATE TABLE holders (id bigint PRIMARY KEY, code varchar(12), old char(10), num "
    "numeric(12,0), branch int, serial int, cpf varchar(20), cnpj varchar(20), email varchar(60), "
    "rg varchar(20), ra int, name varchar(40))"
)
# The values of person n, as the columns of holders hold them, and others write them.
CPF, MAIL = f"CAST({10_000_000_000} + n AS bigint)", "'P' || n || '@x.invalid'"
OWN = (
    "'C' || n",
    "'O' || n",
    "n",
    "n / 100",
    "n",
    f"' ' || {CPF} || ' '",
    f"CAST({20_000_000_000_000} + n AS varchar(20))",
    MAIL,
    "'MG-' || n",
    "n",
    "'Maria ' || n",
)
BY_IDENTIFIER: Mapping[str, tuple[str, str, str]] = {
    "cpf_text": ("varchar(20)", "CPF", f"CAST({CPF} AS varchar(20)) || '.0'"),
    "cpf_char": ("char(14)", "CPF", f"CAST({CPF} AS varchar(20))"),
    "cpf_bigint": ("bigint", "CPF", CPF),
    "cpf_numeric": ("numeric(11,0)", "CPF", CPF),
    "cpf_double": ("double precision", "CPF", CPF),
}
_Join = tuple[tuple[str, ...], list[str], tuple[str, ...], str | None]
BY_REFERENCE: Mapping[str, _Join] = {
    "by_id": (("int",), ["id"], ("n",), None),
    "by_code": (("varchar(12)",), ["code"], ("'C' || n",), None),
    "by_longer_code": (("text",), ["code"], ("'C' || n",), None),
    "by_char": (("char(10)",), ["old"], ("'O' || n",), None),
    "by_wider_char": (("char(15)",), ["old"], ("'O' || n",), None),
    "by_varchar_of_char": (("varchar(15)",), ["old"], ("'O' || n",), None),
    "by_char_of_varchar": (("char(15)",), ["code"], ("'C' || n",), None),
    "by_numeric": (("bigint",), ["num"], ("n",), None),
    "by_numeric_of_int": (("numeric(14,2)",), ["id"], ("n",), None),
    "by_two": (("bigint", "int"), ["branch", "serial"], ("n / 100", "n"), None),
    "by_email": (("varchar(60)",), ["email"], (f"'<' || {MAIL} || '>'",), "EMAIL"),
    "by_cpf": (("bigint",), ["cpf"], (CPF,), "CPF"),
    "by_cpf_text": (("text",), ["cpf"], (f"CAST({CPF} AS varchar(20))",), "CPF"),
    "by_ra": (("varchar(12)",), ["ra"], ("'00' || n",), "RA"),
}
ON_POSTGRESQL_ALONE: Mapping[str, _Join] = {
    "by_uuid": (("uuid",), ["ref"], ("CAST(lpad(CAST(n AS text), 32, '0') AS uuid)",), None),
    "by_domain": (("a_code",), ["code"], ("'C' || n",), None),
}
AUDIT = (
    (
        "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit "
        "(id, person_id, name, note) VALUES (-OLD.id, OLD.id, OLD.name, ''); RETURN NEW; END $$"
    ),
    "CREATE TRIGGER audit AFTER UPDATE ON holders FOR EACH ROW EXECUTE FUNCTION audit()",
)


def series(name: str, rows: int, *values: str) -> str:
    return (
        f"INSERT INTO {name} SELECT n, {', '.join(values)} FROM (WITH RECURSIVE s(n) AS (SELECT 1 "  # noqa: S608
        f"UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT n FROM s) AS numbers"
    )


def large(erp: Tpd) -> Tpd:
    """An ERP with a table for each identifier and each way to join."""
    server, rows = erp.engine.dialect.name == "postgresql", ROWS[erp.engine.dialect.name]
    masks = {"cpf": "CPF", "cnpj": "CNPJ", "rg": "RG"}
    own = {name: column(identifier=kind, keep="law") for name, kind in masks.items()}
    own |= {"ra": column(identifier="RA", keep="law"), "name": column(mask=NULL, holds="name")}
    own |= {"email": column(identifier="EMAIL", mask=HASH)}
    tables, statements = {"holders": table(own)}, [HOLDERS, series("holders", rows, *OWN)]
    if server:
        ref = "CAST(lpad(CAST(id AS text), 32, '0') AS uuid)"
        statements += [
            "CREATE DOMAIN a_code AS varchar(12)",
            f"ALTER TABLE holders ADD ref uuid GENERATED ALWAYS AS ({ref}) STORED",
        ]
    for name, (kind, named, value) in BY_IDENTIFIER.items():
        statements += [
            f"CREATE TABLE {name} (id bigint PRIMARY KEY, doc {kind}, name varchar(40))",
            series(name, rows, value, "'Maria ' || n"),
        ]
        columns = {"doc": column(identifier=named, keep="law"), "name": column(mask=NULL)}
        tables[name] = table(columns)
    joins = {**BY_REFERENCE, **(ON_POSTGRESQL_ALONE if server else {})}
    for name, (kinds, to, values, identifier) in joins.items():
        ends = [f"to_{number}" for number in range(len(kinds))]
        declared = ", ".join(f"{end} {kind}" for end, kind in zip(ends, kinds, strict=True))
        statements += [
            f"CREATE TABLE {name} (id bigint PRIMARY KEY, {declared}, name varchar(40))",
            series(name, rows, *values, "'Maria ' || n"),
        ]
        columns = {"name": column(mask=NULL)}
        if identifier == "EMAIL":
            columns["to_0"] = column(identifier="EMAIL", mask=HASH)
        elif identifier:
            columns["to_0"] = column(identifier=identifier, keep="law")
        tables[name] = table(columns, references=[{"columns": ends, "table": "holders", "to": to}])
    statements += [
        "CREATE TABLE audit (id bigint PRIMARY KEY, person_id bigint, name varchar(40), note text)",
        series("audit", rows, "n", "'Maria ' || n", f"'{'x' * WIDE}'"),
        "CREATE TABLE items (id bigint PRIMARY KEY, join_id bigint, note varchar(40))",
        series("items", rows, "n", "'Maria ' || n"),
        *(AUDIT if server else ()),
    ]
    reference = [{"columns": ["person_id"], "table": "holders"}]
    tables["audit"] = table({"name": column(mask=NULL)}, references=reference)
    reference = [{"columns": ["join_id"], "table": "by_code"}]
    tables["items"] = table({"note": column(mask={"rule": "redact"})}, references=reference)
    return erp_of(erp, tables, *statements)


def printed(erp: Tpd) -> Iterator[str]:
    """What the check tells to run."""
    with erp.engine.connect() as connection:
        models = bind(connection, parse_map(erp.secret["map"]), SALT.encode())  # type: ignore[call-overload]
        yield from [finding.fix for finding in missing_indexes(connection, models)]


def run_printed(erp: Tpd) -> list[str]:
    statements = list(printed(erp))
    engine = create_engine(erp.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
    return statements


@contextmanager
def whole_tables(erp: Tpd) -> Iterator[list[str]]:
    """Collect the statements that read a whole table of the ERP, with the table and how."""
    seen: list[str] = []
    sqlite = erp.engine.dialect.name == "sqlite"
    how = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN (FORMAT JSON) "

    def explain(
        _connection: Connection,
        cursor: DBAPICursor,
        statement: str,
        parameters: Any,  # noqa: ANN401  (the driver's)
        _context: object,
        executemany: bool,  # noqa: FBT001
    ) -> None:
        if statement.split(maxsplit=1)[0] not in ("SELECT", "UPDATE", "INSERT", "DELETE"):
            return
        other: DBAPICursor = cursor.connection.cursor()
        other.execute(how + statement, parameters[0] if executemany else parameters)
        rows = other.fetchall()
        if sqlite:
            read = [str(row[-1]) for row in rows if str(row[-1]).startswith("SCAN")]
        else:
            (plan,) = json.loads(rows[0][0]) if isinstance(rows[0][0], str) else rows[0][0]
            read = list(walked(plan["Plan"]))
        seen.extend(f"{it}: {statement}" for it in read if not ours(it))

    event.listen(erp.engine, "before_cursor_execute", explain)
    yield seen
    event.remove(erp.engine, "before_cursor_execute", explain)


def walked(plan: Mapping[str, Any]) -> Iterator[str]:
    """The tables that a plan reads whole: also by an index, if it says not where in it."""
    kind = plan["Node Type"]
    by_index = kind.startswith(("Index", "Bitmap Index")) and "Index Cond" not in plan
    if kind == "Seq Scan" or by_index:
        yield f"{kind} {plan.get('Relation Name') or plan['Index Name']}"
    for part in plan.get("Plans", ()):
        yield from walked(part)


def ours(read: str) -> bool:
    """Small tables of the product's own, and of the database's."""
    name = read.split()[1 if read.startswith("SCAN") else -1]
    return name.startswith(("smartlink_", "pg_", "sqlite_", "pragma_", "CONSTANT"))


def request_finds(erp: Tpd, kind: str) -> None:
    answer = erp.run(data, {"requestID": "d", "identifiers": {kind: IDENTIFIERS[kind]}}, kind)
    classes = {name for group in answer["response"].values() for name in group["models"]}
    assert isinstance(erp.secret, Mapping)
    assert classes == set(erp.secret["map"]["tables"])  # type: ignore[index]


def test_no_statement_reads_a_whole_table(erp: Tpd) -> None:
    """A data request by each identifier, and a mask, of a person with a row in each table."""
    made = large(erp)
    request_finds(made, "CPF")  # opens the ERP
    run_printed(made)
    assert list(printed(made)) == []
    with whole_tables(made) as seen:
        for kind in IDENTIFIERS:
            request_finds(made, kind)
        assert seen == []
        lines = masked(made, CPF=IDENTIFIERS["CPF"])
        assert seen == []
    rows = len(found(made, CPF=IDENTIFIERS["CPF"]))
    audited = made.engine.dialect.name == "postgresql"  # by the trigger; and that is masked too
    assert f"Masked {rows + audited} rows" in lines


def test_without_them_tables_are_read_whole(erp: Tpd) -> None:
    """So the test above would see it."""
    made = large(erp)
    request_finds(made, "CPF")
    with whole_tables(made) as seen:
        request_finds(made, "EMAIL")
    assert len({it.partition(":")[0] for it in seen}) >= len(BY_IDENTIFIER) + len(BY_REFERENCE)


def test_of_a_new_index_the_database_knows_nothing_until_it_is_told(on_postgres: Tpd) -> None:
    """The check says so, and a request is not slow until then."""
    made = large(on_postgres)
    request_finds(made, "CPF")
    statements = list(printed(made))
    assert "ANALYZE holders;" in statements
    engine = create_engine(made.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            if not statement.startswith("ANALYZE"):
                connection.exec_driver_sql(statement)
    engine.dispose()
    left = list(printed(made))
    assert "ANALYZE holders;" in left
    assert all(statement.startswith("ANALYZE") for statement in left)
    with whole_tables(made) as seen:
        for kind in IDENTIFIERS:
            request_finds(made, kind)
        masked(made, CPF=IDENTIFIERS["CPF"])
    assert seen == []
