"""Jobs: acts on many messages that go on when whoever started them has gone.

`start` makes one of what was planned, `look` and `newest` watch, `stop` and `resume` are acts of
whoever calls them: each is on record. `operate` works a job off.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

from smartlink.domain.message import Version
from smartlink.i18n import Text, _
from smartlink.operations.actions import DISCARD, Action
from smartlink.operations.acts import Act
from smartlink.operations.audit import REASON, intend, recorded, result_of, shared
from smartlink.operations.errors import (
    ForbiddenError,
    InvalidError,
    MissingError,
    UnreadableJobError,
)
from smartlink.operations.job import CHOSEN, RESUMABLE, TENANTS, Job, JobState, OddJob, Selection
from smartlink.operations.operate import RESTART, publish
from smartlink.operations.plan import Plan
from smartlink.operations.ports import Deployment
from smartlink.operations.select import Filters, Selected, last_event
from smartlink.ports import Conflict, PortError, Unavailable

RATE = 50
"""Messages a second, unless it is said otherwise: a redrive must not flood the consumers."""
MOST = 100_000
LOOKED_AT = 100
"""Jobs that a list of some tenants looks at."""
_ID = re.compile("[a-zA-Z0-9][a-zA-Z0-9-]{0,99}")
_RACES = 10
_LATER = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an operator asks for, besides what was planned."""

    filters: Filters
    reason: str
    waiting: bool = False  # as it was planned
    undone: bool = False
    most: int = MOST
    rate: int = RATE
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By tenant, documents: these alone. Empty: all that fit the filters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """What a job is about: its tenants, the instant of its selection, and how many fit."""

    action: Action
    at: datetime
    tenants: tuple[str, ...]
    count: int
    bound: bool = False  # `count` is an upper bound: not all was looked at
    before: Mapping[str, int]  # how many were in which state


def start(deployment: Deployment, planned: Plan, order: Order) -> Job:
    """Makes a job of what was planned, and asks `operate` to begin.

    It is about the tenants of the plan's messages, and about nothing that dies or comes after the
    plan. Raises InvalidError, and NotRecordedError if the intent could not be recorded: then there
    is no job.
    """
    if order.filters.request and not order.chosen:  # they are few, and older releases see no more
        order = replace(order, chosen=documents_of(planned.messages))
    events = (max(last_event(it.message), it.message.received) for it in planned.messages)
    before: dict[str, int] = {}
    for it in planned.messages:
        state = str(it.message.dead_reason or it.message.state)
        before[state] = before.get(state, 0) + 1
    extent = Extent(
        action=planned.action,
        at=max((deployment.now(), *events)) + _LATER,
        tenants=tuple(sorted({it.tenant for it in planned.messages})),
        count=len(planned.messages),
        before=before,
    )
    return begin(deployment, extent, order)


def begin(deployment: Deployment, extent: Extent, order: Order) -> Job:
    """Makes a job of this extent, and asks `operate` to begin. It raises what `start` does."""
    action, tenants = extent.action, extent.tenants
    _check(order, tenants)
    who, now = deployment.operator, deployment.now()
    selection = Selection(
        at=extent.at,
        tenants=tenants,
        direction=order.filters.direction,
        command=order.filters.command,
        older=order.filters.older,
        newer=order.filters.newer,
        error=order.filters.error,
        cause=order.filters.cause,
        received_after=order.filters.received_after,
        waiting=order.waiting and action is DISCARD,
        undone=order.undone,
        chosen=order.chosen,
    )
    target = described(order)
    least = " (at most)" if extent.bound else ""
    intent = intend(
        deployment,
        action.audited,
        target=target,
        tenant=tenants,
        reason=order.reason,
        count=extent.count,
        before={f"{state}{least}": number for state, number in extent.before.items()},
    )
    job = Job(
        id=f"{now:%Y%m%d-%H%M%S}-{uuid4().hex[:6]}",
        action=action.name,
        selection=selection,
        target=target,
        matched=extent.count,
        bound=extent.bound,
        most=order.most,
        rate=order.rate,
        made_by=who.name,
        made=now,
        who=who.name,
        verified=who.verified,
        reason=order.reason.strip()[:REASON],
        intent=intent.id,
        due=now + RESTART / 2,
        updated=now,
    )
    try:
        deployment.jobs.create(job)
    except Unavailable as error:  # it may be there: then its end is the intent's result
        unknown = f"nobody knows whether the job {job.id} was made: {error}"
        raise Unavailable(unknown) from error
    except PortError as error:
        deployment.audit.create(result_of(intent, f"failed: {error}", deployment.now()))
        raise
    publish(deployment, job.id)
    return job


