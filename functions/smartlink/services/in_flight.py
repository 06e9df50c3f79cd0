"""Limits the memory that all contents which are being sent or received take together.

One process works for many tenants, and no tenant's broker may exhaust its memory. Each holder has
256 KB that nobody counts; what it takes beyond them counts against the shared limit. A holder that
finds no room waits in a queue. The first of the queue may exceed the limit, one holder at a time,
because otherwise all holders could wait for each other for ever.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from smartlink.ports import Busy

LIMIT = 26_843_546  # bytes: a twentieth of 512 MiB
_FREE = 262_144  # bytes of each holder that are not counted: small answers never wait
_PATIENCE = 60.0  # seconds that a holder waits at most


class InFlight:
    """The shared limit in bytes, and the queue of those that wait for room."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.shared = 0  # bytes taken, without those of `beyond`
        self.beyond: Held | None = None  # the one holder that may exceed the limit
        self.changed = threading.Condition()
        self.waiting: deque[Held] = deque()

    @contextmanager
    def hold(self, size: int, seconds: float) -> Iterator[None]:
        """Holds `size` bytes while the block runs. Raises Busy if there is no room within
        `seconds`."""
        held = Held(self)
        try:
            held.take(size, seconds)
            yield
        finally:
            held.release()


class Held:
    """The bytes that one caller holds."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._size = 0
        self._shared = 0

    def take(self, size: int, seconds: float) -> bool:
        """Takes `size` bytes more and tells whether it had to wait.

        Raises Busy if there is no room within `seconds`.
        """
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
        """Gives back all bytes that the caller holds."""
        self._size = 0
        if not self._shared and self._in_flight.beyond is not self:
            return
        with self._in_flight.changed:
            if self._in_flight.beyond is self:
                self._in_flight.beyond = None
            self._in_flight.shared -= self._shared
            self._shared = 0
            self._in_flight.changed.notify_all()
