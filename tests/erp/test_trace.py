"""The scan of a whole database: each type, long cells, what it may not read, and its memory."""

import tracemalloc
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, create_engine, text

from consumers.sgdp.engine import engine_for
from consumers.sgdp.trace import trace
from tests.erp.postgres import PostgresServer
from tests.erp.test_rights import database_of
from tests.erp.university import cpf_of, name_of
from tests.support.tpd import Tpd

NAME, CPF = "João D'Ávila", "012.345.678-90"


def found(engine: Engine, *values: str) -> dict[str, int | str]:
    """Where the values stand: by table and column the rows, or the problem."""
    with engine.connect() as connection:
        places = list(trace(connection, values))
    return {f"{it.table}.{it.column}": it.problem or it.rows for it in places}


def test_a_person_of_the_university(erp: Tpd) -> None:
    """Every column that holds the name or the CPF is named, with its rows, and no other."""
    assert found(erp.engine, name_of(60), cpf_of(60)) == {
        "addresses.street": 2,
        "employees.cpf": 1,
        "invoices.customer_cpf": 3,
        "invoices.customer_name": 3,
        "invoices.delivery": 3,
        "library_cards.holder_cpf": 1,
        "library_cards.holder_name": 1,
        "people.cpf": 1,
        "people.mother_name": 1,
        "people.name": 1,
        "people.notes": 1,
        "people.social_name": 1,
        "students.full_name": 1,
        "students.guardian_name": 1,
    }


POSTGRESQL = {
    "char(40)": "'João D''Ávila'",
    "text": "'cadastro: JOAO D AVILA (titular)'",
    "json": r"""'{"nome": "Jo\u00e3o D''\u00c1vila"}'""",
    "jsonb": """'[{"a": {"b": "joão d''ávila"}}]'""",
    "text[]": "array['x', 'João D''Ávila']",
    "bytea": "convert_to('xx João D''Ávila', 'LATIN1')",
    "bytea[]": "array[convert_to('João D''Ávila', 'UTF8')]",
    "xml": "'<p>Jo&#227;o D&#39;&#193;vila</p>'",
    "int8": "1234567890",
    "numeric": "1234567890",
    "tsvector": "to_tsvector('simple', '01234567890')",
    "int8range": "'[1234567890, 1234567999)'",
    "party": "row('01234567890', 2)",
    "cpf_domain": "'012345678-90'",
    "date[]": "array['infinity'::date]",  # nobody's
}


def test_each_type_of_postgresql(on_postgres: Tpd) -> None:
    """However a type writes it: accents, escapes, bytes, elements, a number without its zero."""
    erp = on_postgres
    erp.execute(
        text("CREATE DOMAIN cpf_domain AS varchar(20)"),
        text("CREATE TYPE party AS (doc text, n integer)"),
        text(
            "CREATE TABLE types ("
            + ", ".join(f"c{number} {kind}" for number, kind in enumerate(POSTGRESQL))
            + ")"
        ),
        text("INSERT INTO types DEFAULT VALUES"),
        *(
            text(f"UPDATE types SET c{number} = {value}".replace(":", r"\:"))  # noqa: S608
            for number, value in enumerate(POSTGRESQL.values())
        ),
    )
    assert found(erp.engine, NAME, CPF) == {
        f"types.c{number}": 1 for number in range(len(POSTGRESQL) - 1)
    }


def test_places_that_are_easily_forgotten(on_postgres: Tpd) -> None:
    """Another schema, partitions, inheritance, a materialised view, a large object; each once."""
    statements = (
        'CREATE SCHEMA "Old Data"',
        'CREATE TABLE "Old Data"."Pess:oas" ("No;me" text)',
        """INSERT INTO "Old Data"."Pess:oas" VALUES ('joao davila')""",
        "CREATE TABLE parts (n int, name text) PARTITION BY LIST (n)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1)",
        "INSERT INTO parts VALUES (1, 'João D''Ávila')",
        "CREATE TABLE parent (name text)",
        "CREATE TABLE child () INHERITS (parent)",
        "INSERT INTO child VALUES ('João D''Ávila')",
        "CREATE MATERIALIZED VIEW seen AS SELECT name FROM child",
        "SELECT lo_from_bytea(0, convert_to(repeat('x', 3000000) || 'João D''Ávila', 'UTF8'))",
    )
    on_postgres.execute(*(text(it.replace(":", r"\:")) for it in statements))
    assert found(on_postgres.engine, NAME) == {
        "Pess:oas.No;me": 1,
        "parts_1.name": 1,
        "child.name": 1,
        "seen.name": 1,
        "pg_largeobject.data": 1,
    }


