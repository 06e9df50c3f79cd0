"""`make simulate SEED=… RUNS=…`: as many schedules as wanted; a broken one is shrunk and told."""

import argparse
import logging
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator

from tests.simulation.exhaustive import every_single_fault
from tests.simulation.schedule import Verdict, run_schedule
from tests.simulation.shrink import shrink

_CHUNK = 50


def main() -> int:
    """Runs; the exit code is the number of broken schedules, at most 100."""
    options = _options()
    logging.disable(logging.CRITICAL)
    if options.seed is not None and options.runs == 1:
        return _tell(run_schedule(options.seed))
    began = time.monotonic()
    faults: Counter[str] = Counter()
    schedules = messages = calls = 0
    broken: list[int] = []
    first = options.seed or 0
    chunks = [
        range(start, min(start + _CHUNK, first + options.runs))
        for start in range(first, first + options.runs, _CHUNK)
    ]
    with multiprocessing.Pool() as pool:
        for verdicts in pool.imap_unordered(run_chunk, chunks):
            for seed, text, its_calls, its_messages, its_faults in verdicts:
                schedules += 1
                calls += its_calls
                messages += its_messages
                faults.update(its_faults)
                if text is not None:
                    broken.append(seed)
                    print(f"BROKEN  seed {seed}: {text}", flush=True)
    exhausted = list(every_single_fault())
    broken_alone = [verdict for verdict in exhausted if verdict.broken]
    seconds = time.monotonic() - began
    print(f"schedules   {schedules:>12,}  ({seconds:.0f} s)")
    print(f"calls       {calls:>12,}")
    print(f"messages    {messages:>12,}")
    for kind, number in sorted(faults.items()):
        print(f"faults      {number:>12,}  {kind}")
    print(f"every single fault of a small scenario: {len(exhausted)}, {len(broken_alone)} broken")
    print(f"lost, doubled or stuck: {len(broken) + len(broken_alone)}")
    if broken:
        _tell(run_schedule(min(broken)))
    elif broken_alone:
        _tell(broken_alone[0])
    return min(len(broken) + len(broken_alone), 100)


def run_chunk(
    seeds: range,
) -> list[tuple[int, str | None, int, int, dict[str, int]]]:
    """The schedules of these seeds, in what can be sent between processes."""
    logging.disable(logging.CRITICAL)
    return [
        (it.seed, it.broken, it.calls, it.messages, {str(k): n for k, n in it.faults.items()})
        for it in map(run_schedule, seeds)
    ]


def _tell(verdict: Verdict) -> int:
    if verdict.broken is None:
        print(f"seed {verdict.seed} holds: {verdict.calls} calls, {verdict.messages} messages")
        return 0
    short = shrink(verdict)
    print("\n".join(_tail(short)))
    plan = ", ".join(f"{fault} at call {number}" for number, fault in sorted(short.plan.items()))
    print(f"seed {short.seed}: {short.broken}")
    print(f"needs: {plan or 'no fault at all'}")
    print(f"again: make simulate SEED={short.seed} RUNS=1")
    return 1


def _tail(verdict: Verdict) -> Iterator[str]:
    yield from verdict.trace[-400:]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the first seed")
    parser.add_argument("--runs", type=int, default=1_000, help="how many schedules")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
