"""What stood still goes on within seconds: dead connections, frozen functions."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from infra.local.errors import LocalStackError
from infra.local.firestore_view import HISTORY, LIVE
from tests.chaos.effects import read_journal
from tests.chaos.ledger import Books, audit
from tests.chaos.proxy import Mode
from tests.chaos.run import alarms
from tests.chaos.scale import ATTEMPTS, COMMANDS, Scale
from tests.chaos.stack import Stack, Wanted, running, tenant
from tests.chaos.storm import Window
from tests.chaos.workload import Offer
from tests.support.emulators import needs_emulators

pytestmark = needs_emulators

HERE = Path(__file__).parent
TENANT = "tenant-1"
SCALE = Scale(messages=4, tenants=1, hurried=True)
TRY_SECONDS = 10  # of a call to Google: then it takes another connection
FEW_SECONDS = 7 * TRY_SECONDS
"""poll's reads, its publishing, a claim of each of a consumer's two workers: each finds out by
itself, one after the other (35 s on a busy machine). Else each call fails for many minutes."""
FROZEN_SECONDS = 3.0
SERVER_SECONDS = 1  # after which a function's server would end a worker that is silent


class Runs:
    """A stack with one tenant, and what it was given."""

    def __init__(self, stack: Stack, journal: Path) -> None:
        self.stack = stack
        self.offered: list[Offer] = []
        self._journal = journal

    def offer(self) -> None:
        """One more message for each command."""
        for command in COMMANDS:
            identity = f"m{len(self.offered)}"
            asks = {"requestID": f"{TENANT} {identity}"}
            content = {"header": {"type": command, "tenantId": TENANT}, "content": asks}
            its = Offer(TENANT, identity, command, json.dumps(content), 1, dies=False, times=1)
            self.offered.append(its)
            messages = [its.wire()]
            asked = {"tenant": TENANT, "messages": messages, "force": True}
            self.stack.simulator("POST", "/offer", asked)

    def poll_until(self, there: Callable[[], bool], seconds: float) -> float:
        """Calls poll, as soon as the last call was answered; how long it took."""
        began = time.monotonic()
        while not there():
            assert time.monotonic() - began < seconds, "it does not go on"
            with suppress(LocalStackError):  # it failed: the next tick comes
                self.stack.poll()
        return time.monotonic() - began

    def done(self) -> bool:
        """All that was offered has ended, and its replies have."""
        documents = self.stack.firestore.documents(TENANT, HISTORY)
        return len(documents) == 2 * len(self.offered)

    def broken(self) -> list[str]:
        """What does not balance; a server that ended a worker too."""
        stack = self.stack
        queue = stack.simulator("GET", "/queues")[TENANT]
        books = Books(
            offers=self.offered,
            effects=read_journal(self._journal),
            kills=[],
            freezes=stack.functions.freezes,
            windows=[Window(at, at) for at in stack.proxies["firestore"].swallowed],
            limit=ATTEMPTS,
            lease=SCALE.lease_left,
            live={TENANT: stack.firestore.documents(TENANT, LIVE)},
            history={TENANT: stack.firestore.documents(TENANT, HISTORY)},
            sent={TENANT: stack.simulator("GET", f"/sent?tenant={TENANT}")},
            waiting={TENANT: queue["waiting"] + queue["leased"]},
        )
        return audit(books).broken + alarms(stack.logs)


@contextmanager
def started(folder: Path) -> Iterator[Runs]:
    """All is up, and has worked: every connection is open."""
    journal = folder / "journal.jsonl"
    wanted = Wanted(
        catalog=SCALE.catalog,
        tenants=(tenant(TENANT),),
        config=SCALE.config,
        consumer=HERE / "consumer.py",
        module="chaos",
        environment={
            **SCALE.environment,
            "CHAOS_JOURNAL": str(journal),
            "CLOUD_RUN_TIMEOUT_SECONDS": str(SERVER_SECONDS),
        },
        main=HERE / "hurried.py",
    )
    with running(wanted, folder) as stack:
        runs = Runs(stack, journal)
        for _ in range(2):  # of the two workers of a function each gets to work
            runs.offer()
            runs.poll_until(runs.done, 60)
        yield runs


def test_connections_that_died_without_a_word_cost_seconds(tmp_path: Path) -> None:
    """All at once: Firestore's, Pub/Sub's, the broker's and RAC's. New ones work."""
    with started(tmp_path) as runs:
        services = {name: runs.stack.proxies[name] for name in ("firestore", "pubsub", "simulator")}
        for proxy in services.values():
            proxy.set(Mode.BLACKHOLE)
        runs.offer()
        runs.poll_until(runs.done, FEW_SECONDS)
        met = {name for name, proxy in services.items() if proxy.swallowed}
        assert met >= {"firestore", "pubsub"}, "the broker's session may have been closed before"
        assert runs.broken() == []


def test_functions_that_were_frozen_go_on(tmp_path: Path) -> None:
    """For longer than their server waits for a worker: the same ones go on, and nothing alarms."""
    with started(tmp_path) as runs:
        consumers = [name for name in runs.stack.proxies if name.startswith("consume")]
        thaws = [
            thaw
            for name in consumers
            for choice in range(2)
            if (thaw := runs.stack.functions.freeze_worker(name, choice))
        ]
        assert len(thaws) == 2 * len(consumers)
        runs.offer()
        until = time.monotonic() + FROZEN_SECONDS
        runs.poll_until(lambda: time.monotonic() > until, FEW_SECONDS)
        assert not runs.done()
        for thaw in thaws:
            thaw()
        runs.poll_until(runs.done, FEW_SECONDS)
        assert runs.broken() == []
