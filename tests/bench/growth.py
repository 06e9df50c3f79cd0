"""What grows with messages and with tenants: time and memory for each should stay flat.

The deployed functions run as processes against the emulators: ticks over many tenants with RAC and
the broker 100 ms away, which give the time of a tick and the memory of an instance; and messages of
one tenant with both nearby, as at 100 ms a tenant gets no more than some 40 a second. Messages that
wait in the database are another matter (waiting.py). Of each, ratios between sizes (flat.py).

On a quiet machine with 2 cores it takes some ten minutes, of which 5,000 tenants take three and
100,000 waiting messages nearly as long; `--messages` adds one more size of messages, some 3 ms
each.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.local.child import Child
from infra.local.errors import NotReadyError
from infra.local.firestore_view import HISTORY, FirestoreView
from infra.local.functions import consumer
from tests.bench.cpu import group_seconds
from tests.bench.flat import GOAL, ratios
from tests.bench.memory import MIB, Watch
from tests.bench.operations import in_process
from tests.bench.services import PROJECT, Services, services
from tests.bench.waiting import DUE, FURTHER, MINUTES, first_minute
from tests.bench.workload import COMMAND, offers

MESSAGES, QUICK_MESSAGES = (1_000, 10_000, 30_000), (1_000,)
WAITING, QUICK_WAITING = (1_000, 10_000, 100_000), (1_000, 3_000)
TENANTS, QUICK_TENANTS = (10, 100, 1_000, 5_000), (10, 100)
IN_SHARDS = 1_000  # tenants polled as deployed too: in shards, by several processes
ACTIVE = 1_000  # tenants at most of whom each gets a message
WARM_TICKS = 3
QUICK_MINUTES = 2
_PARTS = 10  # of the time of the messages
LATENCY_SECONDS = 0.1
TICK_GOAL_SECONDS, MEMORY_GOAL_MIB, GOAL_TENANTS = 10.0, 256, 1_000
_SHARD_WORKERS = 4
_PATIENCE_SECONDS = 1_800
_LOOK_SECONDS = 0.05
_OFFERED_AT_ONCE = 500

Say = Callable[[str], None]


@dataclass(frozen=True)
class Tick:
    """One tick over all tenants. CPU and memory are those of the functions' processes."""

    kind: str  # first, cold, warm, active; in shards
    tenants: int
    seconds: float
    cpu: float  # seconds
    peak: float  # MiB, of one instance: the largest


@dataclass(frozen=True)
class Load:
    """Messages of one tenant, from the broker to the sent replies."""

    messages: int
    seconds: float
    pollCpu: float  # noqa: N815  (its name in JSON) milliseconds for each message
    consumeCpu: float  # noqa: N815
    poll: float  # MiB, peak
    consume: float
    pollTenths: list[float]  # noqa: N815  MiB, the peak of each tenth of the time
    consumeTenths: list[float]  # noqa: N815


@dataclass
class Growth:
    """All figures."""

    ticks: list[Tick] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)

    def idle_tick(self) -> Tick | None:
        """The slowest warm tick over a thousand tenants in one instance."""
        found = [it for it in self.ticks if (it.kind, it.tenants) == ("warm", GOAL_TENANTS)]
        return max(found, key=lambda it: it.seconds, default=None)

    def json(self) -> dict[str, Any]:
        """Write it for programs."""
        slowest = self.idle_tick()
        met = slowest and {
            "seconds": slowest.seconds <= TICK_GOAL_SECONDS,
            "memory": max(it.peak for it in self.ticks) <= MEMORY_GOAL_MIB,
        }
        figures = {
            "ticks": [_rounded(it) for it in self.ticks],
            "messages": [_rounded(it) for it in self.loads],
            "waiting": self.waiting,
        }
        return {
            "latencySeconds": LATENCY_SECONDS,
            "expected": {
                "tickSeconds": TICK_GOAL_SECONDS,
                "mebibytes": MEMORY_GOAL_MIB,
                "ratio": GOAL,
            },
            "met": met,
            **figures,
            "ratios": [it.json() for it in ratios(figures)],
        }


def _rounded(it: Tick | Load) -> dict[str, Any]:
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in asdict(it).items()}


def growth(say: Say, *, quick: bool, messages: int | None = None) -> Growth:
    """Measure tenants, then messages; `messages` is one more size."""
    result = Growth()
    delays = dict.fromkeys(("latencySeconds", "racLatencySeconds"), LATENCY_SECONDS)
    with services(quick=quick) as running:
        bench = _Bench(running, say, result.ticks)
        running.simulator("PUT", "/options", delays)
        for count in QUICK_TENANTS if quick else TENANTS:
            bench.ticks(count)
            if count == IN_SHARDS:
                bench.sharded(count)
    # Emulators of their own: of thousands of tenants nothing is left, and the broker is nearby.
    with services(quick=quick) as running:
        bench = _Bench(running, say, result.ticks)
        sizes = QUICK_MESSAGES if quick else MESSAGES
        for count in sorted({*sizes, *([messages] if messages else [])}):
            say(f"growth: {count:,} messages")
            result.loads.append(bench.load(count))
        for count in QUICK_WAITING if quick else WAITING:
            say(f"growth: {count:,} messages that wait")
            result.waiting.append(bench.waiting(count, QUICK_MINUTES if quick else MINUTES))
    return result


