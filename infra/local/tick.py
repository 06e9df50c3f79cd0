"""The minute tick: calls poll as Cloud Scheduler does, at a chosen interval."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Self

from infra.local.errors import LocalStackError


class MinuteTick:
    """Calls poll at each interval, but never two at once: during a slow call it skips ticks."""

    def __init__(
        self,
        tick: Callable[[], None],
        interval: timedelta,
        *,
        report: Callable[[str], None],
    ) -> None:
        """`tick` is called at each interval, and `report` gets the text of a failure."""
        self._tick = tick
        self._interval = interval.total_seconds()
        self._report = report
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tick", daemon=True)
        self._failing: str | None = None
        self.done = 0

    def __enter__(self) -> Self:
        """Begin with a tick at once."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Begin no further tick. A tick that runs ends when the function that it called does."""
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
        # The same failure in each minute is told once, and none is told while we stop.
        if problem != self._failing and not self._stop.is_set():
            self._report(problem)
        self._failing = problem
