"""Messages that wait in the database: a tick sweeps a bounded part, however many there are.

In a process of its own (in_process.py), on the deployed adapters, with one tenant: so many messages
wait for their retry, of which some fall due in each minute, while others come from the broker and
each has a reply. The database is empty before each size: Firestore's emulator looks through every
document that ever was in a collection, so its own time grows, which is not what is told here.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from statistics import median
from typing import Any

from tests.bench.memory import MIB, Peak
from tests.bench.workload import COMMAND, offers

DUE, NEW = 200, 200  # messages in each minute: that fall due, that come
MINUTES, WARM = 5, 2  # that are measured, and before them
FURTHER = WARM + 2  # the first ones, one in which requests are counted, one for Python's calls
_SWEPT = DUE * (MINUTES + FURTHER)  # messages, in all minutes
_PATIENCE_SECONDS = 120  # for the emulator, which looks through all that waits
_TENANT = "tenant-00000"  # the first that growth.py makes
_FILLED_AT_ONCE = 250
_SOON = timedelta(minutes=15)  # until the first ones are due: filling takes minutes


def first_minute() -> int:
    """When the first ones will be due, in seconds since 1970."""
    return int((datetime.now(UTC) + _SOON).replace(second=0, microsecond=0).timestamp())


# In the process that is looked into.


def fill(size: int, first: int) -> dict[str, Any]:
    """Have so many messages wait; the next DUE of them fall due in each minute from the first.

    What no tick will sweep has a short content: it is only passed by, if at all.
    """
    from smartlink.domain.identity import content_hash  # noqa: PLC0415  (a process of its own)
    from smartlink.domain.lifecycle import received  # noqa: PLC0415
    from smartlink.domain.message import Content, State  # noqa: PLC0415
    from tests.bench.in_process import Relay  # noqa: PLC0415

    store = Relay().store
    for start in range(0, size, _FILLED_AT_ONCE):
        some = []
        for number, offer in enumerate(offers(min(_FILLED_AT_ONCE, size - start)), start):
            due = datetime.fromtimestamp(first, UTC) + timedelta(minutes=number // DUE)
            text = offer.content if number < _SWEPT else "{}"
            content = Content(content_hash(text), len(text), text)
            message = received(
                message_id=offer.id, command=COMMAND, content=content, now=due, due=due
            )
            some.append(replace(message, state=State.WAITING, attempt=1))
        store.create(_TENANT, some)
    return {"filled": size}


def sweep(minutes: int, first: int) -> dict[str, Any]:
    """What a message takes while ticks sweep; medians of the minutes."""
    from smartlink.adapters.google.failures import Patience  # noqa: PLC0415
    from tests.bench.in_process import Relay  # noqa: PLC0415

    relay = Relay()
    store: Any = relay.store
    store._calls._patience = Patience(_PATIENCE_SECONDS, 2 * _PATIENCE_SECONDS)  # noqa: SLF001
    begin = datetime.fromtimestamp(first, UTC)
    for before in (2, 1):  # sets up
        relay.tick_at(begin - timedelta(minutes=before))
    instants = (begin + timedelta(minutes=number, seconds=1) for number in count())

    def minute() -> float:
        relay.offer(_TENANT, offers(NEW))
        started = time.process_time()
        relay.tick_at(next(instants))
        relay.consume(relay.take())
        return time.process_time() - started

    for _ in range(WARM):
        minute()
    with Peak() as peak:
        used = [minute() for _ in range(minutes)]
    with _asked() as asked:
        minute()
    with _python_calls() as calls:
        minute()
    messages = DUE + NEW
    milliseconds = sorted(1e3 * it / messages for it in used)
    return {
        "messages": messages,
        "minutes": minutes + FURTHER,
        "cpu": round(median(milliseconds), 4),
        "cpuRange": [round(milliseconds[0], 4), round(milliseconds[-1], 4)],
        "pythonCalls": round(next(calls) / messages, 1),
        "requests": {name: round(its / messages, 4) for name, its in asked.requests.items()},
        "queries": asked.queries,
        "peak": round((peak.before + peak.grown) / MIB, 1),
    }


class _Asked:
    """What is asked of the database and of the broker."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.queries = {"queries": 0, "unlimited": 0, "asked": 0, "returned": 0}


@contextmanager
def _asked() -> Iterator[_Asked]:
    """Count requests, and what each query asks for and gets, while the block runs."""
    from urllib3.connectionpool import HTTPConnectionPool  # noqa: PLC0415

    from smartlink.adapters.firestore.calls import FirestoreCalls  # noqa: PLC0415

    asked, lock = _Asked(), threading.Lock()
    page, call, send = (
        FirestoreCalls.query_page,
        FirestoreCalls._call,  # noqa: SLF001  (each request goes through it)
        HTTPConnectionPool.urlopen,
    )

    def counted_page(calls: FirestoreCalls, what: str, parent: str, query: Any, most: Any) -> Any:  # noqa: ANN401
        found = page(calls, what, parent, query, most)
        with lock:
            asked.queries["queries"] += 1
            asked.queries["unlimited"] += not query.limit.value
            asked.queries["asked"] += query.limit.value
            asked.queries["returned"] += len(found[0])
        return found

    def counted_call(*args: Any, **options: Any) -> Any:  # noqa: ANN401
        with lock:
            asked.requests["firestore"] += 1
        return call(*args, **options)

    def counted_send(*args: Any, **options: Any) -> Any:  # noqa: ANN401
        with lock:
            asked.requests["http"] += 1
        return send(*args, **options)

    FirestoreCalls.query_page = counted_page  # type: ignore[method-assign, assignment]
    FirestoreCalls._call = counted_call  # type: ignore[method-assign]  # noqa: SLF001
    HTTPConnectionPool.urlopen = counted_send  # type: ignore[method-assign]
    try:
        yield asked
    finally:
        FirestoreCalls.query_page = page  # type: ignore[method-assign]
        FirestoreCalls._call = call  # type: ignore[method-assign]  # noqa: SLF001
        HTTPConnectionPool.urlopen = send  # type: ignore[method-assign]


@contextmanager
def _python_calls() -> Iterator[Iterator[int]]:
    """Count the functions that Python calls, in C too: no busy machine changes their number."""
    counter = count()

    def called(_frame: object, event: str, _argument: object) -> None:
        if event in {"call", "c_call"}:
            next(counter)

    threading.setprofile(called)
    sys.setprofile(called)
    try:
        yield counter
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
