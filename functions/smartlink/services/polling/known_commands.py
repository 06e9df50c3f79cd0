"""Which commands live: those of this catalogue, and those that another deployment's polls know.

Two deployments meet at each release and at each rollback: their polls run beside each other for
minutes, in any order, and a catalogue does not say whether it is the newer one. So each poll
notes the commands that it knows in `relay/comandos`, every ten minutes, with when it was that a
poll first knew each, and:

- A tenant's queue is set up for all commands that were noted within the last 15 minutes, so
  neither deployment unsubscribes the other's.
- A message of a command that this catalogue lacks, though it came later than all that it has, is
  left where it is, in the broker, unacked, or in its document: this catalogue is the older one.
- One that it lacks though it has something newer it has taken away: what comes of it is dead as
  unknown. So is what comes of a command that nobody has noted for 15 minutes.

So a release works at once, whatever it adds or takes away. A rollback does for all commands that
the older catalogue has; what comes of the others waits for 15 minutes after the newer one's last
poll, then the queues are set up without them. A release that only takes commands away looks like
a rollback, and is treated as one.

What is noted is read again before what cannot be taken back: a setup, a death.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from smartlink.domain.noted import NOTED_EVERY, Noted, kept, newer_elsewhere
from smartlink.observability import WARNING, event
from smartlink.ports import Clock, PortError, RelayState


class KnownCommands:
    """What is known of them in this process."""

    def __init__(self, relay_state: RelayState, own: Collection[str], clock: Clock) -> None:
        self._relay_state = relay_state
        self._own = frozenset(own)
        self._clock = clock
        self._noted: Mapping[str, Noted] = {}
        self._next: datetime | None = None  # when its own are to be noted again

    def note(self) -> frozenset[str]:
        """Notes this catalogue's commands, if it is time, and answers the others to set up for."""
        now = self._clock()
        if self._next is None or now >= self._next:
            try:
                self._noted = self._relay_state.note_commands(self._own, now, NOTED_EVERY)
            except PortError as error:
                if self._next is None:
                    raise
                event("commands_not_noted", f"The next tick tries again: {error}", WARNING)
            else:
                self._next = min(self._noted[name].at for name in self._own) + NOTED_EVERY
        return self._others()

    def look(self) -> frozenset[str]:
        """The others to set up for, as they are noted now."""
        self._noted = self._relay_state.commands()
        return self._others()

    def _others(self) -> frozenset[str]:
        return kept(self._noted, self._clock()) - self._own

    def elsewhere(self, commands: Collection[str]) -> frozenset[str]:
        """Those of these commands that a newer deployment knows and this one does not yet."""
        unknown = frozenset(commands) - self._own
        if not unknown <= self._newer():
            self.look()
        return unknown & self._newer()

    def _newer(self) -> frozenset[str]:
        return newer_elsewhere(self._noted, self._own, self._clock())
