"""Adaptive polling: the broker's calls it saves, and what it costs in waiting.

A simulation of half a day in minutes, on the in-memory relay and a clock that is moved: exact, and
the same on every machine. Messages come at drawn instants, at each rate to tenants of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from smartlink.adapters.in_memory import InMemoryMessages
from tests.support.world import COMMAND, World

BOUNDS = (0, 120, 300, 900)  # SMARTLINK_IDLE_POLL_SECONDS
RATES = (0.0, 0.2, 1.0, 10.0)  # messages an hour
TENANTS, QUICK_TENANTS = 10, 2  # of each rate
HOURS = 12


@dataclass(frozen=True, slots=True)
class Idle:
    """One rate under one bound."""

    bound: int  # seconds
    rate: float  # messages an hour
    calls: float  # of `get`, a tenant and hour
    saved: float  # share of the calls at every tick
    waits: Sequence[float]  # seconds from the broker to the store, sorted

    def json(self) -> dict[str, object]:
        """For the results' file."""
        return {
            "boundSeconds": self.bound,
            "messagesPerHour": self.rate,
            "getsPerTenantHour": round(self.calls, 1),
            "saved": round(self.saved, 3),
            "messages": len(self.waits),
            "p50": self._at(0.5),
            "p99": self._at(0.99),
            "longest": self._at(1),
        }

    def _at(self, share: float) -> float | None:
        if not self.waits:
            return None
        return round(self.waits[min(len(self.waits) - 1, int(share * len(self.waits)))], 1)


def idle_polling(*, quick: bool) -> list[dict[str, object]]:
    """Every rate under every bound, by the same draws."""
    found = [
        _half_a_day(bound, rate, QUICK_TENANTS if quick else TENANTS)
        for bound in BOUNDS
        for rate in RATES
    ]
    always = {it.rate: it.calls for it in found if not it.bound}
    return [
        Idle(it.bound, it.rate, it.calls, 1 - it.calls / always[it.rate], it.waits).json()
        for it in found
    ]


def _half_a_day(bound: int, rate: float, tenants: int) -> Idle:
    names = [f"tenant-{number}" for number in range(tenants)]
    world = World(tenants=names, variables={"SMARTLINK_IDLE_POLL_SECONDS": str(bound)})
    due = sorted(
        (seconds, tenant)
        for tenant in names
        for seconds in _arrivals(Random(f"{tenant} {rate}"), rate)
    )
    start, sent, waits = world.clock(), dict[str, datetime](), list[float]()
    for _ in range(60 * HOURS):
        until = world.clock() + timedelta(minutes=1)
        while due and start + timedelta(seconds=due[0][0]) <= until:
            seconds, tenant = due.pop(0)
            message_id = world.broker.offer(tenant, COMMAND)
            sent[message_id] = start + timedelta(seconds=seconds)
        world.minute()
        for tenant in names:
            for ended in world.ended(tenant).values():
                message = ended.message
                waits.append((message.received - sent[message.id]).total_seconds())
        _forget(world.store)
    gets = sum(world.calls("get", tenant) for tenant in names)
    return Idle(bound, rate, gets / tenants / HOURS, 0, sorted(waits))


def _arrivals(random: Random, rate: float) -> list[float]:
    """Seconds since the start, at this many an hour on average."""
    found, at = list[float](), 0.0
    while rate and (at := at + random.expovariate(rate / 3_600)) < 3_600 * (HOURS - 1):
        found.append(at)
    return found


def _forget(store: InMemoryMessages) -> None:
    """Each message is counted once; and half a day's history is of no interest."""
    store._history.clear()  # noqa: SLF001


def show(found: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print it for people."""
    title = "Adaptive polling: calls of `get`, and seconds from the broker to the store"
    table = Table(box=SIMPLE_HEAD, title=title)
    for name in ("bound, s", "messages/h", "gets/h", "saved", "p50", "p99", "longest"):
        table.add_column(name, justify="right")
    for it in found:
        waits = (it["p50"], it["p99"], it["longest"])
        table.add_row(
            str(it["boundSeconds"]),
            f"{it['messagesPerHour']:g}",
            f"{it['getsPerTenantHour']:g}",
            f"{it['saved']:.0%}",
            *("" if seconds is None else f"{seconds:.0f}" for seconds in waits),
        )
    console.print(table)
