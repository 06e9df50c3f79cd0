"""What may work later is retryable, and its text tells the operator nothing that is secret."""

import json
import sqlite3
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_logs import answer_with_logs as logs
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import Consumer, RetryableError

from .erp import TenantErp

COMMANDS = pytest.mark.parametrize("consumer", [data, mask, logs], ids=lambda item: item.command)
SECRET = "s3cr3t-p4ss"


def failure(erp: TenantErp, consumer: Consumer) -> str:
    """Everything that could be logged of the error with which a request about the worker fails."""
    body = {"requestID": "r1", "identifiers": {"CPF": erp.worker.cpf}}
    with pytest.raises(RetryableError) as caught:
        erp.run(consumer, body)
    logged = "".join(traceback.format_exception(caught.value))
    assert erp.worker.cpf not in logged
    assert erp.worker.name not in logged
    assert SECRET not in logged
    assert "smartlink-erp-acme" in str(caught.value)
    return str(caught.value)


@COMMANDS
def test_locked(erp: TenantErp, consumer: Consumer, tmp_path: Path) -> None:
    """A database that somebody else holds is tried again, and works when it is free."""
    holder = sqlite3.connect(tmp_path / "acme.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert "OperationalError SQLITE_BUSY" in failure(erp, consumer)
    holder.close()
    assert erp.run(consumer, {"requestID": "r1", "identifiers": {"CPF": erp.worker.cpf}})


@COMMANDS
def test_unreachable(erp: TenantErp, consumer: Consumer, tmp_path: Path) -> None:
    """A database that cannot be opened is tried again."""
    url = f"sqlite:///{tmp_path}/{SECRET}/none.db"
    erp = replace(erp, secret={"databaseUrl": url, "map": "demo"})
    assert "SQLITE_CANTOPEN" in failure(erp, consumer)


@COMMANDS
def test_no_tables(erp: TenantErp, consumer: Consumer) -> None:
    """A database without a table is tried again, once somebody has fixed it."""
    erp.execute(text("DROP TABLE employees"))
    assert "map.tables.employees: the user's default schema has no such" in failure(erp, consumer)


@pytest.mark.parametrize(
    "secret",
    [
        b"",
        b"\xff" + SECRET.encode(),
        SECRET.encode(),
        json.dumps([SECRET]).encode(),
        json.dumps({"databaseUrl": "", "map": "demo"}).encode(),
        json.dumps({"databaseUrl": [SECRET], "map": "demo"}).encode(),
        json.dumps({"databaseUrl": SECRET, "map": "demo"}).encode(),
        json.dumps(
            {"databaseUrl": f"postgresql://u:{SECRET}@host:{SECRET}/x", "map": "demo"}
        ).encode(),
        json.dumps({"databaseUrl": f"nosuch://u:{SECRET}@host/x", "map": "demo"}).encode(),
        json.dumps(
            {
                "databaseUrl": f"postgresql+nosuch://u:{SECRET}@host/x",
                "map": "demo",
                "unproven": True,
            }
        ).encode(),
        json.dumps(
            {
                "databaseUrl": f"oracle+cx_oracle://u:{SECRET}@host/x",
                "map": "demo",
                "unproven": True,
            }
        ).encode(),
        json.dumps({"databaseUrl": "sqlite://", "map": "demo", SECRET: SECRET}).encode(),
        json.dumps({"databaseUrl": "sqlite://", "map": "demo", "salt": "short"}).encode(),
        json.dumps({"databaseUrl": "sqlite://", "map": "nosuch"}).encode(),
        json.dumps({"databaseUrl": "sqlite://", "map": "../erp"}).encode(),
        json.dumps({"databaseUrl": "sqlite://", "map": {"tables": SECRET}}).encode(),
        json.dumps({"databaseurl": f"sqlite:///{SECRET}"}).encode(),
    ],
)
def test_bad_secret(erp: TenantErp, secret: bytes) -> None:
    """A secret that cannot be used says what is wrong and what fixes it, never what it holds."""
    assert '{"databaseUrl": "' in failure(replace(erp, secret=secret), data)


@COMMANDS
@pytest.mark.parametrize(
    "body",
    [
        {"identifiers": {"CPF": SECRET}},
        {"requestID": "", "identifiers": {"CPF": SECRET}},
        {"requestID": "r1", "identifiers": SECRET},
        {"requestID": "r1", "identifiers": {"EMAIL": [SECRET]}},
    ],
)
def test_bad_request(erp: TenantErp, consumer: Consumer, body: dict[str, object]) -> None:
    """A request of another shape is refused by its model, which does not quote it."""
    with pytest.raises(ValidationError) as caught:
        erp.run(consumer, body)
    assert SECRET not in str(caught.value)
