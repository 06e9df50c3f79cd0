"""SGDPMaskCommand: what is made anonymous, what stays, and what a second delivery does."""

from collections.abc import Callable

import pytest
from sqlalchemy import text, update

from consumers.sgdp.database import masked_requests
from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_mask import answer_with_exceptions as mask
from infra.people import ANONYMISED, SamplePerson, count_people
from infra.people_tables import employees, people
from smartlink.consumer import FatalError, RetryableError

from .erp import TenantErp


def request(person: SamplePerson, *, to_verify: bool = False) -> dict[str, object]:
    """Ask for the person to be masked."""
    return {"requestID": "r1", "identifiers": {"EMAIL": person.email}, "toVerify": to_verify}


def test_rows_change(erp: TenantErp) -> None:
    """No trace of the person is left in the database, and everybody else is as before."""
    before = erp.rows(people)
    erp.run(mask, request(erp.customer))
    after = erp.rows(people)
    assert after[1:] == before[1:]
    assert after[0]._asdict() == dict.fromkeys(people.c.keys()) | {"id": 1, "name": ANONYMISED}
    everything = repr(erp.everything())
    assert [
        column for column in people.c.keys()[1:] if str(getattr(before[0], column)) in everything
    ] == []
    assert count_people(erp.engine) == (12, 1)


def test_what_the_law_keeps(erp: TenantErp) -> None:
    """An employee's payroll record keeps what it must, the answer says why, the rest is gone."""
    before = erp.rows(employees)[0]
    content = erp.run(mask, request(erp.worker))
    after = erp.rows(employees)[0]
    (kept,) = content["exceptionAttributes"].values()
    assert kept["description"] == "Registro de empregados"
    assert set(kept["attributes"]) == {"registration", "cpf", "pis", "salary", "hired_on"}
    assert {name: getattr(after, name) for name in kept["attributes"]} == {
        name: getattr(before, name) for name in kept["attributes"]
    }
    assert (after.work_email, after.bank_account, after.union_name) == (None, None, None)
    assert after.person_id == before.person_id
    cpf = kept["attributes"]["cpf"]
    assert cpf.pop("reason")
    assert cpf.pop("sgdpPurposes")[0]["classification"] == "LEGAL_OBLIGATION"
    assert cpf == {
        "type": "String",
        "description": "CPF",
        "sgdpData": {
            "sensitive": False,
            "type": "CPF",
            "allowsAnonymization": False,
            "identification": True,
        },
    }


@pytest.mark.parametrize("word", ["toVerify", "toverify", "TOVERIFY"])
def test_dry_run(erp: TenantErp, word: str) -> None:
    """A dry run answers as the mask would, and changes nothing in any table."""
    before = erp.everything()
    body = request(erp.worker) | {word: True}
    if word != "toVerify":
        del body["toVerify"]
    verified = erp.run(mask, body)
    assert erp.everything() == before
    assert erp.run(mask, request(erp.worker)) == verified
    assert erp.everything() != before


@pytest.mark.parametrize("number", [0, 2], ids=["customer", "employee"])
def test_delivered_twice(erp: TenantErp, number: int) -> None:
    """A second delivery answers the same and changes nothing, though it finds nobody any more."""
    first = erp.run(mask, request(erp.people[number]))
    assert erp.run(data, request(erp.people[number]))["response"] == {}
    after = erp.everything()
    assert erp.run(mask, request(erp.people[number]), "m2") == first
    assert erp.run(mask, request(erp.people[number], to_verify=True), "m3") == first
    assert erp.everything() == after


def test_used_id(erp: TenantErp) -> None:
    """A used requestID never passes for the masking of data that it did not mask."""
    erp.run(mask, request(erp.customer))
    after = erp.everything()
    with pytest.raises(FatalError, match="new requestID"):
        erp.run(mask, request(erp.worker))
    assert erp.everything() == after


def test_nobody(erp: TenantErp) -> None:
    """Nobody found is answered, with nothing kept."""
    body = {"requestID": "r1", "identifiers": {"CPF": "111.111.111-11"}}
    assert erp.run(mask, body)["exceptionAttributes"] == {}
    assert count_people(erp.engine) == (12, 0)


def test_several_people(erp: TenantErp) -> None:
    """Nobody is masked when several people fit."""
    erp.execute(update(people).values(email=erp.customer.email))
    before = erp.everything()
    with pytest.raises(FatalError, match="fits 12 people"):
        erp.run(mask, request(erp.customer))
    assert erp.everything() == before


def test_all_or_nothing(erp: TenantErp) -> None:
    """What fails after the first row leaves the first row as it was, and can be repeated."""
    before = erp.everything()
    erp.execute(
        text(
            "CREATE TRIGGER refuse BEFORE UPDATE ON employees "
            "BEGIN SELECT RAISE(ABORT, 'refused by the test'); END"
        )
    )
    refused = r"employees .*IntegrityError SQLITE_CONSTRAINT_TRIGGER"
    with pytest.raises(RetryableError, match=refused):
        erp.run(mask, request(erp.worker))
    assert erp.everything() == before
    erp.execute(text("DROP TRIGGER refuse"))
    assert erp.run(mask, request(erp.worker))["exceptionAttributes"]


def test_tenants_apart(erp_of: Callable[[str], TenantErp]) -> None:
    """One tenant's mask changes nothing in another's database."""
    acme, globex = erp_of("acme"), erp_of("globex")
    before = globex.everything()
    acme.run(mask, request(acme.worker))
    assert globex.everything() == before
    assert [row.tenant for row in acme.rows(masked_requests)] == ["acme"]


def test_log_lines(erp: TenantErp) -> None:
    """A log line says how many rows, and whether it was a dry run."""
    erp.run(mask, request(erp.worker, to_verify=True))
    erp.run(mask, request(erp.worker))
    assert erp.lines == ["Would mask 2 rows (dry run)", "Masked 2 rows"]
