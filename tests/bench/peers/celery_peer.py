"""The job on Celery with Redis and PostgreSQL.

Its settings are what its documentation recommends for short tasks that must not be lost:
- acks_late with reject_on_worker_lost (user guide, Tasks: tasks that are idempotent);
- a large prefetch for many short tasks (Optimizing, Prefetch Limits: say 50 or 150);
- arguments are ids, not contents (Tasks, Data locality and State);
- no results where nobody reads them (Tasks, Tips and Best Practices);
- no countdown of an hour, as RM's formula wants: on Redis an ETA beyond the visibility time-out
  is delivered again and again (Using Redis, Caveats). The time stands in the inbox, and a periodic
  task of celery beat enqueues what is due, which fixes a crash between commit and enqueue, too.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import psycopg
from celery import Celery

from tests.bench.peers import job
from tests.bench.peers.intake import Queue
from tests.bench.peers.link import Session
from tests.bench.peers.settings import Settings, load_settings

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


@cache
def _database() -> psycopg.Connection[Any]:
    """One connection a worker process, for one task at a time."""
    return psycopg.connect(_settings().database, autocommit=True)


@cache
def _session() -> Session:
    return Session(_settings())


@app.task
def execute(message_id: str) -> None:
    """Claim, run and settle one message in one transaction."""
    database = _database()
    with database.transaction():
        found = database.execute(job.CLAIM, {"id": message_id}).fetchone()
        if found is None:
            return
        content, attempts = found
        try:
            reply = job.run(content)
        except Exception as error:  # noqa: BLE001 - whatever a consumer raises is its message's
            wait = job.delay(attempts + 1, _settings().retry_minutes)
            failed = {"id": message_id, "error": repr(error), "delay": wait}
            status = "dead" if wait is None else "waiting"
            database.execute(job.FAIL, {**failed, "status": status})
            return
        settled = {"id": message_id, "reply_type": job.REPLY_TYPE, "reply": reply}
        database.execute(job.SETTLE, settled)


@app.task
def send(ids: list[str]) -> None:
    """Send these replies, at least once; what fails is due again when its lease ends."""
    database = _database()
    sent: list[str] = []
    try:
        for identity, kind, content in database.execute(job.REPLIES, {"ids": ids}).fetchall():
            _session().send(kind, content)
            sent.append(identity)
    finally:
        database.execute(job.SENT, {"ids": sent})


@app.task
def sweep() -> None:
    """Enqueue what is due."""
    found = _database().execute(job.SWEEP, {"lease": job.LEASE}).fetchall()
    _enqueue(execute, [identity for (identity,) in found])


def _enqueue(task: Any, arguments: Sequence[Any]) -> None:  # noqa: ANN401 - Celery has no types
    with app.producer_pool.acquire(block=True) as producer:
        for argument in arguments:
            task.apply_async((argument,), producer=producer)


class _AfterCommit:
    """Redis knows nothing of the transaction, so it is told when that is committed."""

    def stored(self, connection: Any, ids: Sequence[str]) -> None:  # noqa: ANN401
        """Wait for the commit."""

    def acked(self, ids: Sequence[str]) -> None:
        """Enqueue each message."""
        _enqueue(execute, ids)

    def replies(self, connection: Any, batches: Sequence[Sequence[str]]) -> None:  # noqa: ANN401
        """Commit their lease, then enqueue each batch."""
        connection.commit()
        _enqueue(send, batches)


def queue() -> Queue:
    """The poller's way in."""
    return _AfterCommit()
