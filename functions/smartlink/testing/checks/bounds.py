"""Checks that a message takes a limited amount of replies, log lines, threads and memory."""

import gc
import threading
import time
import tracemalloc
from contextlib import suppress

from smartlink.domain.outcome import Unwritten
from smartlink.testing.examination import Examination, FailedError

_PATIENCE = 0.2  # seconds in which a thread may come to its end
_PAGE = "return a Continue with what context.room_for says has no room, or page."
_WARM = 3  # runs that may fill caches and pools


def replies(exam: Examination) -> str:
    """Checks the number and the size of the replies."""
    limits, seen = exam.options.limits, exam.first
    if isinstance(seen.delivered.verdict, Unwritten):
        raise FailedError(seen.delivered.reason, _PAGE)
    number = len(seen.delivered.replies)
    if seen.watch.endless or number > limits.replies:
        detail = f"more than {limits.replies} replies to one message"
        raise FailedError(detail, _PAGE)
    size = sum(len(it.text.encode("utf-8", "surrogatepass")) for it in seen.delivered.replies)
    if size > limits.reply_bytes:
        detail = f"the replies have {size} bytes together, more than {limits.reply_bytes}"
        advice = "send a link, or page. They are stored in one commit with the message's end."
        raise FailedError(detail, advice)
    return f"{number} with {size} bytes"


def log_lines(exam: Examination) -> str:
    """Checks the number of the log lines."""
    number, most = len(exam.first.delivered.lines), exam.options.limits.lines
    if number > most:
        detail = f"more than {most} log lines for one message"
        raise FailedError(detail, "log counts, not a line per row: each line is a document.")
    return f"{number}"


def threads(exam: Examination) -> str:
    """Checks that messages leave no threads behind, except those that the first messages start."""
    _run(exam, _WARM)
    before = set(threading.enumerate())
    runs = exam.options.limits.runs
    _run(exam, runs)
    left = _ended({*threading.enumerate()} - before)
    if left:
        names = sorted(thread.name for thread in left)[:5]
        detail = f"{len(left)} threads more after {runs} runs: {', '.join(names)}"
        advice = "close pools and clients (`with`), or keep one for the process; join threads."
        raise FailedError(detail, advice)
    return f"none left behind by {runs} runs"


def _ended(found: set[threading.Thread]) -> set[threading.Thread]:
    until = time.monotonic() + _PATIENCE
    for thread in found:
        with suppress(RuntimeError):  # not started yet
            thread.join(max(until - time.monotonic(), 0))
    return {thread for thread in found if thread.is_alive()}


def memory(exam: Examination) -> str:
    """Checks how much memory each message leaves behind."""
    limits = exam.options.limits
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    try:
        _run(exam, _WARM)
        before = _traced()
        _run(exam, limits.runs)
        leaked = (_traced() - before) // limits.runs
    finally:
        if started:
            tracemalloc.stop()
    if leaked > limits.leaked_bytes:
        detail = f"each message leaves {leaked} bytes in memory, more than {limits.leaked_bytes}"
        advice = "bound what is kept in module variables and caches (lru_cache's maxsize)."
        raise FailedError(detail, advice)
    return f"{max(leaked, 0)} bytes kept of a message"


def _run(exam: Examination, times: int) -> None:
    for _ in range(times):
        exam.scenario().deliver(exam.text)


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
