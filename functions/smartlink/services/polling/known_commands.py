"""Known commands: those of this catalogue, and those that the polls of another deployment know.

At each release and at each rollback, polls of two deployments run side by side for some minutes,
in any order, and a catalogue does not say whether it is the newer one. So every ten minutes each
poll notes its commands in `relay/comandos`, where each command also has the instant at which a
poll first noted it. From these notes follow three rules:

- The relay sets a tenant's queue up for every command that was noted within the last 15 minutes.
  So no deployment unsubscribes the commands of the other.
- If this catalogue lacks a command that was first noted after all commands which it has, then this
  catalogue is the older one. A message of that command stays in the broker, without an ack, or
  stays in its document.
- If this catalogue lacks a command, but has a command that was first noted later, then this
  catalogue has removed it. A message of the removed command becomes dead as unknown. So does a
  message of a command that no poll has noted for 15 minutes.

So a release works at once, whatever commands it adds or removes. A rollback works at once for the
commands that the older catalogue has. A message of another command waits until 15 minutes after
the last poll of the newer deployment; then the queues are set up without its command. A release
that only removes commands looks like a rollback, and is treated as one.

The notes are read again before a step that cannot be undone: a setup, or a message's death.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from smartlink.domain.noted import NOTED_EVERY, Noted, kept, newer_elsewhere
from smartlink.observability import WARNING, event
from smartlink.ports import Clock, PortError, RelayState


class KnownCommands:
    """Holds the notes that this process has read, and writes its own."""

    def __init__(self, relay_state: RelayState, own: Collection[str], clock: Clock) -> None:
        self._relay_state = relay_state
        self._own = frozenset(own)
        self._clock = clock
        self._noted: Mapping[str, Noted] = {}
        self._next: datetime | None = None  # when to note this catalogue's commands again

    def note(self) -> frozenset[str]:
        """Notes this catalogue's commands if it is time; returns the commands of other deployments.

        Raises PortError if the notes fail and this process has never read them.
        """
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
        """Reads the notes again; returns the commands of other deployments. Raises PortError."""
        self._noted = self._relay_state.commands()
        return self._others()

    def _others(self) -> frozenset[str]:
        return kept(self._noted, self._clock()) - self._own

    def elsewhere(self, commands: Collection[str]) -> frozenset[str]:
        """Returns those of `commands` that only a newer deployment has. Raises PortError."""
        unknown = frozenset(commands) - self._own
        if not unknown <= self._newer():
            self.look()
        return unknown & self._newer()

    def _newer(self) -> frozenset[str]:
        return newer_elsewhere(self._noted, self._own, self._clock())
