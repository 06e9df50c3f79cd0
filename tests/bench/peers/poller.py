"""The poller of both peers: receives each tenant's messages, stores, acks, enqueues.

In production a loop would call `receive`. In the throughput comparison an HTTP call does, as it
calls ours, so that all contestants begin at the same instant and in the same phases. With `/start`
each tenant gets a loop of its own, so that none waits for another one's backlog.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

from psycopg_pool import ConnectionPool

from tests.bench.peers import job
from tests.bench.peers.intake import Queue
from tests.bench.peers.link import PASSING, Session, Sessions
from tests.bench.peers.settings import Settings, load_settings

RECEIVERS = 8  # of a tenant, as the relay's
BATCH = 100  # as the relay's
BATCH_SECONDS = 2  # for a batch's calls of `get` and `ack`, as the relay's
CONNECTIONS = 8
_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 60


class Poller:
    """Every tenant's."""

    def __init__(self, settings: Settings, queue: Queue) -> None:
        self._tenants = tuple(settings.tenants)
        self._queue = queue
        self._sessions = Sessions(settings)
        self._pool = ConnectionPool(settings.database, min_size=CONNECTIONS, open=True)
        self._threads = ThreadPoolExecutor(RECEIVERS * len(self._tenants))
        self._loops: list[threading.Thread] = []
        self._stop = threading.Event()

    def receive(self) -> dict[str, int]:
        """Take in all that waits."""
        receivers = [tenant for tenant in self._tenants for _ in range(RECEIVERS)]
        return {"received": sum(self._threads.map(self._receive, receivers))}

    def start(self, seconds: float) -> dict[str, int]:
        """Look for each tenant's messages so often, until `stop`."""
        self._stop.clear()
        self._loops = [
            threading.Thread(target=self._loop, args=(tenant, seconds)) for tenant in self._tenants
        ]
        for loop in self._loops:
            loop.start()
        return {"loops": len(self._loops)}

    def stop(self) -> dict[str, int]:
        """End every loop, when it has received what it was receiving."""
        self._stop.set()
        for loop in self._loops:
            loop.join()
        return {"loops": len(self._loops)}

    def send(self) -> dict[str, int]:
        """Have the workers send the replies that are due; answer when they have."""
        with self._pool.connection() as connection:
            found = connection.execute(job.LEASE_REPLIES, {"lease": job.LEASE}).fetchall()
            self._queue.replies(connection, job.batches(found))
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._unsent() and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        return {"sent": len(found)}

    def _loop(self, tenant: str, seconds: float) -> None:
        """One session looks; as soon as it finds something, the others receive too."""
        start = time.monotonic()
        while not self._stop.is_set():
            joined: list[Any] = []

            def join(joined: list[Any] = joined) -> None:
                if not joined:
                    others = range(RECEIVERS - 1)
                    joined += [self._threads.submit(self._receive, tenant) for _ in others]

            try:
                self._receive(tenant, join)
                for receiver in joined:
                    receiver.result()
            except PASSING as error:  # what was not acked comes again when its lease ends
                sys.stderr.write(f"{tenant}: {error!r}\n")
            self._stop.wait(seconds - (time.monotonic() - start) % seconds)

    def _receive(self, tenant: str, join: Callable[[], None] = lambda: None) -> int:
        """Receive batches over one session until nothing is left; answer how many messages."""
        received = 0
        more = True
        with self._sessions.of(tenant) as session:
            while more:
                batch, more = _gathered(session, join)
                if batch:
                    new = self._store(tenant, batch)
                    for message in batch:
                        session.ack(message["deliveryTag"])
                    self._queue.acked(tenant, new)
                    received += len(batch)
        return received

    def _store(self, tenant: str, batch: Sequence[dict[str, Any]]) -> list[str]:
        with self._pool.connection() as connection:
            columns = {
                f"{name}s": [message[name] for message in batch]
                for name in ("id", "type", "content")
            }
            stored = {**columns, "tenant": tenant, "lease": job.LEASE}
            rows = connection.execute(job.STORE, stored).fetchall()
            new = [identity for (identity,) in rows]
            self._queue.stored(connection, tenant, new)
        return new

    def _unsent(self) -> int:
        with self._pool.connection() as connection:
            [count] = connection.execute(job.UNSENT).fetchone() or (0,)
        return int(count)


def _gathered(session: Session, join: Callable[[], None]) -> tuple[list[dict[str, Any]], bool]:
    """A batch, and whether the broker may hold more; it calls `join` when something comes."""
    batch: list[dict[str, Any]] = []
    start, gets = time.monotonic(), 0
    while len(batch) < BATCH:
        got = session.get()
        if not got:
            return batch, False
        join()
        batch += got
        gets += 1
        spent = time.monotonic() - start
        if spent + len(batch) * spent / gets >= BATCH_SECONDS:  # each needs an ack
            break
    return batch, True


def serve(port: int, calls: dict[str, Callable[[], dict[str, int]]]) -> None:
    """Answer a POST to a call's path when the call has ended."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps(calls[self.path]()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Stay silent."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    peer, port, seconds = sys.argv[1:]
    queue = import_module(f"tests.bench.peers.{peer}_peer").queue()
    poller = Poller(load_settings(), queue)
    calls = {
        "/poll": poller.receive,
        "/send": poller.send,
        "/start": lambda: poller.start(float(seconds)),
        "/stop": poller.stop,
    }
    serve(int(port), calls)
