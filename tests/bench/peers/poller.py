"""The poller of both peers: receives over eight sessions, stores, acks, enqueues.

In production a loop or a schedule would call `receive` and `send`; here an HTTP call does, as it
calls ours, so that all contestants begin at the same instant and in the same phases.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

from psycopg_pool import ConnectionPool

from tests.bench.peers import job
from tests.bench.peers.intake import Queue
from tests.bench.peers.link import Session
from tests.bench.peers.settings import Settings, load_settings

RECEIVERS = 8  # as the relay's
BATCH = 100  # as the relay's
_LOOK_SECONDS = 0.02
_PATIENCE_SECONDS = 60


class Poller:
    """One tenant's."""

    def __init__(self, settings: Settings, queue: Queue) -> None:
        self._queue = queue
        self._sessions = [Session(settings) for _ in range(RECEIVERS)]
        self._pool = ConnectionPool(settings.database, min_size=RECEIVERS, open=True)
        self._threads = ThreadPoolExecutor(RECEIVERS)

    def receive(self) -> dict[str, int]:
        """Take in all that waits."""
        return {"received": sum(self._threads.map(self._receive, self._sessions))}

    def send(self) -> dict[str, int]:
        """Have the workers send the replies that are due; answer when they have."""
        with self._pool.connection() as connection:
            found = connection.execute(job.LEASE_REPLIES, {"lease": job.LEASE}).fetchall()
            ids = [identity for (identity,) in found]
            starts = range(0, len(ids), job.SEND_BATCH)
            batches = [ids[start : start + job.SEND_BATCH] for start in starts]
            self._queue.replies(connection, batches)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._unsent() and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        return {"sent": len(ids)}

    def _receive(self, session: Session) -> int:
        received = 0
        more = True
        while more:
            batch: list[dict[str, Any]] = []
            while len(batch) < BATCH and more:
                got = session.get()
                batch += got
                more = bool(got)
            if batch:
                new = self._store(batch)
                for message in batch:
                    session.ack(message["deliveryTag"])
                self._queue.acked(new)
                received += len(batch)
        return received

    def _store(self, batch: Sequence[dict[str, Any]]) -> list[str]:
        with self._pool.connection() as connection:
            columns = {
                f"{name}s": [message[name] for message in batch]
                for name in ("id", "type", "content")
            }
            rows = connection.execute(job.STORE, {**columns, "lease": job.LEASE}).fetchall()
            new = [identity for (identity,) in rows]
            self._queue.stored(connection, new)
        return new

    def _unsent(self) -> int:
        with self._pool.connection() as connection:
            [count] = connection.execute(job.UNSENT).fetchone() or (0,)
        return int(count)


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
    peer, port = sys.argv[1:]
    queue = import_module(f"tests.bench.peers.{peer}_peer").queue()
    poller = Poller(load_settings(), queue)
    serve(int(port), {"/poll": poller.receive, "/send": poller.send})
