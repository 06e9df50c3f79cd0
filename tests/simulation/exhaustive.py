"""Every fault, and every pair of faults, at every call of three small scenarios: two messages,
one tenant."""

from collections.abc import Iterator

from tests.simulation.kernel import Fault
from tests.simulation.schedule import Verdict, run_schedule

SEED = 7
SCENARIOS = ("plain", "repeats", "once")


def every_single_fault(seed: int = SEED) -> Iterator[Verdict]:
    """One schedule for each kind of fault and each call until all is acked and settled."""
    for scenario in SCENARIOS:
        unharmed = run_schedule(seed, {}, small=scenario)
        yield unharmed
        for plan in _plans(unharmed):
            yield run_schedule(seed, plan, small=scenario)


def first_faults(seed: int = SEED) -> list[tuple[str, int, Fault]]:
    """With what a pair can begin: scenario, call and fault."""
    return [
        (scenario, number, fault)
        for scenario in SCENARIOS
        for plan in _plans(run_schedule(seed, {}, small=scenario))
        for number, fault in plan.items()
    ]


def pairs_with(first: tuple[str, int, Fault], seed: int = SEED) -> list[dict[int, Fault]]:
    """The pairs that begin with this fault. The second may come at each later call, those that
    the first one brought about included."""
    scenario, number, fault = first
    alone = run_schedule(seed, {number: fault}, small=scenario)
    return [{number: fault, **plan} for plan in _plans(alone, number)]


def _plans(verdict: Verdict, after: int = 0) -> Iterator[dict[int, Fault]]:
    for number in range(after + 1, verdict.calls_until_acked + 1):
        for fault in Fault:
            yield {number: fault}
