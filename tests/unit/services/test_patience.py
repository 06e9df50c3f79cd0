"""Trying again: waits that grow, within a time, and never for ever."""

from datetime import timedelta

import pytest

from smartlink.services.patience import persist
from tests.support.world import Clock


class Trials:
    """Fails so often, and counts."""

    def __init__(self, fail: int) -> None:
        self.fail = fail
        self.made = 0

    def __call__(self) -> bool:
        self.made += 1
        return self.made > self.fail


def kept(fail: int, seconds: float, share: float) -> tuple[bool, int, list[float]]:
    """Whether it was done, how often it was tried, and the waits; each lasts for a share of what
    it may."""
    clock, waits, trials = Clock(), [], Trials(fail)

    def wait(most: float) -> None:
        waits.append(most)
        clock.forward(seconds=most * share)

    until = clock() + timedelta(seconds=seconds)
    return persist(trials, until, clock, wait), trials.made, waits


def test_what_is_done_at_once_waits_for_nothing() -> None:
    assert kept(0, 60, 1) == (True, 1, [])


def test_waits_grow_up_to_a_longest() -> None:
    done, tries, waits = kept(9, 600, 1)
    assert (done, tries) == (True, 10)
    assert waits == [0.5, 1, 2, 4, 8, 15, 15, 15, 15]


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0])
def test_it_ends_in_time_even_if_no_time_passes(share: float) -> None:
    """A clock that stands still ends it, too."""
    done, tries, waits = kept(10_000, 60, share)
    assert not done
    assert 8 <= tries < 20
    assert share * sum(waits) < 60


def test_three_tries_are_made_however_late_it_is() -> None:
    assert kept(10_000, -5, 1) == (False, 3, [])
    assert kept(2, -5, 1) == (True, 3, [])


def test_the_last_wait_is_the_one_that_just_fits() -> None:
    """With a clock that stands still, twice the time is waited at most, all of it if it fits."""
    done, tries, waits = kept(10_000, 15.25, 0)
    assert (done, tries) == (False, 7)
    assert waits == [0.5, 1, 2, 4, 8, 15]
