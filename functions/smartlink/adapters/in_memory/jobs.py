"""The twin of `Tarefa`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from threading import Lock

from smartlink.adapters.in_memory.faults import Faults
from smartlink.adapters.in_memory.store import InMemoryMessages
from smartlink.domain.message import Version
from smartlink.operations.job import Job, OddJob
from smartlink.operations.ports import Jobs

_ORIGIN = ("action", "selection", "target", "matched", "bound", "most", "rate", "made_by", "made")
"""What is written once, when a job is made."""


class InMemoryJobs:
    """Jobs beside the messages: a poll asks the store which one stands still."""

    def __init__(self, store: InMemoryMessages) -> None:
        self.faults = Faults()
        self._store = store
        self._lock = Lock()
        self._versions = count(1)
        self._jobs: dict[str, tuple[Job | OddJob, Version]] = {}

    def _write(self, job: Job) -> Version:
        version = Version(str(next(self._versions)))
        self._jobs[job.id] = (job, version)
        self._store.set_job_due(job.id, job.due)
        return version

    def create(self, job: Job) -> None:
        self.faults.before("create", job.id)
        with self._lock:
            if job.id not in self._jobs:
                self._write(job)
        self.faults.after("create", job.id)

    def read(self, job: str) -> tuple[Job | OddJob, Version] | None:
        self.faults.before("read", job)
        with self._lock:
            return self._jobs.get(job)

    def save(self, job: Job, version: Version) -> Version | None:
        self.faults.before("save", job.id)
        with self._lock:
            found = self._jobs.get(job.id)
            saved = None
            if found is not None and found[1] == version and isinstance(found[0], Job):
                saved = self._write(replace(job, **{it: getattr(found[0], it) for it in _ORIGIN}))
        self.faults.after("save", job.id)
        return saved

    def fail(self, job: OddJob, version: Version, now: datetime) -> None:  # noqa: ARG002
        self.faults.before("fail", job.id)
        with self._lock:
            if self._jobs.get(job.id, (None, None))[1] == version:
                self._store.set_job_due(job.id, None)

    def newest(self, most: int) -> list[Job | OddJob]:
        self.faults.before("newest", "")
        with self._lock:
            jobs = [job for job, _ in self._jobs.values()]
        made = [it for it in jobs if isinstance(it, Job)]
        odd = [it for it in jobs if isinstance(it, OddJob)]
        made.sort(key=lambda it: it.made, reverse=True)
        every: list[Job | OddJob] = [*made, *odd]
        return every[:most]

    def about(self, tenants: Sequence[str], *, page: int) -> Iterator[Job | OddJob]:  # noqa: ARG002
        self.faults.before("about", "")
        with self._lock:
            made = [job for job, _ in self._jobs.values() if isinstance(job, Job)]
        made.sort(key=lambda it: (it.made, it.id), reverse=True)
        return iter([it for it in made if not set(tenants).isdisjoint(it.selection.tenants)])

    def make_unreadable(self, job: str) -> None:
        """Makes the job unreadable, as if another version or a person had written it."""
        with self._lock:
            version = Version(str(next(self._versions)))
            self._jobs[job] = (OddJob(job, "another version's"), version)


_: type[Jobs] = InMemoryJobs
