"""Every single fault at every call of three small scenarios: two messages, one tenant."""

from collections.abc import Iterator

from tests.simulation.kernel import Fault
from tests.simulation.schedule import Verdict, run_schedule

SEED = 7


def every_single_fault() -> Iterator[Verdict]:
    """One schedule for each kind of fault and each call until all is acked and settled."""
    for scenario in ("plain", "repeats", "once"):
        unharmed = run_schedule(SEED, {}, small=scenario)
        yield unharmed
        for number in range(1, unharmed.calls_until_acked + 1):
            for fault in Fault:
                yield run_schedule(SEED, {number: fault}, small=scenario)
