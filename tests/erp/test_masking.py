"""SGDPMaskCommand on a real database: what is changed, what is kept, what a repetition does."""

from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from consumers.sgdp.identifiers import canonical
from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import FatalError, RetryableError
from smartlink.types import check_digits
from tests.erp import university
from tests.erp.traces import kept_by_law, marks_of, traces
from tests.erp.university import cpf_of, name_of
from tests.support.tpd import Tpd

WHO = 60


def request(number: int, request_id: str = "r1", **more: object) -> dict[str, object]:
    return {"requestID": request_id, "identifiers": {"CPF": cpf_of(number)}, **more}


def without_ours(erp: Tpd) -> dict[str, Any]:
    """The ERP's own rows."""
    return {name: rows for name, rows in erp.everything().items() if name[:9] != "smartlink"}


def test_no_trace_is_left(erp: Tpd, data_map: dict[str, Any]) -> None:
    """Of twenty people no text is left in any column of any table that the law does not keep."""
    people = [6, 15, 60, 90, *range(400, 416)]
    marks = {mark for number in people for mark in marks_of(number)}
    kept = kept_by_law(data_map)
    assert len(traces(erp, marks, kept)) > 50
    for number in people:
        by_email = {"EMAIL": f"pessoa.{number}@pessoas.example"}
        body = {"requestID": f"r{number}", "identifiers": by_email}
        erp.run(mask, body if number % 2 else request(number, f"r{number}"), f"m{number}")
    assert traces(erp, marks, kept) == []
    assert traces(erp, marks_of(61), kept) != []


def test_nobody_else_is_touched(erp: Tpd) -> None:
    """Every row that is not the person's is byte for byte as it was."""
    before = without_ours(erp)
    erp.run(mask, request(WHO))
    changed = {
        name: sum(old != new for old, new in zip(before[name], rows, strict=True))
        for name, rows in without_ours(erp).items()
    }
    assert {name: count for name, count in changed.items() if count} == {
        "people": 1,
        "addresses": 2,
        "employees": 1,
        "students": 1,
        "library_cards": 1,
        "invoices": 3,
    }


def test_what_each_mask_writes(erp: Tpd) -> None:
    """Null, constant, hash, truncated date and fake, each as the map says."""
    old = next(row for row in erp.rows(university.people) if row.id == WHO)
    erp.run(mask, request(WHO))
    new = next(row for row in erp.rows(university.people) if row.id == WHO)
    assert (new.name, new.mother_name, new.notes) == ("ANONIMIZADO", None, None)
    assert new.birth_date == old.birth_date.replace(month=1, day=1)
    assert len(new.cpf) == 14
    assert new.cpf.isalnum()
    assert [char.isdigit() for char in new.phone] == [char.isdigit() for char in old.phone]
    assert new.phone != old.phone
    employee = next(row for row in erp.rows(university.employees) if row.person_id == WHO)
    assert employee.work_email.endswith("@anonimo.invalid")
    assert employee.cpf.strip() == cpf_of(WHO)
    assert check_digits(canonical("CPF", employee.cpf)[:9]) == cpf_of(WHO)[9:]


def test_references_hold(erp: Tpd) -> None:
    """Each join gives as many rows as before, also that over a masked CPF without a key."""
    tables = university
    joins = [
        select(func.count()).select_from(tables.employees.join(tables.people)),
        select(func.count()).select_from(tables.marks.join(tables.students)),
        select(func.count()).select_from(
            tables.cards.join(tables.people, tables.cards.c.holder_cpf == tables.people.c.cpf)
        ),
    ]

    def counts() -> list[int]:
        with erp.engine.begin() as connection:
            return [connection.scalar(join) or 0 for join in joins]

    before = counts()
    assert all(before)
    for number in (15, 30, 60, 120):
        erp.run(mask, request(number, f"r{number}"))
    assert counts() == before


def test_exceptions(erp: Tpd) -> None:
    """What may not be anonymised is listed by class, with the law that says so."""
    kept = erp.run(mask, request(WHO))["exceptionAttributes"]
    assert {name: sorted(item["attributes"]) for name, item in kept.items()} == {
        "erp.Employee": ["cpf", "hired_on", "pis", "registration", "salary"],
        "erp.Student": ["ra"],
        "erp.Mark": ["Mark"],
        "erp.Invoice": ["amount", "customer_cpf"],
    }
    assert kept["erp.Invoice"]["description"] == "Notas fiscais"
    cpf = kept["erp.Invoice"]["attributes"]["customer_cpf"]
    assert cpf["reason"] == "Documento fiscal (CTN, art. 195)"
    assert cpf["sgdpData"] == {
        "sensitive": False,
        "type": "CPF",
        "allowsAnonymization": False,
        "identification": True,
    }


