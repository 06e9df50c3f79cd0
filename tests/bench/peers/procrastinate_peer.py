"""The job on Procrastinate with PostgreSQL.

As its documentation (procrastinate.readthedocs.io, 3) recommends: asynchronous tasks and connector
for the worker, jobs deferred in the transaction that stores their data, many at once with
`batch_defer`, a retry strategy of one's own for one's own formula, several workers that each run
several jobs at once (How-to, Execute multiple jobs at the same time: 30 where they wait for the
network); stalled jobs retried and old ones removed by periodic tasks. No lock: with one a tenant's
jobs would run one after the other, and nobody asks for their order. What blocks runs in threads, as
its own synchronous tasks do.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import procrastinate
from procrastinate import BaseRetryStrategy, JobContext, RetryDecision, RetryStrategy, builtin_tasks

from tests.bench.peers import job
from tests.bench.peers.intake import Queue
from tests.bench.peers.link import PASSING, Sessions
from tests.bench.peers.settings import load_settings

_settings = cache(load_settings)
_connector = procrastinate.PsycopgConnector(
    conninfo=_settings().database,
    min_size=min(_settings().concurrency, 8),
    max_size=_settings().concurrency + 2,  # the worker's own queries beside its tasks'
)
_threads = ThreadPoolExecutor(_settings().concurrency)  # asyncio's own has six on two cores
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


@cache
def _sessions() -> Sessions:
    return Sessions(_settings())


@app.task(queue="messages", retry=RmRetry())
async def execute(tenant: str, message_id: str) -> None:
    """Claim, run and settle one message in one transaction; count a failure in another one."""
    message = {"tenant": tenant, "id": message_id}
    async with _connector.pool.connection() as database:
        found = await (await database.execute(job.CLAIM, message)).fetchone()
        if found is None:
            return
        content, attempts = found
        try:
            reply = job.run(content)
        except Exception as error:
            wait = _delay(attempts + 1)
            status = "dead" if wait is None else "pending"  # its job is what waits
            failed = {**message, "error": repr(error), "delay": wait, "status": status}
            await database.execute(job.FAIL, failed)
            await database.commit()
            raise
        lease = job.LEASE if _settings().at_once else job.NO_LEASE
        reply_of = {**message, "reply_type": job.REPLY_TYPE, "reply": reply, "lease": lease}
        await database.execute(job.SETTLE, reply_of)
        if _settings().at_once:
            deferred = send.configure(connection=database)
            await deferred.defer_async(tenant=tenant, ids=[message_id])


@app.task(
    queue="replies",
    retry=RetryStrategy(
        max_attempts=job.ATTEMPTS, exponential_wait=2, retry_exceptions=list(PASSING)
    ),
)
async def send(tenant: str, ids: list[str]) -> None:
    """Send these replies, at least once; what fails is due again when its lease ends."""
    replies = {"tenant": tenant, "ids": ids}
    async with _connector.pool.connection() as database:
        waiting = await (await database.execute(job.REPLIES, replies)).fetchall()
    sent: list[str] = []
    try:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(_threads, _send, tenant, waiting, sent)
    finally:
        async with _connector.pool.connection() as database:
            await database.execute(job.SENT, {"tenant": tenant, "ids": sent})


def _send(tenant: str, replies: Sequence[tuple[str, str, str]], sent: list[str]) -> None:
    with _sessions().of(tenant) as session:
        for identity, kind, content in replies:
            session.send(kind, content)
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

    def stored(self, connection: Any, tenant: str, ids: Sequence[str]) -> None:  # noqa: ANN401 - see Queue
        """Defer a job for each message."""
        if ids:
            jobs = execute.configure(connection=connection)
            jobs.batch_defer(*({"tenant": tenant, "message_id": identity} for identity in ids))

    def acked(self, tenant: str, ids: Sequence[str]) -> None:
        """Nothing is left to do."""

    def replies(self, connection: Any, batches: Sequence[tuple[str, Sequence[str]]]) -> None:  # noqa: ANN401
        """Defer a job for each batch, together with the lease."""
        if batches:
            jobs = send.configure(connection=connection)
            jobs.batch_defer(*({"tenant": tenant, "ids": ids} for tenant, ids in batches))


def queue() -> Queue:
    """The poller's way in."""
    return _InTransaction()