def _check(order: Order, tenants: tuple[str, ...]) -> None:
    if not order.reason.strip():
        message = _("a job needs a reason: it is kept with your name")
        raise InvalidError(message)
    if not tenants:
        message = _("nothing fits, so there is nothing to make a job of")
        raise InvalidError(message)
    if len(tenants) > TENANTS:
        message = _(
            "a job has {most} tenants at most, not {count}: name some of them",
            most=TENANTS,
            count=len(tenants),
        )
        raise InvalidError(message)
    chosen = sum(map(len, order.chosen.values()))
    if chosen > CHOSEN:
        message = _(
            "a job names {most} messages at most, not {count}: take filters",
            most=CHOSEN,
            count=chosen,
        )
        raise InvalidError(message)
    if order.most < 1 or not 1 <= order.rate <= 1_000:  # noqa: PLR2004  (as the options say)
        message = _("a job does 1 to 1,000 messages a second, and at least one message")
        raise InvalidError(message)


def documents_of(messages: Iterable[Selected]) -> dict[str, tuple[str, ...]]:
    """Returns the messages' documents by tenant, as a job names them."""
    chosen: dict[str, tuple[str, ...]] = {}
    for it in messages:
        chosen[it.tenant] = (*chosen.get(it.tenant, ()), it.message.document)
    return chosen


def described(order: Order) -> str:
    """Says in words which messages are meant, as the command line would have it written."""
    wanted = order.filters
    written = {
        "--tenant": wanted.tenant,
        "--direction": wanted.direction.name.lower() if wanted.direction else None,
        "--command": wanted.command,
        "--older": _age(wanted.older),
        "--newer": _age(wanted.newer),
        "--error": wanted.error,
        "--print": wanted.cause,
        "--request": wanted.request,
        "--received-after": wanted.received_after and wanted.received_after.isoformat(),
        "--outcome-unknown": order.undone or None,
        "--waiting": order.waiting or None,
    }
    text = " ".join(
        name if value is True else f"{name} {value}" for name, value in written.items() if value
    )
    chosen = sum(map(len, order.chosen.values()))
    if chosen:
        return f"{chosen} chosen messages {text}".strip()
    return text if wanted.narrow else f"--all {text}".strip()


