"""SGDPLogsCommand: the access log."""

import json
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import insert

from consumers.sgdp.access_log import LIMIT
from consumers.sgdp.database import access_log
from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_logs import answer_with_logs as logs
from smartlink.consumer import FatalError

from .erp import NOW, TenantErp


def see(erp: TenantErp, number: int) -> None:
    """Let TPD ask for a person's data."""
    body = {"requestID": f"r{number}", "identifiers": {"CPF": erp.people[number].cpf}}
    erp.run(data, body, f"see {number}")


def test_entry(erp: TenantErp) -> None:
    """A data request shows in the log: who, when, what, and no copy of the data."""
    see(erp, 0)
    content = erp.run(logs, {"requestID": "r9"})
    (entry,) = content["logs"]
    assert entry.pop("uuid")
    assert entry == {
        "tenantId": "acme-guid",
        "applicationId": "smartlink-gcp",
        "timestamp": NOW.isoformat(),
        "user": "smartlink",
        "code": "consumers.sgdp_data",
        "model": "smartlink.sgdp.Person",
        "ids": {"id": 1},
        "action": "LOAD",
        "data": {},
    }


def test_of_one_person(erp: TenantErp) -> None:
    """A request that names a person gets that person's entries, over all tables."""
    see(erp, 0)
    see(erp, 2)
    body = {"requestID": "r9", "identifiers": {"CPF": erp.worker.cpf}}
    assert [entry["ids"] for entry in erp.run(logs, body)["logs"]].count({"id": 1}) == 0
    assert len(erp.run(logs, body)["logs"]) == 2
    nobody = {"requestID": "r9", "identifiers": {"CPF": "111.111.111-11"}}
    assert erp.run(logs, nobody)["logs"] == []


def test_bounded(erp: TenantErp) -> None:
    """However long the log, the newest entries are answered, in parts that Smart Link takes."""
    see(erp, 0)
    entry = {"tenant": "acme", "seen_on": NOW, "seen_by": "smartlink", "action": "LOAD"}
    entry |= {"code": "consumers.sgdp_data", "class": "smartlink.sgdp.Employee"}
    values = [
        entry
        | {"id": uuid4(), "ids": {"id": 10_000 + i}, "person": f"{i:064}"}
        | {"seen_on": NOW + timedelta(seconds=i)}
        for i in range(LIMIT + 1)
    ]
    erp.execute(*(insert(access_log).values(values[i : i + 500]) for i in range(0, LIMIT + 1, 500)))
    answers = erp.deliver(logs, {"header": {}, "content": {"requestID": "r9"}}, "m1")
    shown = [it["ids"]["id"] for answer in answers for it in answer["content"]["logs"]]
    assert sorted(shown) == list(range(10_001, 10_001 + LIMIT))
    parts = [(it["content"]["part"], it["content"]["parts"]) for it in answers]
    assert parts == [(number, len(answers)) for number in range(1, len(answers) + 1)]
    assert all(len(json.dumps(answer)) < 250_000 for answer in answers)


def test_tenants_of_one_database(erp: TenantErp) -> None:
    """Tenants that share a database do not see each other's log."""
    see(erp, 0)
    assert replace(erp, tenant="globex").run(logs, {"requestID": "r9"})["logs"] == []


def test_no_cpf(erp: TenantErp) -> None:
    """A wrong CPF does not open the whole log."""
    with pytest.raises(FatalError, match="CPF"):
        erp.run(logs, {"requestID": "r9", "identifiers": {"CPF": "abc"}})
