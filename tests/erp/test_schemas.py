"""TPD on schemas that nobody wrote for it, by maps that began as drafts of `smartlink tpd draft`.

After each mask the whole-database scan finds nothing of the person, and nobody else's row changed.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from consumers.sgdp.inspection.check import check
from consumers.sgdp.inspection.draft import draft
from consumers.sgdp.inspection.findings import Level
from consumers.sgdp.plain_values import plain_value
from consumers.sgdp.trace import trace
from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_mask import answer_with_exceptions as mask
from tests.erp.conftest import run_on
from tests.erp.postgres import PostgresServer
from tests.erp.schemas.filling import Filling
from tests.erp.schemas.made import FILLED, made
from tests.erp.schemas.people import Person
from tests.support.tpd import SALT, Tpd

HERE = Path(__file__).parent / "schemas"
MAPS = {name: json.loads((HERE / f"{name}.json").read_text()) for name in FILLED}
_NUMBERS = count()
TODAY = date(2026, 3, 2)
ROWS = 500

# By what a request names each person, by number; else by the CPF.
BY: Mapping[str, Mapping[int, str]] = {
    "oscar": {1: "EMAIL", 9: "EMAIL", 10: "EMAIL"},
    "pretalx": {2: "EMAIL", 10: "EMAIL"},
    "tryton": {11: "EMAIL"},
    "protheus": {2: "EMAIL"},
}
ASKED = [(name, who) for name in FILLED for who in (0, *BY[name])]
# The least share of the columns that a finished map masks which its draft had found already.
DRAFTED = {"oscar": 0.85, "pretalx": 0.6, "tryton": 0.85, "protheus": 0.45}


@pytest.fixture(scope="module")
def filled(postgres: PostgresServer) -> Iterator[dict[str, Filling]]:
    databases = {name: f"schema_{name}" for name in FILLED}
    run_on(postgres, *(f"CREATE DATABASE {it}" for it in databases.values()))
    with made(postgres, databases) as found:
        yield found
    run_on(postgres, *(f"DROP DATABASE {it} WITH (FORCE)" for it in databases.values()))


@pytest.fixture
def erp_of(postgres: PostgresServer, filled: dict[str, Filling]) -> Iterator[Callable[[str], Tpd]]:
    """A tenant whose ERP has this schema, filled, with the map that a person has finished."""
    opened: list[Tpd] = []

    def opening(name: str) -> Tpd:
        assert name in filled
        database = f"{name}_{next(_NUMBERS)}"  # of its own: a process knows a database by its URL
        run_on(postgres, f"CREATE DATABASE {database} TEMPLATE schema_{name}")
        secret = {"databaseUrl": postgres.url(database), "map": MAPS[name], "salt": SALT}
        opened.append(Tpd("acme", secret))
        return opened[-1]

    yield opening
    for erp in opened:
        erp.engine.dispose()
        run_on(postgres, f"DROP DATABASE {erp.engine.url.database} WITH (FORCE)")


@pytest.mark.parametrize("name", FILLED)
def test_the_draft_and_the_check(erp_of: Callable[[str], Tpd], name: str) -> None:
    """A draft finds most of what the finished map masks; of that the check finds no fault."""
    engine = erp_of(name).engine
    drafted = personal(draft(engine, ROWS, TODAY))
    wanted = personal(MAPS[name])
    share = len(drafted & wanted) / len(wanted)
    assert share >= DRAFTED[name], (share, sorted(wanted - drafted))
    report = check(engine, MAPS[name], SALT.encode(), ROWS, TODAY)
    faults = [it.as_json() for it in report.findings if it.level is Level.FAULT]
    assert not faults


@pytest.mark.parametrize(("name", "number"), ASKED)
def test_nothing_of_a_masked_person_is_left(
    erp_of: Callable[[str], Tpd], filled: dict[str, Filling], name: str, number: int
) -> None:
    """The answer holds every row that is the person's; after the mask no table holds a word."""
    erp, owned = erp_of(name), filled[name].owned
    who = next(person for person in owned if person.seed == number)
    kind = BY[name].get(number, "CPF")
    identifiers = {kind: next(who.cpfs()) if kind == "CPF" else who.email.swapcase()}
    before, places = everything(erp.engine), where(erp.engine, who)
    assert places, "what is looked for has to be there"

    answer = erp.run(data, {"requestID": "r1", "identifiers": identifiers}, "m1")
    shown = {
        name: rows
        for group in answer["response"].values()
        for name, rows in group["models"].items()
    }
    wanted = ordered(direct(erp, MAPS[name], owned[who]))
    assert {of: len(them) for of, them in shown.items()} == {
        of: len(them) for of, them in wanted.items()
    }
    assert ordered(shown) == wanted

    told = erp.run(mask, {"requestID": "r2", "identifiers": identifiers}, "m2")
    assert where(erp.engine, who) == {}
    assert changed(before, everything(erp.engine)) <= rows_of(owned[who])
    kept = {it for of in told["exceptionAttributes"].values() for it in of["attributes"]}
    assert kept <= {"user_id"}, erp.lines  # what links rows, of pretalx' map
    assert not any("may be somebody else's" in line for line in erp.lines)


