"""Works a job off, a bounded step at a time. The function `operate` does it, or the command line.

    claim     the job, by compare-and-swap: a step that finds it held does nothing
    check     that whoever answers for the job may still act on each of its tenants
    act       on a few messages, through the code that acts on one; each write is fenced by the
              version of its message
    tell      cursor and counts, at least every few seconds; there the step sees that it should stop
    release   the job, and publish its next step; or end it, its result on record first

A step may be killed at any instant and may run twice at once. Then a message is acted on once all
the same, because only one write finds it at its version. No message is passed over, because the
cursor moves behind what has been dealt with. The counts of a job whose step ended without telling
are too low by what that step had not told, and the job says so.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from smartlink.domain.message import Listed, State, Unreadable, Version
from smartlink.i18n import _
from smartlink.observability import ERROR, INFO, WARNING, bound, event
from smartlink.operations.act import Report, perform
from smartlink.operations.audit import Note, named_together, note, result_of
from smartlink.operations.errors import ForbiddenError
from smartlink.operations.job import Counts, Cursor, Job, JobState, OddJob
from smartlink.operations.plan import Unfit, unfit_for
from smartlink.operations.ports import AuditRecord, Desk, Stop
from smartlink.operations.rights import Right, Roles
from smartlink.operations.select import Selected
from smartlink.ports import NewId, PortError, Unavailable
from smartlink.services.polling.standing_jobs import step_of
from smartlink.services.push import PushError
from smartlink.settings import LEASE_MARGIN, Settings

CHUNK = 20  # messages of one commit
TELL_EVERY = timedelta(seconds=2)
RESTART = timedelta(seconds=60)
"""How long a job may wait for the push of its next step before a poll publishes it again."""
MOST_TRIES = 5
"""Steps in a row that may end without coming forward; then the job has failed."""
_TIMEOUT = 120.0  # seconds, where the catalogue has no function `operate`
_SPARE = timedelta(seconds=30)  # of the lease: what the last commit may take
_RACES = 10
_REFUSALS = 5  # that are kept
LATER = "later"  # skipped: it came, died or was redriven after the selection


class JobError(PushError):
    """The Pub/Sub message names no job."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one step does: it ends after the first bound that it meets."""

    seconds: float = 40
    looked: int = 5_000

    @classmethod
    def of(cls, settings: Settings) -> "Bounds":
        """Leaves a step two thirds of the function's time-out for its last calls."""
        return cls(_timeout(settings) / 3)


def _timeout(settings: Settings) -> float:
    operate = settings.catalog.functions.operate
    return operate.timeout if operate is not None else _TIMEOUT


def lease(settings: Settings) -> timedelta:
    """How long a claim holds: longer than the function's time-out, so that it outlasts a step."""
    return timedelta(seconds=_timeout(settings)) + LEASE_MARGIN


class Verdict(StrEnum):
    """What a step came to."""

    NONE = "none"  # there is no such job, or it has ended
    HELD = "held"  # another step works at it
    LOST = "lost"  # another step has taken it over meanwhile
    CONTINUES = "continues"
    ENDED = "ended"


def decode_job(data: bytes) -> str:
    """Reads the id of the job. Raises JobError."""
    try:
        job = json.loads(data)["job"]
    except (ValueError, KeyError, TypeError, RecursionError):
        job = None
    if not isinstance(job, str) or not job or "/" in job:
        message = "the Pub/Sub message names no job: who published it?"
        raise JobError(message)
    return job


def publish(desk: Desk, job: str) -> bool:
    """Asks `operate` for a step; returns whether it could be asked."""
    operate = desk.settings.catalog.functions.operate
    if operate is None or operate.topic is None:
        return False
    try:
        desk.publisher.publish(operate.topic, [step_of(job)])
    except PortError as error:
        text = f"The next step was not published, so a poll publishes it: {error}"
        event("job_not_published", text, WARNING, job=job)
        return False
    return True


