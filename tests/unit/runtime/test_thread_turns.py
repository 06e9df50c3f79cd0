"""Turns on threads: in order, bounded, and over when the deadline comes."""

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import pytest

from smartlink.adapters.threads import ThreadTurns
from smartlink.observability import bound, configure, event
from tests.support.world import START, Clock
from tests.unit.runtime.log_lines import log_lines

LATER = START + timedelta(seconds=30)
PATIENCE = 5  # seconds that a test waits for what comes at once
Push = Callable[[str], None]
Perform = Callable[[str, Push], None]


def turns(
    work: Iterable[str], perform: Perform, threads: int = 4, clock: Clock | None = None
) -> list[str]:
    return ThreadTurns(threads, clock or Clock())(list(work), perform, LATER)


def test_first_come_first_served() -> None:
    """One thread performs in the order of the work, what is pushed behind it."""
    done: list[str] = []

    def perform(item: str, push: Push) -> None:
        done.append(item)
        if len(item) == 1:
            push(item + item)

    assert turns("abc", perform, threads=1) == []
    assert done == ["a", "b", "c", "aa", "bb", "cc"]


def test_nothing_to_do() -> None:
    """No work is done at once."""
    assert turns([], lambda *_: None) == []


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_as_many_at_once_as_there_are_threads(threads: int) -> None:
    """All of the threads are used, and no more."""
    lock = threading.Lock()
    together = threading.Barrier(threads)
    running: list[str] = []
    most = 0

    def perform(item: str, push: Push) -> None:  # noqa: ARG001
        nonlocal most
        with lock:
            running.append(item)
            most = max(most, len(running))
        together.wait(PATIENCE)
        with lock:
            running.remove(item)

    assert turns("abcdefgh", perform, threads) == []
    assert most == threads


def test_pushed_work_is_shared_out() -> None:
    """One tenant whose messages keep coming gets as many threads as there are: no item waits
    behind another while a thread is free."""
    for _ in range(20):
        together = threading.Barrier(4)
        another_is_free = threading.Event()

        def perform(
            item: str,
            push: Push,
            together: threading.Barrier = together,
            another_is_free: threading.Event = another_is_free,
        ) -> None:
            if item == "short":
                another_is_free.set()
                return
            if item == "long":
                another_is_free.wait(PATIENCE)
                threading.Event().wait(0.001)  # it looks for work, and waits
                for number in range(3):
                    push(f"receiver {number}")
            together.wait(PATIENCE)

        assert turns(["long", "short"], perform) == []


def test_an_idle_tenant_costs_one_thread() -> None:
    """Threads are started for work that waits, not beforehand."""
    before = set(threading.enumerate())
    during: set[threading.Thread] = set()

    def perform(item: str, push: Push) -> None:  # noqa: ARG001
        during.update(set(threading.enumerate()) - before)

    assert turns(["idle"], perform, threads=16) == []
    assert len(during) == 1


def test_no_thread_is_lost() -> None:
    """A thread that found nothing to do ended: work that comes later has another one."""

    def perform(item: str, push: Push) -> None:
        if len(item) < 50:
            push(item + ".")

    for _ in range(20):
        assert turns(["a", "b"], perform, threads=2) == []


def test_the_deadline_leaves_the_rest() -> None:
    """What has begun ends; what has not is handed back, in order, with what was pushed."""
    clock = Clock()
    done: list[str] = []

    def perform(item: str, push: Push) -> None:
        done.append(item)
        push(f"after {item}")
        if item == "b":
            clock.now = LATER

    assert turns("abcd", perform, threads=1, clock=clock) == ["c", "d", "after a", "after b"]
    assert done == ["a", "b"]


def test_a_deadline_that_has_come_already() -> None:
    """Nothing begins."""
    clock = Clock()
    clock.now = LATER
    assert turns("ab", lambda *_: pytest.fail("begun"), clock=clock) == ["a", "b"]


def test_a_turn_that_hangs_is_left_behind() -> None:
    """A broker that never answers holds its own thread; the call ends soon after the deadline,
    and what was handed back is not begun any more."""
    caller = threading.current_thread()
    hanging, release = threading.Event(), threading.Event()
    done: list[str] = []
    workers: list[threading.Thread] = []

    def clock() -> datetime:
        """The deadline comes when the turn hangs; 50 ms of the patience are left then."""
        if threading.current_thread() is caller:
            hanging.wait(PATIENCE)
        return LATER + timedelta(seconds=2.95) if hanging.is_set() else START

    def perform(item: str, push: Push) -> None:  # noqa: ARG001
        workers.append(threading.current_thread())
        hanging.set()
        release.wait(PATIENCE)
        done.append(item)

    assert ThreadTurns(1, clock)(["hangs", "next"], perform, LATER) == ["next"]
    assert done == []
    release.set()
    workers[0].join(PATIENCE)
    assert done == ["hangs"]


def test_the_bound_fields_of_the_caller_are_the_turns() -> None:
    """Lines of a turn carry the trace of the call that it belongs to."""
    with log_lines() as lines:
        configure()
        with bound(trace="t-1"):
            turns("ab", lambda item, _: event("turn", item))
    assert {(line["message"], line["trace"]) for line in lines.all} == {("a", "t-1"), ("b", "t-1")}


def test_a_deadline_that_comes_between_two_looks_ends_the_wait() -> None:
    """The caller saw work and time left, and waits; the thread that was to take the work finds
    that the deadline has come meanwhile, and tells it."""
    caller = threading.current_thread()
    came = threading.Event()

    def clock() -> datetime:
        if threading.current_thread() is not caller:
            came.set()
        return LATER if came.is_set() else START

    began = time.monotonic()
    assert ThreadTurns(1, clock)(["late"], lambda *_: pytest.fail("begun"), LATER) == ["late"]
    assert time.monotonic() - began < PATIENCE
