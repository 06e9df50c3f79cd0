"""The consumer of a chaos run: it does what its message says, and keeps a journal of its effects.

It is deployed as `consumers.chaos`. A journal's line is one `write` at the end of a file, so a
process that is killed leaves whole lines, and what it wrote it did.
"""

import json
import os
import time
import uuid

from smartlink.consumer import Context, FatalError, Payload, Reply, RetryableError, consumer


class ChaosRequest(Payload):
    """What the message says."""

    requestID: str  # noqa: N815  (a name on the wire)
    replies: int = 1
    failures: int = 0  # attempts that fail
    fatal: bool = False
    seconds: float = 0  # that the work takes
    overdue: bool = False  # whether the first attempt runs past any time-out


def _work(request: ChaosRequest, context: Context) -> list[Reply]:
    run = uuid.uuid4().hex
    _note("started", run, request, context)
    if request.overdue and context.attempt == 1:
        _note("overdue", run, request, context)
        time.sleep(600)
    time.sleep(request.seconds)
    if request.fatal:
        raise FatalError("as the message asks")
    if context.attempt <= request.failures:
        raise RetryableError("as the message asks")
    context.log.info("Done")
    _note("finished", run, request, context)
    content = {"requestID": request.requestID, "tenant": context.tenant}
    return [
        Reply("ChaosReply", {**content, "number": number}, audience="CHAOS")
        for number in range(1, request.replies + 1)
    ]


def _note(event: str, run: str, request: ChaosRequest, context: Context) -> None:
    line = {
        "event": event,
        "at": time.monotonic(),  # one clock for all processes of a machine
        "run": run,
        "tenant": context.tenant,
        "id": context.message_id,
        "asked": request.requestID,
        "attempt": context.attempt,
        "pid": os.getpid(),
    }
    journal = os.open(os.environ["CHAOS_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(journal, json.dumps(line).encode() + b"\n")
    finally:
        os.close(journal)


@consumer("ChaosCommand")
def one(request: ChaosRequest, context: Context) -> list[Reply]:
    """Do what the message says."""
    return _work(request, context)


@consumer("ChaosOtherCommand")
def other(request: ChaosRequest, context: Context) -> list[Reply]:
    """Do the same, in another function."""
    return _work(request, context)
