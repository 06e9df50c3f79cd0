"""``python -m infra.deploy.costs`` prints the tables of costs in terraform/README.md.

It multiplies numbers by prices, both from terraform/prices.json. There `counted` is what a test
counts at the wire (tests/contract/test_wire_cost.py), `measured` says by which command, and
`assumed` why. The bench computes its bill here, too.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.deploy.target import ROOT

PRICES = ROOT / "terraform" / "prices.json"
MINUTES = 43_200  # a month of 30 days
_MONTH = 60 * MINUTES  # seconds
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


def read() -> dict[str, Any]:
    """Read the file; `numbers` are what is measured and what is assumed, without their reasons."""
    document: dict[str, Any] = json.loads(PRICES.read_text("utf-8"))
    given = {**document["measured"], **document["assumed"]}
    return {**document, "numbers": {name: float(it["value"]) for name, it in given.items()}}


def million_messages(document: Mapping[str, Any], *, replies: bool = True) -> Iterator[Item]:
    """Bill a million Downstream messages, each with a log line of its consumer's own and a reply,
    in batches."""
    prices, counted, numbers = document["prices"], document["counted"], document["numbers"]
    parts = [counted["message"], *([counted["reply"]] if replies else [])]

    def million(kind: str) -> float:
        return _MILLION * sum(float(part.get(kind, 0)) for part in parts)

    names = ("firestoreRead", "firestoreWrite", "firestoreDelete")
    yield from _firestore(prices, *map(million, names))
    expired = million("firestoreExpiring")
    yield Item("Firestore deletes by TTL", expired, "deletes", prices["firestoreDelete"])
    kept = million("firestoreStoredBytes") * numbers["historyMonths"] / _GIB
    yield Item("Firestore storage of the history", kept, "GiB·months", prices["firestoreGiBMonth"])
    seconds = numbers["consumeSecondsPerMessage"] + numbers["pollSecondsPerMessage"]
    yield from _run(prices, _MILLION * seconds, numbers["memoryGiB"])
    calls = _MILLION / numbers["messagesPerDispatch"]
    yield Item("Cloud Run requests", calls, "requests", prices["runRequest"])
    traffic = 2 * million("pubsubBytes") / 2**40  # each byte goes in and out
    yield Item("Pub/Sub", traffic, "TiB", prices["pubsubTiB"])
    logs = million("logBytes") / _GIB
    yield Item("Cloud Logging", logs, "GiB", prices["loggingGiB"])
    line = _log_line(prices, counted["consumerLogLine"], numbers["historyMonths"])
    yield Item("A log line of the consumer's own", _MILLION, "lines", line)


def _log_line(prices: Mapping[str, float], line: Mapping[str, float], months: float) -> float:
    """What a line costs: its document is written, kept and deleted; it is a line of the log."""
    return (
        line["firestoreWrite"] * prices["firestoreWrite"]
        + line["firestoreExpiring"] * prices["firestoreDelete"]
        + line["firestoreStoredBytes"] * months / _GIB * prices["firestoreGiBMonth"]
        + line["logBytes"] / _GIB * prices["loggingGiB"]
    )


def idle_tenants(document: Mapping[str, Any]) -> Iterator[Item]:
    """Bill a thousand tenants without messages, for a month."""
    prices, counted, numbers = document["prices"], document["counted"], document["numbers"]
    idle = counted["idleTenantMinute"]
    minutes = float(_THOUSAND * MINUTES)
    reads, writes = (minutes * idle[kind] for kind in ("firestoreRead", "firestoreWrite"))
    yield from _firestore(prices, reads, writes, 0.0)
    seconds = minutes * numbers["pollSecondsPerIdleTenant"]
    yield from _run(prices, seconds, numbers["memoryGiB"])
    shards = MINUTES * _THOUSAND / numbers["tenantsPerShard"]
    yield Item("Cloud Run requests", shards, "requests", prices["runRequest"])
    traffic = 2 * shards * numbers["shardBytes"] / 2**40
    yield Item("Pub/Sub", traffic, "TiB", prices["pubsubTiB"])
    yield Item("Cloud Scheduler", 1, "job", prices["schedulerJob"])
    yield Item("Secret Manager versions", _THOUSAND, "versions", prices["secretVersionMonth"])
    accesses = minutes * idle["secretManager access"]
    yield Item("Secret Manager accesses", accesses, "accesses", prices["secretAccess"])
    logs = minutes * idle["logBytes"] / _GIB
    yield Item("Cloud Logging", logs, "GiB", prices["loggingGiB"])


def beside(document: Mapping[str, Any]) -> Iterator[Item]:
    """What stands in neither bill, as far as it follows from what is counted."""
    prices, counted = document["prices"], document["counted"]
    numbers: Mapping[str, float] = document["numbers"]
    idle, large = counted["idleTenantMinute"], counted["largeMessage"]
    parts = [counted[name] for name in ("message", "consumerLogLine", "reply")]
    minutes = float(_THOUSAND * MINUTES)

    def sent(part: Mapping[str, float]) -> float:
        calls = sum(number for kind, number in part.items() if kind.startswith("broker "))
        return float(part.get("brokerBytes", 0)) + calls * numbers["tokenBytes"]

    def entries(lines: float) -> float:
        return lines * numbers["logEntryBytes"] / _GIB

    traffic = _MILLION * sum(map(sent, parts)) / _GIB
    yield Item("Calls to the broker, a million messages", traffic, "GiB", prices["egressGiB"])
    traffic = minutes * sent(idle) / _GIB
    yield Item("The same of a thousand idle tenants, a month", traffic, "GiB", prices["egressGiB"])
    lines = _MILLION * sum(part["logLines"] for part in parts)
    yield Item(
        "What Cloud Run adds to log lines, a million messages",
        entries(lines),
        "GiB",
        prices["loggingGiB"],
    )
    lines = minutes * idle["logLines"]
    yield Item(
        "The same of a thousand idle tenants, a month", entries(lines), "GiB", prices["loggingGiB"]
    )
    looks = minutes * idle["storage GET"]
    yield Item("Looks at the configuration, a month", looks, "reads", prices["storageRead"])
    changes = _MILLION * (large["storage POST"] + large["storage PATCH"])
    yield Item(
        "A million contents over 256 KB: written", changes, "operations", prices["storageWrite"]
    )
    second = prices["runIdleVcpuSecond"] + numbers["memoryGiB"] * prices["runIdleGiBSecond"]
    yield Item("An instance that is kept warm, a month, idle", _MONTH, "s", second)


def acceptance(
    document: Mapping[str, Any], messages: int, replies: int, minutes: float
) -> Iterator[Item]:
    """Bill a run of `smartlink accept`: its messages, its tenant's minutes, two secrets."""
    prices, counted, numbers = document["prices"], document["counted"], document["numbers"]
    parts = (
        (messages, counted["message"]),
        (replies, counted["reply"]),
        (minutes, counted["idleTenantMinute"]),
    )

    def all_of(kind: str) -> float:
        return sum(count * float(part.get(kind, 0)) for count, part in parts)

    # The run deletes what would else expire.
    deletes = all_of("firestoreDelete") + all_of("firestoreExpiring")
    yield from _firestore(prices, all_of("firestoreRead"), all_of("firestoreWrite"), deletes)
    seconds = messages * (numbers["consumeSecondsPerMessage"] + numbers["pollSecondsPerMessage"])
    yield from _run(prices, seconds + 60 * minutes, numbers["memoryGiB"])  # the simulator's, too
    yield Item("Secret Manager versions", 2, "versions", prices["secretVersionMonth"] / 30)
    logs = all_of("logBytes") / _GIB
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


