"""Changes: what an operator changed is seen in the next tick, whatever a process keeps.

An operator's command writes a new mark to `relay/changes` after what it changed. Each tick reads
the mark once, and its shards carry it. A process that knows another mark reads the tenants and
their states anew.
"""

from datetime import datetime, timedelta

from smartlink.observability import WARNING, event
from smartlink.ports import PortError, RelayState

TICK_NOTED_EVERY = timedelta(minutes=5)
_LESS = TICK_NOTED_EVERY - timedelta(seconds=10)  # a tick may come early


class Changes:
    """The mark, as this process knows it."""

    def __init__(self, relay_state: RelayState) -> None:
        self._relay_state = relay_state
        self._mark = ""
        self._noted: datetime | None = None

    def look(self) -> str:
        """Reads the mark. Where that fails, it is taken to be what it was."""
        try:
            self._mark = self._relay_state.changes()
        except PortError as error:
            event("changes_not_read", f"The next tick looks again: {error}", WARNING)
        return self._mark

    def note_tick(self, tick: datetime) -> None:
        """Writes now and then when the last tick was, for operators to see that there are any."""
        if self._noted is not None and tick - self._noted < _LESS:
            return
        try:
            self._relay_state.note_tick(tick)
        except PortError as error:
            event("tick_not_noted", f"The next one is: {error}", WARNING)
        else:
            self._noted = tick