def _age(age: timedelta | None) -> str | None:
    if age is None:
        return None
    seconds = int(age.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def look(deployment: Deployment, identity: str) -> Job:
    """Returns a job as it is now. Raises MissingError and UnreadableError."""
    return _read(deployment, identity)[0]


def newest(deployment: Deployment, most: int) -> list[Job | OddJob]:
    """Returns the jobs that were made last, the newest first."""
    return deployment.jobs.newest(most)


@dataclass(frozen=True, slots=True)
class JobList:
    """The newest jobs of some tenants. `more`: there may be older ones."""

    jobs: Sequence[Job | OddJob]
    more: bool


def newest_of(deployment: Deployment, tenants: Collection[str], most: int) -> JobList:
    """Returns the newest jobs all of whose tenants are among these; it looks at LOOKED_AT.

    The database finds those about at least one of them. A job about a further tenant is left out:
    its counts and its reason tell of that one, too. So is one that cannot be read, because nobody
    knows whose it is.
    """
    found: list[Job] = []
    own = sorted(set(tenants))
    page = shared(min(most, LOOKED_AT) + 1, len(own))
    for number, job in enumerate(deployment.jobs.about(own, page=page)):
        if number == LOOKED_AT or len(found) == most:
            return JobList(found, more=True)
        if isinstance(job, Job) and set(job.selection.tenants) <= set(own):
            found.append(job)
    return JobList(found, more=False)


def _read(deployment: Deployment, identity: str) -> tuple[Job, Version]:
    found = deployment.jobs.read(identity) if _ID.fullmatch(identity) else None
    if found is None:
        message = _(
            "There is no job {identity!r}: smartlink jobs list shows them", identity=identity[:80]
        )
        raise MissingError(message)
    job, version = found
    if isinstance(job, OddJob):
        message = _("The job {job} cannot be read: {why}", job=job.id, why=job.why)
        raise UnreadableJobError(message)
    return job, version


def stop(deployment: Deployment, identity: str, reason: str, warn: Callable[[Text], object]) -> Job:
    """Asks a job to stop; the step that works at it does so within seconds.

    Raises ForbiddenError if it has ended.
    """

    def change(job: Job, now: datetime) -> Job:
        if job.over:
            message = _(
                "the job {job} has ended ({state}): nothing to stop", job=job.id, state=job.state
            )
            raise ForbiddenError(message)
        return replace(
            job,
            state=JobState.STOPPING,
            stopped_by=deployment.operator.name,
            problem=_reason(reason),
            due=now,
            updated=now,
        )

    job = _read(deployment, identity)[0]
    change(job, deployment.now())
    with recorded(
        deployment,
        Act.STOP_JOB,
        target=identity,
        tenant=job.selection.tenants,
        reason=reason,
        before={"situacao": job.state, "done": job.counts.done},
        warn=warn,
    ) as record:
        job = _changed(deployment, identity, change)
        record.after = {"situacao": job.state}
        record.outcome = "asked to stop"
    publish(deployment, identity)
    return job


def resume(deployment: Deployment, identity: str, reason: str) -> Job:
    """Lets a stopped or failed job go on where it was; whoever calls answers for it from now on.

    Its selection stays. Raises ForbiddenError if it is not stopped.
    """
    if not reason.strip():
        message = _("to resume a job needs a reason: it is kept with your name")
        raise InvalidError(message)
    job = _read(deployment, identity)[0]
    _check_resumable(job)
    intent = intend(
        deployment,
        Act.RESUME_JOB,
        target=identity,
        tenant=job.selection.tenants,
        reason=reason,
        count=max(job.matched - job.counts.done, 0),
        before={"situacao": job.state, "done": job.counts.done, "madeBy": job.made_by},
    )
    who = deployment.operator

    def change(job: Job, now: datetime) -> Job:
        _check_resumable(job)
        return replace(
            job,
            state=JobState.WAITING,
            who=who.name,
            verified=who.verified,
            reason=_reason(reason),
            intent=intent.id,
            resumed=True,
            due=now + RESTART / 2,
            updated=now,
            tries=0,
            problem=None,
            stopped_by=None,
            ended=None,
            expires=None,
        )

    try:
        job = _changed(deployment, identity, change)
    except (PortError, ForbiddenError) as error:
        if not isinstance(error, Unavailable):
            deployment.audit.create(result_of(intent, f"failed: {error}", deployment.now()))
        raise
    publish(deployment, identity)
    return job


def _reason(reason: str) -> str:
    return reason.strip()[:REASON]


def _check_resumable(job: Job) -> None:
    if job.state not in RESUMABLE:
        message = _(
            "the job {job} is {state}: only a stopped or failed one can be resumed",
            job=job.id,
            state=job.state,
        )
        raise ForbiddenError(message)


def _changed(deployment: Deployment, identity: str, change: Callable[[Job, datetime], Job]) -> Job:
    """Changes a job that steps may be changing too."""
    for _try in range(_RACES):
        job, version = _read(deployment, identity)
        changed = change(job, deployment.now())
        if deployment.jobs.save(changed, version) is not None:
            return changed
        there = _read(deployment, identity)[0]
        if (there.state, there.updated) == (changed.state, changed.updated):
            return there  # an earlier try has written it
    message = f"the job {identity} was changed {_RACES} times meanwhile"
    raise Conflict(message)
