"""What `smartlink tpd check` and `draft` rest on: measured on schemas, and pure where it can be."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from sqlalchemy import create_engine, text

from consumers.sgdp.inspection.contents import looks_by_content
from consumers.sgdp.inspection.draft import draft
from consumers.sgdp.inspection.names import Kind, looks_by_name
from consumers.sgdp.inspection.tables import all_tables, reading
from consumers.sgdp.inspection.unmapped import Guess, guesses
from tests.erp import brazilian_erps
from tests.support.tpd import Tpd

TODAY = date(2026, 3, 2)
_FACTS = {"employees.hired_on", "invoices.amount", "snotas.mark", "students.enrolled_at"}


def guessed(erp: Tpd, rows: int) -> dict[str, Guess]:
    with reading(erp.engine) as connection:
        return {
            f"{table.full_name}.{guess.column}": guess
            for table in all_tables(connection)
            for guess in guesses(connection, table, rows, TODAY)
        }


def scores(found: set[str], right: set[str] | frozenset[str]) -> tuple[float, float]:
    """Precision and recall."""
    return len(found & right) / len(found), len(found & right) / len(right)


def test_the_university_s_personal_columns_are_found(erp: Tpd, data_map: dict[str, Any]) -> None:
    """Whoever forgets a column of the map is told, but of facts that look like anybody's."""
    mapped = {
        f"{table.get('name', name)}.{column}".lower()
        for name, table in data_map["tables"].items()
        for column in table["columns"]
    }
    found = {name.lower(): guess for name, guess in guessed(erp, 500).items()}
    assert set(found) <= mapped
    assert mapped - set(found) == _FACTS
    sure = {name for name, guess in found.items() if guess.sure}
    assert not sure - mapped


@pytest.mark.parametrize(("rows", "least"), [(500, 0.95), (0, 0.8)])
def test_rm_protheus_and_a_shop(tmp_path: Path, rows: int, least: float) -> None:
    """On tables named as RM, Protheus and shops name them; without rows, by names alone."""
    engine = create_engine(f"sqlite:///{tmp_path / 'erps.db'}")
    brazilian_erps.fill(engine)
    erp = Tpd("acme", {"databaseUrl": str(engine.url)})
    found = set(guessed(erp, rows))
    precision, recall = scores(found, brazilian_erps.PERSONAL)
    assert precision >= 0.95, sorted(found - brazilian_erps.PERSONAL)
    assert recall >= least, sorted(brazilian_erps.PERSONAL - found)


def test_a_draft_follows_what_others_refer_to(erp: Tpd) -> None:
    """An order's address is reached from the order; a party from what names it; no state of an
    order is one of Brazil's."""
    statements = (
        "CREATE TABLE delivery_address (id integer PRIMARY KEY, street varchar(60), state char(2))",
        "CREATE TABLE client (id integer PRIMARY KEY, cpf varchar(14))",
        """CREATE TABLE client_order (id integer PRIMARY KEY, guest_email varchar(60),
        state varchar(20), num_addresses_used integer, client integer REFERENCES client (id),
        delivery integer REFERENCES delivery_address (id))""",
        "CREATE TABLE party (id integer PRIMARY KEY, full_name varchar(60))",
        """CREATE TABLE party_document (id integer PRIMARY KEY, cpf varchar(14),
        code smallint UNIQUE NOT NULL, party integer REFERENCES party (id))""",
    )
    erp.execute(*map(text, statements))
    tables: Any = draft(erp.engine, 0, TODAY)["tables"]
    told = {"decide": ANY, "samePerson": True}
    assert tables["delivery_address"]["references"] == [
        {**told, "columns": ["id"], "table": "client_order", "to": ["delivery"]}
    ]
    assert [it["table"] for it in tables["client_order"]["references"]] == ["client"]
    assert set(tables["client_order"]["columns"]) == {"guest_email"}
    assert "decide" not in tables["party"]
    assert tables["party_document"]["references"][0]["table"] == "party"


NAMED: Mapping[str, Kind | None] = {
    "CPF": Kind.CPF,
    "nr_cpf_titular": Kind.CPF,
    "1": None,
    "RA_CIC": Kind.CPF,
    "A1_CGC": Kind.CPF,
    "cnpj": Kind.CNPJ,
    "DTNASCIMENTO": Kind.BIRTH,
    "dt_nasc": Kind.BIRTH,
    "dateOfBirth": Kind.BIRTH,
    "TELEFONE1": Kind.PHONE,
    "cellPhone": Kind.PHONE,
    "E_MAIL": Kind.EMAIL,
    "email_comercial": Kind.EMAIL,
    "Endereço": Kind.ADDRESS,
    "zip": Kind.ADDRESS,
    "NOMEMAE": Kind.NAME,
    "guardian_name": Kind.NAME,
    "file_name": None,
    "amount": None,
    "status": None,
    "created_at": None,
    "quantidade": None,
}


@pytest.mark.parametrize(("column", "kind"), list(NAMED.items()))
def test_names(column: str, kind: Kind | None) -> None:
    named = looks_by_name(column)
    assert (named.kind if named else None) is kind


CONTENTS: list[tuple[list[str], Kind | None, bool]] = [
    (["529.982.247-25", "111.444.777-35"], Kind.CPF, False),
    (["52998224725", "012345678-90", "11144477735"], Kind.CPF, False),
    (["52998224726", "11144477736", "12345678901"], None, False),  # wrong check digits
    (["00000000000"] * 5, None, False),  # nobody's
    (["11.222.333/0001-81", "12.ABC.345/01DE-35"], Kind.CNPJ, False),
    (["ana@casa.example", "bia@casa.example", "-"], Kind.EMAIL, False),
    (["(11) 98765-4321", "+55 21 99876-5432"], Kind.PHONE, False),
    (["1234567890", "2345678901", "3456789012", "4567890123"], None, False),
    (["Ana Costa", "João da Silva", "Bia Lima"], Kind.NAME, False),
    (["Mesa de centro", "Cabo de rede"], None, False),
    (["ligar para 529.982.247-25 amanhã", "nada", "nada mais"], Kind.CPF, True),
    (["pediu para escrever a ana@casa.example", "nada"], Kind.EMAIL, True),
    (["falar com Ana Costa", "nada"], Kind.NAME, True),
    (["A-1", "B-2", "C-3"], None, False),
]


@pytest.mark.parametrize(("values", "kind", "within"), CONTENTS)
def test_contents(values: list[str], kind: Kind | None, within: bool) -> None:  # noqa: FBT001
    seen = looks_by_content(values, TODAY, of_date=False)
    assert (seen.kind if seen else None) is kind
    assert seen is None or seen.within is within


def test_dates_of_birth_are_told_from_other_dates() -> None:
    """By who would be how old: admissions and due dates are of a few years."""
    births = [date(1950 + n % 55, 1 + n % 12, 1 + n % 28).isoformat() for n in range(60)]
    hired = [date(2012 + n % 13, 1 + n % 12, 1 + n % 28).isoformat() for n in range(60)]
    for of_date, values in ((True, births), (False, [it.replace("-", "") for it in births])):
        seen = looks_by_content(values, TODAY, of_date=of_date)
        assert seen is not None
        assert seen.kind is Kind.BIRTH
    assert looks_by_content(hired, TODAY, of_date=True) is None
    assert looks_by_content(["infinity", "12024-01-01"] * 5, TODAY, of_date=True) is None
