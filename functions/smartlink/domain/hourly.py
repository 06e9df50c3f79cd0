"""Hourly figures: how many messages a tenant had done, tried again and dead in an hour.

`done` are ends in the history; what was tried again and what died is told by the relay's own lines
of the log, not by an author's warnings and errors. An hour is counted once nothing more can be
written that lies in it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)
SETTLED = timedelta(minutes=15)
"""After it, an hour's figures no longer change: more than the longest lease, under which what has
its instant already may still be written."""
KEPT = timedelta(days=90)
"""How long an hour's figures are kept."""


@dataclass(frozen=True, slots=True)
class HourFigures:
    """What happened to a tenant's messages in the hour that begins at `at`."""

    at: datetime
    done: int = 0
    retried: int = 0
    dead: int = 0

    @property
    def empty(self) -> bool:
        """Whether nothing happened, so that nothing is kept."""
        return not (self.done or self.retried or self.dead)


def hour_of(at: datetime) -> datetime:
    """Returns the beginning of an instant's hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def settled_until(now: datetime) -> datetime:
    """Returns the end of the last hour whose figures no longer change."""
    return hour_of(now - SETTLED)


def hours_between(begin: datetime, end: datetime) -> list[datetime]:
    """Returns the whole hours from one instant to another, each by its beginning."""
    first = hour_of(begin)
    return [first + number * HOUR for number in range(max((end - first) // HOUR, 0))]
