"""Runs each contestant on the same load, one after the other, and tells how it did."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from infra.local.child import Child
from infra.local.errors import NotReadyError
from tests.bench.cpu import tree_seconds
from tests.bench.life.bill import dollars
from tests.bench.life.contestants import (
    LOOK_SECONDS,
    Contestant,
    Ours,
    Peer,
    balance,
    sent_replies,
)
from tests.bench.life.load import (
    FULL,
    NOISY,
    QUICK,
    TENANTS,
    TIMES,
    Load,
    Passed,
    figures,
    waits,
)
from tests.bench.memory import MIB, Watch
from tests.bench.peers.programs import PEERS
from tests.bench.services import Services
from tests.bench.side_by_side import side_by_side
from tests.bench.workload import Offer, offer_due, offers

LATENCY_SECONDS, SIGMA = 0.1, 0.3  # the median of a call, and of its logarithm the deviation
ROUNDS = 1
_WARM = 4  # messages of each tenant, before anything is measured
_BEAT_SECONDS = 0.02
_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 180
_FIGURES = ("settledP50", "settledP99", "sentP50", "sentP99")

Say = Callable[[str], None]


def measure(say: Say, *, quick: bool, rounds: int | None = None) -> dict[str, Any]:
    """Compare all of them; medians of the rounds."""
    load, found = QUICK if quick else FULL, []
    with _running(quick=quick) as (running, contestants):
        for number in range(rounds or ROUNDS):
            for contestant in contestants[:: -1 if number % 2 else 1]:
                say(f"like life: round {number + 1} of {rounds or ROUNDS}, {contestant.name}")
                found.append(_Run(running, contestant, load, seed=number + 1).figures())
    names = dict.fromkeys(it["name"] for it in found)
    return {
        "tenants": len(TENANTS),
        "timesTheLoad": TIMES,
        "messages": found[0]["messages"],
        "latencySeconds": LATENCY_SECONDS,
        "latencySigma": SIGMA,
        "lookSeconds": LOOK_SECONDS,
        "rounds": rounds or ROUNDS,
        "contestants": [_median([it for it in found if it["name"] == name]) for name in names],
        "dollarsAMonth": dollars(),
        "all": found,
    }


@contextmanager
def _running(*, quick: bool) -> Iterator[tuple[Services, Sequence[Contestant]]]:
    """Bring up what all of them stand on."""
    with side_by_side(TENANTS, quick=quick) as (running, peers):
        others = [Peer(it, peers, running.addresses) for it in PEERS]
        yield running, [Ours(running), *others]


@dataclass(frozen=True)
class _Run:
    """One contestant under one round's load, with fresh processes."""

    running: Services
    contestant: Contestant
    load: Load
    seed: int

    def figures(self) -> dict[str, Any]:
        """Measure it. Raises LedgerError if anything was lost, repeated or invented."""
        with self.running.serving(*self.contestant.programs()) as children:
            self._warm()
            self.contestant.clear()
            options = {"latencySeconds": LATENCY_SECONDS, "racLatencySeconds": LATENCY_SECONDS}
            self._options(options | {"latencySigma": SIGMA, "seed": self.seed})
            waiting = self.load.schedule(self.seed)
            expected = {(tenant, offer.id) for _, tenant, offer in waiting}
            before, used = self._stats(), self._cpu(children)
            with ExitStack() as stack:
                watches = [stack.enter_context(Watch(it, 0.5)) for it in _pids(children)]
                arrived, looks = self._work(waiting, len(expected))
            after, spent = self._stats(), self._cpu(children)
            self._options({"latencySeconds": 0, "racLatencySeconds": 0, "latencySigma": 0})
        books = self.contestant.books()
        sent = sent_replies(self.running.rest, str(self.running.addresses.simulator), expected)
        balance(expected, books, [key for key, _ in sent])
        replied = dict(sent)
        passed = [
            Passed(key[0], arrived[key[1]], books.settled[key], replied[key]) for key in expected
        ]
        span = max(it.sent for it in passed) - min(it.arrived for it in passed)
        servers = self.contestant.servers
        return {
            "name": self.contestant.name,
            "messages": len(expected),
            "messagesPerSecond": len(expected) / span,
            **figures(passed),
            **(
                {"byTheMinute": waits([it.by_the_minute(looks, LOOK_SECONDS) for it in passed])}
                if looks
                else {}
            ),
            "cpuMilliseconds": _each(children, used, spent, len(expected)),
            "serversCpuMilliseconds": _each(servers, used, spent, len(expected)),
            "peakMebibytes": sum(it.peak for it in watches) / MIB,
            "programs": len(children),
            "callsPerMessage": (_calls(after) - _calls(before)) / len(expected),
        }

    def _warm(self) -> None:
        """Let it meet every tenant, with the broker nearby."""
        self._options({"latencySeconds": 0, "racLatencySeconds": 0, "getBatch": 1})
        waiting = [(0.0, tenant, offer) for tenant in TENANTS for offer in offers(_WARM)]
        self._work(waiting, len(waiting))

    def _work(
        self, waiting: list[tuple[float, str, Offer]], count: int
    ) -> tuple[dict[str, float], Sequence[float]]:
        """Offer what comes, until all replies are sent; when each message arrived, and when the
        contestant looked."""
        sent = self._stats()["send"] + count
        arrived: dict[str, float] = {}
        with self.contestant.working() as looks:
            start = time.time()
            while waiting:
                arrived |= offer_due(self.running.simulator, waiting, time.time() - start)
                time.sleep(_BEAT_SECONDS)
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while self._stats()["send"] < sent:
                if time.monotonic() > deadline:
                    missing = sent - self._stats()["send"]
                    message = f"{self.contestant.name}: {missing} of {count} replies were not sent"
                    raise NotReadyError(message)
                time.sleep(_LOOK_SECONDS)
            time.sleep(_LOOK_SECONDS)  # a reply counts before its sender has noted it
        return arrived, looks

    def _options(self, options: Mapping[str, float]) -> None:
        self.running.simulator("PUT", "/options", options)

    def _stats(self) -> dict[str, int]:
        return self.running.simulator("GET", "/stats")  # type: ignore[no-any-return]

    def _cpu(self, children: Mapping[str, Child]) -> dict[str, float]:
        """Seconds that each process has used, by its program's name."""
        every = [*self.running.servers, *children.values()]
        used = tree_seconds([it.pid for it in every])
        return {it.program.name: used[it.pid] for it in every}


