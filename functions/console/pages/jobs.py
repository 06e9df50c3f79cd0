"""Trabalhos: the acts on many messages; anybody who may can watch, stop and resume each."""

from flask import Blueprint, render_template, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as Answer

from console.asked import reason
from console.here import here
from smartlink.i18n import _
from smartlink.observability import WARNING, event
from smartlink.operations import jobs as operations
from smartlink.operations.errors import MissingError, UnreadableError
from smartlink.operations.job import RESUMABLE, Job
from smartlink.operations.rights import Right

pages = Blueprint("jobs", __name__)
_MOST = 50


@pages.get("/jobs")
def show() -> str:
    """Draws the newest jobs, all of whose tenants the visitor may see."""
    own = here().scope().tenants
    if own is None:
        newest = operations.newest(here().deployment, _MOST + 1)
        found = operations.JobList(newest[:_MOST], more=len(newest) > _MOST)
    else:
        found = operations.newest_of(here().deployment, own, _MOST)
    return render_template("jobs.html", jobs=found.jobs, more=found.more)


def _may(job: Job, right: Right) -> bool:
    return all(here().visitor.may(right, it) for it in job.selection.tenants)


def _find(identity: str) -> Job:
    """Raises MissingError, with the same words for a job of tenants that may not be seen.

    Whose an unreadable one is nobody knows, so it is there for who may see all tenants alone.
    """
    missing = MissingError(_("There is no job {id}", id=identity[:80]))
    try:
        job = operations.look(here().deployment, identity)
    except MissingError:
        raise missing from None
    except UnreadableError:
        if here().visitor.may(Right.VIEW):
            raise
        raise missing from None
    if not _may(job, Right.VIEW):
        raise missing
    return job


@pages.get("/jobs/<job>")
def one(job: str) -> str:
    """Draws one, with how far it has come."""
    found = _find(job)
    return render_template(
        "job.html",
        job=found,
        resumable=found.state in RESUMABLE,
        may_act=_may(found, Right.OPERATE),
        outcome=found.counts,
    )


@pages.post("/jobs/<job>/stop")
def stop(job: str) -> Answer:
    """Asks it to stop: what was done stays done."""
    _check(_find(job))
    operations.stop(
        here().deployment, job, reason(), lambda text: event("audit_incomplete", text, WARNING)
    )
    here().board.forget()
    return redirect(url_for("jobs.one", job=job), 303)


@pages.post("/jobs/<job>/resume")
def resume(job: str) -> Answer:
    """Lets it go on where it was, in the visitor's name."""
    _check(_find(job))
    operations.resume(here().deployment, job, reason())
    here().board.forget()
    return redirect(url_for("jobs.one", job=job), 303)


def _check(job: Job) -> None:
    for tenant in job.selection.tenants:
        here().visitor.check(Right.OPERATE, tenant)
