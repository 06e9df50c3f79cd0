"""A database on which nothing was ever run is refused, until somebody says that it may be used."""

import json
import re
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from consumers.sgdp import maps
from consumers.sgdp.binding import bind
from consumers.sgdp.map_error import MapError
from consumers.sgdp.proof import UnprovenError, check_proven
from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_logs import answer_with_logs as logs
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import Consumer, RetryableError

from .erp import TenantErp


class OtherDriver(SQLiteDialect_pysqlite):
    """SQLite by a driver that no test of the product's has ever used."""

    driver = "other"


class NamedOracle(SQLiteDialect_pysqlite):
    """SQLite under Oracle's name: for rules that go by that alone."""

    name = "oracle"


registry.register("sqlite.other", __name__, "OtherDriver")
registry.register("oracle.named", __name__, "NamedOracle")
COMMANDS = pytest.mark.parametrize("consumer", [data, mask, logs], ids=lambda item: item.command)


@pytest.mark.parametrize(
    "url",
    [
        "mssql+pymssql://u:s3cr3t@h/d",
        "mssql+pyodbc://u:s3cr3t@h/d",
        "oracle+oracledb://u:s3cr3t@h/d",
        "mysql+pymysql://u:s3cr3t@h/d",
        "mariadb+pymysql://u:s3cr3t@h/d",
        "postgresql+psycopg2://u:s3cr3t@h/d",
        "sqlite+other:////x",
    ],
)
@COMMANDS
def test_it_is_refused(erp: TenantErp, consumer: Consumer, url: str) -> None:
    """Before the driver is looked for; the error names what is meant and how to go on."""
    erp = replace(erp, secret={"databaseUrl": url, "map": "demo"})
    body = {"requestID": "r1", "identifiers": {"CPF": erp.worker.cpf}}
    with pytest.raises(RetryableError, match="names a database without proof") as caught:
        erp.run(consumer, body)
    text = str(caught.value)
    assert "smartlink-erp-acme" in text
    assert '"unproven": true' in text
    assert re.split(r"[+:]", url)[0] in text
    assert "s3cr3t" not in text


@COMMANDS
def test_it_is_used_when_the_secret_says_so(erp: TenantErp, consumer: Consumer) -> None:
    """At the tenant's own risk, which stands in its secret."""
    url = erp.url.replace("sqlite:", "sqlite+other:")
    body = {"requestID": "r1", "identifiers": {"CPF": erp.worker.cpf}}
    for unproven in (False, None):
        refused = replace(erp, secret={"databaseUrl": url, "map": "demo", "unproven": unproven})
        with pytest.raises(RetryableError):
            refused.run(consumer, body)
    taken = replace(erp, secret={"databaseUrl": url, "map": "demo", "unproven": True})
    assert taken.run(consumer, body)


def test_what_is_proven_needs_no_word() -> None:
    for url in ("postgresql+psycopg://h/d", "sqlite:////x", "sqlite+pysqlite:////x"):
        check_proven(make_url(url), unproven=False)
    with pytest.raises(UnprovenError, match=r"postgresql\+psycopg, sqlite\+pysqlite"):
        check_proven(make_url("oracle+oracledb://h/d"), unproven=False)


@pytest.mark.parametrize("value", ["", "ANONIMIZADO"])
@pytest.mark.parametrize("url", ["sqlite:", "oracle+named:"])
def test_an_empty_text_is_null_in_oracle(erp: TenantErp, value: str, url: str) -> None:
    """Written into a NOT NULL column it would fail at each mask: the map is refused."""
    demo = json.loads((maps.FOLDER / "demo.json").read_bytes())
    name = demo["tables"]["people"]["columns"]["name"]
    name["mask"] = {"rule": "constant", "value": value}
    with create_engine(erp.url.replace("sqlite:", url)).connect() as connection:
        if value or url == "sqlite:":
            assert bind(connection, maps.parse_map(demo), b"x" * 16)
            return
        with pytest.raises(MapError, match=r"people.columns.name.mask.value: Oracle takes an"):
            bind(connection, maps.parse_map(demo), b"x" * 16)
