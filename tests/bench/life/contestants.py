"""Who is compared: how each is started, told to work, and what stands in its books afterwards."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from infra.local.addresses import Addresses
from infra.local.firestore_view import HISTORY, LIVE, LOGS
from infra.local.functions import consumer
from infra.local.program import Program
from infra.local.rest import Rest
from tests.bench.ledger import LedgerError
from tests.bench.life.load import TENANTS, Key
from tests.bench.peers.programs import WORKERS, Work
from tests.bench.peers.running import Peers
from tests.bench.services import Services
from tests.bench.ticks import Ticks
from tests.bench.workload import COMMAND

LOOK_SECONDS = 10.0  # how often a contestant looks for each tenant's messages
_POLL_SECONDS = LOOK_SECONDS * 45 / 60  # as deployed: a poll ends before the next tick
_CALL_SECONDS = 180
_REPLY = "%2Freply%2F1"


@dataclass
class Books:
    """What a contestant has stored, when all is done."""

    settled: dict[Key, float] = field(default_factory=dict)  # by the database's clock
    answered: set[Key] = field(default_factory=set)  # replies that it knows as sent
    live: int = 0  # messages and replies that are not done
    logs: int = 0


class Contestant(Protocol):
    """One that is compared."""

    name: str
    servers: tuple[str, ...]  # what it stands on, by the programs' names

    def programs(self) -> Sequence[Program]:
        """List its processes."""

    def clear(self) -> None:
        """Empty its database."""

    def working(self) -> Any:  # noqa: ANN401  (a context manager)
        """Have it look for messages while the block runs; the block gets when it looked."""

    def books(self) -> Books:
        """Read what it has stored."""


class Ours:
    """The relay: `poll` is called at a fixed interval, as Cloud Scheduler does, only shorter."""

    name = "ours"
    servers: tuple[str, ...] = ("firestore", "pubsub", "storage", "secret-manager")

    def __init__(self, running: Services) -> None:
        self.running = running

    def programs(self) -> Sequence[Program]:
        """A process that polls, and as many consumers as the peers have workers."""
        running, workers = self.running, str(WORKERS)
        return (
            running.program("poll", "poll", SMARTLINK_POLL_SECONDS=str(_POLL_SECONDS)),
            running.program(
                consumer(COMMAND), "consume", SMARTLINK_COMMAND=COMMAND, WORKERS=workers
            ),
        )

    def clear(self) -> None:
        """Reset the emulator: what was merely deleted slows every later query down."""
        self.running.clear()

    @contextmanager
    def working(self) -> Iterator[Sequence[float]]:
        """Tick."""
        with Ticks(lambda: self.running.call("poll"), LOOK_SECONDS) as ticks:
            yield ticks.began

    def books(self) -> Books:
        """Read every tenant's documents."""
        found = Books()
        for key, at in self.running.committed(HISTORY):
            tenant, document = key
            if document.startswith("D-"):
                found.settled[tenant, document.removeprefix("D-")] = at
            else:
                found.answered.add((tenant, document.removeprefix("U-D-").removesuffix(_REPLY)))
        found.live = sum(1 for _ in self.running.committed(LIVE))
        found.logs = sum(1 for _ in self.running.committed(LOGS))
        return found


class Peer:
    """Celery or Procrastinate: a loop a tenant receives, workers execute and send."""

    def __init__(self, name: str, peers: Peers, addresses: Addresses) -> None:
        self.name = name
        self.servers: tuple[str, ...] = ("postgres", "redis")[: 1 + (name == "celery")]
        self.peers = peers
        self.addresses = addresses

    def programs(self) -> Sequence[Program]:
        """Its poller and workers, with an empty database."""
        work = Work(TENANTS, look_seconds=LOOK_SECONDS)
        return self.peers.prepared(self.name, self.addresses, work)

    def clear(self) -> None:
        """Empty the tables."""
        self.peers.books(self.name).clear()

    @contextmanager
    def working(self) -> Iterator[Sequence[float]]:
        """Run the loops."""
        self.call("start")
        try:
            yield ()
        finally:
            self.call("stop")

    def call(self, what: str) -> None:
        """Tell its poller."""
        Rest(_CALL_SECONDS).call("POST", self.addresses.functions[f"{self.name}-{what}"], {})

    def books(self) -> Books:
        """Read the tables."""
        tables = self.peers.books(self.name)
        return Books(
            settled={(tenant, key): at for tenant, key, at in tables.rows("history")},
            answered={
                (tenant, key) for tenant, key, _ in tables.rows("outbox", "sent_at IS NOT NULL")
            },
            live=len(tables.rows("inbox")) + len(tables.rows("outbox", "sent_at IS NULL")),
            logs=len(tables.rows("logs")),
        )


def balance(expected: set[Key], books: Books, sent: Sequence[Key]) -> None:
    """See that each message ended once, that each reply was sent once, for its own tenant, and
    that nothing is left. Raises LedgerError."""
    faults = []
    for what, found in (
        ("the history", set(books.settled)),
        ("the replies that it knows as sent", books.answered),
        ("the replies that the broker got", set(sent)),
    ):
        if missing := expected - found:
            faults.append(f"{what}: {len(missing)} of {len(expected)} are missing")
        if strange := found - expected:
            faults.append(f"{what}: {len(strange)} are too many")
    if len(sent) != len(set(sent)):
        faults.append(f"{len(sent) - len(set(sent))} replies were sent twice")
    if books.live:
        faults.append(f"{books.live} messages or replies are not done")
    if books.logs != 2 * len(expected):
        faults.append(f"there are {books.logs} log lines of {len(expected)} messages")
    if faults:
        raise LedgerError("; ".join(faults))


def sent_replies(rest: Rest, simulator: str, expected: set[Key]) -> list[tuple[Key, float]]:
    """What reached the broker, and when; what is not of this run is passed over."""
    ids = {identity for _, identity in expected}
    found = []
    for reply in rest.call("GET", f"{simulator}/simulator/sent"):
        identity = json.loads(reply["content"])["requestID"]
        if identity in ids:
            at = datetime.fromisoformat(reply["at"]).timestamp()
            found.append(((reply["tenant"], identity), at))
    return found
