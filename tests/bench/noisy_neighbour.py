"""One tenant at 100 times the load of the others: what do the others notice?

Eight quiet tenants get a message a tick each, at random instants; half of them share the noise's
command, and with it the one subscription that the emulator serves with two pushes at a time. The
noise gets 100 messages a tick. Ticks come at a fixed interval, as Cloud Scheduler's do, only
shorter, and a poll ends before the next one. Rounds with and without the noise alternate.

A quiet message's time from its arrival at the broker to its settlement is told in three parts:
until the next tick begins (which no neighbour changes), from there until it is received (the
turns before its own), and from there until it is settled (its place in the queue, and the CPU).
Beside it stands how busy the machine was: on one that the noise saturates, all slow down alike.
What the relay itself decides is counted without a clock: turns, and messages ahead in the queue.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from google.cloud import firestore
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.local.errors import LocalStackError, NotReadyError
from infra.local.functions import load_catalog
from infra.local.provision import DEFAULT_CONFIG
from infra.local.rest import Rest
from smartlink.domain.catalog import Catalog, Command
from tests.bench.emulated import environment
from tests.bench.report import percentile
from tests.bench.workload import COMMAND, QUIET, Offer, offer_due, offers
from tests.chaos.stack import PROJECT, Stack, Wanted, running, tenant
from tests.support.inline import InlineTurns
from tests.support.world import COMMAND as PROBE
from tests.support.world import OTHER, World

NOISY, TIMES = "noisy", 100
SHARING = tuple(f"sharing-{number}" for number in range(1, 5))  # the noise's command
APART = tuple(f"apart-{number}" for number in range(1, 5))  # another command
GROUPS: Mapping[str, Sequence[str]] = {"the noise's": SHARING, "another": APART}
TICK_SECONDS = 3.0
TICKS = 12  # of a round
QUICK_TICKS = 6
LIMIT = 0.10  # by how much the 99th percentile may rise
PARTS = ("arrival to settled", "tick to received", "received to settled")
_BEAT_SECONDS = 0.02
_PATIENCE_SECONDS = 120
_COUNTED_TICKS = 20

Say = Callable[[str], None]
_Work = TypeVar("_Work")


@dataclass(frozen=True)
class Round:
    """What one round measured: by group and part, the seconds of each quiet message."""

    seconds: Mapping[str, Mapping[str, Sequence[float]]]
    busy: float | None  # share of the machine's CPU time, while messages came
    noise: int  # messages


@dataclass
class NoisyNeighbour:
    """All rounds."""

    alone: list[Round] = field(default_factory=list)
    noisy: list[Round] = field(default_factory=list)
    counted: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def p99(self, group: str, part: str) -> tuple[float, float]:
        """The median of the rounds' 99th percentiles, without and with the noise."""
        alone, noisy = (
            median(percentile(its.seconds[group][part], 0.99) for its in rounds)
            for rounds in (self.alone, self.noisy)
        )
        return alone, noisy

    def met(self, group: str) -> bool:
        """Whether the whole time rose by no more than it may."""
        alone, noisy = self.p99(group, PARTS[0])
        return noisy <= alone * (1 + LIMIT)

    def json(self) -> dict[str, Any]:
        """Write it for programs."""
        return {
            "tickSeconds": TICK_SECONDS,
            "timesTheLoad": TIMES,
            "machineBusy": {"alone": _busy(self.alone), "noisy": _busy(self.noisy)},
            "noiseMessages": [its.noise for its in self.noisy],
            "groups": {
                group: {"met": self.met(group)}
                | {part: self._figures(group, part) for part in PARTS}
                for group in GROUPS
            },
            "counted": self.counted,
        }

    def _figures(self, group: str, part: str) -> dict[str, Any]:
        alone, noisy = self.p99(group, part)
        return {
            "p99Alone": round(alone, 3),
            "p99Noisy": round(noisy, 3),
            "rise": round(noisy / alone - 1, 3),
            "p50Alone": round(median(_all(self.alone, group, part)), 3),
            "p50Noisy": round(median(_all(self.noisy, group, part)), 3),
            "messages": len(_all(self.noisy, group, part)),
        }

    def show(self, console: Console) -> None:
        """Print it for people."""
        title = f"A neighbour at {TIMES} times the load: seconds; expected at most {LIMIT:+.0%}"
        shown = Table(box=SIMPLE_HEAD, title=title)
        for column in ("command", "time from"):
            shown.add_column(column, no_wrap=True)
        for column in ("p99", "noisy", "rise", "p50", "noisy"):
            shown.add_column(column, justify="right", no_wrap=True)
        for group in GROUPS:
            for part in PARTS:
                its = self._figures(group, part)
                rise = Text(f"{its['rise']:+.0%}")
                if part == PARTS[0]:
                    rise.stylize("green" if self.met(group) else "red")
                p99, p50 = (
                    [f"{its[f'{name}{when}']:.2f}" for when in ("Alone", "Noisy")]
                    for name in ("p99", "p50")
                )
                shown.add_row(group, part, *p99, rise, *p50)
        console.print(shown)
        busy = self.json()["machineBusy"]
        console.print(f"CPU of the machine: {busy['alone']} alone, {busy['noisy']} with the noise")
        for name, counts in self.counted.items():
            its_counts = ", ".join(f"{what} {number}" for what, number in counts.items())
            console.print(f"counted, without a clock, {name}: {its_counts}", soft_wrap=True)


