"""Store → claim → settle on the Firestore emulator, without broker and Pub/Sub.

Ours is the relay's own code, `Downstream` and `Consume` on the real adapter; between them the
dispatch is encoded and decoded as it travels. Beside it the per-message functions' own steps.
"""

import io
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import grpc
from google.cloud import firestore
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from infra.local.firestore_view import COLLECTIONS, FirestoreView
from infra.local.rest import Rest
from smartlink.adapters.firestore.calls import FirestoreCalls
from smartlink.adapters.firestore.store import Firestore
from smartlink.adapters.http.at_need import session_at_need
from smartlink.adapters.in_memory import (
    InMemoryContents,
    InMemoryEffects,
    InMemoryPublisher,
    InMemorySecrets,
)
from smartlink.adapters.threads import ThreadRunner, beside, end_process, wait
from smartlink.bootstrap import new_id, now
from smartlink.common_wiring import Adapters
from smartlink.consume_wiring import ConsumeAdapters, make_consume
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.tenant import TenantEntry, TenantState
from smartlink.observability import JsonFormatter
from smartlink.ports import Delivery
from smartlink.services.dispatch import Dispatcher, decode_dispatch
from smartlink.services.polling.hourly import Hourly
from smartlink.services.polling.intakes import Intakes
from smartlink.services.polling.known_commands import KnownCommands
from smartlink.services.polling.receiving import Downstream
from smartlink.services.polling.states import States
from smartlink.services.polling.tenant_poll import TenantPoll
from smartlink.settings import Settings, load_settings
from tests.bench.consumer import quiet
from tests.bench.emulated import environment
from tests.bench.ledger import LedgerError
from tests.bench.per_message import main as per_message
from tests.bench.workload import QUIET, Offer, catalog, offers
from tests.support.firestore_counter import FirestoreCounter

TENANT = "bench"
_COLLECTIONS = {"ours": COLLECTIONS, "per-message": ("messages", "history", "logs")}
THREADS = (1, 8)

Work = Callable[[Sequence[Offer]], None]
"""Takes a share of the messages from their arrival to their settlement."""


class _Waiting:
    """A broker session that has everything at hand."""

    def __init__(self, waiting: Sequence[Offer], batch: int) -> None:
        self._waiting = list(waiting)
        self._batch = batch

    def limit(self, seconds: float) -> None:
        """Nothing to do."""

    def tenant_id(self) -> str | None:
        """Nobody in particular."""
        return None

    def trace(self, traceparent: str) -> None:
        """Nothing to do."""

    def setup(self, commands: Sequence[str]) -> None:
        """Nothing to do."""

    def get(self) -> list[Delivery]:
        """Answer a whole batch."""
        got, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
        return [Delivery(tag, it.id, it.type, it.content) for tag, it in enumerate(got)]

    def ack(self, tag: int) -> None:
        """Nothing to do."""

    def nack(self, tag: int) -> None:
        """Nothing to do."""

    def send(self, message_type: str, audience: str | None, content: bytes) -> None:
        """Nothing to do."""


def _settings() -> Settings:
    return load_settings(
        {
            "GOOGLE_CLOUD_PROJECT": "bench",
            "SMARTLINK_ENVIRONMENT": "development",
            "SMARTLINK_CONFIG_URI": "gs://bench/totvsAppConfig_v2.json",
            "SMARTLINK_CATALOG": catalog(QUIET).model_dump_json(by_alias=True),
        }
    )


def ours(store: Firestore) -> Work:
    """Put the relay's use cases on this store, as `bootstrap` does."""
    settings = _settings()
    publisher, contents = InMemoryPublisher(), InMemoryContents()
    dispatcher = Dispatcher(publisher, settings.catalog, settings.dispatch_batch)
    commands = KnownCommands(store, settings.catalog.commands, now)
    states = States(store, store, timedelta(minutes=4), Hourly(store))
    intakes = Intakes(store, contents, states, settings.catalog, now, new_id)
    downstream = Downstream(store, store, contents, dispatcher, intakes, settings, now, commands)
    adapters = Adapters(
        store=store,
        contents=contents,
        secrets=InMemorySecrets(),
        beside=beside,
        clock=now,
        new_id=new_id,
        wait=wait,
    )
    own = ConsumeAdapters(
        erp=InMemorySecrets(),
        effects=InMemoryEffects(),
        runner=ThreadRunner(),
        end_process=end_process,
        http=session_at_need,
        publisher=lambda: publisher,
    )
    consume = make_consume(settings, adapters, own, QUIET, quiet)

    def work(share: Sequence[Offer]) -> None:
        session = _Waiting(share, settings.receive_batch)
        later = now() + timedelta(days=1)
        quota = Counter({QUIET: len(share)})
        entry = TenantEntry(TENANT, "")
        tick = TenantPoll(entry, TenantState(), RetryPolicy(), later, later, quota)
        more = True
        while more:
            more = downstream.receive(tick, session, lambda *_: None).more
            for _, envelope in publisher.take():
                consume(decode_dispatch(envelope.data))

    return work


