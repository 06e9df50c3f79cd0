"""`make bench`: ours beside per-message code and beside the limit, in one run."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

from rich.console import Console
from rich.status import Status

from infra.local.checkout import ROOT
from infra.local.emulators import firestore_emulator
from infra.local.errors import LocalStackError
from infra.local.signals import Terminated, ending_signals_raise
from tests.bench import tpd
from tests.bench.end_to_end import (
    CELERY,
    LIMIT,
    OURS,
    PER_MESSAGE,
    PROCRASTINATE,
    PROMISING,
    STAND_INS,
    Contestant,
    EndToEnd,
    Form,
    Run,
)
from tests.bench.latest import LATEST, merged
from tests.bench.ledger import LedgerError
from tests.bench.noisy_neighbour import NoisyNeighbour, noisy_neighbour
from tests.bench.parts import ALONE, Asked
from tests.bench.peers import running as peers
from tests.bench.peers.servers import find_servers
from tests.bench.report import Comparison, machine, show
from tests.bench.stack import bench_stack
from tests.bench.store import THREADS, StoreBench

RESULTS = ROOT / ".bench"
THROUGHPUT = ("store", "end-to-end", "limit", "peers")
PARTS = (*THROUGHPUT, "noisy", *ALONE)
NAMES = (*PARTS, "throughput")  # the last one is short for its four
QUICK_PARTS = PARTS[:3]  # percentiles take minutes, the peers their servers; ask for each other
MESSAGES, ROUNDS = 2_000, 3
WARM_MESSAGES, WARM_UPS = 1_000, 4
QUICK_MESSAGES, QUICK_ROUNDS = 200, 2
TIMES_STORE, TIMES_END_TO_END = 8, 4
TIMES_LIMIT, TIMES_LIMIT_FAR = 0.75, 0.9
TIMES_SENT = 1.5
TIMES_PEERS_CPU = 1.67  # 0.6 of the CPU for a message is 1.67 times as many a second of it
CONTESTANTS = {
    "end-to-end": (PER_MESSAGE,),
    "limit": (LIMIT, PROMISING),
    "peers": (CELERY, PROCRASTINATE),
}
FORMS = {"one per get": Form(1), "lists of 10": Form(10)}
TIMES_PEERS = {"one per get": 1.7, "lists of 10": 2}
FAR, FAR_FORM = "lists of 10, 100 ms a call", Form(10, latency=0.1)
FAR_MESSAGES, FAR_ROUNDS = 1_000, 3

Say = Callable[[str], None]
_Result = TypeVar("_Result")


def store(messages: int, rounds: int, say: Say, *, quick: bool) -> Iterator[Comparison]:
    """Store, claim, settle: Firestore alone."""
    with firestore_emulator() as host:
        bench = StoreBench(host)
        operations = bench.operations()
        for threads in THREADS[-1:] if quick else THREADS:
            name = f"store, claim, settle, {threads} thread{'s' if threads > 1 else ''}"
            contestants = bench.contestants(threads)
            for measure in contestants.values():
                measure(messages // 2)  # warm-up
            measures = {it: partial(measure, messages) for it, measure in contestants.items()}
            rates = _alternating(measures, rounds, say, name)
            goals = {"per-message": TIMES_STORE}
            yield Comparison(name, messages, rates, goals, {"operationsPerMessage": operations})


def stack(
    others: Sequence[Contestant], messages: int, rounds: int, say: Say, *, quick: bool
) -> Iterator[Comparison]:
    """From the broker to the history, and on to the sent reply: the whole local stack."""
    contestants = (OURS, *others)
    servers = find_servers() if CELERY in contestants else None
    with bench_stack(quick=quick, servers=servers) as running:
        bench = EndToEnd(running)
        say("the stack is up")
        for contestant in _warm_ups(contestants, 1 if quick else WARM_UPS):
            bench.run(contestant, min(messages, WARM_MESSAGES), FORMS["one per get"])

        def compared(
            name: str, form: Form, its: Sequence[Contestant], messages: int, rounds: int
        ) -> Iterator[Comparison]:
            measures = {it.name: partial(bench.run, it, messages, form) for it in its}
            runs = _alternating(measures, rounds, say, f"end to end, {name}")
            yield from _compared(name, messages, runs)

        for name, form in list(FORMS.items())[: 1 if quick else None]:
            yield from compared(name, form, contestants, messages, rounds)
        if LIMIT in contestants and not quick:
            its = (OURS, LIMIT, PROMISING)
            yield from compared(FAR, FAR_FORM, its, FAR_MESSAGES, min(rounds, FAR_ROUNDS))


def _warm_ups(contestants: Sequence[Contestant], times: int) -> Iterator[Contestant]:
    """The slow ones have warmed the emulators up, Java's compiler too, after two runs."""
    for number in range(times):
        yield from (it for it in contestants if number < 2 or it in (OURS, LIMIT, PROMISING))