def bills() -> dict[str, float]:
    """The totals, in dollars."""
    document = read()
    items = {
        "million messages": million_messages(document, replies=False),
        "million messages, each with a reply": million_messages(document),
        "1,000 idle tenants, a month": idle_tenants(document),
    }
    return {name: round(sum(item.cost for item in bill), 2) for name, bill in items.items()}


def tables() -> str:
    """Write the bills, and what stands beside them, as Markdown."""
    document = read()
    return "\n\n".join(
        (
            _table("A million messages, each with a reply", million_messages(document)),
            _table("A thousand idle tenants, a month", idle_tenants(document)),
            _table("In neither bill", beside(document), total=False),
        )
    )


def _table(title: str, items: Iterator[Item], *, total: bool = True) -> str:
    bill = list(items)
    lines = [f"| {title} | quantity | US$ |", "|---|---:|---:|"]
    lines += [f"| {it.name} | {_amount(it.quantity)} {it.unit} | {it.cost:.2f} |" for it in bill]
    if total:
        lines.append(f"| **Total** | | **{sum(it.cost for it in bill):.2f}** |")
    return "\n".join(lines)


def _amount(quantity: float) -> str:
    return f"{quantity:,.0f}" if quantity >= 10 or quantity == int(quantity) else f"{quantity:.3g}"  # noqa: PLR2004


if __name__ == "__main__":
    sys.stdout.write(f"{tables()}\n")
