"""Changes: what an operator changed is seen in the next tick, whatever a process keeps.

An operator's command writes a new mark to `relay/changes` after what it changed. Each tick reads
the mark once, and its shards carry it. A process that knows another mark reads the tenants and
their states anew.
"""

from smartlink.observability import WARNING, event
from smartlink.ports import PortError, RelayState


class Changes:
    """The mark, as this process knows it."""

    def __init__(self, relay_state: RelayState) -> None:
        self._relay_state = relay_state
        self._mark = ""

    def look(self) -> str:
        """Reads the mark. Where that fails, it is taken to be what it was."""
        try:
            self._mark = self._relay_state.changes()
        except PortError as error:
            event("changes_not_read", f"The next tick looks again: {error}", WARNING)
        return self._mark
