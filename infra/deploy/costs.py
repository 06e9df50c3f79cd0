"""``python -m infra.deploy.costs`` prints the table of costs in terraform/README.md.

It multiplies numbers by prices, both from terraform/prices.json. The numbers of operations are the
relay's budget, which tests enforce. The seconds and bytes are assumptions.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.deploy.target import ROOT

PRICES = ROOT / "terraform" / "prices.json"
MINUTES = 43_200  # a month of 30 days
_MILLION, _THOUSAND = 1_000_000, 1_000
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a bill."""

    name: str
    quantity: float
    unit: str
    price: float  # of one unit

    @property
    def cost(self) -> float:
        """The cost in dollars."""
        return self.quantity * self.price


def million_messages(document: Mapping[str, Any]) -> Iterator[Item]:
    """Bill a million Downstream messages, each with a reply, in batches."""
    prices, counted, assumed = document["prices"], document["counted"], document["assumed"]
    down, reply = counted["downstreamMessage"], counted["reply"]

    def operations(kind: str) -> float:
        return _MILLION * float(down[kind] + reply[kind])

    yield from _firestore(prices, *map(operations, ("reads", "writes", "deletes")))
    expired = operations("expiring")
    yield Item("Firestore deletes by TTL", expired, "deletes", prices["firestoreDelete"])
    kept = assumed["storedBytesPerMessage"] * _MILLION * assumed["historyMonths"] / _GIB
    yield Item("Firestore storage of the history", kept, "GiB·months", prices["firestoreGiBMonth"])
    seconds = _MILLION * float(
        assumed["consumeSecondsPerMessage"] + assumed["pollSecondsPerMessage"]
    )
    yield from _run(prices, seconds, assumed["memoryGiB"])
    calls = _MILLION / float(assumed["messagesPerDispatch"])
    yield Item("Cloud Run requests", calls, "requests", prices["runRequest"])
    traffic = 2 * _MILLION * assumed["contentBytes"] / 2**40  # each byte goes in and out
    yield Item("Pub/Sub", traffic, "TiB", prices["pubsubTiB"])
    logs = _MILLION * assumed["logBytesPerMessage"] / _GIB
    yield Item("Cloud Logging", logs, "GiB", prices["loggingGiB"])


def idle_tenants(document: Mapping[str, Any]) -> Iterator[Item]:
    """Bill a thousand tenants without messages, for a month."""
    prices, counted, assumed = document["prices"], document["counted"], document["assumed"]
    idle = counted["idleTenantMinute"]
    minutes = float(_THOUSAND * MINUTES)
    yield from _firestore(prices, minutes * idle["reads"], minutes * idle["writes"], 0.0)
    seconds = minutes * idle["brokerCalls"] * assumed["pollSecondsPerIdleTenant"]
    yield from _run(prices, seconds, assumed["memoryGiB"])
    shards = MINUTES * _THOUSAND / float(assumed["tenantsPerShard"])
    yield Item("Cloud Run requests", shards, "requests", prices["runRequest"])
    traffic = 2 * shards * assumed["shardBytes"] / 2**40
    yield Item("Pub/Sub", traffic, "TiB", prices["pubsubTiB"])
    yield Item("Cloud Scheduler", 1, "job", prices["schedulerJob"])
    yield Item("Secret Manager versions", _THOUSAND, "versions", prices["secretVersionMonth"])
    accesses = _THOUSAND * 24 * 30.0  # each payload at least once an hour
    yield Item("Secret Manager accesses", accesses, "accesses", prices["secretAccess"])
    logs = shards * assumed["logBytesPerPoll"] / _GIB
    yield Item("Cloud Logging", logs, "GiB", prices["loggingGiB"])


def acceptance(
    document: Mapping[str, Any], messages: int, replies: int, minutes: float
) -> Iterator[Item]:
    """Bill a run of `smartlink accept`: its messages, its tenant's minutes, two secrets."""
    prices, counted, assumed = document["prices"], document["counted"], document["assumed"]
    down, reply = counted["downstreamMessage"], counted["reply"]
    idle = counted["idleTenantMinute"]

    def operations(kind: str) -> float:
        own = messages * float(down[kind]) + replies * float(reply[kind])
        return own + minutes * float(idle.get(kind, 0))

    removed = messages * float(down["expiring"]) + replies * float(reply["expiring"])
    deletes = operations("deletes") + removed  # the run deletes what would else expire
    yield from _firestore(prices, operations("reads"), operations("writes"), deletes)
    seconds = messages * float(
        assumed["consumeSecondsPerMessage"] + assumed["pollSecondsPerMessage"]
    )
    yield from _run(prices, seconds + 60 * minutes, assumed["memoryGiB"])  # the simulator's, too
    yield Item("Secret Manager versions", 2, "versions", prices["secretVersionMonth"] / 30)
    logs = messages * assumed["logBytesPerMessage"] / _GIB
    yield Item("Cloud Logging", logs, "GiB", prices["loggingGiB"])


def _firestore(
    prices: Mapping[str, float], reads: float, writes: float, deletes: float
) -> Iterator[Item]:
    yield Item("Firestore reads", reads, "reads", prices["firestoreRead"])
    yield Item("Firestore writes", writes, "writes", prices["firestoreWrite"])
    if deletes:
        yield Item("Firestore deletes", deletes, "deletes", prices["firestoreDelete"])


def _run(prices: Mapping[str, float], seconds: float, memory: float) -> Iterator[Item]:
    yield Item("Cloud Run CPU", seconds, "vCPU·s", prices["runVcpuSecond"])
    yield Item("Cloud Run memory", seconds * memory, "GiB·s", prices["runGiBSecond"])


def table(path: Path = PRICES) -> str:
    """Write both bills as Markdown."""
    document = json.loads(path.read_text("utf-8"))
    lines: list[str] = []
    for title, items in (
        ("A million messages, each with a reply", million_messages(document)),
        ("A thousand idle tenants, a month", idle_tenants(document)),
    ):
        bill = list(items)
        lines += [f"| {title} | quantity | US$ |", "|---|---:|---:|"]
        lines += [
            f"| {it.name} | {_amount(it.quantity)} {it.unit} | {it.cost:.2f} |" for it in bill
        ]
        lines += [f"| **Total** | | **{sum(it.cost for it in bill):.2f}** |", ""]
    return "\n".join(lines).rstrip()


def _amount(quantity: float) -> str:
    return f"{quantity:,.0f}" if quantity >= 10 or quantity == int(quantity) else f"{quantity:.3g}"  # noqa: PLR2004


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