class _Bench:
    """Grows the number of tenants on one set of emulators."""

    def __init__(self, running: Services, say: Say, ticks: list[Tick]) -> None:
        self._running = running
        self._say = say
        self._ticks = ticks
        self._tenants: list[str] = []
        self._view = FirestoreView(running.rest, running.addresses.firestore, PROJECT)

    # Messages

    def load(self, count: int) -> Load:
        """Let so many messages wait in the broker; tick until all and their replies have ended."""
        running = self._running
        self._grow(1)
        running.clear()
        with self._serving("poll", consumer(COMMAND)) as children:
            self._offer(self._tenants[0], 1)
            self._settle(2, ticking=True)  # warm-up
            self._offer(self._tenants[0], count)
            pids = {name: child.pid for name, child in children.items()}
            before = [group_seconds(pid) for pid in pids.values()]
            begin = time.perf_counter()
            with Watch(pids["poll"]) as poll, Watch(pids[consumer(COMMAND)]) as consume:
                self._settle(2 + 2 * count, ticking=True)
            seconds = time.perf_counter() - begin
            after = [group_seconds(pid) for pid in pids.values()]
        running.clear()
        polls, consumes = (
            1e3 * (late - early) / count for early, late in zip(before, after, strict=True)
        )
        tenths = ([round(it / MIB, 1) for it in each.parts(_PARTS)] for each in (poll, consume))
        return Load(count, seconds, polls, consumes, poll.peak / MIB, consume.peak / MIB, *tenths)

    def waiting(self, count: int, minutes: int) -> dict[str, Any]:
        """Let so many messages wait in the database to the end, while ticks sweep others."""
        running = self._running
        self._grow(1)
        running.clear()
        first = first_minute()
        in_process(running, "fill", count + DUE * (minutes + FURTHER), first)
        found: dict[str, Any] = in_process(
            running, "sweep", minutes, first, SMARTLINK_POLL_SECONDS="300"
        )
        # Each minute settles what fell due and what came, and sends the replies of the one before.
        settled = found["messages"] * (2 * found["minutes"] - 1)
        if (ended := self._view.count(HISTORY)) != settled:
            message = f"{ended:,} messages and replies have ended, not {settled:,}"
            raise NotReadyError(message)
        running.clear()
        return {"waiting": count, **found}

    def _offer(self, tenant: str, count: int) -> None:
        for start in range(0, count, _OFFERED_AT_ONCE):
            some = offers(min(_OFFERED_AT_ONCE, count - start))
            messages = [{"id": it.id, "type": it.type, "content": it.content} for it in some]
            body = {"tenant": tenant, "messages": messages, "force": True}
            self._running.simulator("POST", "/offer", body)

    def _settle(self, ended: int, *, ticking: bool) -> None:
        """Wait until so much is in the history. Counting costs the emulator seconds when there
        are many: not while the broker has something."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._waiting() or self._view.count(HISTORY) < ended:
            if time.monotonic() > deadline:
                message = f"{self._view.count(HISTORY)} of {ended} ended in time"
                raise NotReadyError(message)
            if ticking:
                self._running.call("poll")
            else:
                time.sleep(_LOOK_SECONDS)

    def _waiting(self) -> bool:
        queues = self._running.simulator("GET", "/queues").values()
        return any(queue["waiting"] or queue["leased"] for queue in queues)

    # Tenants

    def ticks(self, count: int) -> None:
        """Ticks in one instance: a deployment's first, then of a new process, warm, and active."""
        self._grow(count)
        self._running.clear()
        one = {"SMARTLINK_SHARD_TENANTS": str(count), "SMARTLINK_POLL_SECONDS": "300"}
        with self._serving("poll", **one) as children:
            self._tick("first", count, children)
        with self._serving("poll", consumer(COMMAND), **one) as children:
            self._tick("cold", count, children)
            for _ in range(WARM_TICKS):
                self._tick("warm", count, children)
            if count > ACTIVE:
                return
            for tenant in self._tenants:
                self._offer(tenant, 1)
            self._tick("active", count, children)
            self._settle(count, ticking=False)

    def sharded(self, count: int) -> None:
        """Ticks as deployed: the poll keeps 200 tenants and hands the others to `poll_shard`."""
        self._grow(count)
        shard = self._running.program("poll_shard", "poll_shard", WORKERS=str(_SHARD_WORKERS))
        programs = (self._running.program("poll", "poll"), shard)
        with self._running.serving(*programs) as children:
            for kind in ("cold in shards", *["warm in shards"] * WARM_TICKS):
                self._tick(kind, count, children)

    @contextmanager
    def _serving(self, *names: str, **environment: str) -> Iterator[Mapping[str, Child]]:
        programs = [
            self._running.program(
                name,
                name.partition("-")[0],
                None,
                SMARTLINK_COMMAND="" if name == "poll" else COMMAND,
                **environment,
            )
            for name in names
        ]
        with self._running.serving(*programs) as children:
            yield children

    def _grow(self, count: int) -> None:
        self._say(f"growth: {count:,} tenants")
        names = [f"tenant-{number:05d}" for number in range(len(self._tenants), count)]
        self._running.add_tenants(names)
        self._tenants += names

    def _tick(self, kind: str, count: int, children: Mapping[str, Child]) -> None:
        polled = {name: child for name, child in children.items() if name.startswith("poll")}
        before = sum(group_seconds(child.pid) for child in polled.values())
        done = {name: len(_polls(child.log)) for name, child in polled.items()}
        begin = time.time()
        with Watch(polled["poll"].pid) as watch:
            self._running.call("poll")
            ended = self._await_shards(polled, done, count)
        cpu = sum(group_seconds(child.pid) for child in polled.values()) - before
        tick = Tick(kind, count, ended - begin, cpu, watch.peak / MIB)
        self._ticks.append(tick)
        self._say(f"growth: {count} tenants, {kind}: {tick.seconds:.1f} s, {tick.peak:.0f} MiB")

    def _await_shards(self, polled: dict[str, Child], done: dict[str, int], count: int) -> float:
        """When the last of the tick's tenants was polled."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            polls = [it for name, child in polled.items() for it in _polls(child.log)[done[name] :]]
            if sum(it["tenants"] for it in polls) >= count:
                return max(datetime.fromisoformat(it["time"]).timestamp() for it in polls)
            if time.monotonic() > deadline:
                message = f"not all of {count} tenants were polled: {polls}"
                raise NotReadyError(message)
            time.sleep(_LOOK_SECONDS)


def _polls(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [json.loads(line) for line in lines if '"action":"poll_done"' in line]


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print it for people."""
    title = f"Ticks with RAC and broker {found['latencySeconds'] * 1e3:.0f} ms away"
    ticks = Table(box=SIMPLE_HEAD, title=title)
    for column in ("tick", "tenants", "s", "CPU s", "CPU ms/tenant", "MiB"):
        ticks.add_column(column, justify="left" if column == "tick" else "right")
    for it in found["ticks"]:
        seconds = Text(f"{it['seconds']:.2f}")
        if (it["kind"], it["tenants"]) == ("warm", GOAL_TENANTS):
            seconds.stylize("green" if it["seconds"] <= TICK_GOAL_SECONDS else "red")
        per = f"{1e3 * it['cpu'] / it['tenants']:.1f}"
        cells = (f"{it['cpu']:.2f}", per, f"{it['peak']:.0f}")
        ticks.add_row(it["kind"], str(it["tenants"]), seconds, *cells)
    console.print(ticks)
    for it in found["messages"]:
        console.print(
            f"{it['messages']} messages: {it['seconds'] / it['messages'] * 1e3:.2f} ms each; "
            f"CPU {it['pollCpu']:.2f} ms in poll, {it['consumeCpu']:.2f} in consume; "
            f"{it['poll']:.0f} and {it['consume']:.0f} MiB"
        )
    for it in found["waiting"]:
        queries = it["queries"]
        console.print(
            f"{it['waiting']:,} waiting: CPU {it['cpu']:.2f} ms a message, "
            f"{it['pythonCalls']:,.0f} functions called, "
            f"{it['requests']['firestore']:.2f} requests to Firestore; "
            f"{queries['queries']} queries a tick ask for {queries['asked']} documents and get "
            f"{queries['returned']}; {it['peak']:.0f} MiB",
            soft_wrap=True,
        )
    _show_ratios(found["ratios"], console)


def _show_ratios(found: Sequence[Mapping[str, Any]], console: Console) -> None:
    shown = Table(box=SIMPLE_HEAD, title=f"Larger in times of smaller, at most {GOAL:g}")
    for column in ("what", "smaller", "larger", "from", "to", "ratio"):
        shown.add_column(column, justify="right" if column in {"from", "to", "ratio"} else "left")
    for it in found:
        style = "green" if it["met"] else "red"
        figures = (f"{its:.4g}" for its in it["figures"])
        ratio = Text(f"{it['ratio']:.2f}", style=style)
        shown.add_row(f"{it['what']}, {it['unit']}", it["smaller"], it["larger"], *figures, ratio)
    console.print(shown)
