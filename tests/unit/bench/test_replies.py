"""Replies alone, as deployed: how they are told."""

from tests.bench.replies import rows
from tests.bench.tables import TABLES

FOUND = {
    "tenants": 2,
    "senders": 2,
    "messages": 1_000,
    "rounds": 3,
    "contestants": [
        {"name": "ours", "sentPerSecond": 900.0, "cpuMilliseconds": 0.7},
        {"name": "celery", "sentPerSecond": 1_000.0, "cpuMilliseconds": 0.65},
    ],
}


def test_each_peer_is_told_beside_ours() -> None:
    assert rows(FOUND) == [["ours", "900", "", "0.70"], ["celery", "1,000", "0.90", "0.65"]]


def test_the_table_says_of_how_many_tenants_and_processes() -> None:
    text = TABLES["replies"]({"replies": FOUND}) or ""
    assert "2 tenants, 1,000 replies each, sent by 2 processes" in text
    assert "| celery | 1,000 | 0.90 | 0.65 |" in text
    assert TABLES["replies"]({}) is None
