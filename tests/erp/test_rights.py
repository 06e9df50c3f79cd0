"""PostgreSQL with the least rights that the README names, and failures of a real server."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from consumers.sgdp.engine import engine_for
from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_logs import answer_with_logs as logs
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import FatalError, RetryableError
from tests.erp.postgres import PostgresServer
from tests.erp.university import cpf_of
from tests.support.tpd import Tpd

README = Path(__file__).parents[2] / "functions" / "consumers" / "sgdp" / "README.md"
GRANTS, POSTGRESQL, *_ = re.findall(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)
(SHORT_MAP,) = (
    block
    for block in re.findall(r"```json\n(.*?)```", README.read_text(), re.DOTALL)
    if '"$schema"' in block
)
BODY = {"requestID": "r1", "identifiers": {"CPF": cpf_of(60)}}


def database_of(erp: Tpd) -> str:
    return str(make_url(erp.url).database)


def changed(erp: Tpd, **secret: object) -> Tpd:
    assert isinstance(erp.secret, dict)
    return replace(erp, secret=erp.secret | secret)


@pytest.fixture
def humble(on_postgres: Tpd, run: Callable[..., None]) -> Iterator[Tpd]:
    """The README's short map, as a user who may do nothing yet."""
    database = database_of(on_postgres)
    url = on_postgres.url.replace("postgres@", "smartlink@")
    run("CREATE USER smartlink")
    secret = {"databaseUrl": url, "map": json.loads(SHORT_MAP), "salt": "x" * 16}
    yield replace(on_postgres, secret=secret)
    engine_for(url).dispose()
    run("DROP OWNED BY smartlink", database=database)
    run("DROP USER smartlink")


def statements(sql: str) -> Iterator[str]:
    return filter(None, map(str.strip, sql.split(";")))


def test_least_rights(humble: Tpd, run: Callable[..., None]) -> None:
    """With the README's DDL and grants, and nothing else, all three commands work."""
    database = database_of(humble)
    grants = list(statements(GRANTS))
    run(*(it for it in grants if "smartlink_" not in it), database=database)
    with pytest.raises(RetryableError, match=r"lacks smartlink_access_log.*DDL in functions/"):
        humble.run(data, BODY)
    run(*statements(POSTGRESQL), database=database)
    wanted = r"42501.*GRANT SELECT ON smartlink_access_log TO smartlink.* and redrive"
    with pytest.raises(FatalError, match=wanted):
        humble.run(data, BODY)
    run(*(it for it in grants if "smartlink_" in it), database=database)
    assert humble.run(data, BODY)["response"]["people"]
    assert humble.run(mask, BODY)["exceptionAttributes"]
    assert len(humble.run(logs, {"requestID": "r2"})["logs"]) == 2


LEGACY = {
    "purposes": {"p": {"classification": "CONSENTMENT", "justification": "x"}},
    "tables": {
        "legacy": {
            "schema": "RM Legado",
            "name": "Pess;oa",
            "class": "c",
            "group": "g",
            "description": "x",
            "key": ["Código"],
            "columns": {
                'C"PF': {
                    "description": "x",
                    "purposes": ["p"],
                    "identifier": "CPF",
                    "mask": {"rule": "null"},
                },
                "nome": {"description": "x", "purposes": ["p"], "mask": {"rule": "fake"}},
            },
        }
    },
}


def test_tables_of_a_schema(on_postgres: Tpd, run: Callable[..., None]) -> None:
    """A table in a schema of its own, with names that must be quoted."""
    run(
        'CREATE SCHEMA "RM Legado"',
        'CREATE TABLE "RM Legado"."Pess;oa" '
        '("Código" int PRIMARY KEY, "C""PF" char(11), nome varchar(20))',
        f"""INSERT INTO "RM Legado"."Pess;oa" VALUES (1, '{cpf_of(60)}', 'Fulano')""",  # noqa: S608
        database=database_of(on_postgres),
    )
    erp = changed(on_postgres, map=LEGACY)
    (row,) = erp.run(data, BODY)["response"]["g"]["models"]["c"]
    assert row == {'C"PF': cpf_of(60), "nome": "Fulano"}
    erp.run(mask, BODY)
    assert erp.run(data, BODY, "m2")["response"] == {}


