"""The job on Celery with Redis and PostgreSQL.

Its settings are what its documentation (docs.celeryq.dev, 5.6) recommends for tasks that must not
be lost:
- acks_late with reject_on_worker_lost (user guide, Tasks: tasks that are idempotent);
- a large prefetch for many short tasks (Optimizing, Prefetch Limits: say 50 or 150);
- arguments are ids, not contents (Tasks, Data locality and State);
- no results where nobody reads them (Tasks, Tips and Best Practices);
- a call that may pass is tried again by itself, later and later (Tasks, Automatic retry for known
  exceptions);
- no countdown of an hour, as RM's formula wants: on Redis an ETA beyond the visibility time-out
  is delivered again and again (Using Redis, Caveats). The time stands in the inbox, and a periodic
  task of celery beat enqueues what is due, which fixes a crash between commit and enqueue, too.

With many tenants and a broker far away, its workers differ (`programs.py`), and each kind of task
has a queue of its own: short ones and long ones go to two worker nodes that are configured
separately (Optimizing, Prefetch Limits; Routing Tasks).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from celery import Celery
from psycopg_pool import ConnectionPool

from tests.bench.peers import job
from tests.bench.peers.intake import Queue
from tests.bench.peers.link import PASSING, Sessions
from tests.bench.peers.settings import Settings, load_settings

_CONNECTIONS = 20  # of a worker process whose tasks are many at once
_settings = cache(load_settings)


def configured(settings: Settings) -> Celery:
    """Make the application."""
    app = Celery("bench", broker=settings.redis)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=64,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": 3_600},
        task_routes={f"{__name__}.send": {"queue": "replies"}} if settings.at_once else {},
        beat_schedule={
            "sweep": {
                "task": f"{__name__}.sweep",
                "schedule": settings.sweep_seconds,
                "options": {"expires": settings.sweep_seconds},
            }
        },
    )
    return app


app = configured(_settings())


@contextmanager
def _database() -> Iterator[psycopg.Connection[Any]]:
    """A connection for one task: of a process that has one at a time, always the same."""
    if _settings().concurrency == 1:
        yield _own()
    else:
        with _pool().connection() as connection:
            yield connection


@cache
def _own() -> psycopg.Connection[Any]:
    return psycopg.connect(_settings().database, autocommit=True)


@cache
def _pool() -> ConnectionPool:
    most = min(_settings().concurrency, _CONNECTIONS)
    options = {"autocommit": True}
    return ConnectionPool(_settings().database, min_size=4, max_size=most, kwargs=options)


@cache
def _sessions() -> Sessions:
    return Sessions(_settings())


@app.task
def execute(tenant: str, message_id: str) -> None:
    """Claim, run and settle one message in one transaction."""
    message = {"tenant": tenant, "id": message_id}
    with _database() as database:
        if _settled(database, message) and _settings().at_once:
            send.delay(tenant, [message_id])


def _settled(database: psycopg.Connection[Any], message: dict[str, str]) -> bool:
    with database.transaction():
        found = database.execute(job.CLAIM, message).fetchone()
        if found is None:
            return False
        content, attempts = found
        try:
            reply = job.run(content)
        except Exception as error:  # noqa: BLE001 - whatever a consumer raises is its message's
            wait = job.delay(attempts + 1, _settings().retry_minutes)
            status = "dead" if wait is None else "waiting"
            failed = {**message, "error": repr(error), "delay": wait, "status": status}
            database.execute(job.FAIL, failed)
            return False
        lease = job.LEASE if _settings().at_once else job.NO_LEASE
        reply_of = {**message, "reply_type": job.REPLY_TYPE, "reply": reply, "lease": lease}
        database.execute(job.SETTLE, reply_of)
        return True


@app.task(autoretry_for=PASSING, retry_backoff=True, max_retries=job.ATTEMPTS)
def send(tenant: str, ids: list[str]) -> None:
    """Send these replies, at least once; what fails is due again when its lease ends."""
    replies = {"tenant": tenant, "ids": ids}
    with _database() as database:
        waiting = database.execute(job.REPLIES, replies).fetchall()
    sent: list[str] = []
    try:
        with _sessions().of(tenant) as session:
            for identity, kind, content in waiting:
                session.send(kind, content)
                sent.append(identity)
    finally:
        with _database() as database:
            database.execute(job.SENT, {"tenant": tenant, "ids": sent})


@app.task
def sweep() -> None:
    """Enqueue what is due."""
    with _database() as database:
        due = database.execute(job.SWEEP, {"lease": job.LEASE}).fetchall()
        unsent: list[tuple[str, str]] = []
        if _settings().at_once:  # else the bench says when they are sent
            unsent = database.execute(job.LEASE_REPLIES, {"lease": job.LEASE}).fetchall()
    _enqueue(execute, due)
    _enqueue(send, job.batches(unsent))


def _enqueue(task: Any, arguments: Iterable[Sequence[Any]]) -> None:  # noqa: ANN401 - Celery has no types
    with app.producer_pool.acquire(block=True) as producer:
        for its in arguments:
            task.apply_async(tuple(its), producer=producer)


class _AfterCommit:
    """Redis knows nothing of the transaction, so it is told when that is committed."""

    def stored(self, connection: Any, tenant: str, ids: Sequence[str]) -> None:  # noqa: ANN401
        """Wait for the commit."""

    def acked(self, tenant: str, ids: Sequence[str]) -> None:
        """Enqueue each message."""
        _enqueue(execute, ((tenant, identity) for identity in ids))

    def replies(self, connection: Any, batches: Sequence[tuple[str, Sequence[str]]]) -> None:  # noqa: ANN401
        """Commit their lease, then enqueue each batch."""
        connection.commit()
        _enqueue(send, batches)


def queue() -> Queue:
    """The poller's way in."""
    return _AfterCommit()