def personal(data_map: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The columns that a map masks, or proposes to."""
    return {
        (name, column)
        for name, table in data_map["tables"].items()
        for column, spec in table["columns"].items()
        if "keep" not in spec
    }


def where(engine: Engine, who: Person) -> dict[str, int]:
    """In which columns something of the person stands, and in how many rows."""
    with engine.connect() as connection:
        found = list(trace(connection, who.marks))
    assert not [it.problem for it in found if it.problem]
    return {f"{it.table}.{it.column}": it.rows for it in found}


Rows = dict[tuple[str, str], str]


def everything(engine: Engine) -> Rows:
    """Each row of the database as PostgreSQL writes it, by its table and key."""
    tables = text(
        "SELECT c.relname, array_agg(a.attname::text) AS key FROM pg_class c "
        "JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
        "GROUP BY 1"
    )
    found: Rows = {}
    with engine.connect() as connection:
        for name, key in connection.execute(tables).all():
            if not name.startswith("smartlink_"):
                columns = ", ".join(f'"{it}"::text' for it in sorted(key))
                query = f'SELECT array[{columns}], t::text FROM "{name}" AS t'  # noqa: S608
                rows = connection.exec_driver_sql(query)
                found |= {(name, "|".join(each)): row for each, row in rows}
    return found


def changed(before: Rows, after: Rows) -> set[tuple[str, str]]:
    """What has changed or gone; what a trigger added is somebody's who is masked."""
    return {place for place, row in before.items() if after.get(place) != row}


def rows_of(owned: Mapping[str, list[dict[str, Any]]]) -> set[tuple[str, str]]:
    return {
        (name, "|".join(str(key[it]) for it in sorted(key)))
        for name, keys in owned.items()
        for key in keys
    }


def direct(
    erp: Tpd, data_map: Mapping[str, Any], owned: Mapping[str, list[dict[str, Any]]]
) -> dict[str, list[dict[str, object]]]:
    """The person's rows, read by their keys: what a data request has to answer with."""
    found: dict[str, list[dict[str, object]]] = {}
    with erp.engine.connect() as connection:
        for name, table in data_map["tables"].items():
            columns = ", ".join(f'"{it}"' for it in table["columns"])
            for key in owned.get(name, ()):
                fits = " AND ".join(f'"{it}" = :{it}' for it in key)
                query = text(f'SELECT {columns} FROM "{name}" WHERE {fits}')  # noqa: S608
                row = connection.execute(query, key).mappings().one()
                said = {it: plain_value(value) for it, value in row.items()}
                found.setdefault(table["class"], []).append(said)
    return found


def ordered(rows: Mapping[str, list[Any]]) -> dict[str, list[str]]:
    return {name: sorted(json.dumps(it, sort_keys=True) for it in of) for name, of in rows.items()}
