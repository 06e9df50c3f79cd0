"""Repeats a write that the database did not take, with waits that grow."""

from collections.abc import Callable
from datetime import datetime, timedelta

from smartlink.ports import Clock, Wait

_FIRST, _LONGEST = 0.5, 15.0  # seconds
_AT_LEAST = 3  # tries, even if the time is over


def persist(attempt: Callable[[], bool], until: datetime, clock: Clock, wait: Wait) -> bool:
    """Calls `attempt` until it returns True or the time is over; tells whether it returned True.

    The waits together last at most twice the time until `until`, so the loop ends even if the clock
    stands still.
    """
    most, tries = _FIRST, 0
    left = 2 * (until - clock()).total_seconds()
    while not attempt():
        tries += 1
        if clock() + timedelta(seconds=most) < until and most <= left:
            wait(most)
            left -= most
            most = min(2 * most, _LONGEST)
        elif tries >= _AT_LEAST:
            return False
    return True
