"""What the contents that are on their way may take of the process's memory, all together.

One instance works for many tenants: none of their brokers may end it for the others. Who holds
bytes holds some small ones for nothing, and shares the rest with everybody. When nothing is left
the first in the row may go beyond the limit, one at a time: else all could wait for each other.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from smartlink.ports import Busy

LIMIT = 26_843_546  # bytes: a twentieth of 512 MiB
_FREE = 262_144  # bytes, of each holder: small answers never wait for large ones
_PATIENCE = 60.0  # seconds, at most


class InFlight:
    """So many bytes at once, and one content or answer more, however large."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.shared = 0  # bytes, without those of who is beyond the limit
        self.beyond: Held | None = None
        self.changed = threading.Condition()
        self.waiting: deque[Held] = deque()

    @contextmanager
    def hold(self, size: int, seconds: float) -> Iterator[None]:
        """Room for so many bytes. Raises Busy when there was none in time."""
        held = Held(self)
        try:
            held.take(size, seconds)
            yield
        finally:
            held.release()


class Held:
    """What one caller holds."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._size = 0
        self._shared = 0

    def take(self, size: int, seconds: float) -> bool:
        """Takes so many bytes more; answers whether it waited. Raises Busy if there was no room."""
        self._size += size
        due = max(self._size - _FREE, 0) - self._shared
        if due <= 0:
            return False
        inside = self._in_flight
        with inside.changed:
            if inside.beyond is self:
                return False
            if not inside.waiting and inside.shared + due <= inside.limit:
                self._share(due)
                return False
            self._wait(due, min(seconds, _PATIENCE))
        return True

    def _share(self, due: int) -> None:
        self._in_flight.shared += due
        self._shared += due

    def _wait(self, due: int, seconds: float) -> None:
        inside = self._in_flight

        def fits() -> bool:
            return inside.shared + due <= inside.limit

        inside.waiting.append(self)
        try:
            admitted = inside.changed.wait_for(
                lambda: inside.waiting[0] is self and (fits() or inside.beyond is None), seconds
            )
            if not admitted:
                message = f"other contents hold the memory of this process ({inside.limit} bytes)"
                raise Busy(message)
            if fits():
                self._share(due)
            else:
                inside.shared -= self._shared
                self._shared = 0
                inside.beyond = self
        finally:
            inside.waiting.remove(self)
            inside.changed.notify_all()

    def release(self) -> None:
        """Gives back all of it."""
        self._size = 0
        if not self._shared and self._in_flight.beyond is not self:
            return
        with self._in_flight.changed:
            if self._in_flight.beyond is self:
                self._in_flight.beyond = None
            self._in_flight.shared -= self._shared
            self._shared = 0
            self._in_flight.changed.notify_all()
