"""`smartlink jobs`: the bulk acts that are under way, and those that have ended."""

from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import UsageError
from infra.cli.jobs import follow, left, tell, told
from infra.cli.session import Session, session_of
from smartlink.operations import jobs as operations
from smartlink.operations.job import Job, OddJob
from smartlink.operations.views import job_view

OneJob = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, as jobs list shows it.")]
Reason = Annotated[
    str | None, typer.Option("--reason", "-r", help="Why: it is kept with your name (audit).")
]


def list_jobs(
    context: typer.Context,
    *,
    limit: opt.Limit = 20,
) -> None:
    """Show the jobs that were made last, the newest first."""
    session = session_of(context)
    jobs = operations.newest(session.deployment, limit)
    if session.screen.as_json:
        session.screen.json([job_view(it) for it in jobs])
        return
    rows = (_row(it) for it in jobs)
    columns = ("!Job", "Act", "Situacao", "#Done", "#Of", "Who", "~Which")
    session.screen.table(columns, rows)


def _row(job: Job | OddJob) -> tuple[object, ...]:
    if isinstance(job, OddJob):
        return (job.id, None, "unreadable", None, None, None, job.why)
    done = f"{'≥ ' if job.at_least else ''}{job.counts.done}"
    return (job.id, job.action, job.state, done, job.matched, job.who, job.target)


def show_job(context: typer.Context, job: OneJob) -> None:
    """Show all of a job: who, what, why, how far, what was left out and why."""
    session = session_of(context)
    found = operations.look(session.deployment, job)
    if session.screen.as_json:
        session.screen.json(job_view(found))
        return
    counts = found.counts
    session.screen.facts(
        [
            ("Job", found.id),
            ("Act", found.action),
            ("Which", found.target),
            ("Tenants", ", ".join(found.selection.tenants)),
            ("Situacao", found.state),
            ("Made by", f"{found.made_by}{'' if found.verified else ' (not verified)'}"),
            ("Made", found.made),
            ("Answers for it", found.who if found.who != found.made_by else None),
            ("Reason", found.reason),
            ("Fitted", found.matched),
            ("Done", f"{'at least ' if found.at_least else ''}{counts.done}"),
            ("Changed by others", counts.changed or None),
            ("Refused", counts.refused or None),
            *((f"Left out: {why}", number) for why, number in sorted(counts.skipped.items())),
            ("Left", left(found)),
            ("More fit", "yes: more than --limit" if found.more else None),
            ("Problem", found.problem),
            ("Stopped by", found.stopped_by),
            ("Changed", found.updated),
            ("Ended", found.ended),
        ]
    )


def watch(context: typer.Context, job: OneJob) -> None:
    """Follow a job until it ends. Ctrl-C leaves it as it is."""
    session = session_of(context)
    _follow(session, operations.look(session.deployment, job))


def _follow(session: Session, job: Job) -> None:
    ended = follow(session, job)
    if session.screen.as_json:
        session.screen.json(told(ended))
    tell(session, ended)


def stop(context: typer.Context, job: OneJob, *, reason: Reason = None) -> None:
    """Stop a job between two commits, within seconds. What was done stays done."""
    session = session_of(context)
    stopping = operations.stop(session.deployment, job, _needed(reason), session.warn)
    if session.screen.as_json:
        session.screen.json(job_view(stopping))
    session.screen.say(
        f"{job} stops within seconds: {stopping.counts.done} of {stopping.matched} were "
        f"{stopping.act.done} when it was asked to. smartlink jobs resume {job} lets it go on."
    )


def resume(context: typer.Context, job: OneJob, *, reason: Reason = None) -> None:
    """Let a stopped or failed job go on where it was, in your name. Then follow it."""
    session = session_of(context)
    _follow(session, operations.resume(session.deployment, job, _needed(reason)))


def _needed(reason: str | None) -> str:
    if not (reason or "").strip():
        message = "say why: --reason is kept with your name (audit)"
        raise UsageError(message)
    return str(reason)
