"""Idle HTTP sessions, kept for the next caller with the same key."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from smartlink.adapters.http import HttpSession


class SessionPool:
    """Idle sessions by key: a lease has its session for itself, and may get one used before."""

    def __init__(self, make: Callable[[], HttpSession], idle: int) -> None:
        self._make = make
        self._limit = idle
        self._idle: OrderedDict[str, list[HttpSession]] = OrderedDict()
        self._count = 0
        self._lock = Lock()

    @contextmanager
    def lease(self, key: str) -> Iterator[HttpSession]:
        """A session with this key. It is closed at exit if a call or the caller failed."""
        with self._take(key) or self._make() as session:
            yield session
        if session.clean:
            self._put(key, session)

    def _take(self, key: str) -> HttpSession | None:
        with self._lock:
            sessions = self._idle.get(key)
            if sessions is None:
                return None
            session = sessions.pop()
            self._count -= 1
            if not sessions:
                del self._idle[key]
            return session

    def _put(self, key: str, session: HttpSession) -> None:
        """Keeps it, and forgets the one that has been idle for longest if there are too many."""
        with self._lock:
            self._idle.setdefault(key, []).append(session)
            self._idle.move_to_end(key)
            self._count += 1
            if self._count > self._limit:
                first = next(iter(self._idle))
                self._idle[first].pop(0)
                self._count -= 1
                if not self._idle[first]:
                    del self._idle[first]
