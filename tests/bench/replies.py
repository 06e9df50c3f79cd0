"""Replies alone, as deployed: as many tenants as cores, each in a shard of its own.

In the throughput's `reply to broker` there is one tenant, and a tenant's replies are sent by one
poll, which is one process; the peers' workers are as many as there are cores. Here each side sends
with that many processes: ours with `poll` and `poll_shard`, as any deployment of several shards
does. What a single tenant gets, it does not tell.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from infra.local.child import Child
from infra.local.errors import NotReadyError
from infra.local.program import Program
from tests.bench.cpu import tree_seconds
from tests.bench.ledger import LedgerError
from tests.bench.life.contestants import Books, Ours, Peer, balance, sent_replies
from tests.bench.life.load import Key
from tests.bench.peers.programs import PEERS, WORKERS, Work
from tests.bench.services import Services
from tests.bench.side_by_side import side_by_side
from tests.bench.workload import offers

SENDERS = max(2, WORKERS)  # processes, tenants and shards
MESSAGES, QUICK_MESSAGES = 1_000, 100  # of each tenant
ROUNDS = 3
_WARM = 200
_BATCH = 10  # messages of a `get`
_LOOK_SECONDS, _STILL_SECONDS = 0.1, 0.3
_PATIENCE_SECONDS = 180

HEADS = ("", "replies a second", "ours in times of it", "ms of CPU for a reply, own")
TENANTS = tuple(f"tenant-{number}" for number in range(SENDERS))
Say = Callable[[str], None]


class Contestant(Protocol):
    """One that is compared."""

    name: str

    def programs(self) -> Sequence[Program]:
        """List its processes."""

    def clear(self) -> None:
        """Empty its database."""

    def receive(self) -> None:
        """Take in what waits in the broker."""

    def send(self) -> None:
        """Send the replies that are due."""

    def books(self) -> Books:
        """Read what it has stored."""


class Sharded(Ours):
    """The relay: a tick polls one tenant itself, and hands the others to `poll_shard`."""

    def programs(self) -> Sequence[Program]:
        """As many processes that poll as there are tenants, and the consumers."""
        _, consumer = super().programs()
        workers = str(SENDERS - 1)
        return (
            self.running.program("poll", "poll", SMARTLINK_SHARD_TENANTS="1"),
            self.running.program("poll_shard", "poll_shard", WORKERS=workers),
            consumer,
        )

    def receive(self) -> None:
        """Tick."""
        self.running.call("poll")

    send = receive


class Told(Peer):
    """A peer that receives and sends when it is told to; tenants are nothing to its workers."""

    def programs(self) -> Sequence[Program]:
        """Its poller and workers, with an empty database."""
        return self.peers.prepared(self.name, self.addresses, Work(TENANTS))

    def receive(self) -> None:
        """Receive all tenants' messages."""
        self.call("poll")

    def send(self) -> None:
        """Have the workers send."""
        self.call("send")


def measure(say: Say, *, quick: bool, rounds: int | None = None) -> dict[str, Any]:
    """Compare all of them; medians of the rounds."""
    rounds, messages = rounds or (1 if quick else ROUNDS), QUICK_MESSAGES if quick else MESSAGES
    found: list[dict[str, Any]] = []
    with _running(quick=quick) as (running, contestants):
        for number in range(rounds):
            for contestant in contestants[:: -1 if number % 2 else 1]:
                say(f"replies: round {number + 1} of {rounds}, {contestant.name}")
                with running.serving(*contestant.programs()) as children:
                    run = _Run(running, contestant, children)
                    run.figures(_WARM)
                    found.append(run.figures(messages))
    names = sorted({it["name"] for it in found}, key=[it.name for it in contestants].index)
    return {
        "tenants": len(TENANTS),
        "senders": SENDERS,
        "messages": messages,
        "rounds": rounds,
        "contestants": [
            {
                "name": name,
                **{
                    key: round(median(it[key] for it in found if it["name"] == name), 3)
                    for key in ("sentPerSecond", "cpuMilliseconds")
                },
            }
            for name in names
        ],
        "all": found,
    }