def test_a_server_that_is_gone(on_postgres: Tpd, postgres: PostgresServer) -> None:
    """No error shows the URL or its password."""
    for url in (
        postgres.url("nosuch").replace("postgres@", "postgres:s3cr3t-p4ss@"),
        "postgresql+psycopg://u:s3cr3t-p4ss@127.0.0.1:1/x",
    ):
        erp = changed(on_postgres, databaseUrl=url)
        with pytest.raises(RetryableError, match="OperationalError") as caught:
            erp.run(data, BODY)
        assert "s3cr3t" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def test_a_connection_that_was_cut(on_postgres: Tpd, run: Callable[..., None]) -> None:
    """A process that kept a dead connection takes another one: no attempt is lost."""
    assert on_postgres.run(data, BODY)["response"]
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid()"
    run(others, database=database_of(on_postgres))
    assert on_postgres.run(data, BODY, "m2")["response"]


def trigger_of_the_erp(statement: str) -> tuple[str, ...]:
    """A trigger that needs a right of whoever updates the table."""
    return (
        "CREATE TABLE audit (id serial PRIMARY KEY, what text)",
        f"""CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN {statement}; RETURN NEW; END $$""",
        "CREATE TRIGGER watch AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION watch()",
    )


@pytest.mark.parametrize(
    ("revoked", "wanted"),
    [
        ("SELECT ON people", "GRANT SELECT ON people TO smartlink"),
        ("UPDATE (name, cpf) ON people", "GRANT UPDATE (name, cpf) ON people TO smartlink"),
        ("UPDATE (name) ON people", "GRANT UPDATE (name) ON people TO smartlink"),
        ("SELECT ON employees", "GRANT SELECT ON employees TO smartlink"),
        ("INSERT ON smartlink_access_log", "GRANT INSERT ON smartlink_access_log TO smartlink"),
    ],
)
def test_a_missing_right_is_named(
    humble: Tpd, run: Callable[..., None], revoked: str, wanted: str
) -> None:
    """By the GRANT that a DBA runs; the message is dead, as no retry can succeed."""
    database = database_of(humble)
    run(*statements(POSTGRESQL), *statements(GRANTS), database=database)
    run(f"REVOKE {revoked} FROM smartlink", database=database)
    consumer = mask if "UPDATE" in revoked else data
    with pytest.raises(FatalError) as caught:
        humble.run(consumer, BODY)
    assert f"{wanted}, and redrive the message" in str(caught.value)
    assert str(caught.value).count("GRANT ") == 1
    run(wanted, database=database)
    assert humble.run(consumer, BODY, "m2")


def test_a_right_to_some_columns(humble: Tpd, run: Callable[..., None]) -> None:
    """What is granted column by column is asked for so."""
    database = database_of(humble)
    run(*statements(POSTGRESQL), *statements(GRANTS), database=database)
    run(
        "REVOKE SELECT ON people FROM smartlink",
        "GRANT SELECT (id, name) ON people TO smartlink",
        database=database,
    )
    with pytest.raises(FatalError, match=r"GRANT SELECT \(cpf\) ON people TO smartlink"):
        humble.run(data, BODY)


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("INSERT INTO audit (what) VALUES ('x')", "GRANT INSERT ON audit TO smartlink"),
        ("UPDATE audit SET what = 'x'", "GRANT UPDATE ON audit TO smartlink"),
        (
            "PERFORM nextval('audit_id_seq')",
            "GRANT USAGE ON SEQUENCE audit_id_seq TO smartlink",
        ),
    ],
)
def test_a_right_that_a_trigger_needs(
    humble: Tpd, run: Callable[..., None], statement: str, wanted: str
) -> None:
    """The ERP's own trigger writes where the product's user has no right; no map names that."""
    run(
        *statements(POSTGRESQL),
        *statements(GRANTS),
        *trigger_of_the_erp(statement),
        database=database_of(humble),
    )
    with pytest.raises(FatalError, match=r"masking people .*42501") as caught:
        humble.run(mask, BODY)
    assert wanted in str(caught.value)


def test_what_may_pass_is_tried_again(on_postgres: Tpd) -> None:
    """A lock that somebody holds is no fault of the map: the place is named all the same."""
    assert on_postgres.run(data, BODY, "m0")["response"]
    with on_postgres.engine.connect() as other:
        other.exec_driver_sql("LOCK TABLE employees IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(RetryableError, match=r"reading employees .*LockNotAvailable 55P03"):
            on_postgres.run(data, BODY)
        other.rollback()
    assert on_postgres.run(data, BODY)["response"]
