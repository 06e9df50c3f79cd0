"""Runs work in threads: a poll's turns, a consumer beside the settling, a call beside another."""

import os
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextvars import copy_context
from datetime import datetime, timedelta
from typing import Generic, NoReturn, TypeVar

from smartlink.domain.message import Stored
from smartlink.ports import Beside, Clock, EndProcess, Ran, Run, Runner, Turns, Wait

_Work = TypeVar("_Work")
_Result = TypeVar("_Result")

EXIT_OVERDUE = 70
_PATIENCE = 3  # seconds that turns may take to end after the deadline
_SHORT_WAIT = 0.01  # seconds, while no message runs yet
_LINGER = 0.03  # seconds that the first finished message waits for others to share its commit


class ThreadTurns:
    """Performs work in the order in which it comes, on at most `threads` threads."""

    def __init__(self, threads: int, clock: Clock) -> None:
        self._threads = threads
        self._clock = clock

    def __call__(
        self,
        work: Sequence[_Work],
        perform: Callable[[_Work, Callable[[_Work], None]], None],
        deadline: datetime,
    ) -> list[_Work]:
        pool = _Pool(perform, self._threads, lambda: self._clock() >= deadline)
        pool.add(work)
        return pool.join((deadline - self._clock()).total_seconds() + _PATIENCE)


class _Pool(Generic[_Work]):
    """Starts threads as work comes, so that little work needs few threads."""

    def __init__(
        self,
        perform: Callable[[_Work, Callable[[_Work], None]], None],
        most: int,
        over: Callable[[], bool],
    ) -> None:
        self._perform = perform
        self._most = most
        self._over = over
        self._waiting: deque[_Work] = deque()
        self._busy = 0
        self._idle = 0
        self._started = 0  # threads; one ends only when no turn runs that could push more work
        self._changed = threading.Condition()

    def push(self, item: _Work) -> None:
        self.add([item])

    def add(self, items: Sequence[_Work]) -> None:
        with self._changed:  # the threads take nothing before all items are in the queue
            for item in items:
                self._waiting.append(item)
                if self._idle < len(self._waiting) and self._started < self._most:
                    self._started += 1
                    target = copy_context().run
                    threading.Thread(target=target, args=(self._work_off,), daemon=True).start()
            self._changed.notify_all()

    def join(self, seconds: float) -> list[_Work]:
        """Waits until no work is left or the time is up; returns the work that is left.

        It does not wait for a turn that hangs in a call: the call's own time-out ends the turn, and
        fences protect what it writes late.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._busy and not self._runnable(), seconds)
            return list(self._waiting)

    def _runnable(self) -> bool:
        return bool(self._waiting) and not self._over()

    def _work_off(self) -> None:
        while (item := self._next()) is not None:
            try:
                self._perform(item, self.push)
            finally:
                with self._changed:
                    self._busy -= 1
                    self._changed.notify_all()

    def _next(self) -> _Work | None:
        with self._changed:
            self._idle += 1
            while not self._waiting and self._busy:
                self._changed.wait()
            self._idle -= 1
            if not self._runnable():
                self._changed.notify_all()
                return None
            self._busy += 1
            return self._waiting.popleft()


class ThreadRunner:
    """Runs messages in one thread, while the caller settles what has finished."""

    def run(
        self, stored: Sequence[Stored], execute: Run, timeout: timedelta
    ) -> Iterator[list[Ran]]:
        running = _Running(stored, execute, timeout.total_seconds())
        threading.Thread(target=copy_context().run, args=(running.run_all,), daemon=True).start()
        left = len(stored)
        try:
            while left:
                finished = running.finished()
                left -= len(finished)
                if finished:
                    yield finished
                    if finished[-1].overdue:
                        return
        finally:
            running.stop()  # also if the caller gives up: no message starts that nobody settles


class _Running:
    """The messages of one run. One thread runs them, and another watches the time."""

    def __init__(self, stored: Sequence[Stored], execute: Run, limit: float) -> None:
        self._stored = stored
        self._execute = execute
        self._limit = limit
        self._results: queue.SimpleQueue[Ran] = queue.SimpleQueue()
        self._current: tuple[Stored, float] | None = None  # and when it started
        self._stopped = False
        self._gate = threading.Lock()  # so that a message either ends or is overdue, never both
        self._ended = threading.Event()  # all messages have ended

    def run_all(self) -> None:
        try:
            self._run_all()
        finally:
            self._ended.set()

    def _run_all(self) -> None:
        for item in self._stored:
            with self._gate:
                if self._stopped:
                    return
                self._current = (item, time.monotonic())
            ran = Ran(item, self._execute(item))
            with self._gate:
                self._results.put(ran)
                self._current = None

    def finished(self) -> list[Ran]:
        """Returns all messages that have finished, or the overdue one, or none yet."""
        current = self._current
        wait = current[1] + self._limit - time.monotonic() if current else 0
        try:
            first = self._results.get(timeout=max(wait, _SHORT_WAIT))
        except queue.Empty:
            return self._overdue()
        # A wait for each further message would wake this thread, and stop the other one, each time.
        self._ended.wait(_LINGER)
        return [first, *_drain(self._results)]

    def _overdue(self) -> list[Ran]:
        from smartlink.domain.outcome import Finished, HandBack  # noqa: PLC0415  (not the poll's)

        with self._gate:
            if self._current is None or time.monotonic() < self._current[1] + self._limit:
                return []
            self._stopped = True
            stored = self._current[0]
        return [Ran(stored, Finished(HandBack(), stored.message.received), overdue=True)]

    def stop(self) -> None:
        with self._gate:
            self._stopped = True


def _drain(results: "queue.SimpleQueue[Ran]") -> Iterator[Ran]:
    """Yields the results that are in the queue now."""
    try:
        while True:
            yield results.get_nowait()
    except queue.Empty:
        return


def beside(work: Callable[[], _Result]) -> Callable[[], _Result]:
    """Begins the work in its own thread; the returned function waits for the result, or raises."""
    future: Future[_Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  (whoever waits for the result raises it)
            future.set_exception(error)

    threading.Thread(target=copy_context().run, args=(run,), daemon=True).start()
    return future.result


def wait(most: float) -> None:
    """Sleeps for a random time of at most `most` seconds."""
    time.sleep(most * random.random())  # noqa: S311  (it needs no secrecy)


def end_process() -> NoReturn:
    """Ends the process at once, without waiting for any thread."""
    os._exit(EXIT_OVERDUE)


_turns: type[Turns] = ThreadTurns
_runner: type[Runner] = ThreadRunner
_beside: Beside = beside
_wait: Wait = wait
_end: EndProcess = end_process
