"""Which commands live: those of this catalogue, and those that another deployment's polls know.

Two deployments meet at each release and at each rollback: their polls run beside each other for
minutes, in any order, and a catalogue does not say whether it is the newer one. So none has to
be. Each poll notes the commands that it knows in `relay/comandos`, every second tick, and:

- A command *lives* while a poll that knows it noted it within the last three minutes. A message
  of one that lives elsewhere is left where it is: in the broker, unacked, or in its document.
  Only of a command that nobody knows it is said that nobody knows it.
- A tenant's queue is set up for all commands that were noted within the last 15 minutes, so
  neither deployment unsubscribes the other's.

So a release that takes a command away, and a rollback from one that brought one, work at once
for all other commands. Three minutes after the last poll of the other deployment what comes of
the command is dead as unknown, and after 15 the queues are set up without it.

What is noted is read again before what cannot be taken back: a setup, a death.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from smartlink.domain.noted import ALIVE, KEPT, NOTED_EVERY, noted_within
from smartlink.observability import WARNING, event
from smartlink.ports import Clock, PortError, Ticks


class KnownCommands:
    """What is known of them in this process."""

    def __init__(self, ticks: Ticks, own: Collection[str], clock: Clock) -> None:
        self._ticks = ticks
        self._own = frozenset(own)
        self._clock = clock
        self._noted: Mapping[str, datetime] = {}
        self._next: datetime | None = None  # when its own are to be noted again

    def note(self) -> frozenset[str]:
        """Notes this catalogue's commands, if it is time, and answers the others to set up for."""
        now = self._clock()
        if self._next is None or now >= self._next:
            try:
                self._noted = self._ticks.note_commands(self._own, now, NOTED_EVERY)
            except PortError as error:
                if self._next is None:
                    raise
                event("commands_not_noted", f"The next tick tries again: {error}", WARNING)
            else:
                self._next = min(self._noted[name] for name in self._own) + NOTED_EVERY
        return self._others(now)

    def look(self) -> frozenset[str]:
        """The others to set up for, as they are noted now."""
        self._noted = self._ticks.commands()
        return self._others(self._clock())

    def _others(self, now: datetime) -> frozenset[str]:
        return noted_within(self._noted, KEPT, now) - self._own

    def elsewhere(self, commands: Collection[str]) -> frozenset[str]:
        """Those of these commands that live, and that only another deployment knows."""
        unknown = frozenset(commands) - self._own
        if not unknown <= noted_within(self._noted, ALIVE, self._clock()):
            self.look()
        return unknown & noted_within(self._noted, ALIVE, self._clock())
