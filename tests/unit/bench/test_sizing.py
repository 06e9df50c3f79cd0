"""What the sizing and the tables make of a run's figures."""

from dataclasses import replace
from typing import Any

import pytest

from tests.bench import sizing
from tests.bench.latency import INTERVAL_SECONDS, Passed, by_minute, draining
from tests.bench.latest import merged
from tests.bench.operations import IDLE, MESSAGE, REPLY
from tests.bench.sizing import (
    LOADS,
    Assumed,
    IncompleteError,
    Line,
    Measured,
    consumer_seconds,
    main,
    measured,
    poll_instances,
    ramp_minutes,
    size,
    table,
)
from tests.bench.tables import TABLES, release

UNIT = Measured(
    operations={
        MESSAGE: {
            "firestoreRead": 1,
            "firestoreWrite": 4,
            "firestoreDelete": 1,
            "pubsubBytes": 2_500,
            "pubsubMessages": 0.02,
        },
        REPLY: {"firestoreRead": 1, "firestoreWrite": 3, "firestoreDelete": 1},
        IDLE: {"firestoreRead": 1.2, "firestoreWrite": 0.06, "broker get": 1},
    },
    poll_cpu=0.001,
    consume_cpu=0.001,
    idle_cpu=0.002,
    cold_cpu=0.003,
    poll_memory=120,
    consume_memory=110,
    dollars={"million messages, each with a reply": 15, "1,000 idle tenants, a month": 90},
)

PLAIN = Assumed()


def figures(tenants: int, rate: float, assumed: Assumed = PLAIN) -> dict[str, Line]:
    return {line.name: line for line in size(UNIT, assumed, [(tenants, rate)])}


def test_a_load_costs_its_messages_and_its_idle_tenants() -> None:
    found = figures(1_000, 100)
    assert found["Firestore reads a second"].figures == (100 * 2 + 1_000 * 1.2 / 60,)
    assert found["Firestore writes and deletes a second"].figures == (100 * 9 + 1_000 * 0.06 / 60,)
    assert found["US$ a month"].figures == (100 * 2.592 * 15 + 90,)


def test_consumers_wait_one_after_the_other_unless_concurrent() -> None:
    """A slow ERP takes instances at concurrency 1; the CPU takes them at any."""
    slow = replace(PLAIN, consumer=0.099)
    assert figures(1, 1_000, slow)["instances of consume at concurrency 1"].figures == (143,), (
        "100 busy ones would leave nothing for peaks"
    )
    eager = replace(slow, concurrency=50)
    assert figures(1, 1_000, eager)["instances of consume at concurrency 50"].figures == (3,)


def test_one_instance_is_the_polls_own() -> None:
    """A single shard needs no other; the others' time is shared by instances of `poll_shard`, of
    which a refused push uses half a minute. Nothing is refused if more of them share it."""
    assert figures(200, 0)["instances of poll and poll_shard"].figures == (1,)
    assert figures(400, 0)["instances of poll and poll_shard"].figures == (2,)
    many = figures(20_000, 20)
    assert many["instances of poll and poll_shard"].figures == (8,)
    assert many["… so that no shard is refused at first"].figures == (26,)


def test_cpu_counts_where_it_is_scarcer_than_threads() -> None:
    slow = replace(UNIT, cold_cpu=0.02)
    assert poll_instances(slow, PLAIN, (20_000, 20)) > poll_instances(UNIT, PLAIN, (20_000, 20))


