"""The bill follows from terraform/prices.json: the bench and Terraform's README tell the same."""

import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from google.cloud.firestore_v1 import types

from infra.deploy import costs
from smartlink.domain.tenant import TenantEntry
from smartlink.services.polling.shard import Shard
from smartlink.settings import Settings
from tests.bench.check import baseline, grown
from tests.bench.operations import IDLE, MESSAGE, differences, written
from tests.support.firestore_size import expires, stored_bytes

DOCUMENT = costs.read()


def total(document: Mapping[str, Any], *, replies: bool = True) -> float:
    return sum(it.cost for it in costs.million_messages(document, replies=replies))


def test_the_costs_follow_from_what_is_counted() -> None:
    """By hand: 4 + 3 writes a message with its reply, a million of them, at 0.9 millionths."""
    bill = {item.name: item for item in costs.million_messages(DOCUMENT)}
    assert bill["Firestore writes"].cost == pytest.approx(6.30)
    idle = {item.name: item for item in costs.idle_tenants(DOCUMENT)}
    reads = DOCUMENT["counted"][IDLE]["firestoreRead"]
    assert idle["Firestore reads"].cost == pytest.approx(reads * 43.2e6 * 0.03 / 1e5)
    assert idle["Secret Manager versions"].cost == pytest.approx(60)


def test_a_line_of_the_consumers_own_stands_by_itself() -> None:
    """Its write, its deletion, its 90 days in the database, its line of the log."""
    dear = deepcopy(DOCUMENT)
    dear["counted"]["consumerLogLine"]["firestoreWrite"] += 1
    assert total(dear) - total(DOCUMENT) == pytest.approx(0.9), "a million writes"
    bill = {item.name: item for item in costs.million_messages(DOCUMENT, replies=False)}
    assert bill["A log line of the consumer's own"].cost > 1.0
    assert bill["Firestore writes"].quantity == 4_000_000, "without that line's"


def test_the_totals_are_those_of_the_tables() -> None:
    found = costs.bills()
    assert found["million messages"] == pytest.approx(total(DOCUMENT, replies=False), abs=0.005)
    for name in ("million messages, each with a reply", "1,000 idle tenants, a month"):
        assert f"**{found[name]:.2f}**" in costs.tables()


def test_every_number_says_where_it_is_from() -> None:
    """What is measured names its command, what is assumed its reason; nothing is both."""
    plain = json.loads(costs.PRICES.read_text())
    assert not plain["measured"].keys() & plain["assumed"].keys()
    for name, it in plain["measured"].items():
        assert it.keys() == {"value", "by"}, name
        assert len(it["by"]) > 30, name
    for name, it in plain["assumed"].items():
        assert it.keys() == {"value", "because"}, name
        assert len(it["because"]) > 30, name


def test_the_wire_and_the_bill_differ_by_no_more_than_rounding() -> None:
    """More is told, and less; so is a kind of call that the bill does not know."""
    found = deepcopy(written())
    found[MESSAGE]["firestoreRead"] += 0.01
    found[MESSAGE]["pubsubBytes"] *= 1.01
    assert differences(found, written()) == []
    found[MESSAGE]["firestoreWrite"] = 5
    found[MESSAGE]["pubsubBytes"] *= 1.1
    found[IDLE]["storage POST"] = 0.5
    del found[IDLE]["broker get"]
    assert differences(found, written()) == [
        "idleTenantMinute: broker get 0 at the wire, 1 in the bill",
        "idleTenantMinute: storage POST 0.5 at the wire, 0 in the bill",
        "message: firestoreWrite 5 at the wire, 4 in the bill",
        "message: pubsubBytes 2618.63 at the wire, 2357 in the bill",
    ]


def test_a_shard_travels_in_as_many_bytes_as_the_bill_says() -> None:
    """At the default number of tenants, each with a version of its secret as Google writes it."""
    tenants = Settings.model_fields["shard_tenants"].default
    assert DOCUMENT["numbers"]["tenantsPerShard"] == tenants
    entries = tuple(TenantEntry(f"tenant-{it:05}", "1700000000000000") for it in range(tenants))
    shard = Shard(datetime(2026, 1, 1, tzinfo=UTC), 1, 0, entries, catalog="a" * 16)
    sent = len(shard.encode().data)
    assert sent == pytest.approx(DOCUMENT["numbers"]["shardBytes"], rel=0.05)


def test_the_history_is_billed_for_as_long_as_it_is_kept() -> None:
    days = Settings.model_fields["history_days"].default
    assert DOCUMENT["numbers"]["historyMonths"] * 30 == days


def test_the_size_of_a_document_is_googles_own_example() -> None:
    """https://firebase.google.com/docs/firestore/storage-size: 147 bytes, and its indexes'."""
    document = types.Document.pb()()
    document.name = "projects/p/databases/(default)/documents/users/jeff/tasks/my_task_id"
    document.fields["type"].string_value = "Personal"
    document.fields["done"].boolean_value = False
    document.fields["priority"].integer_value = 1
    document.fields["description"].string_value = "Learn Cloud Firestore"
    # Each entry: the names of the document (44) and its parent (27), the field and its value, 32.
    entries = 2 * (4 * (44 + 27 + 32) + 71)
    assert stored_bytes(document) == 147 + entries
    assert not expires(document)


def test_what_has_grown_is_told_with_both_numbers() -> None:
    """Within its tolerance nothing is; less never is; what the baseline lacks has grown from 0."""
    stored = baseline()
    found = deepcopy(stored["work"])
    found["receive"]["calls"] *= 1.02
    found["consume"]["calls"] *= 0.5
    assert grown(found, stored) == []
    found["receive"]["JSON parsed"] += 1
    found["send"]["models validated"] = 1
    parsed = stored["work"]["receive"]["JSON parsed"]
    assert grown(found, stored) == [
        f"receive: JSON parsed {parsed:g} -> {parsed + 1:g} a message, at most {parsed + 0.1:g}",
        "send: models validated 0 -> 1 a message, at most 0.1",
    ]


def test_what_is_counted_no_more_is_told() -> None:
    """Where our code is not found, its calls are none: that is no progress."""
    stored = baseline()
    found = deepcopy(stored["work"])
    calls = found["receive"]["calls"]
    found["receive"]["calls"] = 0
    del found["consume"]["hashes"]
    hashes = stored["work"]["consume"]["hashes"]
    assert grown(found, stored) == [
        f"receive: calls {calls:g} -> nothing: is it still counted?",
        f"consume: hashes {hashes:g} -> nothing: is it still counted?",
    ]
