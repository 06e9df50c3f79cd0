"""From the broker to the settled history, and on to the sent reply, on the local stack.

`poll` is called as the tick calls it, back to back while messages wait. A message is settled
when its history, log lines and reply are committed: the database's own times say when.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from infra.local.errors import NotReadyError
from tests.bench.ledger import Ledger, Place, Places
from tests.bench.peers import programs as peers
from tests.bench.stack import LIMITS, Stack
from tests.bench.workload import Offer, offers

_LOOK_SECONDS = 0.1
_STILL_SECONDS = 0.3
_PATIENCE_SECONDS = 300
_OFFERED_AT_ONCE = 500
_LEAST_MILLISECONDS = 10  # the system counts no finer

STAND_INS = (
    "APPLICATION is a contestant's own processes, SERVERS what it stands on: Firestore's and "
    "Pub/Sub's emulators (stand-ins in Java: Google's servers cost the user no CPU, and differ), "
    "or PostgreSQL and Redis as they run in production. The simulated broker is in neither."
)


@dataclass(frozen=True)
class Contestant:
    """Processes on the stack; its name is its tenant's too."""

    name: str
    poll: str
    send: str | None  # None: it sends no reply
    places: Places
    application: tuple[str, ...]
    servers: tuple[str, ...] = ("firestore", "pubsub", "storage", "secret-manager")
    part: float = 1  # of the messages: a slow one's rate shows with fewer


def _peer(name: str, *servers: str) -> Contestant:
    tables = Places(Place("waiting"), Place("history"), Place("replies"), Place("logs"))
    own = peers.processes(name)
    return Contestant(name, f"{name}-poll", f"{name}-send", tables, own, servers)


_OURS = Places(
    waiting=Place("GTotvsLinkMessage", "D-"),
    history=Place("GTotvsLinkMessageExec", "D-"),
    replies=Place("GTotvsLinkMessage", "U-D-", "%2Freply%2F1"),
    logs=Place("GTotvsLinkLog"),
)
_PER_MESSAGE = Places(Place("messages"), Place("history"), Place("replies"), Place("logs"))
_LIMIT = Places(_OURS.waiting, _OURS.history, Place("GTotvsLinkMessage", "U-"), _OURS.logs)

OURS = Contestant("ours", "poll", "poll", _OURS, ("poll", "consume"))
PER_MESSAGE = Contestant(
    "per-message",
    "per-message-poll",
    "per-message-deliver",
    _PER_MESSAGE,
    ("per-message-poll", "per-message-consume", "per-message-deliver"),
    part=0.25,
)
LIMIT, PROMISING = (
    Contestant(name, f"{name}-poll", None, _LIMIT, (f"{name}-poll", f"{name}-consume"))
    for name in LIMITS
)
CELERY = _peer("celery", "postgres", "redis")
PROCRASTINATE = _peer("procrastinate", "postgres")


@dataclass(frozen=True)
class Form:
    """How the broker answers: messages at once, and the seconds that each call takes."""

    get_batch: int
    latency: float = 0


@dataclass(frozen=True)
class Run:
    """One run's figures: messages per second, and what each process computed meanwhile."""

    settled: float
    sent: float | None
    polled: float  # until `poll` had answered that nothing is left in the broker
    cpu: dict[str, float]  # milliseconds for each message, until all was settled
    application: float  # of these, the contestant's own processes
    servers: float  # and the servers that it stands on; the broker's simulator is in neither


class EndToEnd:
    """Runs contestants on one stack, one after the other."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def run(self, contestant: Contestant, most: int, form: Form) -> Run:
        """Let `most` messages, or its part of them, wait in the broker, and measure what becomes
        of them."""
        count = round(most * contestant.part)
        stack, messages = self._stack, offers(count)
        ledger = Ledger(stack.books(contestant.name), contestant.places)
        stack.clear()
        options = {"getBatch": form.get_batch, "latencySeconds": form.latency}
        stack.simulator("PUT", "/options", options)
        self._offer(contestant, messages)

        cpu = stack.cpu()
        start = time.time()
        while self._waiting(contestant):
            stack.call(contestant.poll)
        polled = time.time()
        self._await(contestant, lambda: ledger.ended() >= count, "settled")
        used = {
            name: 1_000 * (seconds - cpu[name]) / count for name, seconds in stack.cpu().items()
        }
        settled = ledger.settled([message.id for message in messages]).timestamp()

        sent = self._send(contestant, messages, ledger) if contestant.send else None
        return Run(
            settled=count / (settled - start),
            sent=sent,
            polled=count / (polled - start),
            cpu={name: its for name, its in used.items() if its * count >= _LEAST_MILLISECONDS},
            application=sum(used[name] for name in contestant.application),
            servers=sum(used[name] for name in contestant.servers),
        )

    def _offer(self, contestant: Contestant, messages: Sequence[Offer]) -> None:
        for start in range(0, len(messages), _OFFERED_AT_ONCE):
            some = [asdict(message) for message in messages[start : start + _OFFERED_AT_ONCE]]
            body = {"tenant": contestant.name, "messages": some, "force": True}
            self._stack.simulator("POST", "/offer", body)

    def _waiting(self, contestant: Contestant) -> bool:
        queue = self._stack.simulator("GET", "/queues")[contestant.name]
        return bool(queue["waiting"] or queue["leased"])

    def _send(
        self, contestant: Contestant, messages: Sequence[Offer], ledger: Ledger
    ) -> float | None:
        """Call what sends until all replies are sent; answer how many a second."""
        if contestant.send is None:
            return None
        expected = {message.id for message in messages}
        start = time.time()
        sent: dict[str, list[float]] = {}
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while len(sent) < len(expected):
            if time.monotonic() > deadline:
                message = f"{len(sent)} of {len(expected)} replies were sent in time"
                raise NotReadyError(message)
            self._stack.call(contestant.send)
            sent = self._sent(contestant.name, expected)
        ledger.answered(sorted(expected), [name for name, its in sent.items() for _ in its])
        return len(expected) / (max(max(its) for its in sent.values()) - start)

    def _sent(self, tenant: str, expected: set[str]) -> dict[str, list[float]]:
        """When the replies to these messages reached the broker."""
        sent: dict[str, list[float]] = {}
        for reply in self._stack.simulator("GET", f"/sent?tenant={tenant}"):
            identity = json.loads(reply["content"])["requestID"]
            if identity in expected:
                at = datetime.fromisoformat(reply["at"]).timestamp()
                sent.setdefault(identity, []).append(at)
        return sent

    def _await(self, contestant: Contestant, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        self._until_still(contestant)
        while not done():
            self._stack.supervisor.check()
            if time.monotonic() > deadline:
                message = f"not everything was {what} within {_PATIENCE_SECONDS} s"
                raise NotReadyError(message)
            self._until_still(contestant)

    def _until_still(self, contestant: Contestant) -> None:
        """Wait until its processes have computed nothing for a while.

        To count what has ended costs the database more than a hundred messages do: whoever
        takes longer would pay more of it.
        """
        before, since = -1.0, time.monotonic()
        while time.monotonic() - since < _STILL_SECONDS:
            time.sleep(_LOOK_SECONDS)
            used = self._stack.cpu()
            own = sum(used[name] for name in contestant.application)
            if own != before:
                before, since = own, time.monotonic()
