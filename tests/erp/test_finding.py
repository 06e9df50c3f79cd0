"""Who is found on a real database, by what, in every mapped table; and who is not."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import update

from consumers.sgdp.identifiers import punctuated_cpf
from consumers.sgdp_data import answer_with_data as data
from smartlink.consumer import FatalError
from tests.erp import university
from tests.erp.university import cpf_of, name_of
from tests.support.tpd import Tpd

WHO = 60  # an employee without dependants, a student, with a library card and invoices

FORMS: dict[str, Callable[[], dict[str, object]]] = {
    "CPF with punctuation": lambda: {"CPF": punctuated_cpf(cpf_of(WHO))},
    "CPF without": lambda: {"cpf": cpf_of(WHO)},
    "CPF as a number": lambda: {"CPF": int(cpf_of(WHO))},
    "e-mail in capitals": lambda: {"EMAIL": f"PESSOA.{WHO}@PESSOAS.EXAMPLE"},
    "e-mail of an employee": lambda: {"email": f"Pessoa.{WHO}@Empresa.example"},
    "e-mail of a student": lambda: {"email": f"aluno.{WHO}@alunos.example"},
    "an identifier of the map's own": lambda: {"ra": f"ra{WHO:07}"},
    "RG without punctuation": lambda: {"RG": f"{10 + WHO % 80}{100 + WHO}{WHO:03}0"},
    "CPF, e-mail and one unknown": lambda: {
        "CPF": cpf_of(WHO),
        "EMAIL": f"pessoa.{WHO}@pessoas.example",
        "PASSPORT": {"number": 1},
    },
}


def found(erp: Tpd, identifiers: dict[str, object], message: str = "m1") -> dict[str, list[Any]]:
    """The rows that are answered, by their class."""
    content = erp.run(data, {"requestID": "r1", "identifiers": identifiers}, message)
    groups = content["response"].values()
    return {name: rows for group in groups for name, rows in group["models"].items()}


def counted(rows: dict[str, list[Any]]) -> dict[str, int]:
    return {name.removeprefix("erp."): len(them) for name, them in rows.items()}


def test_any_form_finds_every_table(erp: Tpd) -> None:
    """However the person is named, the same rows are found, in every table that has some."""
    answers = {form: found(erp, identifiers(), form) for form, identifiers in FORMS.items()}
    whole = counted(answers["CPF without"])
    assert whole == {
        "Person": 1,
        "Address": 2,
        "Employee": 1,
        "Student": 1,
        "Mark": 3,
        "LibraryCard": 1,
        "Invoice": 3,
    }
    for form, answer in answers.items():
        assert answer == answers["CPF without"], form


def test_values_of_every_type(erp: Tpd) -> None:
    """Dates, decimals, numbers and bytes are answered as JSON can hold them."""
    rows = found(erp, {"CPF": cpf_of(18)})
    (person,), (employee,) = rows["erp.Person"], rows["erp.Employee"]
    assert len(person["birth_date"]) == 10
    assert base64.b64decode(person["photo"]).decode() == name_of(18)
    assert employee["salary"].replace(".", "").isdigit()
    assert rows["erp.Student"][0]["cpf"] == int(cpf_of(18))
    assert rows["erp.Mark"][0].keys() == {"Mark", "Remark"}


def test_dependants(erp: Tpd) -> None:
    """A dependant's row stands in the employee's record; the dependant gets that row alone."""
    employee = 15  # three dependants, the second of whom has number 20_151
    record = found(erp, {"CPF": cpf_of(employee)})
    assert counted(record)["Dependant"] == 3
    own = found(erp, {"CPF": cpf_of(20_151)}, "m2")
    assert counted(own) == {"Dependant": 1}
    assert own["erp.Dependant"][0]["name"] == name_of(20_151)


def test_a_student_without_a_person(erp: Tpd) -> None:
    """A row that refers to nobody is somebody all the same."""
    rows = found(erp, {"RA": "RA0090001"})
    assert counted(rows) == {"Student": 1}


def test_dependants_with_a_persons_own_record(erp: Tpd) -> None:
    """One CPF in a dependant's row and in a person's is one person, not the employee's."""
    erp.execute(
        update(university.dependants)
        .where(university.dependants.c.id == 20_151)
        .values(cpf=punctuated_cpf(cpf_of(7)))
    )
    rows = found(erp, {"CPF": cpf_of(7)})
    assert counted(rows) == {"Person": 1, "Address": 2, "Dependant": 1}
    assert "Employee" not in counted(rows)


@pytest.mark.parametrize("column", ["email", "rg"])
def test_what_several_share(erp: Tpd, column: str) -> None:
    """Who shares an e-mail or an RG is not shown by it, but by the CPF, and alone."""
    people = university.people
    erp.execute(update(people).where(people.c.id.in_([1, 2, 60])).values({column: "familia@x"}))
    with pytest.raises(FatalError, match="fits 3 people"):
        found(erp, {column: "FAMILIA@x"})
    both: dict[str, object] = {column: "familia@x", "CPF": cpf_of(2)}
    assert [it["name"] for it in found(erp, both, "m2")["erp.Person"]] == [name_of(2)]


@pytest.mark.parametrize("value", ["' OR 1=1 --", "%", "\\", "x' UNION SELECT 1 --", "🙂" * 60])
def test_hostile_identifiers(erp: Tpd, value: str) -> None:
    """What is sent is bound, never SQL: it finds nobody."""
    assert found(erp, {"EMAIL": value, "RG": value, "RA": value}) == {}


def test_only_unknown_identifiers(erp: Tpd) -> None:
    """The operator learns what the map knows."""
    with pytest.raises(FatalError, match=r"CPF, EMAIL, PIS, RA, RG"):
        found(erp, {"PASSPORT": "AB123"})


@pytest.mark.parametrize("identifiers", [{"EMAIL": "a\0b"}, {"RG": "\ud800"}])
def test_what_no_database_can_hold(erp: Tpd, identifiers: dict[str, object]) -> None:
    """It is refused as a wrong request, not tried again and again."""
    with pytest.raises(ValidationError, match="no database can hold"):
        found(erp, identifiers)


def test_a_number_too_large_for_its_column(erp: Tpd, data_map: dict[str, Any]) -> None:
    """A number's column is asked for numbers, however long, and for nothing else."""
    number = data_map["tables"]["invoices"]["columns"]["amount"]
    whole = {**number, "identifier": "NUMBER"}
    data_map["tables"]["invoices"]["columns"]["number"] = whole
    assert isinstance(erp.secret, dict)
    erp.secret = {**erp.secret, "map": data_map}
    for value in (10**17, 10**18, "9" * 200, "x"):
        assert found(erp, {"NUMBER": value}) == {}
    assert counted(found(erp, {"NUMBER": 17}))["Invoice"] == 3