def step(
    desk: Desk, identity: str, roles: Roles, new_id: NewId, stop: Stop, bounds: Bounds
) -> Verdict:
    """Works at a job until it ends, a bound is met, or it is told to stop.

    Raises Unavailable where the database, or the audit at the end, does not answer: a later step
    goes on.
    """
    with bound(job=identity):
        found = desk.jobs.read(identity)
        if found is None:
            event("job_missing", "There is no such job", WARNING)
            return Verdict.NONE
        job, version = found
        if isinstance(job, OddJob):
            event("job_unreadable", f"The job cannot be read: {job.why}", ERROR)
            desk.jobs.fail(job, version, desk.now())
            return Verdict.ENDED
        if job.over:
            return Verdict.NONE
        if job.held(desk.now()):
            return Verdict.HELD
        claim, begun = new_id(), desk.now()
        claimed = replace(
            job,
            state=job.state if job.state is JobState.STOPPING else JobState.RUNNING,
            claim=claim,
            lease=begun + lease(desk.settings),
            due=begun + lease(desk.settings),
            steps=job.steps + 1,
            tries=job.tries + 1,
            at_least=job.at_least or job.claim is not None,
        )
        work = _Work(desk, roles, stop, bounds, claimed, version, claim, begun)
        try:
            return work.done()
        except _LostError:
            event("job_lost", "Another step has the job", WARNING)
            return Verdict.LOST


class _LostError(Exception):
    """Another step has the job."""


