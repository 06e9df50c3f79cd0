"""Watches a job from an operator's machine, and works at it where nobody else does.

Where Pub/Sub or the function `operate` is out of reach, whoever answers for the job may work it
off with their own rights in the database, by the same steps. The claim decides who works.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from smartlink.operations.job import Job
from smartlink.operations.jobs import look
from smartlink.operations.operate import Bounds, publish, step
from smartlink.operations.ports import Deployment, Stop
from smartlink.operations.rights import parse_roles
from smartlink.ports import NewId

PATIENCE = timedelta(seconds=10)
"""How long a step may be awaited."""
_LOOK_EVERY = 1.0  # seconds
_BOUNDS = Bounds(seconds=5)  # of a step of ours: the screen waits for it


class Watch:
    """One job as it comes forward."""

    def __init__(self, deployment: Deployment, job: str, stop: Stop, new_id: NewId) -> None:
        self.asked = True  # whether `operate` could be asked for a step
        self._deployment = deployment
        self._job = job
        self._stop = stop
        self._new_id = new_id

    def __iter__(self) -> Iterator[Job]:
        """Yields the job each time that it is looked at, until it is over or told to stop."""
        deployment = self._deployment
        seen: datetime | None = None
        since = deployment.now()
        asked_at: datetime | None = None
        while True:
            job = look(deployment, self._job)
            yield job
            if job.over or self._stop.is_set():
                return
            now = deployment.now()
            if job.updated != seen:
                seen, since = job.updated, now
            if not job.held(now):
                if asked_at is None or now - asked_at >= PATIENCE:
                    self.asked, asked_at = publish(deployment, job.id), now
                if self._ours(job) and (not self.asked or now - since >= PATIENCE):
                    self._step()
                    continue
            self._stop.wait(_LOOK_EVERY)

    def _ours(self, job: Job) -> bool:
        """Tells whether the operator here answers for the job: then their own rights decide."""
        who = self._deployment.operator
        return (job.who, job.verified) == (who.name, who.verified)

    def _step(self) -> None:
        roles = parse_roles(self._deployment.settings.roles, local=True)
        step(self._deployment, self._job, roles, self._new_id, self._stop, _BOUNDS)
