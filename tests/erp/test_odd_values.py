"""One value that no Python type holds keeps nobody from being answered and masked."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text

from consumers.sgdp.engine import engine_for
from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import FatalError, RetryableError
from tests.erp.postgres import PostgresServer
from tests.erp.university import cpf_of
from tests.support.tpd import SALT, Tpd

CPF = cpf_of(60)
_NUMBERS = count()
BODY = {"requestID": "r1", "identifiers": {"CPF": CPF}}


def odd_map(mask_of_odd: dict[str, Any] | None, key: str = "id") -> dict[str, Any]:
    """A table with one odd column, which is masked so, or kept."""
    column: dict[str, Any] = {"description": "d", "purposes": ["p"]}
    odd = column | ({"mask": mask_of_odd} if mask_of_odd else {"keep": "law"})
    return {
        "purposes": {"p": {"classification": "CONSENTMENT", "justification": "x"}},
        "tables": {
            "odd": {
                "class": "odd",
                "group": "g",
                "description": "d",
                "key": [key],
                "columns": {
                    "cpf": column | {"identifier": "CPF", "keep": "law"},
                    "name": column | {"mask": {"rule": "null"}},
                    "odd": odd,
                },
            }
        },
    }


def filled(erp: Tpd, kind: str, value: str, data_map: dict[str, Any], more: str = "") -> Tpd:
    assert isinstance(erp.secret, dict)
    changed = Tpd(erp.tenant, erp.secret | {"map": data_map})
    statements = (
        f"CREATE TABLE odd (id integer PRIMARY KEY, cpf varchar(14), name text, odd {kind}{more})",
        f"INSERT INTO odd VALUES (1, '{CPF}', 'Fulana', {value})",  # noqa: S608
    )
    with changed.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    return changed


def shown(erp: Tpd, message_id: str = "m1") -> dict[str, Any]:
    (row,) = erp.run(data, BODY, message_id)["response"]["g"]["models"]["odd"]
    assert isinstance(row, dict)
    return row


DEEP = "[" * 3_000 + "]" * 3_000
POSTGRESQL = [
    ("date", "'infinity'", "infinity"),
    ("date", "'12024-01-31'", "12024-01-31"),
    ("date", "'0044-03-15 BC'", "0044-03-15 BC"),
    ("timestamp", "'-infinity'", "-infinity"),
    ("timestamptz", "'12024-01-31 12:00+00'", "12024-01-31 12:00:00+00"),
    ("time", "'24:00'", "24:00:00"),
    ("timetz", "'24:00-03'", "24:00:00-03"),
    ("interval", "'170000000 years'", "170000000 years"),
    ("numeric", "'NaN'", "NaN"),
    ("numeric", "'9' || repeat('0', 5000)", "9" + "0" * 5_000),
    ("float8", "'-Infinity'", "-inf"),
    ("daterange", "'[2020-01-01,infinity)'", "[2020-01-01,infinity)"),
    ("date[]", "'{infinity,2020-01-31}'", ["infinity", "2020-01-31"]),
    ("jsonb", "'{\"a\": ' || repeat('9', 5000) || '}'", '{"a": ' + "9" * 5_000 + "}"),
    ("json", f"'{DEEP}'", DEEP),
    ("bytea", r"'\x00ff'", "AP8="),
    ("money", "'1.5'", "$1.50"),
]


@pytest.mark.parametrize(("kind", "value", "said"), POSTGRESQL, ids=str)
def test_on_postgresql(on_postgres: Tpd, kind: str, value: str, said: object) -> None:
    """It is answered as the database writes it; a mask of another column goes on, and its own mask
    too."""
    cast = f"CAST({value} AS {kind})"
    kept = filled(on_postgres, kind, cast, odd_map(None))
    assert shown(kept) == {"cpf": CPF, "name": "Fulana", "odd": said}
    kept.run(mask, BODY)
    assert shown(kept, "m2")["name"] is None
    assert shown(kept, "m3")["odd"] == said
    kept.execute(text("DROP TABLE odd"))
    masked = filled(on_postgres, kind, cast, odd_map({"rule": "null"}))
    masked.run(mask, BODY | {"requestID": "r2"})
    assert shown(masked, "m4")["odd"] is None


@pytest.mark.parametrize(
    ("kind", "value", "year", "month"),
    [
        ("date", "12024-05-31", "12024-01-01", "12024-05-01"),
        ("date", "0044-03-15 BC", "0044-01-01 BC", "0044-03-01 BC"),
        ("timestamp", "12024-05-31 10:00", "12024-01-01 00:00:00", "12024-05-01 00:00:00"),
        ("date", "infinity", "infinity", "infinity"),
        ("timestamptz", "-infinity", "-infinity", "-infinity"),
    ],
)
def test_odd_dates_are_truncated(
    on_postgres: Tpd, kind: str, value: str, year: str, month: str
) -> None:
    """To their own year or month; infinity is nobody's date."""
    for to, said in (("year", year), ("month", month)):
        rule = {"rule": "truncateDate", "to": to}
        erp = filled(on_postgres, kind, f"'{value}'", odd_map(rule))
        erp.run(mask, BODY | {"requestID": to})
        assert shown(erp, to)["odd"] == said
        assert shown(erp, f"{to} again")["name"] is None
        erp.execute(text("DROP TABLE odd"))