def test_dry_run(erp: Tpd) -> None:
    """`toVerify` answers as the mask would and changes nothing."""
    before = erp.everything()
    verified = erp.run(mask, request(WHO, toVerify=True))
    assert erp.everything() == before
    assert erp.run(mask, request(WHO)) == verified
    assert erp.lines == ["Would mask 9 rows (dry run)", "Masked 9 rows"]


def test_delivered_again(erp: Tpd) -> None:
    """The same request again answers the same and changes nothing at all."""
    first = erp.run(mask, request(WHO))
    after = erp.everything()
    assert erp.run(mask, request(WHO), "m2") == first
    assert erp.everything() == after


def test_asked_again(erp: Tpd) -> None:
    """Another request on masked data masks nothing twice: no pseudonym of a pseudonym.

    By what was masked nobody is found; by what the law keeps the kept rows are.
    """
    erp.run(mask, request(WHO))
    after = without_ours(erp)
    email = {"EMAIL": f"pessoa.{WHO}@pessoas.example"}
    answer = erp.run(mask, {"requestID": "r2", "identifiers": email})
    assert answer["exceptionAttributes"] == {}
    erp.run(mask, request(WHO, "r3"))
    assert without_ours(erp) == after
    assert erp.lines == ["Masked 9 rows", "Masked 0 rows", "Masked 0 rows"]


def test_data_that_came_back(erp: Tpd) -> None:
    """What is entered anew after the mask is masked by the next request, and only that."""
    erp.run(mask, request(WHO))
    masked = next(row for row in erp.rows(university.people) if row.id == WHO)
    back = {"name": name_of(WHO), "phone": "(11) 90000-0060"}
    erp.execute(update(university.people).where(university.people.c.id == WHO).values(back))
    erp.run(mask, request(WHO, "r2"))
    again = next(row for row in erp.rows(university.people) if row.id == WHO)
    assert again.phone not in (back["phone"], masked.phone)
    assert again._asdict() | {"phone": masked.phone} == masked._asdict()
    assert erp.lines[-1] == "Masked 1 rows"


def test_a_used_id(erp: Tpd) -> None:
    """A requestID that was carried out never passes for the masking of somebody else."""
    erp.run(mask, request(WHO))
    after = erp.everything()
    with pytest.raises(FatalError, match="new requestID"):
        erp.run(mask, request(61))
    assert erp.everything() == after


FUNCTION = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'refused: %', OLD.customer_name; END $$
"""
ON_POSTGRESQL = "BEFORE UPDATE ON invoices FOR EACH ROW EXECUTE FUNCTION refuse()"
ON_SQLITE = "BEFORE UPDATE ON invoices BEGIN SELECT RAISE(ABORT, 'refused'); END"


def test_all_or_nothing(erp: Tpd) -> None:
    """What fails at the last table leaves the first as it was; the error names nobody."""
    before = without_ours(erp)
    if erp.engine.dialect.name == "postgresql":
        erp.execute(text(FUNCTION), text(f"CREATE TRIGGER refuse {ON_POSTGRESQL}"))
        drop = text("DROP TRIGGER refuse ON invoices")
    else:
        erp.execute(text(f"CREATE TRIGGER refuse {ON_SQLITE}"))
        drop = text("DROP TRIGGER refuse")
    with pytest.raises(RetryableError, match=r"masking invoices ") as caught:
        erp.run(mask, request(WHO))
    assert name_of(WHO) not in str(caught.value)
    assert without_ours(erp) == before
    erp.execute(drop)
    erp.run(mask, request(WHO))
    assert without_ours(erp) != before


def test_the_masked_are_not_found(erp: Tpd) -> None:
    """Who asks after the mask gets what the law keeps, and nothing else."""
    erp.run(mask, request(WHO))
    groups = erp.run(data, request(WHO, "r2"))["response"]
    (person,) = groups["people"]["models"]["erp.Person"]
    assert person["name"] == "ANONIMIZADO"
    assert name_of(WHO).split()[1] not in str(groups)
