"""Which commands polls know: each notes its own, so that deployments that overlap know of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

NOTED_EVERY = timedelta(minutes=10) - timedelta(seconds=10)  # a tick may come early
KEPT = timedelta(minutes=15)
"""A command that nobody has noted for so long has left: no poll that runs knows it."""
_FORGOTTEN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Noted:
    """A command that polls know."""

    since: datetime  # when a poll first knew it
    at: datetime  # when one noted it last

    def kept(self, now: datetime) -> bool:
        """Whether a poll that runs may know it."""
        return now - self.at < KEPT


def note_commands(
    noted: Mapping[str, Noted], commands: Collection[str], now: datetime, every: timedelta
) -> dict[str, Noted] | None:
    """What is noted once these commands are; None while it need not be written again."""
    if all(name in noted and now - noted[name].at < every for name in commands):
        return None
    fresh = {name: it for name, it in noted.items() if now - it.at < _FORGOTTEN}
    return fresh | {name: _again(noted.get(name), now) for name in commands}


def _again(known: Noted | None, now: datetime) -> Noted:
    """One that had left and comes back is new."""
    since = known.since if known is not None and known.kept(now) else now
    return Noted(since, max(now, known.at) if known is not None else now)


def kept(noted: Mapping[str, Noted], now: datetime) -> frozenset[str]:
    """The commands that a poll that runs may know."""
    return frozenset(name for name, it in noted.items() if it.kept(now))


def newer_elsewhere(
    noted: Mapping[str, Noted], own: Collection[str], now: datetime
) -> frozenset[str]:
    """Those of the kept commands that a catalogue of these lacks because it is older.

    One that has a command which came later than the one it lacks is the newer: it took it away.
    """
    lacking = kept(noted, now).difference(own)
    came = [noted[name].since for name in own if name in noted]
    return frozenset(it for it in lacking if not came or noted[it].since >= max(came))
