"""Operations for each message and each idle tenant-minute, counted at the wire, and their price.

Both run in a process of its own (in_process.py), on the deployed adapters and the emulators. What
is counted must be what terraform/prices.json says under `counted`: from there the bill is computed.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.deploy.costs import PRICES, bills
from infra.local.checkout import ROOT
from infra.local.errors import NotReadyError
from infra.local.functions import function_environment
from smartlink.domain.tenant import TenantEntry
from smartlink.services.polling.shard import cut
from tests.bench.services import Services, services
from tests.bench.workload import COMMAND, QUIET, SILENT, offers

BATCH = 400  # messages that wait together
DEPLOYED, SHARD = 1_000, 200  # idle tenants, of which one shard is counted
MINUTES = 60  # what comes once an hour is in it once
ALONE = "tenant-0"  # the one that gets messages, before there are others
LARGE, LARGE_BYTES = 10, 300_000
_NOTHING = 0.0005  # what rounding leaves

MESSAGE, LINE, REPLY = "message", "consumerLogLine", "reply"
LARGE_MESSAGE, IDLE = "largeMessage", "idleTenantMinute"

Counted = Mapping[str, Mapping[str, float]]


def shard() -> list[str]:
    """The tenants of one shard of a thousand, with ALONE: they are in few buckets."""
    entries = [TenantEntry(f"tenant-{number}", "") for number in range(DEPLOYED)]
    shards = [[it.name for it in its] for its in cut(entries, SHARD)]
    return next(its for its in shards if ALONE in its)


# In the process that is counted.


def count_messages(batch: int) -> dict[str, dict[str, float]]:
    """Count for one message, in batches of one tenant. Nobody is idle beside it."""
    from tests.bench.in_process import Relay  # noqa: PLC0415  (clients are made under the counter)
    from tests.support.wire_counter import WireCounter  # noqa: PLC0415

    counter = WireCounter(_hosts())
    with counter.counting():
        relay = Relay()
        spent = _Spent(counter.counts)

        def work(kind: str, count: int, content: str | None = None) -> None:
            waiting = offers(count, kind)
            if content is not None:
                waiting = [type(it)(it.id, content, it.type) for it in waiting]
            relay.offer(ALONE, waiting)
            relay.tick()
            relay.consume(relay.take())

        for _ in range(2):
            relay.tick()  # sets up
        work(QUIET, 1)
        spent.since()
        work(SILENT, batch)
        message = spent.since()
        work(QUIET, batch)
        line = spent.since(message)
        work(COMMAND, batch)
        relay.tick()  # sends
        reply = spent.since(message, line)
        work(SILENT, LARGE, json.dumps({"requestID": "r", "padding": "x" * LARGE_BYTES}))
        large = {k: v for k, v in spent.since().items() if k.startswith("storage")}
    parts = ((MESSAGE, message), (LINE, line), (REPLY, reply))
    return {name: _each(its, batch) for name, its in parts} | {LARGE_MESSAGE: _each(large, LARGE)}


def count_idle(minutes: int) -> dict[str, dict[str, float]]:
    """Count for one tenant and minute, of a shard of idle tenants.

    It begins at a full hour: hourly figures are counted a quarter of an hour after it, at the
    latest half an hour, so no time of day decides whether they are among what is counted.
    """
    from tests.bench.in_process import Relay  # noqa: PLC0415
    from tests.support.wire_counter import WireCounter  # noqa: PLC0415

    counter = WireCounter(_hosts())
    with counter.counting():
        relay = Relay()
        relay.tick_at(datetime.now(UTC).replace(minute=0, second=1) + timedelta(hours=1))
        for _ in range(2):
            relay.tick()  # sets up
        spent = _Spent(counter.counts)
        spent.since()
        for _ in range(minutes):
            relay.tick()
        idle = spent.since()
    return {IDLE: _each(idle, len(shard()) * minutes)}


def _each(spent: Mapping[str, float], count: int) -> dict[str, float]:
    return {kind: round(n / count, 5) for kind, n in sorted(spent.items()) if n / count > _NOTHING}


class _Spent:
    def __init__(self, counts: Callable[[], Counter[str]]) -> None:
        self._counts = counts
        self._before: Counter[str] = Counter()

    def since(self, *without: Mapping[str, float]) -> dict[str, float]:
        """What was counted since the last call, less what other counts explain."""
        now = self._counts()
        names = now.keys() | {name for other in without for name in other}
        spent = {
            name: now[name] - self._before[name] - sum(other.get(name, 0) for other in without)
            for name in names
        }
        self._before = now
        return spent


def _hosts() -> dict[str, str]:
    names = {
        "FIRESTORE_EMULATOR_HOST": "firestore",
        "PUBSUB_EMULATOR_HOST": "pubsub",
        "STORAGE_EMULATOR_HOST": "storage",
        "SECRET_MANAGER_EMULATOR_HOST": "secretManager",
        "SMARTLINK_BASE_URL": "simulator",
    }
    return {os.environ[it].removeprefix("http://"): name for it, name in names.items()}


# Outside.


def operations(*, quick: bool) -> dict[str, dict[str, float]]:
    """Count on emulators of its own."""
    with services(quick=quick) as running:
        return counted(running)


def counted(running: Services) -> dict[str, dict[str, float]]:
    """Count on emulators that are up and hold nothing yet."""
    running.add_tenants([ALONE])
    found: dict[str, dict[str, float]] = in_process(running, "messages", BATCH)
    return found | idle(running)


def idle(running: Services) -> dict[str, dict[str, float]]:
    """Count an hour of a shard of idle tenants, where one is already."""
    running.add_tenants([name for name in shard() if name != ALONE])
    found: dict[str, dict[str, float]] = in_process(running, "idle", MINUTES)
    return found


def in_process(running: Services, what: str, *counts: int, **variables: str) -> Any:  # noqa: ANN401  (JSON)
    """Run in_process.py in the environment of a function, with further variables."""
    folder = running.folder / "functions"
    environment = {
        **os.environ,
        **function_environment(running.addresses, running.catalog),
        "SMARTLINK_COMMAND": QUIET,
        "SMARTLINK_TENANTS_REFRESH_SECONDS": "300",
        "SMARTLINK_RECEIVE_SECONDS": "60",  # a slow machine must not make smaller batches
        "SMARTLINK_RECEIVERS": "1",  # how several sessions share the messages is a race
        "PYTHONPATH": f"{folder}:{ROOT}",
        **variables,
    }
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.in_process", what]
    command += map(str, counts)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        message = f"{what} failed: {done.stderr[-2_000:]}"
        raise NotReadyError(message)
    return json.loads(done.stdout.splitlines()[-1])


def written() -> dict[str, dict[str, float]]:
    """What the bill reckons with, of each kind of work."""
    found: dict[str, dict[str, float]] = json.loads(PRICES.read_text())["counted"]
    return found


def differences(found: Counted, bill: Counted) -> list[str]:
    """Where the wire and the bill differ by more than rounding, in words.

    Rounding is 0.02 operations, and of bytes a fiftieth and 2: what a tick takes once is spread
    over a batch, and names and numbers differ in length from one run to the next.
    """
    differ = []
    for what in sorted({*found, *bill}):
        its, said = found.get(what, {}), bill.get(what, {})
        for name in sorted({*its, *said}):
            counts, reckons = its.get(name, 0.0), said.get(name, 0.0)
            rounding = 2 + reckons / 50 if "Bytes" in name else 0.02
            if abs(counts - reckons) > rounding:
                differ.append(f"{what}: {name} {counts:g} at the wire, {reckons:g} in the bill")
    return differ


def show(found: Counted, console: Console) -> None:
    """Print it for people, beside what the bill reckons with."""
    said = written()
    differ = differences(found, said)
    shown = Table(box=SIMPLE_HEAD, title="Operations at the wire")
    for column in ("for each", "operation", "counted", "in the bill"):
        shown.add_column(column, justify="left" if column in {"for each", "operation"} else "right")
    for what, its in found.items():
        for name in sorted({*its, *said.get(what, {})}):
            wrong = any(it.startswith(f"{what}: {name} ") for it in differ)
            number = Text(f"{its.get(name, 0):g}", style="red" if wrong else "green")
            shown.add_row(what, name, number, f"{said.get(what, {}).get(name, 0):g}")
    console.print(shown)
    for name, bill in bills().items():
        console.print(f"{name}: US$ {bill:.2f}")
