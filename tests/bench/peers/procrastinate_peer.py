"""The job on Procrastinate with PostgreSQL.

As its documentation recommends: asynchronous tasks and connector for the worker, jobs deferred in
the transaction that stores their data, many at once with `batch_defer`, a retry strategy of one's
own for one's own formula, several workers that each run several jobs at once; stalled jobs retried
and old ones removed by periodic tasks.
"""

import asyncio
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import procrastinate
from procrastinate import BaseRetryStrategy, JobContext, RetryDecision, builtin_tasks

from tests.bench.peers import job
from tests.bench.peers.intake import Queue
from tests.bench.peers.link import Session
from tests.bench.peers.settings import CONCURRENCY, load_settings

_settings = cache(load_settings)
_threads = threading.local()
_connector = procrastinate.PsycopgConnector(
    conninfo=_settings().database,
    min_size=CONCURRENCY,
    max_size=CONCURRENCY + 2,  # the worker's own queries beside its tasks'
)
app = procrastinate.App(connector=_connector)


class RmRetry(BaseRetryStrategy):
    """RM's formula; when it allows no more, the job has failed for good."""

    def get_retry_decision(
        self,
        *,
        exception: BaseException,  # noqa: ARG002 - whatever a consumer raises is retried
        job: procrastinate.jobs.Job,
    ) -> RetryDecision | None:
        """Decide by the number of the job's earlier attempts."""
        wait = _delay(job.attempts + 1)
        return None if wait is None else RetryDecision(retry_in={"seconds": wait.total_seconds()})


def _delay(attempt: int) -> Any:  # noqa: ANN401 - a parameter above hides the module
    return job.delay(attempt, _settings().retry_minutes)


@app.task(queue="messages", retry=RmRetry())
async def execute(message_id: str) -> None:
    """Claim, run and settle one message in one transaction; count a failure in another one."""
    async with _connector.pool.connection() as database:
        found = await (await database.execute(job.CLAIM, {"id": message_id})).fetchone()
        if found is None:
            return
        content, attempts = found
        try:
            reply = job.run(content)
        except Exception as error:
            wait = _delay(attempts + 1)
            failed = {"id": message_id, "error": repr(error), "delay": wait}
            status = "dead" if wait is None else "pending"  # its job is what waits
            await database.execute(job.FAIL, {**failed, "status": status})
            await database.commit()
            raise
        settled = {"id": message_id, "reply_type": job.REPLY_TYPE, "reply": reply}
        await database.execute(job.SETTLE, settled)


@app.task(queue="replies")
async def send(ids: list[str]) -> None:
    """Send these replies, at least once; what fails is due again when its lease ends."""
    async with _connector.pool.connection() as database:
        waiting = await (await database.execute(job.REPLIES, {"ids": ids})).fetchall()
    sent: list[str] = []
    try:
        await asyncio.to_thread(_send, waiting, sent)
    finally:
        async with _connector.pool.connection() as database:
            await database.execute(job.SENT, {"ids": sent})


def _send(replies: Sequence[tuple[str, str, str]], sent: list[str]) -> None:
    if not hasattr(_threads, "session"):
        _threads.session = Session(_settings())
    for identity, kind, content in replies:
        _threads.session.send(kind, content)
        sent.append(identity)


@app.periodic(cron="*/10 * * * *")
@app.task(queueing_lock="retry_stalled_jobs", pass_context=True)
async def retry_stalled_jobs(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the schedule's
    """Take what a worker that died was running (how-to: Retry stalled jobs)."""
    for stalled in await context.app.job_manager.get_stalled_jobs():
        await context.app.job_manager.retry_job(stalled)


@app.periodic(cron="0 4 * * *")
@app.task(queueing_lock="remove_old_jobs", pass_context=True)
async def remove_old_jobs(context: JobContext, timestamp: int) -> None:  # noqa: ARG001
    """Forget what succeeded three days ago (how-to: Delete finished jobs)."""
    await builtin_tasks.remove_old_jobs(context, max_hours=72)


class _InTransaction:
    """A message and its job are committed together: nothing needs to be swept."""

    def stored(self, connection: Any, ids: Sequence[str]) -> None:  # noqa: ANN401 - see Queue
        """Defer a job for each message."""
        if ids:
            jobs = execute.configure(connection=connection)
            jobs.batch_defer(*({"message_id": identity} for identity in ids))

    def acked(self, ids: Sequence[str]) -> None:
        """Nothing is left to do."""

    def replies(self, connection: Any, batches: Sequence[Sequence[str]]) -> None:  # noqa: ANN401
        """Defer a job for each batch, together with the lease."""
        if batches:
            jobs = send.configure(connection=connection)
            jobs.batch_defer(*({"ids": batch} for batch in batches))


def queue() -> Queue:
    """The poller's way in."""
    return _InTransaction()