@pytest.mark.parametrize(
    ("kind", "value"), [("date", "infinity"), ("date", "0044-03-15 BC"), ("numeric", "NaN")]
)
def test_an_odd_key(on_postgres: Tpd, kind: str, value: str) -> None:
    """A row is found again by it: validity without an end is often a part of the key."""
    erp = filled(on_postgres, kind, f"'{value}'", odd_map(None, key="odd"), " UNIQUE NOT NULL")
    erp.run(mask, BODY)
    assert shown(erp) == {"cpf": CPF, "name": None, "odd": value}


def test_a_label_that_came_later(on_postgres: Tpd) -> None:
    """An enumeration has got a label since the process read the structure."""
    on_postgres.execute(text("CREATE TYPE mood AS ENUM ('a')"))
    erp = filled(on_postgres, "mood", "'a'", odd_map(None))
    assert shown(erp)["odd"] == "a"
    erp.execute(text("ALTER TYPE mood ADD VALUE 'b'"))
    erp.execute(text("UPDATE odd SET odd = 'b'"))
    assert shown(erp, "m2")["odd"] == "b"


SQLITE = [
    ("date", "'31/12/1980'", "31/12/1980"),
    ("date", "'infinity'", "infinity"),
    ("datetime", "'0000-00-00'", "0000-00-00"),
    ("numeric(10, 2)", "'n/a'", "n/a"),
    ("integer", "'n/a'", "n/a"),
    ("numeric", "9e999", "Infinity"),
    ("json", f"'{DEEP}'", DEEP),
    ("boolean", "'S'", "S"),
    ("text", "CAST(x'4A4FC34F' AS text)", "JOÃO"),
    ("varchar(20)", "CAST(x'4A4FC34F' AS text)", "JOÃO"),
]


@pytest.mark.parametrize(("kind", "value", "said"), SQLITE, ids=str)
def test_on_sqlite(on_sqlite: Tpd, kind: str, value: str, said: object) -> None:
    """There a column holds what somebody put into it, whatever it was declared as."""
    erp = filled(on_sqlite, kind, value, odd_map(None))
    assert shown(erp)["odd"] == said
    erp.run(mask, BODY)
    assert shown(erp, "m2") == {"cpf": CPF, "name": None, "odd": said}


@pytest.mark.parametrize("rule", ["fake", "hash", "null"])
def test_bytes_that_are_no_utf_8(on_sqlite: Tpd, rule: str) -> None:
    """They are answered as Latin-1, and masked."""
    written = "CAST(X'4AC34F2064612053696C7661' AS TEXT)"  # the bytes of a Latin-1 text
    masked = filled(on_sqlite, "text", written, odd_map({"rule": rule}))
    assert shown(masked)["odd"] == "JÃO da Silva"
    masked.run(mask, BODY | {"requestID": "r2"})
    value = shown(masked, "m3")["odd"]
    assert value is None or "Silva" not in value
    masked.run(mask, BODY | {"requestID": "r3"})
    assert shown(masked, "m4")["odd"] == value


def test_a_database_that_says_no_encoding_is_refused_by_name(
    postgres: PostgresServer, run: Callable[..., None]
) -> None:
    """There nobody can tell how an identifier was written: it could be missed in silence."""
    name = f"old_{next(_NUMBERS)}"
    run(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0")
    url = postgres.url(name)
    try:
        erp = Tpd("acme", {"databaseUrl": url, "map": odd_map(None), "salt": SALT})
        changed = filled(erp, "text", "'x'", odd_map(None))
        with pytest.raises(RetryableError, match="SQL_ASCII"):
            changed.run(data, BODY)
    finally:
        engine_for(url).dispose()
        run(f"DROP DATABASE {name} WITH (FORCE)")


def test_a_constraint_in_the_way_is_named_and_final(on_postgres: Tpd) -> None:
    """One that came after the map was checked. No further attempt can succeed: dead at once, with
    the table, the column and what to do."""
    rule = {"rule": "constant", "value": "ANONIMIZADO"}
    changed = filled(on_postgres, "varchar(40)", "'x'", odd_map(rule))
    shown(changed)
    changed.execute(text("ALTER TABLE odd ADD CHECK (odd <> 'ANONIMIZADO')"))
    with pytest.raises(FatalError, match=r"masking odd .*entry of odd\.odd in the personal") as it:
        changed.run(mask, BODY)
    assert "Fulana" not in str(it.value)
    assert shown(changed)["name"] == "Fulana"


def test_a_constraint_of_two_columns_names_both(on_postgres: Tpd) -> None:
    """Neither column fails by itself."""
    changed = filled(on_postgres, "varchar(40)", "'x'", odd_map({"rule": "constant", "value": "y"}))
    shown(changed)
    changed.execute(text("ALTER TABLE odd ADD CHECK (NOT (odd = 'y' AND name IS NULL))"))
    with pytest.raises(FatalError, match=r"odd\.name, odd\.odd"):
        changed.run(mask, BODY)


def test_a_table_that_is_gone_is_looked_for_anew(on_postgres: Tpd) -> None:
    """The process read the structure before; the next attempt tells the place in the map."""
    erp = filled(on_postgres, "date", "NULL", odd_map(None))
    shown(erp)
    erp.execute(text("ALTER TABLE odd RENAME TO even"))
    with pytest.raises(Exception, match=r"reading odd .*42P01"):
        erp.run(data, BODY)
    with pytest.raises(Exception, match=r"map\.tables\.odd"):
        erp.run(data, BODY)


def test_odd_values_are_json(on_postgres: Tpd) -> None:
    """What is answered can be written and read as JSON."""
    erp = filled(on_postgres, "float8", "'NaN'", odd_map(None))
    assert json.loads(json.dumps(shown(erp), allow_nan=False))["odd"] == "nan"
