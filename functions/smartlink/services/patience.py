"""Trying again what the database did not take, with waits that grow."""

from collections.abc import Callable
from datetime import datetime, timedelta

from smartlink.ports import Clock, Wait

_FIRST, _LONGEST = 0.5, 15.0  # seconds
_AT_LEAST = 3  # tries, however late it is


def persist(attempt: Callable[[], bool], until: datetime, clock: Clock, wait: Wait) -> bool:
    """Tries until the attempt answers True, or no further wait fits; whether it did.

    It ends with a clock that stands still, too: waits are half as long as they may be, by and by.
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
