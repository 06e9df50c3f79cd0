"""The commands that polls know. Each poll notes its own, so deployments that overlap know of
each other's."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

NOTED_EVERY = timedelta(minutes=10) - timedelta(seconds=10)  # a tick may come early
KEPT = timedelta(minutes=15)
"""A command that nobody has noted for so long has left: no poll that runs knows it."""
_FORGOTTEN = timedelta(days=1)
_TOGETHER = timedelta(minutes=1)
"""What came within so long of each other came together: the clocks of instances differ by less."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A command that polls know."""

    since: datetime  # when a poll first knew it
    at: datetime  # when one noted it last

    def kept(self, now: datetime) -> bool:
        """Tells whether a poll that is running may know it."""
        return now - self.at < KEPT


def note_commands(
    noted: Mapping[str, Noted], commands: Collection[str], now: datetime, every: timedelta
) -> dict[str, Noted] | None:
    """Returns what is noted once these commands are; None if nothing needs to be written yet."""
    if all(name in noted and now - noted[name].at < every for name in commands):
        return None
    fresh = {name: it for name, it in noted.items() if now - it.at < _FORGOTTEN}
    return fresh | {name: _again(noted.get(name), now) for name in commands}


def _again(known: Noted | None, now: datetime) -> Noted:
    """Notes a command once more. One that had left and comes back counts as new."""
    since = known.since if known is not None and known.kept(now) else now
    return Noted(since, max(now, known.at) if known is not None else now)


def kept(noted: Mapping[str, Noted], now: datetime) -> frozenset[str]:
    """Returns the commands that a poll that is running may know."""
    return frozenset(name for name, it in noted.items() if it.kept(now))


def newer_elsewhere(
    noted: Mapping[str, Noted], own: Collection[str], now: datetime
) -> frozenset[str]:
    """Returns the kept commands that this catalogue lacks because it is older.

    A catalogue may also lack a command because it took it away. That is so if it has a command
    which came later, by more than a minute, than the one that it lacks.
    """
    lacking = kept(noted, now).difference(own)
    came = [noted[name].since for name in own if name in noted]
    return frozenset(it for it in lacking if not came or noted[it].since + _TOGETHER >= max(came))
