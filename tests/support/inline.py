"""One thing after the other, in the thread that calls: turns of a poll, messages of a consumer.

Nothing here is of the in-memory adapters, so that the deployed bundle can be looked into as well.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from smartlink.domain.message import Stored
from smartlink.ports import Ran, Run

_Work = TypeVar("_Work")


class InlineTurns:
    """Turns one after the other; `budget` of them until the deadline is taken to have come."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.budget: int | None = None
        self.most = 0  # turns that waited at once
        self.another: Callable[[], None] = lambda: None  # one more in the middle of a turn

    def __call__(
        self,
        work: Sequence[_Work],
        perform: Callable[[_Work, Callable[[_Work], None]], None],
        deadline: datetime,
    ) -> list[_Work]:
        waiting = list(work)
        done = 0

        def another() -> None:
            if waiting:
                perform(waiting.pop(0), waiting.append)

        self.another = another
        while waiting and self.clock() < deadline and done != self.budget:
            self.most = max(self.most, len(waiting))
            perform(waiting.pop(0), waiting.append)
            done += 1
        return waiting


class ProcessEndedError(BaseException):
    """Stands for the end of a process: nothing in it can catch that."""


class InlineRunner:
    """Messages one after the other; each is handed over before the next one runs, or, if it
    `gathers`, all of them at the end.

    One that is `overdue` runs past its time-out; one that `crashes` takes the process with it.
    """

    def __init__(self) -> None:
        self.overdue: Callable[[Stored], bool] = lambda _: False
        self.crashes: Callable[[Stored], bool] = lambda _: False
        self.gathers = False

    def run(
        self,
        stored: Sequence[Stored],
        execute: Run,
        timeout: timedelta,  # noqa: ARG002
    ) -> Iterator[list[Ran]]:
        finished: list[Ran] = []
        for item in stored:
            ran = Ran(item, execute(item), overdue=self.overdue(item))
            if self.crashes(item):
                raise ProcessEndedError
            finished.append(ran)
            if ran.overdue or item is stored[-1] or not self.gathers:
                yield finished
                finished = []
            if ran.overdue:
                return
