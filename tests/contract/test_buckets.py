"""How many live messages lack their bucket, counted at one instant."""

import uuid

import pytest

from smartlink.adapters.firestore.operator import OperatorCalls, OperatorFirestore
from smartlink.domain import lifecycle
from smartlink.domain.bucket import bucket_of
from smartlink.domain.message import DeadReason
from smartlink.ports import Refused
from tests.contract.backends import FirestoreStore
from tests.support.samples import NOW, pending


def test_what_lacks_its_bucket_is_counted_whoever_s_it_is(firestore_host: str) -> None:
    """Of those with a due instant: a dead one waits for a person, and no query need find it."""
    calls = OperatorCalls(f"contract-{uuid.uuid4().hex[:12]}", emulator=firestore_host)
    store, operator = FirestoreStore(calls), OperatorFirestore(calls)
    assert operator.total_astray() == 0
    for tenant in ("acme", "globex", "initech"):
        dead = lifecycle.dead(pending("dead"), DeadReason.REJECTED, "no")
        store.create(tenant, [pending("a"), pending("b"), dead])
    assert operator.total_astray() == 0
    store.lead_astray("acme", "D-dead")
    assert operator.total_astray() == 0
    store.lead_astray("acme", "D-a")
    store.lead_astray("initech", "D-b")
    assert operator.total_astray() == 2
    page = store.due("acme", NOW, 10)
    store.swap("acme", page.astray)
    assert operator.total_astray() == 1


def test_the_error_names_the_index_that_is_missing(
    firestore_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator needs none, so its answer is made here."""
    from google.api_core import exceptions  # noqa: PLC0415
    from google.cloud.firestore_v1.services.firestore import FirestoreClient  # noqa: PLC0415

    def refuse(*_: object, **__: object) -> None:
        raise exceptions.FailedPrecondition("The query requires an index.")

    calls = OperatorCalls(f"contract-{uuid.uuid4().hex[:12]}", emulator=firestore_host)
    monkeypatch.setattr(FirestoreClient, "run_query", refuse)
    with pytest.raises(Refused, match="index of GTotvsLinkMessage by Balde and DataTentativaExec"):
        FirestoreStore(calls).due_in_bucket(bucket_of("acme"), NOW, 5)
