"""A consumer in a thread, its caller beside it: what has finished is handed over soon."""

import threading
import time
from collections.abc import Generator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from smartlink.adapters import threads
from smartlink.adapters.threads import ThreadRunner
from smartlink.domain.message import Stored, Version
from smartlink.domain.outcome import Done, Finished, Retry
from smartlink.observability import bound, configure, event
from smartlink.ports import Ran, Run
from tests.support.samples import running
from tests.support.world import START
from tests.unit.runtime.log_lines import log_lines

PATIENCE = 5  # seconds that a test waits for what comes at once
LONG, SHORT = timedelta(seconds=PATIENCE), timedelta(seconds=0.1)


def batch(names: str) -> list[Stored]:
    return [Stored(running(identity=name), Version(name)) for name in names]


def done(stored: Stored) -> Finished:  # noqa: ARG001
    return Finished(Done(), START)


def runs(names: str, execute: Run, timeout: timedelta = LONG) -> Iterator[list[Ran]]:
    return ThreadRunner().run(batch(names), execute, timeout)


def names(lists: Any) -> list[str]:  # noqa: ANN401
    return [ran.stored.version for finished in lists for ran in finished]


def test_in_order_and_complete() -> None:
    """Each message runs once, one after the other, and is handed over in that order."""
    ran: list[str] = []

    def execute(stored: Stored) -> Finished:
        ran.append(stored.version)
        return Finished(Retry(stored.version), START)

    lists = list(runs("abcdefgh", execute))
    assert ran == list("abcdefgh") == names(lists)
    assert all(lists), "no list is empty"
    assert not any(item.overdue for finished in lists for item in finished)
    assert [item.finished.outcome for finished in lists for item in finished] == [
        Retry(name) for name in "abcdefgh"
    ]


def test_nothing_to_run() -> None:
    """An empty batch ends at once."""
    assert list(runs("", done)) == []


def test_what_has_finished_does_not_wait_for_the_next() -> None:
    """Invariant 6: outcomes are settled as they come; the second runs until the first was seen."""
    first_seen = threading.Event()

    def execute(stored: Stored) -> Finished:
        if stored.version == "b":
            assert first_seen.wait(PATIENCE)
        return done(stored)

    lists = runs("ab", execute)
    assert names([next(lists)]) == ["a"]
    first_seen.set()
    assert names(lists) == ["b"]


def test_what_finished_meanwhile_comes_together() -> None:
    """A slow settler gets all that has finished since: many messages share a commit."""
    all_ran = threading.Event()

    def execute(stored: Stored) -> Finished:
        if stored.version == "d":
            all_ran.set()
        return done(stored)

    lists = runs("abcd", execute)
    first = names([next(lists)])
    assert all_ran.wait(PATIENCE)
    rest = list(lists)
    assert first + names(rest) == list("abcd")
    assert len(rest) <= 2


def test_those_that_finish_soon_after_the_first_come_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They share its commit: the first one lingers, but not when nothing is left to run."""
    monkeypatch.setattr(threads, "_LINGER", PATIENCE)
    began = time.monotonic()
    assert [names([finished]) for finished in runs("abcdefgh", done)] == [list("abcdefgh")]
    assert [names([finished]) for finished in runs("a", done)] == [["a"]]
    assert time.monotonic() - began < PATIENCE


def test_an_overdue_message_ends_the_run() -> None:
    """What is past its time-out is the last: nothing is started after it."""
    blocked, ran = threading.Event(), []

    def execute(stored: Stored) -> Finished:
        ran.append(stored.version)
        if stored.version == "b":
            blocked.wait(PATIENCE)
        return done(stored)

    lists = list(runs("abc", execute, SHORT))
    assert names(lists) == ["a", "b"]
    flags = [item.overdue for finished in lists for item in finished]
    assert flags == [False, True]
    assert ran == ["a", "b"]
    blocked.set()


def test_what_an_overdue_message_comes_to_is_void() -> None:
    """It may end after all: nobody hears of it, and the next one is not started."""
    blocked, ended, third = threading.Event(), threading.Event(), threading.Event()

    def execute(stored: Stored) -> Finished:
        if stored.version == "a":
            blocked.wait(PATIENCE)
            ended.set()
        else:
            third.set()
        return done(stored)

    lists = runs("ab", execute, SHORT)
    (late,) = next(lists)
    assert (late.stored.version, late.overdue) == ("a", True)
    blocked.set()
    assert ended.wait(PATIENCE)
    assert list(lists) == []
    assert not third.wait(0.02)


def test_each_message_has_the_whole_time_out() -> None:
    """The time-out is a message's, not the batch's."""
    pause = threading.Event()

    def execute(stored: Stored) -> Finished:
        pause.wait(0.05)
        return done(stored)

    assert names(runs("abcdef", execute, timedelta(seconds=0.25))) == list("abcdef")


@pytest.mark.parametrize("round_", range(20))
def test_a_message_that_ends_at_the_last_moment(round_: int) -> None:
    """It has ended or it is overdue, never both; each message runs at most once."""
    pause, ran = threading.Event(), []

    def execute(stored: Stored) -> Finished:
        ran.append(stored.version)
        pause.wait(0.005 + round_ * 0.000_02)
        return done(stored)

    lists = list(runs("abcd", execute, timedelta(seconds=0.005)))
    heard = names(lists)
    assert heard == list("abcd")[: len(heard)]
    assert ran == list("abcd")[: len(ran)]
    assert len(ran) - len(heard) in {0, 1}
    assert [item.overdue for finished in lists for item in finished].count(True) <= 1


def test_a_settler_that_fails_stops_the_run() -> None:
    """Nothing is started that nobody would settle."""
    second_may_end, ran = threading.Event(), []

    def execute(stored: Stored) -> Finished:
        ran.append(stored.version)
        if stored.version == "b":
            second_may_end.wait(PATIENCE)
        return done(stored)

    lists = runs("abc", execute)
    next(lists)
    assert isinstance(lists, Generator)
    lists.close()  # as Python does when the caller's loop raises
    second_may_end.set()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(0.05)
    assert "c" not in ran


def test_the_bound_fields_of_the_caller_are_the_consumers() -> None:
    """Lines of a consumer carry tenant and trace of the call."""

    def execute(stored: Stored) -> Finished:
        event("probe", stored.version)
        return done(stored)

    with log_lines() as lines:
        configure()
        with bound(tenant="acme"):
            list(runs("a", execute))
    assert (lines.one["message"], lines.one["tenant"]) == ("a", "acme")
