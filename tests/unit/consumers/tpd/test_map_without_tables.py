"""A map that names no table: the access log is answered, and nobody is said to be unknown."""

from typing import Any

import pytest

from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_logs import answer_with_logs as logs
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import Consumer, RetryableError

from .erp import TenantErp

PURPOSES = {"p": {"classification": "LEGAL_OBLIGATION", "justification": "x"}}
CPF = {"CPF": "111.444.777-35"}


@pytest.fixture
def bare(erp: TenantErp) -> TenantErp:
    return TenantErp("acme", {"databaseUrl": erp.url, "map": {"purposes": PURPOSES, "tables": {}}})


def test_the_tenants_access_log_needs_no_table(bare: TenantErp) -> None:
    assert bare.run(logs, {"requestID": "r1"})["logs"] == []


@pytest.mark.parametrize("consumer", [data, mask, logs])
def test_a_person_cannot_be_looked_for(bare: TenantErp, consumer: Consumer) -> None:
    """It is the map's fault and said in words: neither "nothing found" nor the request's fault."""
    body: dict[str, Any] = {"requestID": "r1", "identifiers": CPF}
    with pytest.raises(RetryableError, match=r"map\.tables: it names no table, so nobody's data"):
        bare.run(consumer, body | ({"toVerify": False} if consumer is mask else {}))


def test_the_map_put_right_is_taken_up(erp: TenantErp, bare: TenantErp) -> None:
    """Nothing of the refused map stays in the process."""
    with pytest.raises(RetryableError):
        bare.run(data, {"requestID": "r1", "identifiers": CPF})
    body = {"requestID": "r1", "identifiers": {"CPF": erp.customer.cpf}}
    assert erp.run(data, body)["response"]