@dataclass(slots=True)
class _Work:
    """One step of one job, which it has claimed."""

    desk: Desk
    roles: Roles
    stop: Stop
    bounds: Bounds
    job: Job
    version: Version
    claim: str
    begun: datetime
    told: datetime | None = None
    looked: int = 0

    def done(self) -> Verdict:
        """Claims the job and works at it."""
        self._save()
        if self.job.state is JobState.STOPPING:
            return self._end(JobState.STOPPED)
        if self.job.tries > MOST_TRIES:
            problem = f"{MOST_TRIES} steps in a row ended without coming forward: see the logs"
            return self._end(JobState.FAILED, problem)
        try:
            self._check_rights()
        except ForbiddenError as error:
            return self._end(JobState.STOPPED, str(error))
        job = self.job
        own = note(self.desk, job.who, job.reason, undone=job.selection.undone)
        places = job.places
        for place in range(job.cursor.place, len(places)):
            tenant, state = places[place]
            if self._spent():
                return self._release()
            for items in self._chunks(place, tenant, state):
                verdict = self._act_on(place, tenant, items, own)
                if verdict is not None:
                    return verdict
            self.job = replace(self.job, cursor=Cursor(place + 1))
        return self._end(JobState.DONE)

    def _check_rights(self) -> None:
        """Asks again whether whoever answers for the job may act on each tenant that is left.

        Raises ForbiddenError.
        """
        job = self.job
        if not (job.verified or self.desk.local):
            message = _("nobody has verified that {who} made this job: make it again", who=job.who)
            raise ForbiddenError(message)
        left = {tenant for tenant, _ in job.places[job.cursor.place :]}
        self.roles.check(job.who, Right.OPERATE, sorted(left))

    def _chunks(
        self, place: int, tenant: str, state: State | None
    ) -> Iterator[list[Listed | Unreadable]]:
        """Yields the documents behind the cursor, a few at a time, by their names."""
        job = self.job
        after = job.cursor.document if job.cursor.place == place else ""
        documents = self._documents(tenant, state, after)
        size = min(CHUNK, job.rate)
        while chunk := list(islice(documents, size)):
            yield chunk

    def _documents(
        self, tenant: str, state: State | None, after: str
    ) -> Iterator[Listed | Unreadable]:
        selection = self.job.selection
        if not selection.chosen:
            equal = replace(selection.filters, state=state).equal
            yield from self.desk.store.scan(tenant, equal, after=after)
            return
        left = sorted(it for it in selection.chosen.get(tenant, ()) if it > after)
        for start in range(0, len(left), CHUNK):
            some = left[start : start + CHUNK]
            stored = self.desk.store.read(tenant, some)
            odd = self.desk.store.unreadable(tenant, [it for it in some if it not in stored])
            for document in some:
                if document in odd:
                    yield odd[document]
                elif document in stored and state in {None, stored[document].message.state}:
                    item = stored[document]
                    yield Listed(item.message, item.version)

    def _act_on(
        self, place: int, tenant: str, items: list[Listed | Unreadable], own: Note
    ) -> Verdict | None:
        """Acts on what fits of these documents, and tells how far the job has come."""
        if self.desk.now() >= self.begun + lease(self.desk.settings) - _SPARE:
            return self._release()
        fit, items, skipped, more = self._sifted(tenant, items)
        report = Report()
        if fit:
            report = perform(self.desk, self.job.act, tenant, fit, own)
        self._count(place, items, skipped, report)
        if report.unanswered:
            self._release()
            message = "the database did not answer a commit: a later step goes on"
            raise Unavailable(message)
        if more:
            self.job = replace(self.job, more=True)
            return self._end(JobState.DONE)
        now = self.desk.now()
        if self.told is None or now - self.told >= TELL_EVERY:
            self._save()
            if self.job.state is JobState.STOPPING:
                return self._end(JobState.STOPPED)
        wait = len(fit) / self.job.rate
        stopped = self.stop.wait(wait) if fit else self.stop.is_set()
        return self._release() if stopped or self._spent() else None

    def _spent(self) -> bool:
        """Tells whether a bound of the step is met."""
        spent = (self.desk.now() - self.begun).total_seconds()
        return spent >= self.bounds.seconds or self.looked >= self.bounds.looked

    def _sifted(
        self, tenant: str, items: list[Listed | Unreadable]
    ) -> tuple[list[Selected], list[Listed | Unreadable], dict[str, int], bool]:
        """Returns what fits, what was looked at, what is skipped and why, and whether more fits
        than the job may do."""
        job, selection = self.job, self.job.selection
        unfit = unfit_for(self.desk, job.act, undone=selection.undone)
        left = job.most - job.counts.done
        fit: list[Selected] = []
        skipped: dict[str, int] = {}
        for number, item in enumerate(items):
            if isinstance(item, Unreadable):
                why: str | None = Unfit.UNREADABLE
            elif not self._meant(item):
                continue
            elif selection.came_later(item.message, job.act):
                why = LATER
            else:
                why = unfit(item.message)
            if why is not None:
                skipped[why] = skipped.get(why, 0) + 1
            elif len(fit) == left:
                return fit, items[:number], skipped, True
            elif isinstance(item, Listed):
                fit.append(Selected(tenant, item))
        return fit, items, skipped, False

    def _meant(self, item: Listed) -> bool:
        selection, message = self.job.selection, item.message
        wanted = selection.filters
        return (
            wanted.fits(message, selection.at)
            and wanted.direction in {None, message.direction}
            and wanted.command in {None, message.type}
        )

    def _count(
        self,
        place: int,
        items: list[Listed | Unreadable],
        skipped: dict[str, int],
        report: Report,
    ) -> None:
        """Adds what was done, and moves the cursor behind what was dealt with."""
        job, counts = self.job, self.job.counts
        unanswered = set(report.unanswered)
        names = [it.document if isinstance(it, Unreadable) else it.message.document for it in items]
        dealt = next((n for n, name in enumerate(names) if name in unanswered), len(names))
        self.looked += dealt
        cursor = Cursor(place, names[dealt - 1]) if dealt else job.cursor
        self.job = replace(
            job,
            cursor=cursor,
            counts=Counts(
                looked=counts.looked + dealt,
                done=counts.done + report.done,
                second=counts.second + report.second,
                changed=counts.changed + report.changed,
                refused=counts.refused + len(report.refused),
                skipped={
                    why: counts.skipped.get(why, 0) + skipped.get(why, 0)
                    for why in {**counts.skipped, **skipped}
                },
            ),
            refusals=(*job.refusals, *report.refused)[:_REFUSALS],
            at_least=job.at_least or bool(unanswered),
            tries=0 if dealt else job.tries,
        )

    def _save(self, last: Callable[[Job], Job] = lambda job: job) -> None:
        """Writes the job as it is, or as `last` leaves it. Raises _LostError if another has it.

        If somebody has asked for a stop meanwhile, the job is stopping afterwards.
        """
        for _try in range(_RACES):
            now = self.desk.now()
            written = last(replace(self.job, updated=now))
            saved = self.desk.jobs.save(written, self.version)
            if saved is not None or self._met(written):
                self.version, self.job, self.told = saved or self.version, written, now
                return
        message = "the job was changed at every try to write it"
        raise Unavailable(message)

    def _met(self, written: Job) -> bool:
        """Finds out why the job was not written; returns whether an earlier try has written it.

        Else the job is still this step's: somebody has asked for a stop. Raises _LostError.
        """
        found = self.desk.jobs.read(self.job.id)
        if found is None or isinstance(found[0], OddJob):
            raise _LostError
        there, self.version = found[0], found[1]
        if (there.claim, there.steps, there.updated) == (
            written.claim,
            written.steps,
            written.updated,
        ):
            return True
        if there.claim != self.claim:
            raise _LostError
        if there.state is JobState.STOPPING:
            self.job = replace(
                self.job,
                state=JobState.STOPPING,
                stopped_by=there.stopped_by,
                problem=there.problem,
            )
        return False

    def _release(self) -> Verdict:
        """Lets go of the job, so that another step can go on."""
        due = self.desk.now() + RESTART

        def released(job: Job) -> Job:
            stopping = job.state is JobState.STOPPING
            state = job.state if stopping else JobState.WAITING
            return replace(job, state=state, claim=None, lease=None, due=due)

        self._save(released)
        return Verdict.CONTINUES

    def _end(self, state: JobState, problem: str | None = None) -> Verdict:
        """Ends the job. Its result is on record before it says that it has ended."""
        self._save()  # so that the counts that go on record are not lost if this is the last call
        desk = self.desk
        now = desk.now()
        expires = desk.settings.retention.expires(now, desk.policy)
        last = replace(self.job, state=state)
        if problem is not None:
            last = replace(last, problem=problem)
        if state is JobState.DONE:
            last = replace(last, problem=None, stopped_by=None)
        desk.audit.create(_result(last, now))

        def ended(job: Job) -> Job:
            told = (last.problem, last.stopped_by)
            if state is JobState.STOPPED and problem is None:
                told = (job.problem, job.stopped_by)
            return replace(
                job,
                state=state,
                problem=told[0],
                stopped_by=told[1],
                claim=None,
                lease=None,
                due=None,
                ended=now,
                expires=expires,
            )

        self._save(ended)
        text = f"A job has ended: {state}"
        level = ERROR if state is JobState.FAILED else INFO
        event("job_ended", text, level, act=self.job.action, state=state, done=last.counts.done)
        return Verdict.ENDED


