"""The minute tick: what Cloud Scheduler does, with an interval of one's own."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Self

from infra.local.errors import LocalStackError


class MinuteTick:
    """Calls poll at each interval, never twice at once: a slow call replaces those it delays."""

    def __init__(
        self,
        tick: Callable[[], None],
        interval: timedelta,
        *,
        report: Callable[[str], None],
    ) -> None:
        """Take what to call, how often, and where to say that it failed."""
        self._tick = tick
        self._interval = interval.total_seconds()
        self._report = report
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tick", daemon=True)
        self._failing: str | None = None
        self.done = 0

    def __enter__(self) -> Self:
        """Begin, with a tick at once."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Begin no more ticks; one that runs ends with the function it called."""
        self._stop.set()

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stop.is_set():
            self._one()
            elapsed = time.monotonic() - began
            self._stop.wait(self._interval - elapsed % self._interval)

    def _one(self) -> None:
        try:
            self._tick()
        except LocalStackError as error:
            self._say(str(error))
        else:
            if self._failing is not None:
                self._report("poll answers again.")
            self._failing = None
        self.done += 1

    def _say(self, problem: str) -> None:
        # The same failure each minute is one piece of news; and while we stop it is none.
        if problem != self._failing and not self._stop.is_set():
            self._report(problem)
        self._failing = problem
