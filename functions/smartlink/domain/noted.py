"""The commands that polls know.

Each poll notes its own commands, so that overlapping deployments know each other's commands.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

NOTED_EVERY = timedelta(minutes=10) - timedelta(seconds=10)  # a tick may come early
KEPT = timedelta(minutes=15)
"""If nobody has noted a command for so long, no running poll knows it."""
_FORGOTTEN = timedelta(days=1)
_TOGETHER = timedelta(minutes=1)
"""Commands that came within this time came together, because instances' clocks differ by less."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A command that polls know."""

    since: datetime  # when a poll first knew it
    at: datetime  # when a poll last noted it

    def kept(self, now: datetime) -> bool:
        """Tells whether a running poll may know the command."""
        return now - self.at < KEPT


def note_commands(
    noted: Mapping[str, Noted], commands: Collection[str], now: datetime, every: timedelta
) -> dict[str, Noted] | None:
    """Returns the notes with these commands noted now; None if nothing need be written yet."""
    if all(name in noted and now - noted[name].at < every for name in commands):
        return None
    fresh = {name: it for name, it in noted.items() if now - it.at < _FORGOTTEN}
    return fresh | {name: _again(noted.get(name), now) for name in commands}


def _again(known: Noted | None, now: datetime) -> Noted:
    """Notes a command again. A command that had left and comes back counts as new."""
    since = known.since if known is not None and known.kept(now) else now
    return Noted(since, max(now, known.at) if known is not None else now)


def kept(noted: Mapping[str, Noted], now: datetime) -> frozenset[str]:
    """Returns the commands that a running poll may know."""
    return frozenset(name for name, it in noted.items() if it.kept(now))


def newer_elsewhere(
    noted: Mapping[str, Noted], own: Collection[str], now: datetime
) -> frozenset[str]:
    """Returns the kept commands that this catalogue lacks because it is older.

    If the catalogue has a command that came later, by more than a minute, than a command which it
    lacks, the catalogue has removed that command, and is not the older one.
    """
    lacking = kept(noted, now).difference(own)
    came = [noted[name].since for name in own if name in noted]
    return frozenset(it for it in lacking if not came or noted[it].since + _TOGETHER >= max(came))
