"""What counts as flat growth."""

from itertools import count, repeat
from typing import Any

import pytest

from tests.bench.flat import Ratio, ratios
from tests.bench.memory import Watch


def waiting(size: int, cpu: float = 1.0, asked: int = 800) -> dict[str, Any]:
    return {
        "waiting": size,
        "cpu": cpu,
        "pythonCalls": 5_000.0,
        "requests": {"firestore": 0.2, "http": 2.0},
        "queries": {"asked": asked, "returned": 600},
        "peak": 100.0,
    }


def load(messages: int, each: float, tenths: list[float] | None = None) -> dict[str, Any]:
    tenths = tenths or []
    tops = {"pollTenths": tenths, "consumeTenths": tenths}
    return {"messages": messages, "pollCpu": each, "consumeCpu": each, **tops}


def tick(tenants: int, cpu: float, peak: float) -> dict[str, Any]:
    return {"kind": "warm", "tenants": tenants, "cpu": cpu, "peak": peak}


def by_name(**found: list[dict[str, Any]]) -> dict[str, Ratio]:
    return {it.what: it for it in ratios(found)}


def test_a_tenth_more_is_flat_and_less_is_too() -> None:
    sizes = ("small", "large")
    assert Ratio("it", "ms", sizes, (1.0, 1.1)).met
    assert Ratio("it", "ms", sizes, (1.0, 0.5)).met
    assert not Ratio("it", "ms", sizes, (1.0, 1.11)).met
    assert not Ratio("it", "ms", sizes, (0.0, 0.1)).met, "out of nothing"
    assert Ratio("it", "ms", sizes, (0.0, 0.0)).met
    assert not Ratio("it", "KiB", sizes, (-0.2, 9.0)).met, "a slope that fell before it rose"
    assert Ratio("it", "KiB", sizes, (-0.2, -0.1)).met


def test_each_size_that_waits_is_held_against_the_smallest() -> None:
    found = ratios({"waiting": [waiting(1_000), waiting(10_000), waiting(100_000, asked=1_600)]})
    asked = [it for it in found if it.what == "documents asked for"]
    assert [it.ratio for it in asked] == [1, 2]
    assert [it.met for it in asked] == [True, False]
    assert all(it.met for it in found if it.what != "documents asked for")


def test_what_a_process_costs_once_is_no_growth() -> None:
    """A batch that costs 500 at first and 1 for each message is flat, whatever the averages say;
    one whose messages become dearer is not."""
    flat = [load(n, (500 + n) / n) for n in (1_000, 10_000, 30_000)]
    assert by_name(messages=flat)["CPU of poll"].ratio == pytest.approx(1)
    rising = [load(n, 1 + n / 100_000) for n in (1_000, 10_000, 30_000)]
    assert by_name(messages=rising)["CPU of poll"].met is False


def test_memory_that_reaches_a_plateau_is_flat() -> None:
    """The first half of a run may grow, to what later halves must not exceed."""
    plateau, leak = [80.0, 95, 99, 100, 100, 100], [80.0, 90, 100, 110, 120, 130]
    assert by_name(messages=[load(1_000, 1, plateau)])["peak of poll"].met
    assert not by_name(messages=[load(1_000, 1, leak)])["peak of poll"].met


def test_a_tenant_costs_what_further_tenants_cost() -> None:
    """Medians of the warm ticks, by their slopes: the base of 100 MiB is no tenant's."""
    ticks = [tick(n, 0.05 + n * 0.001, 100 + n / 200) for n in (100, 1_000, 5_000) for _ in "123"]
    ticks.append(tick(5_000, 99.0, 105.0))
    found = by_name(ticks=ticks)
    assert found["CPU of a warm tick"].figures == pytest.approx((1, 1))
    assert found["memory"].figures == pytest.approx((1_024 / 200, 1_024 / 200))


def test_two_sizes_have_no_slopes_to_compare() -> None:
    assert ratios({"ticks": [tick(10, 1, 1), tick(100, 1, 1)], "messages": [load(1, 1)]}) == []


def test_peaks_of_equal_parts_of_the_time() -> None:
    """A part that nothing was seen in makes the whole series unknown."""
    watch = Watch(group=-1)
    watch.seen = list(zip(range(10), count(100), strict=False))
    assert watch.parts(2) == [104, 109]
    watch.seen = list(zip((0, 9), repeat(5), strict=False))
    assert watch.parts(3) == []
