"""A map that does not fit the database is refused when the ERP is opened, with its place."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from consumers.sgdp_data import answer_with_data as data
from smartlink.consumer import RetryableError
from tests.erp.university import cpf_of
from tests.support.tpd import SALT, Tpd

Edit = Callable[[dict[str, Any]], object]
NULL, HASH, FAKE = {"rule": "null"}, {"rule": "hash"}, {"rule": "fake"}


def masks(table: str, column: str, **mask: object) -> Edit:
    """Set a column's mask; a column that was not mapped is added."""
    spec = {"description": "x", "purposes": ["lei"], "mask": mask}
    return lambda tables: tables[table]["columns"].update({column: spec})


EDITS: dict[str, tuple[Edit, str]] = {
    "missing table": (
        lambda it: it["invoices"].update(name="bills"),
        "map.tables.invoices: the user's default schema has no such table",
    ),
    "missing column": (
        masks("people", "cpff", **NULL),
        "map.tables.people.columns.cpff: the table has no such column",
    ),
    "missing key": (
        lambda it: it["people"].update(key=["person"]),
        "map.tables.people.key.person: the table has no such column",
    ),
    "missing reference": (
        lambda it: it["employees"]["references"][0].update(columns=["person"]),
        "map.tables.employees.references.0.columns.person: the table has no such column",
    ),
    "missing column referred to": (
        lambda it: it["library_cards"]["references"][0].update(to=["nosuch"], columns=["card"]),
        "map.tables.people, to which another table refers: nosuch: the table has no such column",
    ),
    "a key of several rows": (
        lambda it: it["dependants"].update(key=["employee_id"]),
        "map.tables.dependants.key: no primary key or unique index",
    ),
    "half a key": (
        lambda it: it["addresses"].update(key=["person_id"]),
        "map.tables.addresses.key: no primary key or unique index",
    ),
    "null": (
        masks("people", "birth_date", **NULL),
        "map.tables.people.columns.birth_date.mask: the column is NOT NULL",
    ),
    "constant in a unique column": (
        masks("employees", "registration", rule="constant", value="X"),
        "map.tables.employees.columns.registration.mask: the column is unique",
    ),
    "fake in a unique column": (
        masks("students", "ra", **FAKE),
        "map.tables.students.columns.ra.mask: the column is unique",
    ),
    "constant too long": (
        masks("people", "rg", rule="constant", value="X" * 21),
        "map.tables.people.columns.rg.mask.value: it is no value of the column",
    ),
    "constant of another type": (
        masks("invoices", "amount", rule="constant", value="much"),
        "map.tables.invoices.columns.amount.mask.value: it is no value of the column",
    ),
    "constant that is no date": (
        masks("people", "birth_date", rule="constant", value="31/12/2000"),
        "map.tables.people.columns.birth_date.mask.value: it is no value of the column",
    ),
    "hash of a date": (
        masks("people", "birth_date", **HASH),
        "map.tables.people.columns.birth_date.mask: hash needs a text column",
    ),
    "hash of a short text": (
        masks("addresses", "zip", **HASH),
        "map.tables.addresses.columns.zip.mask: hash needs 10 characters",
    ),
    "fake of a number": (
        masks("invoices", "amount", **FAKE),
        "map.tables.invoices.columns.amount.mask: fake needs a text column",
    ),
    "a text's date": (
        masks("people", "rg", rule="truncateDate", to="year"),
        "map.tables.people.columns.rg.mask: truncateDate needs a date column",
    ),
    "foreign key": (
        masks("employees", "manager_id", **NULL),
        "map.tables.employees.columns.manager_id.mask: the column is in a primary or foreign key",
    ),
    "primary key": (
        lambda it: (
            masks("library_cards", "card", **HASH)(it),
            it["library_cards"].update(key=["CARD"]),
        ),
        "map.tables.library_cards.columns.card.mask: the column is in a primary or foreign key",
    ),
    "a date that identifies": (
        lambda it: it["people"]["columns"]["birth_date"].update(identifier="BIRTH"),
        "map.tables.people.columns.birth_date.identifier: an identifier is a text or a number",
    ),
    "pseudonyms of different lengths": (
        lambda it: (
            masks("invoices", "delivery", **HASH)(it),
            masks("people", "notes", **HASH)(it),
            it["invoices"].update(
                references=[{"columns": ["delivery"], "table": "people", "to": ["notes"]}]
            ),
        ),
        "map.tables.invoices.references.0.columns: delivery and notes have different lengths",
    ),
}


def refusal(erp: Tpd, **changes: object) -> str:
    """The error with which a data request fails under a changed secret."""
    assert isinstance(erp.secret, dict)
    secret = {name: value for name, value in (erp.secret | changes).items() if value is not None}
    body = {"requestID": "r", "identifiers": {"CPF": cpf_of(60)}}
    with pytest.raises(RetryableError) as caught:
        replace(erp, secret=secret).run(data, body)
    assert str(caught.value).startswith("the secret smartlink-erp-acme cannot be used (")
    assert SALT not in str(caught.value)
    return str(caught.value).partition("(")[2]


def test_each_mistake_has_its_place(erp: Tpd, data_map: dict[str, Any]) -> None:
    """The operator reads where in the map to look; nothing is created in the ERP by then."""
    for name, (edit, said) in EDITS.items():
        edited = deepcopy(data_map)
        edit(edited["tables"])
        assert refusal(erp, map=edited).startswith(said), name
    assert not [name for name in erp.everything() if name.startswith("smartlink")]


def test_no_salt(erp: Tpd) -> None:
    """Pseudonyms without a secret could be computed by anybody who knows the CPFs."""
    assert refusal(erp, salt=None).startswith("salt: the map has masks that draw on it")


def test_no_map(erp: Tpd) -> None:
    """A secret without a map says what to add, and to which secret."""
    said = refusal(erp, map=None)
    assert said.startswith("map: Field required")
    assert '"map": …' in said


def test_fixed_and_read_again(erp: Tpd) -> None:
    """What was wrong is looked at anew by the next attempt."""
    erp.execute(text("ALTER TABLE invoices RENAME COLUMN delivery TO moved"))
    assert refusal(erp).startswith("map.tables.invoices.columns.delivery")
    erp.execute(text("ALTER TABLE invoices RENAME COLUMN moved TO delivery"))
    assert erp.run(data, {"requestID": "r", "identifiers": {"CPF": cpf_of(60)}})["response"]


def test_a_missing_schema(on_postgres: Tpd, data_map: dict[str, Any]) -> None:
    """The error says in which schema it was looked for."""
    data_map["tables"]["invoices"]["schema"] = "nosuch"
    said = refusal(on_postgres, map=data_map)
    assert said.startswith("map.tables.invoices: schema nosuch has no such table")