def theirs(database: firestore.Client) -> Work:
    """Take the per-message functions' steps, one after the other."""
    tenant = database.collection("tenants").document(TENANT)

    def work(share: Sequence[Offer]) -> None:
        for offer in share:
            message = {"id": offer.id, "type": offer.type, "content": offer.content}
            per_message.keep(tenant, message)
            per_message.execute(tenant, offer.id, reply=False)

    return work


class _Counter(FirestoreCounter):
    def _counted(self, answers: Iterator[Any], method: str) -> Iterator[Any]:
        """Reads to the end: the usual client's `get` stops at the first answer."""
        yield from list(super()._counted(answers, method))


class StoreBench:
    """Both, on one emulator, each in a project of its own."""

    def __init__(self, host: str) -> None:
        self._host = host

    def contestants(self, threads: int) -> dict[str, Callable[[int], float]]:
        """Name what is to be measured: each takes a number of messages, answers per second."""
        return {
            name: partial(self._rate, name, make, threads)
            for name, make in (("ours", self._ours), ("per-message", self._theirs))
        }

    def operations(self, count: int = 200) -> dict[str, dict[str, float]]:
        """Count what each sends to Firestore, for one message."""
        counted: dict[str, dict[str, float]] = {}
        for name, make in (("ours", self._ours), ("per-message", self._theirs)):
            counter = _Counter()
            make(counter)(offers(count, QUIET))
            counted[name] = {kind: its / count for kind, its in counter.operations.items()}
        return counted

    def _rate(self, name: str, make: Callable[[], Work], threads: int, count: int) -> float:
        works = [make() for _ in range(threads)]
        for work in works:
            work(offers(1, QUIET))  # connects
        self._clear(name)
        messages = offers(count, QUIET)
        shares = [messages[start::threads] for start in range(threads)]
        with _cloud_logging(), ThreadPoolExecutor(threads) as pool:
            start = time.perf_counter()
            for _ in pool.map(lambda work, share: work(share), works, shares):
                pass
            seconds = time.perf_counter() - start
        self._check(name, count)
        return count / seconds

    def _clear(self, name: str) -> None:
        place = f"emulator/v1/projects/bench-{name}/databases/(default)/documents"
        Rest().call("DELETE", f"http://{self._host}/{place}")

    def _check(self, name: str, count: int) -> None:
        """See that every message has ended, with two log lines, and that none lives."""
        view = FirestoreView(Rest(), self._host, f"bench-{name}")
        expected = dict(zip(_COLLECTIONS[name], (0, count, 2 * count), strict=True))
        found = {collection: view.count(collection) for collection in expected}
        if found != expected:
            message = f"{name}: {found} were found, not {expected}"
            raise LedgerError(message)

    def _ours(self, *interceptors: Any) -> Work:  # noqa: ANN401  (gRPC's)
        calls = FirestoreCalls("bench-ours", emulator=self._host, interceptors=interceptors)
        return ours(Firestore(calls))

    def _theirs(self, *interceptors: Any) -> Work:  # noqa: ANN401
        with environment(FIRESTORE_EMULATOR_HOST=self._host):
            database = firestore.Client(project="bench-per-message")
        if interceptors:
            channel = grpc.intercept_channel(grpc.insecure_channel(self._host), *interceptors)
            transport = FirestoreGrpcTransport(channel=channel)
            database._firestore_api_internal = FirestoreClient(transport=transport)  # noqa: SLF001
        return theirs(database)


@contextmanager
def _cloud_logging() -> Iterator[None]:
    """Write the lines for Cloud Logging as in a function, into a buffer."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("smartlink")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
