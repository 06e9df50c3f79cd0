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
from smartlink.consumer import RetryableError
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
    with pytest.raises(RetryableError, match="InsufficientPrivilege 42501"):
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
