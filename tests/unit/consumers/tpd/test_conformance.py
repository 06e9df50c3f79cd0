"""TPD's consumers are safe to repeat, bounded and discreet: the authors' own suite says so."""

import pytest

from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_logs import answer_with_logs as logs
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import Consumer
from smartlink.testing import conforms

from .erp import TenantErp


@pytest.mark.parametrize("consumer", [data, mask, logs], ids=["data", "mask", "logs"])
def test_it_conforms(erp: TenantErp, consumer: Consumer) -> None:
    """Repeats, crashes and odd payloads leave the ERP's own tables as one delivery does."""

    def tables() -> dict[str, object]:
        everything = erp.everything()
        return {name: everything[name] for name in ("people", "employees")}

    body = {"requestID": "r1", "identifiers": {"CPF": erp.worker.cpf}}
    report = conforms(consumer, body, erp=erp.payload, personal=True, effects=tables)
    assert report.ok
