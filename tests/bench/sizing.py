"""Sizes a deployment: what a load takes of each service, and which of their quotas it meets.

`python -m tests.bench.sizing [--tenants N --rate N]`: from the newest figures in `.bench/`, the
operations, CPU and memory that were measured, and the assumptions below. It extrapolates: no
emulator is as fast, or as slow, as the cloud.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import Any

from infra.deploy.costs import read
from infra.local.checkout import ROOT
from smartlink.settings import Settings
from tests.bench.latest import LATEST

LOADS = ((100, 10), (1_000, 100), (10_000, 1_000), (100_000, 10_000))  # tenants, messages a second
_MINUTE, _HOUR, _MONTH = 60, 3_600, 2_592_000
_USED = 0.7  # of an instance's time, or its CPU, at most: the rest is for peaks
_RAMP_START, _RAMP_FACTOR, _RAMP_MINUTES = 500, 1.5, 5  # Firestore's 500/50/5 rule
_LIST_PAGE, _LIST_SECONDS = 1_000, 0.2  # secrets in a page; how long a page takes, about
PENDING = 10.0  # seconds that Cloud Run lets a request wait for an instance: then it is refused
START = 1.5  # seconds of an instance's start, Cloud Run's part and ours
SECRET = 0.03  # seconds of a secret's access
CONNECT_CPU = 0.0018  # seconds of CPU of a new connection: TLS, which no emulator speaks
_USED_SECONDS = 30  # of a tick's 60: a push that was refused comes again after 10 s, then 20 s
_STORE_CALLS = 4  # of Firestore for a message: create, read the history; claim and settle its reply
_MAX_VISITS = 60  # ticks of an hour, in which a payload is kept
_WHOLE = 10  # from here on, decimals say nothing


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What no bench here can measure."""

    latency: float = 0.1  # seconds of a call to the broker
    connect: float = 0.05  # seconds of a new connection to it, TLS included
    store: float = 0.01  # seconds of a call to Firestore
    consumer: float = 0.1  # seconds of a consumer for each message, waiting for its ERP mostly
    concurrency: int = 1  # messages' batches at once in an instance of consume
    replies: float = 1.0  # for each message
    per_get: float = 1.0  # messages in an answer to `get`


@dataclass(frozen=True, slots=True)
class Measured:
    """The unit costs, of the newest run."""

    operations: Mapping[str, Mapping[str, float]]
    poll_cpu: float  # seconds for each message
    consume_cpu: float
    idle_cpu: float  # seconds for each tenant and tick
    cold_cpu: float  # the same in the first tick of a process
    poll_memory: float  # MiB
    consume_memory: float
    dollars: Mapping[str, float]


class IncompleteError(Exception):
    """A part has not been measured."""