def _compared(form: str, messages: int, runs: Mapping[str, Sequence[Run]]) -> Iterator[Comparison]:
    peers = (CELERY.name, PROCRASTINATE.name)
    limit = TIMES_LIMIT_FAR if form == FAR else TIMES_LIMIT
    goals = {PER_MESSAGE.name: TIMES_END_TO_END, LIMIT.name: limit}
    goals |= dict.fromkeys(peers, TIMES_PEERS.get(form, 1))
    settled = {name: [run.settled for run in its] for name, its in runs.items()}
    cpu = {name: _cpu(its) for name, its in runs.items()}
    received = {
        name: {"perSecond": round(median(run.polled for run in its), 1)}
        for name, its in runs.items()
    }
    details = {"cpuMillisecondsPerMessage": cpu, "untilTheBrokerWasEmpty": received}
    yield Comparison(f"broker to history, {form}", messages, settled, goals, details)
    sent = {
        name: [run.sent for run in its if run.sent is not None]
        for name, its in runs.items()
        if its[0].sent is not None
    }
    if len(sent) > 1:
        yield Comparison(f"reply to broker, {form}", messages, sent)
        whole = {
            name: [1 / (1 / run.settled + 1 / run.sent) for run in its if run.sent is not None]
            for name, its in runs.items()
            if its[0].sent is not None
        }
        sent_goals = goals | dict.fromkeys(peers, TIMES_SENT)
        yield Comparison(f"broker to sent reply, {form}", messages, whole, sent_goals)
    if all(run.application for its in runs.values() for run in its):  # the system tells
        own = {name: [1_000 / run.application for run in its] for name, its in runs.items()}
        goals = dict.fromkeys(peers, TIMES_PEERS_CPU)
        yield Comparison(f"per CPU second of its own, {form}", messages, own, goals)


def _cpu(runs: Sequence[Run]) -> dict[str, float]:
    """Medians by process, of the contestant's own, of its servers and of all together."""
    names = sorted({name for run in runs for name in run.cpu})
    used = {name: median(run.cpu.get(name, 0) for run in runs) for name in names}
    used["APPLICATION"] = median(run.application for run in runs)
    used["SERVERS"] = median(run.servers for run in runs)
    used["TOTAL"] = median(sum(run.cpu.values()) for run in runs)
    return {name: round(its, 2) for name, its in used.items() if its}


def _alternating(
    measures: Mapping[str, Callable[[], _Result]], rounds: int, say: Say, what: str
) -> dict[str, list[_Result]]:
    """Each contestant once in each round; every other round begins with the last one."""
    results: dict[str, list[_Result]] = {name: [] for name in measures}
    for number in range(rounds):
        for name in list(measures)[:: -1 if number % 2 else 1]:
            say(f"{what}: round {number + 1} of {rounds}, {name}")
            results[name].append(measures[name]())
    return results