def _pids(children: Mapping[str, Child]) -> list[int]:
    return [it.pid for it in children.values()]


def _each(
    names: Iterable[str], before: Mapping[str, float], after: Mapping[str, float], count: int
) -> float:
    return 1_000 * sum(after[it] - before[it] for it in names) / count


def _calls(stats: Mapping[str, int]) -> int:
    return sum(stats[it] for it in ("get", "ack", "send"))


def _median(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rounds' medians, figure by figure."""
    found: dict[str, Any] = {}
    for key, value in rounds[0].items():
        its = [it[key] for it in rounds]
        if isinstance(value, Mapping):
            found[key] = _median(its)
        else:
            found[key] = value if isinstance(value, str) else round(statistics.median(its), 3)
    return found


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print it for people."""
    title = (
        f"{found['tenants']} tenants, {found['messages']} messages, a call takes some "
        f"{found['latencySeconds']:g} s: seconds from the arrival"
    )
    shown = Table(box=SIMPLE_HEAD, title=title)
    for column in ("", "messages/s", "settled p50", "p99", "sent p50", "p99", "CPU ms", "MiB"):
        shown.add_column(column, justify="left" if not column else "right")
    for it in found["contestants"]:
        rate, cpu, memory = it["messagesPerSecond"], it["cpuMilliseconds"], it["peakMebibytes"]
        whole = (f"{it['all'][key]:.2f}" for key in _FIGURES)
        shown.add_row(it["name"], f"{rate:.1f}", *whole, f"{cpu:.2f}", f"{memory:.0f}")
        shown.add_row(f"  without {NOISY}", "", *(f"{it['quiet'][key]:.2f}" for key in _FIGURES))
    console.print(shown)
    for it in found["dollarsAMonth"]:
        console.print(
            f"US$ a month with {it['millions']:g} million messages: ours {it['ours']:.2f}, "
            f"the peers' database alone {it['peersAtLeast']:.2f}"
        )