def measured(results: Mapping[str, Any]) -> Measured:
    """Take the unit costs from the results. Raises IncompleteError."""
    lacking = [name for name in ("operations", "growth") if not results.get(name)]
    if lacking:
        parts = " ".join(lacking)
        message = f"{LATEST} lacks parts: run make bench ARGS='--only {parts}'"
        raise IncompleteError(message)
    growth, operations = results["growth"], results["operations"]
    counted = operations["counted"]
    # A consumer writes a line, as a rule.
    with_line = Counter(counted["message"]) + Counter(counted["consumerLogLine"])
    load = growth["messages"][-1]
    warm, cold = (
        max((it for it in growth["ticks"] if it["kind"] == kind), key=lambda it: it["tenants"])
        for kind in ("warm", "cold")
    )
    return Measured(
        operations={**counted, "message": with_line},
        poll_cpu=load["pollCpu"] / 1e3,
        consume_cpu=load["consumeCpu"] / 1e3,
        idle_cpu=warm["cpu"] / warm["tenants"],
        cold_cpu=cold["cpu"] / cold["tenants"],
        poll_memory=max(
            *(it["poll"] for it in growth["messages"]), *(it["peak"] for it in growth["ticks"])
        ),
        consume_memory=max(it["consume"] for it in growth["messages"]),
        dollars=operations["dollars"],
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of each load, and where it ends."""

    name: str
    figures: tuple[float, ...]
    limit: float | None = None  # a quota in force by default, or a limit of the relay's own
    of: str = ""  # whose


Load = tuple[float, float]  # tenants, messages a second


def broker_calls(assumed: Assumed) -> float:
    """Calls for a message: ack, its share of a get, send."""
    return 1 + 1 / assumed.per_get + assumed.replies


def poll_instances(
    unit: Measured, assumed: Assumed, load: Load, own: Mapping[str, float] | None = None
) -> int:
    """Instances of `poll` and `poll_shard`, so that ticks keep up right after a deployment.

    `poll` has one, for the first shard. cloud.py simulates what follows. `own` are settings
    that are not the defaults.
    """
    return _poll_instances(unit, assumed, load, _USED_SECONDS, own)


def unrefused_instances(unit: Measured, assumed: Assumed, load: Load) -> int:
    """As many that no push of a shard waits so long for an instance that it is refused."""
    return _poll_instances(unit, assumed, load, PENDING - START)


def _poll_instances(
    unit: Measured,
    assumed: Assumed,
    load: Load,
    used: float,
    own: Mapping[str, float] | None = None,
) -> int:
    """Whichever is scarcer, threads or CPU; each instance works for `used` seconds of a tick."""
    tenants, rate = load
    settings = {**_defaults(), **(own or {})}
    shards = max(1, ceil(tenants / settings["shard_tenants"]))
    # A new instance has neither connection nor token nor payload.
    visit = assumed.connect + 2 * assumed.latency + assumed.store + SECRET
    message = assumed.latency * broker_calls(assumed) + assumed.store * _STORE_CALLS
    waits = (tenants * visit + _MINUTE * rate * message) / settings["poll_threads"]
    waits += shards * visit / 2  # a shard's last turns leave threads without work
    busy = tenants * (unit.cold_cpu + CONNECT_CPU) + _MINUTE * rate * unit.poll_cpu
    seconds = max(waits, busy / _USED)
    first = min(seconds / shards, settings["poll_seconds"])
    return 1 + ceil((seconds - first) / used)


def consume_instances(unit: Measured, assumed: Assumed, load: Load) -> int:
    """Instances of consume: by the consumers' time, and at any concurrency by their CPU.

    A minute's messages come while the tick lasts, not all minute long: a part stays unused.
    """
    rate = load[1]
    by_time = rate * (assumed.consumer + unit.consume_cpu) / assumed.concurrency
    return max(1, ceil(by_time / _USED), ceil(rate * unit.consume_cpu / _USED))


def size(unit: Measured, assumed: Assumed, loads: Sequence[Load]) -> list[Line]:
    """What each load takes."""
    settings = _defaults()

    def line(
        name: str, figure: Callable[[float, float], float], limit: float | None = None, of: str = ""
    ) -> Line:
        return Line(name, tuple(figure(*load) for load in loads), limit, of)

    def operations(name: str) -> Callable[[float, float], float]:
        message, reply, idle = (
            unit.operations[kind].get(name, 0) for kind in ("message", "reply", "idleTenantMinute")
        )
        return lambda tenants, rate: (
            rate * (message + assumed.replies * reply) + tenants * idle / _MINUTE
        )

    calls = broker_calls(assumed)

    def polls(tenants: float, rate: float) -> float:
        return poll_instances(unit, assumed, (tenants, rate))

    def consumes(tenants: float, rate: float) -> float:
        return consume_instances(unit, assumed, (tenants, rate))

    def accesses(tenants: float, rate: float) -> float:
        """A minute's. Each instance that meets a tenant within an hour reads its payload once."""
        return tenants * min(polls(tenants, rate), _MAX_VISITS) / _MINUTE

    reads, writes, deletes = map(operations, ("firestoreRead", "firestoreWrite", "firestoreDelete"))
    published = unit.operations["message"]["pubsubBytes"]
    pushes = unit.operations["message"]["pubsubMessages"]
    per_tenant = settings["receivers"] / (assumed.latency * (1 + 1 / assumed.per_get))
    million = unit.dollars["million messages, each with a reply"]
    thousand = unit.dollars["1,000 idle tenants, a month"]
    return [
        line("instances of poll and poll_shard", polls, 100, "Cloud Run, a service's default"),
        line(
            "… so that no shard is refused at first",
            lambda *it: unrefused_instances(unit, assumed, it),
            100,
            "Cloud Run, a service's default",
        ),
        line(
            f"instances of consume at concurrency {assumed.concurrency}",
            consumes,
            100,
            "Cloud Run, a service's default",
        ),
        line("Firestore reads a second", reads),
        line("Firestore writes and deletes a second", lambda *it: writes(*it) + deletes(*it)),
        line(
            "minutes to ramp Firestore up to that",
            lambda *it: ramp_minutes(writes(*it) + deletes(*it)),
        ),
        line(
            "a tenant's share, messages a second",
            lambda tenants, rate: rate / tenants,
            per_tenant * settings["poll_seconds"] / _MINUTE,
            f"{settings['receivers']} sessions of a tenant, {assumed.latency * 1e3:.0f} ms a call",
        ),
        line(
            "Pub/Sub, MB a second published", lambda _, rate: rate * published / 1e6, 50, "region"
        ),
        line("Pub/Sub, MB a second pushed", lambda _, rate: rate * published / 1e6, 20, "region"),
        line("pushes a second", lambda _, rate: rate * pushes),
        line("Secret Manager accesses a minute", accesses, 90_000, "project"),
        line("… in the minute after a deployment", lambda tenants, _: tenants, 90_000, "project"),
        line(
            "seconds to list the secrets, every 5 minutes",
            lambda tenants, _: ceil(tenants / _LIST_PAGE) * _LIST_SECONDS,
            settings["poll_seconds"],
            "a poll's time",
        ),
        line("shards a minute", lambda tenants, _: ceil(tenants / settings["shard_tenants"])),
        line(
            "broker calls a second",
            lambda tenants, rate: rate * calls + tenants / _MINUTE,
        ),
        line(
            "US$ a month",
            lambda tenants, rate: rate * _MONTH / 1e6 * million + tenants / 1e3 * thousand,
        ),
    ]


def ramp_minutes(operations: float) -> float:
    """How long 500/50/5 asks for: 500 a second at first, half as much again every 5 minutes."""
    if operations <= _RAMP_START:
        return 0
    return ceil(log(operations / _RAMP_START) / log(_RAMP_FACTOR)) * _RAMP_MINUTES


def _defaults() -> dict[str, float]:
    names = ("poll_seconds", "poll_threads", "shard_tenants", "receivers")
    return {name: Settings.model_fields[name].default for name in names}


def table(lines: Sequence[Line], loads: Sequence[Load]) -> str:
    """As Markdown; what exceeds a limit is bold."""
    heads = [f"{tenants:,.0f} tenants, {rate:,.0f}/s" for tenants, rate in loads]
    rows = [f"| | {' | '.join(heads)} | ends at |", f"|---|{'---:|' * len(heads)}---|"]
    for line in lines:
        cells = [_cell(figure, line.limit) for figure in line.figures]
        ends = "" if line.limit is None else f"{_plain(line.limit)} ({line.of})"
        rows.append(f"| {line.name} | {' | '.join(cells)} | {ends} |")
    return "\n".join(rows)


def _cell(figure: float, limit: float | None) -> str:
    text = _plain(figure)
    return f"**{text}**" if limit is not None and figure > limit else text


def _plain(figure: float) -> str:
    whole = figure >= _WHOLE or figure == int(figure)
    return f"{figure:,.0f}" if whole else f"{figure:.2g}"


def consumer_seconds() -> float:
    """What the bill assumes of a consumer, for each message."""
    return float(read()["numbers"]["consumeSecondsPerMessage"])


def latest() -> dict[str, Any]:
    """The newest figures. Raises IncompleteError where there are none."""
    path = ROOT / ".bench" / LATEST
    if not path.is_file():
        message = f"there is no {path.relative_to(ROOT)}: run make bench first"
        raise IncompleteError(message)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def main(arguments: Sequence[str]) -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.sizing", description=__doc__)
    parser.add_argument("--tenants", type=int, help="with --rate, one load instead of four")
    parser.add_argument("--rate", type=float, help="messages a second")
    parser.add_argument("--latency", type=float, default=Assumed.latency, help="s, of the broker")
    stands = consumer_seconds()
    parser.add_argument("--consumer", type=float, default=stands, help="s for each message")
    parser.add_argument("--concurrency", type=int, default=Assumed.concurrency, help="of consume")
    parser.add_argument("--per-get", type=float, default=Assumed.per_get, help="messages a get")
    asked = parser.parse_args(arguments)
    loads: Sequence[Load] = LOADS
    if asked.tenants is not None and asked.rate is not None:
        loads = ((asked.tenants, asked.rate),)
    assumed = Assumed(
        latency=asked.latency,
        consumer=asked.consumer,
        concurrency=asked.concurrency,
        per_get=asked.per_get,
    )
    try:
        lines = size(measured(latest()), assumed, loads)
    except IncompleteError as error:
        sys.stderr.write(f"sizing: {error}\n")
        return 1
    sys.stdout.write(table(lines, loads) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