def run(
    asked: argparse.Namespace, console: Console
) -> tuple[list[Comparison], NoisyNeighbour | None, dict[str, Any]]:
    """Measure what is asked for: comparisons, the noisy neighbour, and the parts by name."""
    quick = asked.quick
    messages = asked.messages or (QUICK_MESSAGES if quick else MESSAGES)
    rounds = asked.rounds or (QUICK_ROUNDS if quick else ROUNDS)
    parts = _expanded(asked.only) or (QUICK_PARTS if quick else PARTS)
    if "peers" in parts and (problem := peers.lacking()):
        console.print(f"[yellow]Without the peers:[/yellow] {problem}", soft_wrap=True)
        parts = [part for part in parts if part != "peers"]
    for name, problem_of in (
        ("tpd", tpd.lacking),
        ("life", peers.lacking),
        ("replies", peers.lacking),
    ):
        if name in parts and not asked.only and (problem := problem_of()):
            console.print(f"[yellow]Without {name}:[/yellow] {problem}", soft_wrap=True)
            parts = [part for part in parts if part != name]
    sizes = Asked(quick, asked.messages, asked.people, asked.rows, asked.rounds)
    others = [it for part, its in CONTESTANTS.items() if part in parts for it in its]
    comparisons: list[Comparison] = []
    neighbour = None
    with console.status("Starting …") as status:
        say = _progress(status, console)
        if "store" in parts:
            comparisons += store(messages, rounds, say, quick=quick)
        if others:
            comparisons += stack(others, messages, rounds, say, quick=quick)
        if "noisy" in parts:
            neighbour = noisy_neighbour(rounds, say, quick=quick)
        alone = {name: part.measure(say, sizes) for name, part in ALONE.items() if name in parts}
    return comparisons, neighbour, alone


def _expanded(only: Sequence[str] | None) -> list[str]:
    """The parts that were asked for; `throughput` is four of them."""
    return [
        part for name in only or () for part in (THROUGHPUT if name == "throughput" else [name])
    ]


def _progress(status: Status, console: Console) -> Say:
    """Show what goes on; where nobody looks on, as a line with the time."""

    def say(text: str) -> None:
        status.update(text)
        if not console.is_terminal:
            console.print(f"{datetime.now(UTC):%H:%M:%S} {text}", soft_wrap=True, highlight=False)

    return say


def write(results: Mapping[str, Any]) -> Path:
    """Keep the results, and the latest of each part."""
    RESULTS.mkdir(exist_ok=True)
    path, latest = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json", RESULTS / LATEST
    together = merged(json.loads(latest.read_text()) if latest.is_file() else {}, results)
    for each, its in ((path, results), (latest, together)):
        each.write_text(json.dumps(its, indent=2) + "\n", encoding="utf-8")
    return path


def main(arguments: Sequence[str]) -> int:
    """Read the command line; answer 1 when a run was wrong, not when it was slow."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the JSON, not the table")
    parser.add_argument("--quick", action="store_true", help="under a minute, less exact")
    parser.add_argument("--messages", type=int, help=f"in each run ({MESSAGES})")
    parser.add_argument("--rounds", type=int, help=f"of each comparison ({ROUNDS})")
    tells = f"of tpd's ERP ({tpd.PEOPLE}, {tpd.ROWS}; large: {tpd.LARGE})"
    parser.add_argument("--people", type=int, help=tells)
    parser.add_argument("--rows", type=int, help="of tpd's ERP that refer to them")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="PART", help=" ".join(NAMES))
    asked = parser.parse_args(arguments)
    console = Console(stderr=asked.json)
    about = {
        "at": datetime.now(UTC).isoformat(),
        "quick": asked.quick,
        "machine": machine(),
        "notes": [STAND_INS],
    }
    try:
        with ending_signals_raise():
            comparisons, neighbour, alone = run(asked, console)
    except (KeyboardInterrupt, Terminated):
        return 130
    except (LocalStackError, LedgerError) as error:
        console.print(f"[red]bench:[/red] {error}", soft_wrap=True)
        return 1
    results = {**about, "comparisons": [comparison.json() for comparison in comparisons]}
    if neighbour is not None:
        results["noisyNeighbour"] = neighbour.json()
    results |= {ALONE[name].key: its for name, its in alone.items()}
    path = write(results)
    if asked.json:
        sys.stdout.write(json.dumps(results, indent=2) + "\n")
    else:
        if comparisons:
            show(comparisons, console)
            console.print(STAND_INS)
        if neighbour is not None:
            neighbour.show(console)
        for name, its in alone.items():
            ALONE[name].show(its, console)
        console.print(f"{machine()['cores']} cores; all figures: {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
