"""Which commands polls know: each notes its own, so that deployments that overlap know of it."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

NOTED_EVERY = timedelta(seconds=110)  # each second tick, also one that comes a little early
ALIVE = timedelta(minutes=3)
"""A command that was noted within it is known to a poll that runs: polls tick each minute."""
KEPT = timedelta(minutes=15)
"""Queues are set up for a command for so long after: what the broker has no subscription for is
lost without a trace, what nobody knows is kept as dead."""
_FORGOTTEN = timedelta(days=1)


def note_commands(
    noted: Mapping[str, datetime], commands: Collection[str], now: datetime, every: timedelta
) -> dict[str, datetime] | None:
    """What is noted once these commands are; None while it need not be written again."""
    if all(name in noted and now - noted[name] < every for name in commands):
        return None
    fresh = {name: at for name, at in noted.items() if now - at < _FORGOTTEN}
    return fresh | {name: max(now, noted.get(name, now)) for name in commands}


def noted_within(noted: Mapping[str, datetime], span: timedelta, now: datetime) -> frozenset[str]:
    """The commands that were noted within that span."""
    return frozenset(name for name, at in noted.items() if now - at < span)