def test_the_program_assumes_what_the_guide_does_and_what_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A load without messages is a load, too."""
    monkeypatch.setattr(sizing, "latest", dict)
    monkeypatch.setattr(sizing, "measured", lambda _results: UNIT)

    def printed(*arguments: str) -> str:
        assert main(arguments) == 0
        return capsys.readouterr().out.removesuffix("\n")

    usual = Assumed(consumer=consumer_seconds())
    assert printed() == table(size(UNIT, usual, LOADS), LOADS)
    silent = [(9_000, 0)]
    assert printed("--tenants=9000", "--rate=0") == table(size(UNIT, usual, silent), silent)
    told = Assumed(latency=0.2, consumer=0.3, concurrency=2, per_get=5)
    options = ("--latency=0.2", "--consumer=0.3", "--concurrency=2", "--per-get=5")
    assert printed(*options) == table(size(UNIT, told, LOADS), LOADS)


def test_what_exceeds_a_limit_is_bold() -> None:
    lines_ = [Line("a", (5, 20), 10, "theirs"), Line("b", (0.25, 3))]
    assert table(lines_, [(1, 1), (2, 2)]).splitlines()[2:] == [
        "| a | 5 | **20** | 10 (theirs) |",
        "| b | 0.25 | 3 |  |",
    ]


def test_firestore_is_ramped_by_half_every_five_minutes() -> None:
    assert [ramp_minutes(its) for its in (100, 500, 501, 750, 1_000)] == [0, 0, 5, 5, 10]


def test_a_part_that_was_not_measured_is_named() -> None:
    with pytest.raises(IncompleteError, match="--only operations growth"):
        measured({})


def test_memory_is_the_most_that_any_size_took() -> None:
    """Also where a smaller load happened to take more than the last, largest one."""
    loads = [
        {"poll": 100 + its, "consume": 90 + its, "pollCpu": 1.0, "consumeCpu": 1.0}
        for its in (20, 10)
    ]
    ticks = [{"kind": it, "tenants": 10, "cpu": 1.0, "peak": 105.0} for it in ("warm", "cold")]
    counted: dict[str, Any] = {MESSAGE: {}, "consumerLogLine": {}}
    unit = measured(
        {
            "growth": {"messages": loads, "ticks": ticks},
            "operations": {"counted": counted, "dollars": {}},
        }
    )
    assert (unit.poll_memory, unit.consume_memory) == (120, 110)


def test_only_the_wait_for_the_tick_is_scaled_to_a_minute() -> None:
    passed = [Passed(arrived=0.0, ticked=INTERVAL_SECONDS / 2, settled=INTERVAL_SECONDS / 2 + 0.3)]
    assert by_minute("near", passed).p50 == pytest.approx(30.3)
    assert draining("near", passed).p50 == pytest.approx(INTERVAL_SECONDS / 2 + 0.3)


def test_a_partial_run_leaves_the_other_parts_as_they_were() -> None:
    """And each part says when it was measured."""
    first = {"at": "1", "quick": False, "comparisons": [{"name": "a"}], "growth": 1}
    second = {"at": "2", "quick": True, "comparisons": [{"name": "b"}], "latency": 2}
    found = merged(merged({}, first), second)
    assert [it["name"] for it in found["comparisons"]] == ["a", "b"]
    assert (found["growth"], found["latency"]) == (1, 2)
    assert found["measured"]["growth"] == {"at": "1", "quick": False}
    assert found["measured"]["b"] == {"at": "2", "quick": True}


def test_a_table_is_of_what_was_measured() -> None:
    """A part that the results lack has none."""
    row: dict[str, Any] = dict.fromkeys(("p50", "p99", "serviceP50", "serviceP99"), 1.0)
    results = {"latency": [{"broker": "near", "kind": "k", "messages": 3, **row}]}
    assert "| near | k | 1.00 |" in str(TABLES["latency"](results))
    assert all(table_of({}) is None for table_of in TABLES.values())


def test_a_releases_block_has_a_line_of_each_part_and_what_needs_no_clock() -> None:
    comparison = {
        "name": "broker to history",
        "messagesPerSecond": {"ours": {"median": 1_000.0}},
        "oursInTimesOf": {"celery": {"median": 1.7}},
    }
    about = {"broker to history": {"at": "2026-11-27T10:00:00"}}
    lines = release({"comparisons": [comparison], "measured": about}).splitlines()
    assert lines[0] == "### Figures"
    assert lines[2].startswith("Measured 2026-11-27 by `make bench`")
    assert lines[4] == "- broker to history: 1,000 messages a second, 1.7 times celery"
    assert [line.partition(":")[0] for line in lines[5:]] == [
        "- calls of our code for a message and its reply",
        "- US$",
    ]
