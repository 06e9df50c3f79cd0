"""Follows a job on the screen, and tells what came of it."""

from collections.abc import Mapping

from infra.cli.errors import CliError, ForbiddenError, StoppedError
from infra.cli.interrupt import interrupted
from infra.cli.session import Session
from smartlink import bootstrap
from smartlink.operations.job import Job, JobState
from smartlink.operations.watch import Watch


def follow(session: Session, job: Job) -> Job:
    """Show a job's progress until it ends. Raises StoppedError at Ctrl-C: the job goes on."""
    screen = session.screen
    with interrupted() as stop, screen.progress() as bar:
        watch = Watch(session.deployment, job.id, stop, bootstrap.new_id)
        task = bar.add_task(f"{job.action} in {session.deployment.title}", total=job.matched)
        for seen in watch:
            job = seen
            bar.update(task, completed=min(_dealt(job), job.matched))
    if not job.over:
        goes_on = (
            f"The job {job.id} goes on without this screen: smartlink jobs watch {job.id} shows "
            f"it, smartlink jobs stop {job.id} stops it."
        )
        waits = (
            f"Stopped: {job.counts.done} messages {job.act.done}. No function works at the job "
            f"{job.id}: smartlink jobs watch {job.id} goes on, smartlink jobs stop {job.id} ends "
            f"it."
        )
        raise StoppedError(goes_on if watch.asked else waits)
    return job


def _dealt(job: Job) -> int:
    counts = job.counts
    return counts.done + counts.changed + counts.refused


def left(job: Job) -> int:
    """How many of the messages that fitted are left."""
    return max(job.matched - _dealt(job), 0)


def told(job: Job) -> Mapping[str, object]:
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


def tell(session: Session, job: Job) -> None:
    """Say what came of a job. Raises CliError unless all of it was done."""
    counts = job.counts
    least = "At least " if job.at_least else ""
    changed = f", {counts.changed} were changed by another meanwhile" if counts.changed else ""
    text = f"{least}{counts.done} messages {job.act.done}{changed}."
    if counts.second:
        text += (
            f" {counts.second} of them had ended before under the same id: that record stays, "
            f"and they have one of their own (messages list --history)."
        )
    resume = f"smartlink jobs resume {job.id} --reason … goes on"
    if job.state is JobState.STOPPED and job.stopped_by is None:
        message = f"{text} The job {job.id} was stopped: {job.problem}; {resume}."
        raise ForbiddenError(message)
    if job.state is JobState.STOPPED:
        why = f": {job.problem}" if job.problem else ""
        message = f"{text} {job.stopped_by} stopped the job{why}. {left(job)} are left: {resume}."
        raise CliError(message)
    if job.state is JobState.FAILED:
        message = f"{text} The job {job.id} failed: {job.problem}; {resume}."
        raise CliError(message)
    if counts.refused:
        message = f"{text} {counts.refused} were refused: {job.refusals[0]}."
        raise CliError(message)
    session.screen.say(text)
