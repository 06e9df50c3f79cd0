"""Follows a job on the screen, and tells what came of it."""

from collections.abc import Mapping

from infra.cli.errors import CliError, ForbiddenError, StoppedError
from infra.cli.interrupt import interrupted
from infra.cli.session import Session
from smartlink import bootstrap
from smartlink.i18n import Text, _, told
from smartlink.operations.job import Job, JobState
from smartlink.operations.watch import Watch

NAME = {"redrive": _("redrive"), "discard": _("discard"), "hold": _("hold")}
DONE = {"redrive": _("redriven"), "discard": _("discarded"), "hold": _("held")}


def follow(session: Session, job: Job) -> Job:
    """Show a job's progress until it ends. Raises StoppedError at Ctrl-C: the job goes on."""
    screen = session.screen
    with interrupted() as stop, screen.progress() as bar:
        watch = Watch(session.deployment, job.id, stop, bootstrap.new_id)
        title = _("{name} in {title}", name=NAME[job.action], title=session.deployment.title)
        task = bar.add_task(told(title), total=job.matched)
        for seen in watch:
            job = seen
            bar.update(task, completed=min(_dealt(job), job.matched))
    if job.over:
        return job
    if watch.asked:
        message = _(
            "The job {job} goes on without this screen: smartlink jobs watch {job} shows it, "
            "smartlink jobs stop {job} stops it.",
            job=job.id,
        )
    else:
        message = _(
            "Stopped: {text} No function works at the job {job}: smartlink jobs watch {job} goes "
            "on, smartlink jobs stop {job} ends it.",
            text=done_of(job),
            job=job.id,
        )
    raise StoppedError(message)


def _dealt(job: Job) -> int:
    counts = job.counts
    return counts.done + counts.changed + counts.refused


def left(job: Job) -> int:
    """How many of the messages that fitted are left."""
    return max(job.matched - _dealt(job), 0)


def job_result(job: Job) -> Mapping[str, object]:
    """What `--json` says of a job's end, with the names that an act on one message has."""
    return {
        "dryRun": False,
        "job": job.id,
        "done": job.counts.done,
        "atLeast": job.at_least,
        "endedBefore": job.counts.second,
        "changedMeanwhile": job.counts.changed,
        "refused": list(job.refusals),
        "left": left(job),
        "stopped": job.state is JobState.STOPPED,
    }


def done_of(job: Job) -> Text:
    """Say how much a job has done."""
    counts = job.counts
    changed = (
        _(", {changed} were changed by another meanwhile", changed=counts.changed)
        if counts.changed
        else ""
    )
    fields = {"done": counts.done, "what": DONE[job.action], "changed": changed}
    if job.at_least:
        text = _("At least {done} messages {what}{changed}.", **fields)
    else:
        text = _("{done} messages {what}{changed}.", **fields)
    if counts.second:
        text += _(
            " {second} of them had ended before under the same id: that record stays, and "
            "they have one of their own (messages list --history).",
            second=counts.second,
        )
    return text


def tell(session: Session, job: Job) -> None:
    """Say what came of a job. Raises CliError unless all of it was done."""
    counts, text = job.counts, done_of(job)
    fields = {
        "text": text,
        "job": job.id,
        "left": left(job),
        "who": job.stopped_by,
        "problem": job.problem,
    }
    if job.state is JobState.STOPPED and job.stopped_by is None:
        message = _(
            "{text} The job {job} was stopped: {problem}. {left} are left: smartlink jobs resume "
            "{job} --reason … goes on.",
            **fields,
        )
        raise ForbiddenError(message)
    if job.state is JobState.STOPPED:
        message = _(
            "{text} {who} stopped the job {job} ({problem}). {left} are left: smartlink jobs "
            "resume {job} --reason … goes on.",
            **fields,
        )
        raise CliError(message)
    if job.state is JobState.FAILED:
        message = _(
            "{text} The job {job} failed: {problem}. {left} are left: smartlink jobs resume {job} "
            "--reason … goes on.",
            **fields,
        )
        raise CliError(message)
    if counts.refused:
        message = _(
            "{text} {count} were refused: {refused}.",
            text=text,
            count=counts.refused,
            refused=job.refusals[0],
        )
        raise CliError(message)
    session.screen.say(text)
