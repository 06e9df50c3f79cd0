"""`make simulate SEED=… RUNS=…`: as many schedules as wanted; a broken one is shrunk and told.

`PAIRS=1`: instead, every pair of faults in three small scenarios.
"""

import argparse
import json
import logging
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.simulation.exhaustive import (
    SCENARIOS,
    SEED,
    every_single_fault,
    first_faults,
    pairs_with,
)
from tests.simulation.kernel import Fault
from tests.simulation.schedule import Verdict, run_schedule
from tests.simulation.shrink import shrink

_Part = TypeVar("_Part")
_CHUNK = 50
_PROGRESS = 60.0  # seconds between two lines of it

Told = tuple[int, str | None, int, int, dict[str, int]]
"""Of a schedule: seed, what is broken, calls, messages, faults."""


@dataclass(slots=True)
class Figures:
    """The sum of all schedules so far."""

    began: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)
    schedules: int = 0
    calls: int = 0
    messages: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    broken: list[Verdict] = field(default_factory=list)

    def add(self, verdict: Verdict) -> None:
        """Counts a schedule; a broken one is told at once."""
        self.schedules += 1
        self.calls += verdict.calls
        self.messages += verdict.messages
        self.faults.update({str(kind): number for kind, number in verdict.faults.items()})
        if verdict.broken is not None:
            self.broken.append(verdict)
            print(f"BROKEN  {_named(verdict)}: {verdict.broken}", flush=True)

    def progress(self, done: str) -> None:
        """A line now and then."""
        if time.monotonic() - self.said > _PROGRESS:
            self.said = time.monotonic()
            line = f"{done}: {self.schedules:,} schedules, {self.calls:,} calls"
            print(f"{line}, {len(self.broken)} broken", flush=True)

    def tell(self) -> None:
        """All of them."""
        seconds = time.monotonic() - self.began
        print(f"schedules   {self.schedules:>12,}  ({seconds:.0f} s)")
        print(f"calls       {self.calls:>12,}")
        print(f"messages    {self.messages:>12,}")
        for kind, number in sorted(self.faults.items()):
            print(f"faults      {number:>12,}  {kind}")


def main() -> int:
    """Runs; the exit code is the number of broken schedules, at most 100."""
    options = _options()
    logging.disable(logging.CRITICAL)
    if options.plan is not None:
        plan = {int(number): Fault(fault) for number, fault in options.plan.items()}
        return _tell(run_schedule(options.seed or 0, plan, small=options.small))
    if options.pairs:
        return _pairs(SEED if options.seed is None else options.seed, options.processes)
    if options.seed is not None and options.runs == 1:
        return _tell(run_schedule(options.seed))
    return _drawn(options.seed or 0, options.runs, options.processes)


def _drawn(first: int, runs: int, processes: int | None) -> int:
    figures = Figures()
    seeds = range(first, first + runs)
    chunks = [seeds[start : start + _CHUNK] for start in range(0, runs, _CHUNK)]
    _work_off(figures, chunks, _run_seeds, processes, "chunks of seeds")
    figures.tell()
    alone = Figures()
    for verdict in every_single_fault():
        alone.add(verdict)
    number = len(figures.broken) + len(alone.broken)
    print(f"every single fault of small scenarios: {alone.schedules}, {len(alone.broken)} broken")
    print(f"seeds {first} to {first + runs - 1}; lost, doubled or stuck: {number}")
    return _tell_first([*figures.broken, *alone.broken])


def _pairs(seed: int, processes: int | None) -> int:
    figures = Figures()
    firsts = [(first, seed) for first in first_faults(seed)]
    _work_off(figures, firsts, _run_pairs, processes, "first faults")
    figures.tell()
    print(f"every pair of faults in {', '.join(SCENARIOS)}, seed {seed}", end="; ")
    print(f"lost, doubled or stuck: {len(figures.broken)}")
    return _tell_first(figures.broken)


def _work_off(
    figures: Figures,
    parts: Sequence[_Part],
    run: Callable[[_Part], list[Verdict]],
    processes: int | None,
    what: str,
) -> None:
    with multiprocessing.Pool(processes, initializer=_silence) as pool:
        for done, verdicts in enumerate(pool.imap_unordered(run, parts), start=1):
            for verdict in verdicts:
                figures.add(verdict)
            figures.progress(f"{done} of {len(parts)} {what}")


def _silence() -> None:
    logging.disable(logging.CRITICAL)


def _run_seeds(seeds: Iterable[int]) -> list[Verdict]:
    return [_light(run_schedule(seed)) for seed in seeds]


def _run_pairs(part: tuple[tuple[str, int, Fault], int]) -> list[Verdict]:
    first, seed = part
    plans = pairs_with(first, seed)
    return [_light(run_schedule(seed, plan, small=first[0])) for plan in plans]


def _light(verdict: Verdict) -> Verdict:
    """To be sent between processes; the same seed and plan give the trace again."""
    verdict.trace = []
    return verdict


def run_chunk(seeds: range) -> list[Told]:
    """The schedules of these seeds, in what can be sent between processes."""
    _silence()
    return [
        (it.seed, it.broken, it.calls, it.messages, {str(k): n for k, n in it.faults.items()})
        for it in map(run_schedule, seeds)
    ]


def _tell_first(broken: Sequence[Verdict]) -> int:
    if broken:
        worst = min(broken, key=lambda it: (len(it.plan), it.seed))
        _tell(run_schedule(worst.seed, worst.plan, small=worst.small))
    return min(len(broken), 100)


def _tell(verdict: Verdict) -> int:
    if verdict.broken is None:
        print(f"{_named(verdict)} holds: {verdict.calls} calls, {verdict.messages} messages")
        return 0
    short = shrink(verdict)
    print("\n".join(short.trace[-400:]))
    plan = ", ".join(f"{fault} at call {number}" for number, fault in sorted(short.plan.items()))
    print(f"{_named(short)}: {short.broken}")
    print(f"needs: {plan or 'no fault at all'}")
    faults = json.dumps({number: str(fault) for number, fault in sorted(short.plan.items())})
    small = f"--small {short.small} " if short.small else ""
    print(f"again: python -m tests.simulation --seed {short.seed} {small}--plan '{faults}'")
    return 1


def _named(verdict: Verdict) -> str:
    if not verdict.small:
        return f"seed {verdict.seed}"
    faults = ", ".join(f"{fault} at {number}" for number, fault in sorted(verdict.plan.items()))
    return f"seed {verdict.seed}, {verdict.small}, {faults or 'no fault'}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the first seed")
    parser.add_argument("--runs", type=int, default=1_000, help="how many schedules")
    parser.add_argument("--pairs", action="store_true", help="every pair of faults instead")
    parser.add_argument("--processes", type=int, default=None, help="at the same time")
    parser.add_argument("--small", default="", choices=("", *SCENARIOS), help="a small scenario")
    parser.add_argument("--plan", type=json.loads, default=None, help="faults by their calls")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
