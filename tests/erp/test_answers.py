"""Large answers on a real database, and the access log."""

import json
from typing import Any

import pytest
from sqlalchemy import insert

from consumers.sgdp.database import access_log
from consumers.sgdp.messages import MOST_BYTES
from consumers.sgdp.rows import MOST_ROWS
from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_logs import answer_with_logs as logs
from smartlink.consumer import FatalError
from tests.erp import university
from tests.erp.university import cpf_of, name_of
from tests.support.tpd import Tpd

BUYER = 8


def buy(erp: Tpd, invoices: int, delivery: str) -> None:
    """Let one person have many invoices more."""
    same = {"customer_cpf": cpf_of(BUYER), "customer_name": name_of(BUYER), "amount": 1}
    rows = [same | {"number": 5_000 + n, "delivery": f"{n} {delivery}"} for n in range(invoices)]
    with erp.engine.begin() as connection:
        connection.execute(insert(university.invoices), rows)


def test_parts(erp: Tpd) -> None:
    """A large answer goes in parts of the recommended size; together they are the whole."""
    buy(erp, 1_200, "açúcar " * 50)
    body = {"requestID": "r1", "identifiers": {"CPF": cpf_of(BUYER)}}
    parts = erp.deliver(data, {"header": {}, "content": body}, "m1")
    sizes = [len(json.dumps(part, ensure_ascii=False).encode()) for part in parts]
    assert max(sizes) <= MOST_BYTES
    assert min(sizes[:-1]) > 0.8 * MOST_BYTES
    contents = [part["content"] for part in parts]
    numbers = [(it["requestID"], it["part"], it["parts"]) for it in contents]
    assert numbers == [("r1", number, len(parts)) for number in range(1, len(parts) + 1)]
    found = [
        row["delivery"].split()[0]
        for it in contents
        for row in it["response"].get("billing", {"models": {}})["models"].get("erp.Invoice", ())
    ]
    assert set(map(str, range(1_200))) <= set(found)
    assert len(found) == len(set(found)) + 2  # "Entregar", thrice
    assert erp.deliver(data, {"header": {}, "content": body}, "m1") == parts


def test_a_small_answer_has_no_parts(erp: Tpd) -> None:
    """It is what TPD knows, and no more."""
    answer = erp.run(data, {"requestID": "r1", "identifiers": {"CPF": cpf_of(1)}})
    assert answer.keys() == {"requestID", "applicationId", "response"}


def test_one_long_text(erp: Tpd) -> None:
    """A row beyond the recommended size is answered all the same, alone."""
    people = university.people
    erp.execute(people.update().where(people.c.id == 1).values(notes="x" * 2 * MOST_BYTES))
    parts = erp.parts(data, {"requestID": "r1", "identifiers": {"CPF": cpf_of(1)}})
    assert [it["part"] for it in parts] == [1, 2]
    assert len(parts[0]["response"]["people"]["models"]["erp.Person"]) == 1


def test_too_much(erp: Tpd) -> None:
    """A person in more rows than an answer may hold is a clear end, not a crash."""
    buy(erp, MOST_ROWS + 1, "x")
    with pytest.raises(FatalError, match=f"more than {MOST_ROWS} rows .* in invoices"):
        erp.run(data, {"requestID": "r1", "identifiers": {"CPF": cpf_of(BUYER)}})
    assert erp.rows(access_log) == []


def entries(erp: Tpd, **identifiers: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = erp.run(logs, {"requestID": "r9", "identifiers": identifiers})[
        "logs"
    ]
    return found


def test_each_data_request_is_logged(erp: Tpd) -> None:
    """Every row seen, once a message, by its key and without its data; of one person or of all."""
    for number, message in ((60, "m1"), (60, "m1"), (61, "m2"), (60, "m3")):
        erp.run(data, {"requestID": "r", "identifiers": {"CPF": cpf_of(number)}}, message)
    assert len(entries(erp)) == 12 + 3 + 12
    theirs = entries(erp, CPF=cpf_of(61))
    assert sorted(it["model"] for it in theirs) == ["erp.Address", "erp.Address", "erp.Person"]
    assert {"person_id": 61, "kind": "home"} in [it["ids"] for it in theirs]
    assert {it["action"] for it in theirs} == {"LOAD"}
    assert all(it["data"] == {} for it in theirs)
    assert name_of(61) not in json.dumps(theirs, ensure_ascii=False)