@pytest.mark.parametrize("kind", ["text", "bytea"])
def test_long_cells_in_little_memory(on_postgres: Tpd, kind: str) -> None:
    """Many cells, and long ones, also where a value lies across two pieces."""
    statements = (
        "CREATE TABLE long (n integer, cell text)",
        "INSERT INTO long SELECT n, repeat('01234', 400000 * n) FROM generate_series(0, 5) n",
        "INSERT INTO long SELECT 9, repeat('x', 1048570)",
        "UPDATE long SET cell = cell || 'ana inventada' || repeat('x', 4000000)",
        "INSERT INTO long SELECT n, 'nobody' FROM generate_series(1, 30000) n",
        f"ALTER TABLE long ALTER cell TYPE {kind} USING CAST(cell AS {kind})",
    )
    on_postgres.execute(*map(text, statements))
    found(on_postgres.engine, "Nobody at all")
    tracemalloc.start()
    try:
        places = found(on_postgres.engine, "Ana Inventada")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert places == {"long.cell": 7}
    assert peak < 40_000_000


def test_what_it_may_not_read_is_told(on_postgres: Tpd, run: Callable[..., None]) -> None:
    """It never passes over a table; the GRANT that is missing is named."""
    database = database_of(on_postgres)
    run(
        "CREATE ROLE tracer LOGIN",
        "GRANT SELECT ON people TO tracer",
        "GRANT SELECT (full_name) ON students TO tracer",
        database=database,
    )
    engine = engine_for(on_postgres.url.replace("postgres@", "tracer@"))
    try:
        places = found(engine, name_of(60))
    finally:
        engine.dispose()
        run("DROP OWNED BY tracer", "DROP ROLE tracer", database=database)
    assert places["people.name"] == 1
    assert "GRANT SELECT ON public.addresses TO tracer" in str(places["addresses.*"])
    assert {"students.*", "employees.*", "SNOTAS.*", "invoices.*"} <= places.keys()


def test_bytes_that_are_no_utf_8(postgres: PostgresServer, run: Callable[..., None]) -> None:
    """A database that never said in which encoding it is."""
    run("CREATE DATABASE old ENCODING 'SQL_ASCII' TEMPLATE template0")
    engine = engine_for(postgres.url("old"))
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE people (name text)")
            connection.exec_driver_sql(r"INSERT INTO people VALUES (E'JO\xC3O D''\xC1VILA')")
        assert found(engine, NAME) == {"people.name": 1}
    finally:
        engine.dispose()
        run("DROP DATABASE old WITH (FORCE)")


def test_sqlite_cells(tmp_path: object) -> None:
    """A cell has the type that it likes there; a table may have no rowid, or a column so named."""
    engine = engine_for(f"sqlite:///{tmp_path}/x.db")
    engine.dispose()
    rows = {
        "a": "CREATE TABLE a (rowid text, c date, d integer)",
        "b": "CREATE TABLE b (c text PRIMARY KEY, d) WITHOUT ROWID",
    }
    with engine.begin() as connection:
        for statement in rows.values():
            connection.exec_driver_sql(statement)
        insert = "INSERT INTO {} (c, d) VALUES (?, ?)"
        wide = ("x" * 2_000_000) + "joao davila"
        for table in rows:
            for cells in (
                ("João D'Ávila", 1234567890),
                (b"JO\xc3O D'\xc1VILA", 1.5),
                ("João D'Ávila 2".encode("utf-16"), None),
                (wide, wide),
                ("nobody", 9876543210),
            ):
                connection.exec_driver_sql(insert.format(table), cells)
        connection.exec_driver_sql(
            "INSERT INTO b SELECT CAST(x'4A4FC34F2044C156494C41' AS TEXT), 1"
        )
    assert found(engine, NAME, CPF) == {"a.c": 4, "a.d": 2, "b.c": 5, "b.d": 2}
    engine.dispose()


def test_a_short_value_is_a_word(on_sqlite: Tpd) -> None:
    """Ana is not in Mariana, yet beside any punctuation."""
    on_sqlite.execute(
        text("CREATE TABLE names (a text, b text, c text)"),
        text("INSERT INTO names VALUES ('Mariana', 'x (ANA)', 'ana')"),
    )
    places = found(on_sqlite.engine, "Ana")
    assert {place for place in places if place.startswith("names.")} == {"names.b", "names.c"}


@pytest.mark.parametrize("values", [[], [""], ["ana", " - "]])
def test_nothing_to_look_for(on_sqlite: Tpd, values: list[str]) -> None:
    """What stands everywhere, or nowhere, is no value."""
    with pytest.raises(ValueError, match="at least one letter or digit"):
        found(on_sqlite.engine, *values)


def test_a_database_that_goes_away(on_postgres: Tpd, run: Callable[..., None]) -> None:
    """Its end is an error, not a table that could not be read."""
    engine = create_engine(on_postgres.url)
    with engine.connect() as connection:
        places = trace(connection, [name_of(60)])
        next(places)
        run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid()",
            database=database_of(on_postgres),
        )
        with pytest.raises(Exception, match="terminat"):
            list(places)
    engine.dispose()
