"""The comparison that is like life: one load for all, books that balance, waits told right."""

from dataclasses import replace
from typing import Any

import pytest

from tests.bench.ledger import LedgerError
from tests.bench.life.bill import MILLIONS, dollars, peers_database
from tests.bench.life.contestants import Books, balance
from tests.bench.life.load import NOISY, QUICK, TENANTS, TIMES, Passed, figures
from tests.bench.tables import TABLES

EXPECTED = {("a", "1"), ("b", "1")}
BOOKS = Books(settled=dict.fromkeys(EXPECTED, 0.0), answered=EXPECTED, live=0, logs=4)
SENT = sorted(EXPECTED)


def instants(seed: int) -> list[tuple[float, str]]:
    return [(at, tenant) for at, tenant, _ in QUICK.schedule(seed)]


def test_each_contestant_of_a_round_gets_the_same_load() -> None:
    assert instants(1) == instants(1) != instants(2)
    assert instants(1) == sorted(instants(1), key=lambda it: -it[0])
    counts = [sum(name == tenant for _, name in instants(1)) for tenant in TENANTS]
    assert counts == [QUICK.each * TIMES, *[QUICK.each] * 49]
    identities = [offer.id for _, _, offer in QUICK.schedule(1)]
    assert len(set(identities)) == len(identities)


def test_books_that_balance_are_accepted() -> None:
    balance(EXPECTED, BOOKS, SENT)


@pytest.mark.parametrize(
    ("wrong", "sent"),
    [
        ({"settled": {("a", "1"): 0.0}}, SENT),
        ({"settled": dict.fromkeys([*EXPECTED, ("c", "1")], 0.0)}, SENT),
        ({"answered": {("a", "1")}}, SENT),
        ({"live": 1}, SENT),
        ({"logs": 5}, SENT),
        ({}, SENT[:1]),
        ({}, [*SENT, SENT[0]]),
        ({}, [("a", "1"), ("a", "1")]),
        ({}, [("a", "1"), ("c", "1")]),
    ],
)
def test_what_is_lost_doubled_or_somebody_elses_is_an_error(
    wrong: dict[str, Any], sent: list[tuple[str, str]]
) -> None:
    with pytest.raises(LedgerError):
        balance(EXPECTED, replace(BOOKS, **wrong), sent)


def test_only_what_waits_for_a_look_is_stretched_to_a_minute() -> None:
    looks = (10.0, 15.0, 20.0)
    waited = Passed("a", arrived=12, settled=16, sent=21)
    # 3 s of 5 are 36 s of 60, then 1 s; 4 s are 48 s, then 1 s.
    assert waited.by_the_minute(looks, 5) == (37, 86)
    at_once = Passed("a", arrived=15.5, settled=16, sent=16.5)
    assert at_once.by_the_minute(looks, 5) == (0.5, 1)


def test_the_quiet_tenants_are_told_apart() -> None:
    passed = [Passed("quiet-01", 0, 1, 2)] * 50 + [Passed(NOISY, 0, 10, 20)] * 50
    found = figures(passed)
    assert found["quiet"]["settledP99"] == 1
    assert (found["all"]["settledP99"], found["all"]["sentP99"]) == (10, 20)


def test_a_bill_grows_with_the_messages_and_the_database_costs_the_same() -> None:
    bills = dollars()
    assert [it["millions"] for it in bills] == list(MILLIONS)
    ours = [it["ours"] for it in bills]
    assert ours == sorted(ours)
    assert {it["peersAtLeast"] for it in bills} == {round(peers_database(), 2)}


def test_its_tables_name_every_contestant() -> None:
    waits = dict.fromkeys(("settledP50", "settledP99", "sentP50", "sentP99"), 1.0)
    one = {
        "messagesPerSecond": 10,
        "all": waits,
        "quiet": waits,
        "cpuMilliseconds": 1,
        "serversCpuMilliseconds": 1,
        "peakMebibytes": 100,
        "programs": 3,
        "callsPerMessage": 3,
    }
    life = {
        "messages": 100,
        "latencySeconds": 0.1,
        "latencySigma": 0.3,
        "lookSeconds": 5,
        "rounds": 1,
        "contestants": [{"name": "ours", "byTheMinute": waits, **one}, {"name": "celery", **one}],
        "dollarsAMonth": dollars(),
    }
    text = TABLES["life"]({"life": life}) or ""
    rows = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines()]
    assert (rows.count("ours"), rows.count("celery")) == (4, 3)
    assert TABLES["life"]({}) is None