@contextmanager
def _running(*, quick: bool) -> Iterator[tuple[Services, Sequence[Contestant]]]:
    with side_by_side(TENANTS, quick=quick) as (running, peers):
        running.simulator("PUT", "/options", {"getBatch": _BATCH})
        others = [Told(it, peers, running.addresses) for it in PEERS]
        yield running, [Sharded(running), *others]


@dataclass(frozen=True)
class _Run:
    """One contestant, with fresh processes."""

    running: Services
    contestant: Contestant
    children: Mapping[str, Child]

    def figures(self, messages: int) -> dict[str, Any]:
        """Let each tenant have so many replies to send, and measure how they leave.

        Raises LedgerError if anything was lost, repeated or invented.
        """
        self.contestant.clear()
        wanted = self._sends() + messages * len(TENANTS)
        expected = {key for tenant in TENANTS for key in self._offer(tenant, messages)}
        self._until(lambda: self._settled(expected), self._receive, "settled")
        used, start = self._cpu(), time.time()
        self._until(lambda: self._sends() >= wanted, self.contestant.send, "sent")
        spent = self._cpu() - used
        sent = sent_replies(self.running.rest, str(self.running.addresses.simulator), expected)
        balance(expected, self.contestant.books(), [key for key, _ in sent])
        if min(at for _, at in sent) < start:
            message = "replies were sent before they were asked for: no time of them is known"
            raise LedgerError(message)
        return {
            "name": self.contestant.name,
            "sentPerSecond": len(expected) / (max(at for _, at in sent) - start),
            "cpuMilliseconds": 1_000 * spent / len(expected),
        }

    def _offer(self, tenant: str, messages: int) -> Iterator[Key]:
        waiting = offers(messages)
        body = {"tenant": tenant, "messages": list(map(asdict, waiting)), "force": True}
        self.running.simulator("POST", "/offer", body)
        return ((tenant, offer.id) for offer in waiting)

    def _receive(self) -> None:
        """Have it receive, but only while anything waits: the next tick would send replies."""
        queues = self.running.simulator("GET", "/queues")
        if any(queues[tenant]["waiting"] for tenant in TENANTS):
            self.contestant.receive()

    def _settled(self, expected: set[Key]) -> bool:
        return expected <= self.contestant.books().settled.keys()

    def _sends(self) -> int:
        return int(self.running.simulator("GET", "/stats")["send"])

    def _until(self, done: Callable[[], bool], call: Callable[[], None], what: str) -> None:
        """Call until it is done; look only while its processes compute nothing, since a look costs
        the database more than many messages do."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            call()
            self._until_still()
            if done():
                return
            if time.monotonic() > deadline:
                message = f"{self.contestant.name}: not everything was {what} in time"
                raise NotReadyError(message)

    def _until_still(self) -> None:
        before, since = -1.0, time.monotonic()
        while time.monotonic() - since < _STILL_SECONDS:
            time.sleep(_LOOK_SECONDS)
            used = self._cpu()
            if used != before:
                before, since = used, time.monotonic()

    def _cpu(self) -> float:
        return sum(tree_seconds([it.pid for it in self.children.values()]).values())


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print it for people."""
    title = (
        f"Replies of {found['tenants']} tenants, {found['messages']} each, "
        f"sent by {found['senders']} processes"
    )
    shown = Table(box=SIMPLE_HEAD, title=title)
    for column in HEADS:
        shown.add_column(column, justify="left" if not column else "right")
    for row in rows(found):
        shown.add_row(*row)
    console.print(shown)


def rows(found: Mapping[str, Any]) -> list[list[str]]:
    """The rows of the table under HEADS; ours is the first."""
    ours = found["contestants"][0]["sentPerSecond"]
    return [
        [
            it["name"],
            f"{it['sentPerSecond']:,.0f}",
            "" if it["name"] == Ours.name else f"{ours / it['sentPerSecond']:.2f}",
            f"{it['cpuMilliseconds']:.2f}",
        ]
        for it in found["contestants"]
    ]
