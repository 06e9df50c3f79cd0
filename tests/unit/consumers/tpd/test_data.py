"""SGDPDataCommand: what is answered, and what is written down about it."""

from collections.abc import Callable

import pytest

from consumers.sgdp.access_log import REQUEST_CLASS
from consumers.sgdp.database import access_log
from consumers.sgdp.identifiers import canonical
from consumers.sgdp_data import answer_with_data as data
from infra.people_tables import people

from .erp import NOW, TenantErp


def test_answer(erp: TenantErp) -> None:
    """The answer holds every table's personal columns, by group and class, as plain JSON."""
    worker = erp.worker
    content = erp.run(data, {"requestID": "r1", "identifiers": {"CPF": worker.cpf}})
    assert (content["requestID"], content["applicationId"]) == ("r1", "smartlink-gcp")
    assert set(content["response"]) == {"people", "employees"}
    (person,) = content["response"]["people"]["models"]["smartlink.sgdp.Person"]
    (employee,) = content["response"]["employees"]["models"]["smartlink.sgdp.Employee"]
    assert person["name"] == worker.name
    assert person["birth_date"] == erp.rows(people)[2].birth_date.isoformat()
    assert employee["cpf"] == canonical("CPF", worker.cpf)
    assert isinstance(employee["salary"], str)


def test_nobody(erp: TenantErp) -> None:
    """Nobody found is an answer, not an error; that somebody asked is logged, once."""
    body = {"requestID": "r1", "identifiers": {"CPF": "111.111.111-11"}}
    for _ in range(2):
        assert erp.run(data, body)["response"] == {}
    (entry,) = erp.rows(access_log)
    assert REQUEST_CLASS in entry
    assert {"requestID": "r1"} in entry


@pytest.mark.parametrize(
    "content",
    [
        {"Header": {"TENANTID": "guid", "Locale": "en_GB"}, "Content": "body"},
        {"specversion": "1.0", "type": "x", "tenantid": "guid", "locale": "en_GB", "data": "body"},
    ],
    ids=["TOTVS", "CloudEvents"],
)
def test_header(erp: TenantErp, content: dict[str, object]) -> None:
    """Either style is answered in TOTVS's, with the tenant's id and locale as they came."""
    body = {"requestid": "r1", "IDENTIFIERS": {"CPF": erp.customer.cpf}}
    content = {name: body if value == "body" else value for name, value in content.items()}
    (answer,) = erp.deliver(data, content, "m1")
    assert answer["header"] == {
        "type": "SGDPDataResponse",
        "tenantId": "guid",
        "generatedOn": NOW.isoformat(),
        "locale": "en_GB",
    }
    assert answer["content"]["response"]["people"]


def test_access_is_logged_once(erp: TenantErp) -> None:
    """Each row seen is logged, and a second delivery of the message adds nothing."""
    body = {"requestID": "r1", "identifiers": {"CPF": erp.worker.cpf}}
    erp.run(data, body, "m1")
    erp.run(data, body, "m1")
    assert len(erp.rows(access_log)) == 2
    erp.run(data, body, "m2")
    assert len(erp.rows(access_log)) == 4


def test_tenants_apart(erp_of: Callable[[str], TenantErp]) -> None:
    """A tenant's people are looked for in its own database, though its header names another."""
    acme, globex = erp_of("acme"), erp_of("globex")
    content = {
        "header": {"tenantId": "globex", "databaseUrl": globex.url},
        "content": {
            "requestID": "r1",
            "databaseUrl": globex.url,
            "identifiers": {"EMAIL": globex.worker.email, "databaseUrl": globex.url},
        },
    }
    (reply,) = acme.deliver(data, content, "m1")
    answer = reply["content"]["response"]
    (person,) = answer["people"]["models"]["smartlink.sgdp.Person"]
    assert person["name"] == acme.worker.name != globex.worker.name
    assert "smartlink_access_log" not in globex.everything()


def test_no_personal_data_in_logs(erp: TenantErp) -> None:
    """A log line says how much was found, not what."""
    erp.run(data, {"requestID": "r1", "identifiers": {"CPF": erp.worker.cpf}})
    assert erp.lines == ["The person's data is in 2 rows"]
    assert erp.templates == ["The person's data is in %d rows"]
