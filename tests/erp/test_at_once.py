"""Two processes that mask at once, on PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from consumers.sgdp.database import masked_requests
from consumers.sgdp.pseudonyms import hashed
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import RetryableError
from tests.erp import university
from tests.erp.university import cpf_of
from tests.support.tpd import SALT, Tpd


@pytest.mark.parametrize("same_request", [True, False])
def test_masked_once(on_postgres: Tpd, same_request: bool) -> None:  # noqa: FBT001
    """Whichever comes first, the pseudonyms are of the values, not of each other's pseudonyms;
    who loses is told to come again, and then gets the same answer."""
    barrier = Barrier(2)

    def ask(number: int) -> dict[str, Any] | None:
        request_id = "r1" if same_request else f"r{number}"
        body = {"requestID": request_id, "identifiers": {"CPF": cpf_of(60)}}
        barrier.wait(timeout=60)
        try:
            return on_postgres.run(mask, body, f"m{number}")
        except RetryableError:
            return None

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(ask, range(2)))
    barrier.reset()
    assert any(answers)
    with ThreadPoolExecutor(2) as threads:
        again = list(threads.map(ask, range(2)))
    kept = [answer["exceptionAttributes"] for answer in (*answers, *again) if answer]
    assert all(again)
    assert kept == [kept[0]] * len(kept)
    assert len(on_postgres.rows(masked_requests)) == (1 if same_request else 2)
    person = next(row for row in on_postgres.rows(university.people) if row.id == 60)
    assert person.cpf == hashed(SALT.encode(), "CPF", cpf_of(60), 14)
    assert person.cpf in {row.holder_cpf for row in on_postgres.rows(university.cards)}