def _all(rounds: Sequence[Round], group: str, part: str) -> list[float]:
    return [seconds for its in rounds for seconds in its.seconds[group][part]]


def _busy(rounds: Sequence[Round]) -> float | None:
    known = [its.busy for its in rounds if its.busy is not None]
    return round(median(known), 2) if known else None


# On the clock.


def noisy_neighbour(rounds: int, say: Say, *, quick: bool) -> NoisyNeighbour:
    """Measure; each round both without and with the noise."""
    measured = NoisyNeighbour(counted=counted())
    ticks = QUICK_TICKS if quick else TICKS
    with TemporaryDirectory(prefix="noisy-") as folder, running(_wanted(), Path(folder)) as stack:
        rounder = _Rounds(stack)
        rounder.run(QUICK_TICKS, noisy=True)  # warm-up
        for number in range(rounds):
            for noisy in (False, True) if number % 2 else (True, False):
                say(f"noisy neighbour: round {number + 1} of {rounds}, noise {noisy}")
                its = measured.noisy if noisy else measured.alone
                its.append(rounder.run(ticks, noisy=noisy))
    return measured


def _wanted() -> Wanted:
    def command(topic: str) -> Command:
        return Command(module="consumers.bench", topic=topic, timeout=60)

    commands = {COMMAND: command("bench-command"), QUIET: command("bench-quiet-command")}
    return Wanted(
        catalog=Catalog(functions=load_catalog().functions, commands=commands),
        tenants=tuple(map(tenant, (NOISY, *SHARING, *APART))),
        config=DEFAULT_CONFIG,
        consumer=Path(__file__).with_name("consumer.py"),
        module="bench",
        environment={"SMARTLINK_POLL_SECONDS": str(TICK_SECONDS - 1)},
        proxied=False,
        quick=False,
    )


class _Rounds:
    """Runs rounds on one stack."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._dice = random.Random("noisy neighbour")
        with environment(FIRESTORE_EMULATOR_HOST=stack.addresses.firestore):
            self._database: Any = firestore.Client(project=PROJECT)

    def run(self, ticks: int, *, noisy: bool) -> Round:
        """Let messages come for so many ticks, and wait until all of them are settled."""
        self._clear()
        waiting = self._schedule(ticks, noisy=noisy)
        expected = {name: sum(name == tenant for _, tenant, _ in waiting) for name in _tenants()}
        arrived: dict[str, float] = {}
        with _Ticks(self._stack) as beats:
            before, start = _cpu_times(), time.time()
            while waiting:
                arrived |= offer_due(self._stack.simulator, waiting, time.time() - start)
                time.sleep(_BEAT_SECONDS)
            after = _cpu_times()
            self._await(expected)
        found = {name: self._settled(name) for names in GROUPS.values() for name in names}
        seconds = {
            group: _seconds([it for name in names for it in found[name].items()], arrived, beats)
            for group, names in GROUPS.items()
        }
        return Round(seconds, _share(before, after), expected[NOISY])

    def _schedule(self, ticks: int, *, noisy: bool) -> list[tuple[float, str, Offer]]:
        """Who gets what when, the latest first."""
        schedule: list[tuple[float, str, Offer]] = []
        for name in _tenants():
            each = (TIMES if noisy else 0) if name == NOISY else 1
            kind = QUIET if name in APART else COMMAND
            for tick in range(ticks):
                for offer in offers(each, kind):
                    at = (tick + self._dice.random()) * TICK_SECONDS
                    schedule.append((at, name, offer))
        return sorted(schedule, key=lambda it: -it[0])

    def _await(self, expected: Mapping[str, int]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for name, count in expected.items():
            while len(self._settled(name)) < count:
                self._stack.services.check()
                if time.monotonic() > deadline:
                    message = f"not all messages of {name} were settled in time"
                    raise NotReadyError(message)
                time.sleep(TICK_SECONDS / 2)

    def _settled(self, name: str) -> dict[str, tuple[float, float]]:
        """When each message was received and when its history was committed."""
        history = self._database.collection("tenants").document(name)
        found = history.collection("GTotvsLinkMessageExec").select(["DataRecebimento"]).stream()
        return {
            it.id.removeprefix("D-"): (
                it.get("DataRecebimento").timestamp(),
                it.create_time.timestamp(),
            )
            for it in found
            if it.id.startswith("D-")
        }

    def _clear(self) -> None:
        """Empty the database: a round must not pay for what another one has stored."""
        place = f"emulator/v1/projects/{PROJECT}/databases/(default)/documents"
        Rest().call("DELETE", f"http://{self._stack.addresses.firestore}/{place}")


def _tenants() -> tuple[str, ...]:
    return (NOISY, *SHARING, *APART)


def _seconds(
    found: Sequence[tuple[str, tuple[float, float]]], arrived: Mapping[str, float], beats: "_Ticks"
) -> dict[str, list[float]]:
    whole, until_received, until_settled = [], [], []
    for identity, (received, settled) in found:
        at = arrived[identity]
        tick = next((beat for beat in beats.began if beat >= at), received)
        whole.append(settled - at)
        # One that came while a poll ran may be received in that very poll.
        until_received.append(max(0.0, received - min(tick, received)))
        until_settled.append(settled - received)
    return dict(zip(PARTS, (whole, until_received, until_settled), strict=True))


class _Ticks:
    """Calls poll at a fixed interval; a poll that takes longer replaces the ticks it delays."""

    def __init__(self, stack: Stack) -> None:
        self.began: list[float] = []
        self._stack = stack
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticks", daemon=True)

    def __enter__(self) -> "_Ticks":  # noqa: PYI034  (its name is enough)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        start = time.monotonic()
        while not self._stop.is_set():
            self.began.append(time.time())
            try:
                self._stack.poll()
            except LocalStackError:
                continue
            self._stop.wait(TICK_SECONDS - (time.monotonic() - start) % TICK_SECONDS)


def _cpu_times() -> list[int] | None:
    """The machine's CPU time by kind, where the system tells (Linux)."""
    stat = Path("/proc/stat")
    return list(map(int, stat.read_text().split("\n")[0].split()[1:])) if stat.is_file() else None


