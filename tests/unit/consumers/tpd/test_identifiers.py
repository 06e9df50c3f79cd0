"""Who is found, by what, and who is not."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from consumers.sgdp.messages import Request
from consumers.sgdp_data import answer_with_data as data
from infra.people import SamplePerson
from infra.people_tables import people
from smartlink.consumer import FatalError

from .erp import TenantErp

FORMS: dict[str, Callable[[SamplePerson], dict[str, object]]] = {
    "CPF as people write it": lambda person: {"CPF": person.cpf},
    "CPF without punctuation": lambda person: {"CPF": person.cpf.replace(".", "").replace("-", "")},
    "CPF with blanks around it": lambda person: {"CPF": f" {person.cpf} "},
    "CPF as a number": lambda person: {"CPF": int(person.cpf.replace(".", "").replace("-", ""))},
    "cpf in lower case": lambda person: {"cpf": person.cpf},
    "RG as people write it": lambda person: {"RG": person.rg},
    "RG without punctuation": lambda person: {"Rg": person.rg.replace(".", "").lower()},
    "e-mail as stored": lambda person: {"EMAIL": person.email},
    "e-mail in capitals": lambda person: {"email": person.email.upper()},
    "e-mail of an employee": lambda person: {"Email": f"PESSOA.{person.id}@empresa.example"},
    "a CPF nobody has, an e-mail": lambda person: {"EMAIL": person.email, "RG": "00.000.000-0"},
    "one we know, one we do not": lambda person: {"PASSPORT": "AB123", "EMAIL": person.email},
}


def names(content: dict[str, Any]) -> list[str]:
    """Whom an answer is about."""
    group = content["response"].get("people", {"models": {}})
    return [row["name"] for rows in group["models"].values() for row in rows]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_any_form(erp: TenantErp, form: Callable[[SamplePerson], dict[str, object]]) -> None:
    """However an identifier is written, it finds its person, and only that one."""
    body = {"requestID": "r1", "identifiers": form(erp.worker)}
    assert names(erp.run(data, body)) == [erp.worker.name]


def test_leading_zeros(erp: TenantErp) -> None:
    """A CPF that was held as a number, somewhere on its way, still finds its person."""
    erp.execute(update(people).where(people.c.id == 1).values(cpf="012.345.678-90"))
    assert names(erp.run(data, {"requestID": "r1", "identifiers": {"CPF": 1234567890}})) == [
        erp.customer.name
    ]


def test_found_by_an_employees_cpf(erp: TenantErp) -> None:
    """A person whom only another table knows by this identifier is found whole."""
    erp.execute(update(people).where(people.c.id == erp.worker.id).values(cpf=None))
    body = {"requestID": "r1", "identifiers": {"CPF": erp.worker.cpf}}
    assert names(erp.run(data, body)) == [erp.worker.name]


def test_two_cpfs(erp: TenantErp) -> None:
    """A person whom two tables know by different CPFs is found by either."""
    erp.execute(update(people).where(people.c.id == erp.worker.id).values(cpf="012.345.678-90"))
    for cpf in ("012.345.678-90", erp.worker.cpf):
        body = {"requestID": "r1", "identifiers": {"CPF": cpf}}
        assert names(erp.run(data, body)) == [erp.worker.name]


def test_shared_email(erp: TenantErp) -> None:
    """Nobody is added by an e-mail that the family shares, when the CPF names one of them."""
    erp.execute(update(people).values(email="familia@pessoas.example"))
    erp.execute(update(people).where(people.c.id == 2).values(cpf=None))
    identifiers = {"CPF": erp.customer.cpf, "EMAIL": "familia@pessoas.example"}
    body = {"requestID": "r1", "identifiers": identifiers}
    assert names(erp.run(data, body)) == [erp.customer.name]


def test_another_cpf(erp: TenantErp) -> None:
    """A person is not found by e-mail when the request's CPF says that it is somebody else."""
    identifiers = {"CPF": "111.111.111-11", "EMAIL": erp.customer.email}
    assert erp.run(data, {"requestID": "r1", "identifiers": identifiers})["response"] == {}


@pytest.mark.parametrize(
    ("column", "value"),
    [("email", "familia@pessoas.example"), ("rg", "1"), ("cpf", "111.111.111-11")],
)
def test_several_people(erp: TenantErp, column: str, value: str) -> None:
    """An identifier that fits several people shows none of them, and the operator learns why."""
    erp.execute(update(people).where(people.c.id.in_([1, 2])).values({column: value}))
    with pytest.raises(FatalError, match="fits 2 people") as caught:
        erp.run(data, {"requestID": "r1", "identifiers": {column: value}})
    assert value not in str(caught.value)


def test_registered_twice(erp: TenantErp) -> None:
    """Two records with one CPF are one person."""
    erp.execute(update(people).where(people.c.id.in_([1, 2])).values(cpf=erp.customer.cpf))
    body = {"requestID": "r1", "identifiers": {"CPF": erp.customer.cpf}}
    assert names(erp.run(data, body)) == [erp.people[0].name, erp.people[1].name]


@pytest.mark.parametrize(
    "body",
    [{}, {"identifiers": None}, {"identifiers": {}}, {"identifiers": {"CPF": "  ", "RG": None}}],
)
def test_no_identifier(erp: TenantErp, body: dict[str, object]) -> None:
    """Without identifiers the message is dead, with the reason."""
    with pytest.raises(FatalError, match="no identifier"):
        erp.run(data, {"requestID": "r1", **body})


def test_repr() -> None:
    """A request that is printed by mistake shows which identifiers it has, not whose."""
    request = Request.model_validate({"requestID": "r1", "identifiers": {"CPF": "52998224725"}})
    assert "52998224725" not in f"{request!r} {request} {request.identifiers!r}"
    assert "CPF" in repr(request)


@pytest.mark.parametrize("cpf", ["12.345.678/0001-95", "abc", "' OR 1=1 --", "%"])
def test_no_cpf(erp: TenantErp, cpf: str) -> None:
    """What cannot be a CPF is refused without being quoted."""
    with pytest.raises(FatalError, match="CPF") as caught:
        erp.run(data, {"requestID": "r1", "identifiers": {"CPF": cpf}})
    assert cpf not in str(caught.value)
