"""Nothing is lost, nothing runs twice to its end: in thousands of drawn schedules."""

import multiprocessing
from collections.abc import Iterator
from functools import partial
from random import Random

import pytest

from tests.simulation.__main__ import run_chunk
from tests.simulation.exhaustive import SEED, every_single_fault, first_faults, pairs_with
from tests.simulation.kernel import Fault
from tests.simulation.mutations import MUTATIONS, mutated
from tests.simulation.schedule import Verdict, run_schedule

_SCHEDULES = 1_500
_SOME, _ENOUGH = 60, 800  # schedules in which a broken relay must be noticed


def test_every_schedule_holds() -> None:
    """Invariants 1 to 8, 11 and 12 hold whatever crashes, fails, hangs, repeats or overtakes."""
    chunks = [range(start, start + 50) for start in range(0, _SCHEDULES, 50)]
    with multiprocessing.get_context("spawn").Pool() as pool:
        verdicts = [it for chunk in pool.map(run_chunk, chunks, chunksize=1) for it in chunk]
    broken = [(seed, text) for seed, text, *_ in verdicts if text is not None]
    assert not broken, f"make simulate SEED={broken[0][0]} RUNS=1 tells how"
    assert len(verdicts) == _SCHEDULES
    met = {kind for *_, faults in verdicts for kind in faults}
    assert met == {str(fault) for fault in Fault}, "each kind of fault did occur"


def test_every_single_fault_is_survived() -> None:
    """Each kind of fault at each call of three small scenarios."""
    verdicts = list(every_single_fault())
    broken = [(it.plan, it.broken) for it in verdicts if it.broken is not None]
    assert not broken
    assert len(verdicts) > 400


def test_pairs_of_faults_are_survived() -> None:
    """A sample of what `make simulate PAIRS=1` runs through: all pairs in the small scenarios."""
    random = Random(0)
    broken = []
    for first in random.sample(first_faults(), 40):
        plans = pairs_with(first)
        for plan in random.sample(plans, min(6, len(plans))):
            broken += [it for it in (run_schedule(SEED, plan, small=first[0]),) if it.broken]
    assert not [(it.small, it.plan, it.broken) for it in broken]


def test_some_schedules_hold() -> None:
    """A few of the drawn ones in this very process: for who looks on, as `make mutants` does."""
    broken = [(it.seed, it.broken) for it in map(run_schedule, range(40)) if it.broken]
    assert not broken


def test_a_seed_replays_exactly() -> None:
    """The same seed gives the same trace to the letter: a failure can be looked into."""
    one, other = run_schedule(4), run_schedule(4)
    assert one.trace == other.trace
    assert one.trace


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_relay_is_noticed(name: str) -> None:
    """The checker checks: the relay, broken in this way, breaks a schedule."""
    with mutated(name):
        assert any(verdict.broken for verdict in _looks())


def _looks() -> Iterator[Verdict]:
    """Some drawn schedules, then the further ones and every single fault in a mixed order: what
    only a few of them show is met long before the last one."""
    drawn = [partial(run_schedule, seed) for seed in range(_ENOUGH)]
    single = [
        partial(run_schedule, SEED, {number: fault}, small=scenario)
        for scenario, number, fault in first_faults()
    ]
    mixed = [*drawn[_SOME:], *single]
    Random(0).shuffle(mixed)
    return (run() for run in [*drawn[:_SOME], *mixed])