def _share(before: list[int] | None, after: list[int] | None) -> float | None:
    if before is None or after is None:
        return None
    spent = [late - early for early, late in zip(before, after, strict=True)]
    idle = spent[3] + spent[4]  # idle, and waiting for a disk
    return 1 - idle / sum(spent)


# Without a clock: what the relay itself decides.


class _CountedTurns(InlineTurns):
    """Notes whose turn it is."""

    order: list[str]

    def __call__(
        self,
        work: Sequence[_Work],
        perform: Callable[[_Work, Callable[[_Work], None]], None],
        deadline: datetime,
    ) -> list[_Work]:
        self.order = []

        def counted(item: Any, push: Callable[[Any], None]) -> None:  # noqa: ANN401
            self.order.append(item[0].name)
            perform(item, push)

        return super().__call__(work, counted, deadline)


def counted() -> dict[str, dict[str, int]]:
    """Turns and messages before a quiet tenant's own, at worst, and ticks until all is settled."""
    return {"alone": _count(noise=0), "with the noise": _count(noise=TIMES)}


def _count(noise: int, each: int = 10) -> dict[str, int]:
    """A quiet tenant gets `each` messages a tick."""
    world = World(tenants=_tenants())
    world.broker.page = 10
    turns = world.turns = _CountedTurns(world.clock)
    world.cold_start()
    worst = {"turns before": 0, "noise's messages before": 0, "ticks": 0}
    for _ in range(_COUNTED_TICKS):
        wanted = {
            name: [
                world.broker.offer(name, OTHER if name in APART else PROBE)
                for _ in range(each * noise if name == NOISY else each)
            ]
            for name in _tenants()
        }
        world.tick(minutes=1)
        ticks = 1
        for name in (*SHARING, *APART):
            worst["turns before"] = max(worst["turns before"], turns.order.index(name))
        queue = [it.attributes for _, it in world.publisher.published]
        for early, _ in _before(queue):
            worst["noise's messages before"] = max(worst["noise's messages before"], early)
        while world.deliver():
            pass
        while any(set(wanted[name]) - world.ended(name).keys() for name in (*SHARING, *APART)):
            world.minute()
            ticks += 1
        worst["ticks"] = max(worst["ticks"], ticks)
    return worst


def _before(queue: Sequence[Mapping[str, str]]) -> list[tuple[int, str]]:
    """How many of the noise's messages stand before each sharing tenant's, in their queue."""
    ahead, found = 0, []
    for attributes in queue:
        if attributes["tenant"] == NOISY:
            ahead += int(attributes["messages"])
        elif attributes["tenant"] in SHARING:
            found.append((ahead, attributes["tenant"]))
    return found
