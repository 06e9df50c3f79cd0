"""The minute tick."""

import threading
from collections.abc import Callable
from datetime import timedelta

from infra.local.errors import TickError
from infra.local.tick import MinuteTick

PATIENCE = 10
OFTEN = timedelta(milliseconds=1)


class Calls:
    """What is ticked: it fails as told, and lets a test wait for a number of calls."""

    def __init__(self, *problems: str | None) -> None:
        """Fail with these, one a call; None and all later calls succeed."""
        self.problems = list(problems)
        self.running = 0
        self.overlapped = False
        self.counted = threading.Semaphore(0)

    def __call__(self) -> None:
        """Take one call."""
        self.running += 1
        self.overlapped |= self.running > 1
        problem = self.problems.pop(0) if self.problems else None
        self.running -= 1
        self.counted.release()
        if problem:
            raise TickError(problem)

    def wait(self, number: int) -> None:
        """Wait until there were so many more calls."""
        for _ in range(number):
            assert self.counted.acquire(timeout=PATIENCE)


def quiet(_: str) -> None:
    """Report to nobody."""


def test_it_ticks_at_once_and_again() -> None:
    """A newcomer does not wait a minute for the first poll."""
    calls = Calls()

    with MinuteTick(calls, OFTEN, report=quiet):
        calls.wait(3)


def test_it_never_ticks_twice_at_once() -> None:
    """As Cloud Scheduler: a slow poll delays the next one, even when many are due."""
    calls = Calls()

    with MinuteTick(calls, OFTEN, report=quiet):
        calls.wait(50)

    assert not calls.overlapped


def test_a_failure_is_reported_once_and_so_is_its_end() -> None:
    """The same news each minute would hide what matters."""
    calls = Calls("down", "down", "worse", None)
    said: list[str] = []

    with MinuteTick(calls, OFTEN, report=said.append):
        calls.wait(6)

    assert said == ["down", "worse", "poll answers again."]


def test_a_tick_that_dies_with_the_stack_is_no_news() -> None:
    """Ctrl-C in the middle of a poll reports no failed poll."""
    entered, leave, said = threading.Event(), threading.Event(), list[str]()
    ended = threading.Event()

    def poll() -> None:
        entered.set()
        assert leave.wait(PATIENCE)
        raise TickError

    with MinuteTick(_then(poll, ended), OFTEN, report=said.append):
        assert entered.wait(PATIENCE)
    leave.set()

    assert ended.wait(PATIENCE)
    assert said == []


def _then(action: Callable[[], None], ended: threading.Event) -> Callable[[], None]:
    def call() -> None:
        try:
            action()
        finally:
            ended.set()

    return call
