"""Arrival to settled: with a tick a minute, and inside a tick that drains.

The ticks are compressed, and the result is exact all the same: a message waits for the next tick,
and then for its service. A wait scales with the interval (arrivals come at random instants, so
it is spread evenly over it, whatever its length); the service, from the tick's beginning to the
settlement, knows nothing of the interval as long as a poll ends before the next tick and each
tick finds as many messages as it would in a minute. So each message's minute-latency is its
measured wait times (60 s / interval), plus its measured service.

Inside a tick that drains, a poll follows at once on the last: the message waits for no tick.
That is what a message sees that arrives while its tenant's backlog is received.
"""

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from infra.local.errors import NotReadyError
from infra.local.firestore_view import HISTORY
from infra.local.functions import consumer
from tests.bench.report import percentile
from tests.bench.services import Services, services
from tests.bench.ticks import Ticks
from tests.bench.workload import COMMAND, offer_due, offers

MINUTE = 60.0
INTERVAL_SECONDS = 2.0
TICKS, QUICK_TICKS = 15, 4
TENANTS = tuple(f"tenant-{number}" for number in range(8))
EACH = 3  # messages of a tenant in each interval: so many in a minute, in each tick
LATENCIES = {"nearby": 0.0, "100 ms away": 0.1}  # the broker and RAC
_PATIENCE_SECONDS = 60
_BEAT_SECONDS = 0.01

Say = Callable[[str], None]


@dataclass(frozen=True)
class Latency:
    """One situation: seconds from a message's arrival to its settlement."""

    broker: str
    kind: str
    p50: float
    p99: float
    serviceP50: float  # noqa: N815  (its name in JSON) from the tick's beginning
    serviceP99: float  # noqa: N815
    messages: int


@dataclass(frozen=True)
class Passed:
    """A message's way: when it arrived, was looked for, and was settled."""

    arrived: float
    ticked: float
    settled: float


def latencies(say: Say, *, quick: bool) -> list[Latency]:
    """Measure each situation."""
    found: list[Latency] = []
    with services(quick=quick) as running:
        running.add_tenants(TENANTS)
        programs = (
            running.program("poll", "poll"),
            running.program(consumer(COMMAND), "consume", SMARTLINK_COMMAND=COMMAND, THREADS="8"),
        )
        with running.serving(*programs):
            bench = _Bench(running)
            bench.run(QUICK_TICKS, INTERVAL_SECONDS)  # sets up, and warms up
            for name, seconds in LATENCIES.items():
                options = {"latencySeconds": seconds, "racLatencySeconds": seconds}
                running.simulator("PUT", "/options", options)
                ticks = QUICK_TICKS if quick else TICKS
                say(f"latency: broker {name}, a tick a minute")
                found.append(by_minute(name, bench.run(ticks, INTERVAL_SECONDS)))
                say(f"latency: broker {name}, draining")
                found.append(draining(name, bench.run(ticks, 0)))
    return found


def by_minute(broker: str, passed: Sequence[Passed]) -> Latency:
    """What the compressed ticks come to with one a minute."""
    scale = MINUTE / INTERVAL_SECONDS
    whole = [(it.ticked - it.arrived) * scale + it.settled - it.ticked for it in passed]
    return _latency(broker, "a tick a minute", whole, passed)


def draining(broker: str, passed: Sequence[Passed]) -> Latency:
    """As it was measured."""
    whole = [it.settled - it.arrived for it in passed]
    return _latency(broker, "draining", whole, passed)


def _latency(broker: str, kind: str, whole: Sequence[float], passed: Sequence[Passed]) -> Latency:
    service = [it.settled - max(it.ticked, it.arrived) for it in passed]

    def at(values: Sequence[float], share: float) -> float:
        return round(percentile(values, share), 3)

    return Latency(
        broker,
        kind,
        p50=at(whole, 0.5),
        p99=at(whole, 0.99),
        serviceP50=at(service, 0.5),
        serviceP99=at(service, 0.99),
        messages=len(passed),
    )


class _Bench:
    """Messages at random instants, polls at a fixed interval or back to back."""

    def __init__(self, running: Services) -> None:
        self._running = running
        self._dice = random.Random("latency")

    def run(self, ticks: int, interval: float) -> list[Passed]:
        """Let messages come for so many intervals; answer how they passed."""
        span = ticks * (interval or INTERVAL_SECONDS)
        waiting = sorted(
            (
                ((number + self._dice.random()) * span / (EACH * ticks), tenant, offer)
                for tenant in TENANTS
                for number, offer in enumerate(offers(EACH * ticks))
            ),
            key=lambda it: -it[0],
        )
        expected = len(waiting)
        self._running.clear()
        arrived: dict[str, float] = {}
        with Ticks(lambda: self._running.call("poll"), interval) as beats:
            start = time.time()
            while waiting:
                arrived |= offer_due(self._running.simulator, waiting, time.time() - start)
                time.sleep(_BEAT_SECONDS)
            settled = self._await(expected)
        began = beats.began
        return [
            Passed(at, min((it for it in began if it >= at), default=at), settled[identity])
            if interval
            else Passed(at, at, settled[identity])
            for identity, at in arrived.items()
        ]

    def _await(self, count: int) -> dict[str, float]:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while len(found := self._settled()) < count:
            if time.monotonic() > deadline:
                message = f"{len(found)} of {count} messages were settled in time"
                raise NotReadyError(message)
            time.sleep(INTERVAL_SECONDS / 2)
        return found

    def _settled(self) -> dict[str, float]:
        """When each message's history was committed, by the database's clock."""
        return {
            document.removeprefix("D-"): at
            for (_, document), at in self._running.committed(HISTORY)
            if document.startswith("D-")
        }


def as_json(found: Sequence[Latency]) -> list[dict[str, Any]]:
    """Write them for programs."""
    return json.loads(json.dumps([asdict(it) for it in found]))  # type: ignore[no-any-return]


def show(found: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print them for people."""
    shown = Table(box=SIMPLE_HEAD, title="Arrival to settled, seconds")
    for column in ("broker", "when", "p50", "p99", "service p50", "service p99", "messages"):
        shown.add_column(column, justify="left" if column in {"broker", "when"} else "right")
    for it in found:
        figures = (f"{it[key]:.2f}" for key in ("p50", "p99", "serviceP50", "serviceP99"))
        shown.add_row(it["broker"], it["kind"], *figures, str(it["messages"]))
    console.print(shown)
