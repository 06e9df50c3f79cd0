"""What is on its way holds bytes of the whole process, and nobody waits for ever."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from smartlink.ports import Busy
from smartlink.services.in_flight import Held, InFlight

MIB = 1_048_576
FREE = 262_144


@contextmanager
def waiting(in_flight: InFlight, held: Held, size: int) -> Iterator[list[bool]]:
    """Another thread that takes so much, and has to wait while the block begins."""
    took: list[bool] = []
    thread = threading.Thread(target=lambda: took.append(held.take(size, 30)), daemon=True)
    thread.start()
    with in_flight.changed:
        assert in_flight.changed.wait_for(lambda: held in in_flight.waiting or took, 30)
    assert not took
    yield took
    thread.join(30)
    assert took == [True]


def test_small_ones_never_wait() -> None:
    """Whatever large ones hold."""
    in_flight = InFlight(MIB)
    Held(in_flight).take(8 * MIB, 0)
    full = Held(in_flight)
    full.take(MIB, 0)
    for _ in range(100):
        held = Held(in_flight)
        assert not held.take(FREE // 2, 0)
        assert not held.take(FREE // 2, 0)


def test_what_is_released_is_the_next_ones() -> None:
    """In the order in which they came; nothing is held twice."""
    in_flight = InFlight(MIB)
    first, beyond, last = Held(in_flight), Held(in_flight), Held(in_flight)
    first.take(MIB, 0)
    beyond.take(8 * MIB, 0)
    with waiting(in_flight, last, MIB):
        first.release()
    first.release()
    last.release()
    beyond.release()
    assert (in_flight.shared, in_flight.beyond) == (0, None)


def test_one_alone_may_go_beyond_the_limit() -> None:
    """Of several that all need more one goes on, and gives back its share; then the next."""
    in_flight = InFlight(2 * MIB)
    one, two = Held(in_flight), Held(in_flight)
    one.take(MIB, 0)
    two.take(MIB, 0)
    one.take(64 * MIB, 0)
    assert in_flight.beyond is one
    with waiting(in_flight, two, 64 * MIB):
        one.release()
    assert in_flight.beyond is two


def test_who_waits_in_vain_is_told_that_the_process_is_busy() -> None:
    """That is no failure of whoever answered; the others' turn comes all the same."""
    in_flight = InFlight(MIB)
    beyond = Held(in_flight)
    beyond.take(8 * MIB, 0)
    Held(in_flight).take(MIB, 0)
    with pytest.raises(Busy, match="memory of this process"), in_flight.hold(8 * MIB, 0):
        pass
    assert not in_flight.waiting
    beyond.release()
    with in_flight.hold(8 * MIB, 0):
        assert in_flight.beyond is not None
    assert in_flight.beyond is None


def test_many_threads_that_grow_end_all() -> None:
    """None waits for a share of who waits for its own; together they hold what is allowed."""
    in_flight = InFlight(4 * MIB)
    most = [0]

    def grow() -> None:
        held = Held(in_flight)
        for _ in range(64):
            held.take(MIB // 4, 30)
            with in_flight.changed:
                most[0] = max(most[0], in_flight.shared)
        held.release()

    threads = [threading.Thread(target=grow, daemon=True) for _ in range(16)]
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join, 30)
    assert not any(thread.is_alive() for thread in threads)
    assert most[0] <= 4 * MIB
    assert (in_flight.shared, in_flight.beyond) == (0, None)


def test_who_comes_while_another_waits_waits_too() -> None:
    """Also with so little that it would fit: else who needs much would wait for ever."""
    in_flight = InFlight(2 * MIB)
    holder, beyond, large, small = (Held(in_flight) for _ in range(4))
    holder.take(MIB, 0)
    beyond.take(8 * MIB, 0)
    with waiting(in_flight, large, 4 * MIB):
        with pytest.raises(Busy):
            small.take(MIB // 2, 0)
        beyond.release()


def test_it_is_told_who_had_to_wait_and_who_had_not() -> None:
    """Of those that wait, `waiting` sees to it. What is free, what fits, and what is added beyond
    the limit is had at once."""
    in_flight = InFlight(MIB)
    free, fits, beyond = Held(in_flight), Held(in_flight), Held(in_flight)
    assert free.take(FREE, 0) is False
    assert fits.take(MIB, 0) is False
    assert beyond.take(8 * MIB, 0) is True
    assert beyond.take(MIB, 0) is False


def test_nobody_waits_for_more_than_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long its call may last."""
    in_flight = InFlight(MIB)
    Held(in_flight).take(8 * MIB, 0)
    patience: list[float | None] = []

    def wait_for(_: object, seconds: float | None = None) -> bool:
        patience.append(seconds)
        return False

    monkeypatch.setattr(in_flight.changed, "wait_for", wait_for)
    for seconds in (1_000, 30):
        with pytest.raises(Busy):
            Held(in_flight).take(8 * MIB, seconds)
    assert patience == [60, 30]
