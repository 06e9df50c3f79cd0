"""`smartlink jobs`: the bulk acts that are under way, and those that have ended."""

from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import UsageError
from infra.cli.jobs import DONE, NAME, follow, job_result, left, tell
from infra.cli.screen import folds, ids, numbers
from infra.cli.session import Session, session_of
from smartlink.i18n import Text, _, data, told
from smartlink.operations import jobs as operations
from smartlink.operations.job import Job, OddJob
from smartlink.operations.views import job_view

OneJob = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, as jobs list shows it.")]


def list_jobs(context: typer.Context, *, limit: opt.Limit = 20) -> None:
    """Show the jobs that were made last, the newest first."""
    session = session_of(context)
    newest = operations.newest(session.deployment, limit + 1)
    jobs = newest[:limit]
    if session.screen.as_json:
        session.screen.json([job_view(it) for it in jobs])
        return
    columns = (
        ids(_("Job")),
        _("Act"),
        data("Situacao"),
        numbers(_("Done")),
        numbers(_("Of")),
        _("Who"),
        folds(_("Which")),
    )
    session.screen.table(columns, map(_row, jobs))
    if len(newest) > limit:
        text = _("The newest {limit} are shown; for older ones raise --limit.", limit=limit)
        session.screen.note(text)


def _row(job: Job | OddJob) -> tuple[object, ...]:
    if isinstance(job, OddJob):
        return (job.id, None, _("unreadable"), None, None, None, job.why)
    return (job.id, NAME[job.action], job.state, _done(job), _matched(job), job.who, job.target)


def _done(job: Job) -> object:
    return _("at least {done}", done=job.counts.done) if job.at_least else job.counts.done


def _matched(job: Job) -> object:
    return _("at most {count}", count=job.matched) if job.bound else job.matched


def show_job(context: typer.Context, job: OneJob) -> None:
    """Show all of a job: who, what, why, how far, what was left out and why."""
    session = session_of(context)
    found = operations.look(session.deployment, job)
    if session.screen.as_json:
        session.screen.json(job_view(found))
        return
    counts = found.counts
    unverified = "" if found.verified else _(" (not verified)")
    facts: list[tuple[Text, object]] = [
        (_("Job"), found.id),
        (_("Act"), told(NAME[found.action])),
        (_("Which"), found.target),
        (_("Tenants"), ", ".join(found.selection.tenants)),
        (data("Situacao"), found.state),
        (_("Made by"), told(data(found.made_by)) + told(unverified)),
        (_("Made"), found.made),
        (_("Answers for it"), found.who if found.who != found.made_by else None),
        (_("Reason"), found.reason),
        (_("Fitted"), _matched(found)),
        (_("Done"), _done(found)),
        (_("Changed by others"), counts.changed or None),
        (_("Refused"), counts.refused or None),
        *(
            (_("Left out: {why}", why=why), number)
            for why, number in sorted(counts.skipped.items())
        ),
        (_("Left"), left(found)),
        (_("More fit"), _("yes: more than --limit") if found.more else None),
        (_("Problem"), found.problem),
        (_("Stopped by"), found.stopped_by),
        (_("Changed"), found.updated),
        (_("Ended"), found.ended),
    ]
    session.screen.facts(facts)


def watch(context: typer.Context, job: OneJob) -> None:
    """Follow a job until it ends. Ctrl-C leaves it as it is."""
    session = session_of(context)
    _follow(session, operations.look(session.deployment, job))


def _follow(session: Session, job: Job) -> None:
    ended = follow(session, job)
    if session.screen.as_json:
        session.screen.json(job_result(ended))
    tell(session, ended)


def stop(context: typer.Context, job: OneJob, *, reason: opt.Why = None) -> None:
    """Stop a job between two commits, within seconds. What was done stays done."""
    session = session_of(context)
    stopping = operations.stop(session.deployment, job, _needed(reason), session.warn)
    if session.screen.as_json:
        session.screen.json(job_view(stopping))
    session.screen.say(
        _(
            "{job} stops within seconds: {done} of {matched} were {what} when it was asked to. "
            "smartlink jobs resume {job} lets it go on.",
            job=job,
            done=stopping.counts.done,
            matched=_matched(stopping),
            what=DONE[stopping.action],
        )
    )


def resume(context: typer.Context, job: OneJob, *, reason: opt.Why = None) -> None:
    """Let a stopped or failed job go on where it was, in your name. Then follow it."""
    session = session_of(context)
    _follow(session, operations.resume(session.deployment, job, _needed(reason)))


def _needed(reason: str | None) -> str:
    if not (reason or "").strip():
        message = _("say why: --reason is kept with your name (audit)")
        raise UsageError(message)
    return str(reason)
