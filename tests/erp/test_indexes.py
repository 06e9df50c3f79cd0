"""The indexes that a map needs: the statements that make them, and that queries use them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPICursor

from consumers.sgdp.binding import bind
from consumers.sgdp.indexes import NeededIndex, needed_indexes
from consumers.sgdp.maps import parse_map
from consumers.sgdp_data import answer_with_data as data
from tests.erp.conftest import MAP
from tests.erp.university import cpf_of
from tests.support.tpd import Tpd


def needed(erp: Tpd) -> list[NeededIndex]:
    with erp.engine.connect() as connection:
        models = bind(connection, parse_map(MAP), b"salt")
        return needed_indexes(connection, models)


def create(erp: Tpd, indexes: list[NeededIndex]) -> None:
    # CONCURRENTLY is refused within a transaction; SQLite's driver commits by itself.
    engine = create_engine(erp.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for index in indexes:
            connection.exec_driver_sql(index.sql)
    engine.dispose()


@contextmanager
def plans(erp: Tpd) -> Iterator[list[str]]:
    """Collect how each of the product's queries of the ERP's own tables is carried out."""
    seen: list[str] = []
    sqlite = erp.engine.dialect.name == "sqlite"
    how = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "

    def explain(
        _connection: Connection,
        cursor: DBAPICursor,
        statement: str,
        parameters: tuple[object, ...],
        *_: object,
    ) -> None:
        if statement.startswith("SELECT") and "smartlink" not in statement and "FROM" in statement:
            other: DBAPICursor = cursor.connection.cursor()
            other.execute(how + statement, parameters)
            seen.append("\n".join(str(row[-1]) for row in other.fetchall()))

    event.listen(erp.engine, "before_cursor_execute", explain)
    yield seen
    event.remove(erp.engine, "before_cursor_execute", explain)


def test_needed_indexes(erp: Tpd) -> None:
    """What is missing is named, once; what exists serves, whatever its name."""
    before = needed(erp)
    missing = {(index.table, index.columns) for index in before if not index.exists}
    assert missing >= {
        ("people", ("cpf",)),  # the unique index there is on the column as it is written
        ("people", ("email",)),
        ("employees", ("person_id",)),
        ("library_cards", ("holder_cpf",)),
        ("students", ("cpf",)),
    }
    assert ("people", ("id",)) in {(index.table, index.columns) for index in before if index.exists}
    assert len({index.sql for index in before}) == len(before)
    create(erp, [index for index in before if not index.exists])
    assert [index for index in needed(erp) if not index.exists] == []


def test_queries_use_them(erp: Tpd) -> None:
    """With the indexes no query of a request reads a whole table; without them some do."""
    body = {"requestID": "r1", "identifiers": {"CPF": cpf_of(60), "EMAIL": "pessoa.60@x"}}
    erp.run(data, body)
    with plans(erp) as without:
        erp.run(data, body, "m2")
    assert [plan for plan in without if is_a_scan(plan)]
    create(erp, [index for index in needed(erp) if not index.exists])
    erp.execute(text("ANALYZE"))
    if erp.engine.dialect.name == "postgresql":
        erp.execute(
            text("ALTER DATABASE " + str(erp.engine.url.database) + " SET enable_seqscan = off")
        )
        erp.engine.dispose()
    with plans(erp) as plain:
        erp.run(data, body, "m3")
    assert len(plain) > 10
    assert [plan for plan in plain if is_a_scan(plan)] == []


def is_a_scan(plan: str) -> bool:
    return "Seq Scan" in plan or any(line.startswith("SCAN") for line in plan.splitlines())


def test_an_index_that_does_not_serve(erp: Tpd) -> None:
    """A partial index, one on other columns first, or on the text as it stands, is none."""
    erp.execute(
        text("CREATE INDEX a ON library_cards (holder_cpf)"),
        text("CREATE INDEX b ON employees (hired_on, person_id)"),
        text("CREATE INDEX c ON dependants (employee_id) WHERE employee_id > 7"),
    )
    missing = {(index.table, index.columns) for index in needed(erp) if not index.exists}
    assert missing >= {
        ("library_cards", ("holder_cpf",)),
        ("employees", ("person_id",)),
        ("dependants", ("employee_id",)),
    }


def test_the_planner_prefers_them(on_postgres: Tpd) -> None:
    """On a table of some size PostgreSQL takes the index by itself."""
    on_postgres.execute(
        text(
            "INSERT INTO people (id, name, cpf, birth_date) SELECT n, 'x' || n, 'x' || n, now() "
            "FROM generate_series(100000, 130000) AS n"
        )
    )
    create(on_postgres, [index for index in needed(on_postgres) if not index.exists])
    on_postgres.execute(text("ANALYZE"))
    with plans(on_postgres) as seen:
        on_postgres.run(data, {"requestID": "r1", "identifiers": {"CPF": cpf_of(60)}})
    of_people = [plan for plan in seen if "on people" in plan]
    assert of_people
    assert not [plan for plan in of_people if is_a_scan(plan)]
