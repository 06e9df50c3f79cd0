"""Operations for each message and each idle tenant-minute, counted at the wire, and their price.

Both run in a process of its own (in_process.py), on the deployed adapters and the emulators.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.deploy.costs import PRICES, idle_tenants, million_messages
from infra.local.checkout import ROOT
from infra.local.errors import NotReadyError
from infra.local.functions import function_environment
from tests.bench.services import Services, services
from tests.bench.workload import COMMAND, QUIET, offers

BATCH = 400  # messages that wait together: eight sessions receive them, some 50 each
TENANTS, MINUTES = 20, 60  # of the idle ones
LARGE, LARGE_BYTES = 10, 300_000
_NOTHING = 0.0005  # what rounding leaves

MESSAGE, REPLY, IDLE, LARGE_MESSAGE = "message", "reply", "idle tenant-minute", "large message"
_SOME = 0.03  # what a batch costs once, over its messages: eight empty answers, a query, a shard
_STATES = TENANTS / BATCH  # the idle tenants' own write, which comes every 15 minutes, in a tick
_HOURS = 2 * TENANTS / BATCH  # and whether anything happened to them in an hour, which comes hourly
BUDGET: Mapping[str, Mapping[str, float]] = {
    # What a message may cost; what stands in neither must not occur at all.
    MESSAGE: {
        "firestoreRead": 1 + _SOME + _HOURS,
        "firestoreWrite": 4 + 1 + _STATES,  # one for the line that the bench's consumer logs
        "firestoreDelete": 1,
        "pubsubMessages": 1 / 20,  # one for a batch of 20 messages or more
        "pubsubRequests": 1 / 20,
        "pubsubBytes": 2_048 * 1.25,  # the content, and a quarter of it for the rest
        "broker get": 1 + _SOME,
        "broker ack": 1,
        "storage GET": _SOME,
        "secretManager list": _SOME,
    },
    REPLY: {
        "firestoreRead": 1 + 2 * _SOME + _HOURS,
        "firestoreWrite": 3 + _STATES,
        "firestoreDelete": 1,
        "broker send": 1,
        "broker get": _SOME,
        "storage GET": _SOME,
        "secretManager list": _SOME,
    },
    IDLE: {
        "firestoreRead": 2,
        "firestoreWrite": 0.1,
        "broker get": 1,
        "rac token": 1 / 55,  # a token of the simulator lasts an hour
        "secretManager access": 1 / 55,  # a payload is read again every hour
        "secretManager list": 1.05 / 5 / TENANTS,  # one for the project, every 5 minutes
        "storage GET": 1.02 / TENANTS,  # one a tick, for the project: is there a new file?
    },
    LARGE_MESSAGE: {
        "storage POST": 1,
        "storage GET content": 1,
        "storage PATCH": 1,  # its expiry, when the message has ended
        "storage GET": 1 / LARGE,  # the tick's own
    },
}


# In the process that is counted.


def count_operations(batch: int, minutes: int) -> dict[str, dict[str, float]]:
    """Each kind of work by itself; the numbers are for one message, or one tenant and minute."""
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
            relay.offer("tenant-0", waiting)
            relay.tick()
            relay.consume(relay.take())

        for _ in range(2):
            relay.tick()  # sets up
        work(QUIET, 1)
        spent.since()
        for _ in range(minutes):
            relay.tick()
        idle = spent.since()
        a_tick = {name: number / minutes for name, number in idle.items()}
        work(QUIET, batch)
        message = spent.since(a_tick)
        work(COMMAND, batch)
        relay.tick()  # sends
        reply = spent.since(a_tick, a_tick, message)
        work(QUIET, LARGE, json.dumps({"requestID": "r", "padding": "x" * LARGE_BYTES}))
        large = {k: v for k, v in spent.since().items() if k.startswith("storage")}
    parts = (
        (MESSAGE, message, batch),
        (REPLY, reply, batch),
        (IDLE, idle, TENANTS * minutes),
        (LARGE_MESSAGE, large, LARGE),
    )
    return {
        name: {kind: round(n / by, 5) for kind, n in sorted(its.items()) if n / by > _NOTHING}
        for name, its, by in parts
    }


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


def counted(
    running: Services, batch: int = BATCH, minutes: int = MINUTES
) -> dict[str, dict[str, float]]:
    """Count on emulators that are up and hold nothing yet."""
    running.add_tenants([f"tenant-{number}" for number in range(TENANTS)])
    found: dict[str, dict[str, float]] = in_process(running, "operations", batch, minutes)
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


def exceeded(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What is above its budget, or has none, in words."""
    return [
        f"{what}: {name} {number:g}, at most {BUDGET[what].get(name, 0):g}"
        for what, its in found.items()
        for name, number in its.items()
        if number > BUDGET[what].get(name, 0)
    ]


def dollars(found: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The bills of terraform/prices.json, with the operations as they were counted."""
    document = json.loads(PRICES.read_text())
    message, reply, idle = found[MESSAGE], found[REPLY], found[IDLE]
    for key, its in (("downstreamMessage", message), ("reply", reply), ("idleTenantMinute", idle)):
        document["counted"][key] |= {
            "reads": its.get("firestoreRead", 0),
            "writes": its.get("firestoreWrite", 0),
            "deletes": its.get("firestoreDelete", 0),
        }
    document["counted"]["idleTenantMinute"]["brokerCalls"] = idle["broker get"]
    without = json.loads(json.dumps(document))
    without["counted"]["reply"] = dict.fromkeys(without["counted"]["reply"], 0)
    bills = {
        "million messages": million_messages(without),
        "million messages, each with a reply": million_messages(document),
        "1,000 idle tenants, a month": idle_tenants(document),
    }
    return {name: round(sum(item.cost for item in bill), 2) for name, bill in bills.items()}


def show(found: Mapping[str, Mapping[str, float]], console: Console) -> None:
    """Print it for people."""
    shown = Table(box=SIMPLE_HEAD, title="Operations at the wire")
    for column in ("for each", "operation", "counted", "at most"):
        shown.add_column(column, justify="right" if column in {"counted", "at most"} else "left")
    for what, its in found.items():
        for name, number in its.items():
            most = BUDGET[what].get(name, 0)
            style = "green" if number <= most else "red"
            shown.add_row(what, name, Text(f"{number:g}", style=style), f"{most:.4g}")
    console.print(shown)
    for name, bill in dollars(found).items():
        console.print(f"{name}: US$ {bill:.2f}")