def _result(job: Job, now: datetime) -> AuditRecord:
    """What came of the act that made the job, or resumed it last."""
    intent = AuditRecord(
        id=job.intent,
        act=job.audited,
        who=job.who,
        verified=job.verified,
        at=now,
        target=job.target,
        tenant=named_together(job.selection.tenants),
        tenants=job.selection.tenants,
        reason=job.reason,
    )
    counts = job.counts
    after = {
        "job": job.id,
        "situacao": job.state,
        job.act.done: f"at least {counts.done}" if job.at_least else counts.done,
        "looked": counts.looked,
        "changedByOthers": counts.changed or None,
        "refused": counts.refused or None,
        **{f"skipped: {why}": number for why, number in sorted(counts.skipped.items())},
    }
    return result_of(intent, outcome(job), now, count=counts.done, after=after)


def outcome(job: Job) -> str:
    """Says in words what has become of a job so far."""
    counts = job.counts
    least = "at least " if job.at_least else ""
    parts = {
        job.act.done: counts.done,
        "changed by others": counts.changed,
        "refused": counts.refused,
        "skipped": sum(counts.skipped.values()),
    }
    told = ", ".join(f"{number} {name}" for name, number in parts.items() if number)
    start = {JobState.STOPPED: "stopped: ", JobState.FAILED: "failed: "}.get(job.state, "")
    why = f" ({job.problem})" if job.problem else ""
    return f"{start}{least}{told or 'nothing to do'}{why}"
