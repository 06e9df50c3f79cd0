"""A page of the outbox on its way out."""

import math
import threading
from collections.abc import Iterator, Sequence

from smartlink.domain.message import Stored
from smartlink.ports import Place

_SEND_CHUNK = 20  # messages that one turn claims, sends and settles, at most
_LARGE = 262_144  # bytes of contents that a turn sends, unless a single one is larger


def chunk_size(page: int, sessions: int) -> int:
    """Messages that a turn sends: a page keeps as many sessions busy as may receive."""
    return min(_SEND_CHUNK, math.ceil(page / sessions))


class Outgoing:
    """Due upstream messages, sent in chunks by turns that may run at the same time.

    `end` is where the next page begins; None: there is none. While `probing`, one message is
    tried, and the others follow it if it is accepted.
    """

    def __init__(
        self, due: Sequence[Stored], most: int, end: Place | None, *, probing: bool = False
    ) -> None:
        self.end = end
        self.empty = not due
        self.probing = probing
        ordered = sorted(due, key=_failures)  # who fails alone keeps nobody waiting
        self._chunks = list(_chunks(ordered, most))
        self._open = len(self._chunks)
        self._lock = threading.Lock()

    @property
    def chunks(self) -> int:
        """How many wait to be sent."""
        return len(self._chunks)

    def take(self) -> Sequence[Stored]:
        """A chunk that nobody has taken; none at all is an empty one."""
        return self._chunks.pop(0) if self._chunks else ()

    def take_unfailed(self) -> Sequence[Stored]:
        """The first chunk, unless one of it failed before: it may take a time-out again."""
        unfailed = self._chunks and _failures(self._chunks[0][-1]) == 0
        return self.take() if unfailed else ()

    def take_one(self) -> Sequence[Stored]:
        """A single message, the one that failed least; the rest of its chunk stays."""
        first, *rest = self._chunks.pop(0)
        if rest:
            self._chunks.insert(0, rest)
            self._open += 1
        return [first]

    def sent(self) -> bool:
        """Notes that a chunk is done; True when it was the page's last one."""
        with self._lock:
            self._open -= 1
            return self._open == 0


def _failures(stored: Stored) -> int:
    return stored.message.failure.times if stored.message.failure else 0


def _chunks(due: Sequence[Stored], most: int) -> Iterator[Sequence[Stored]]:
    """Parts for a turn each; large contents are sent by several sessions, each some of them."""
    chunk: list[Stored] = []
    size = 0
    for stored in due:
        size += stored.message.content.size
        if chunk and (len(chunk) == most or size > _LARGE):
            yield chunk
            chunk, size = [], stored.message.content.size
        chunk.append(stored)
    if chunk:
        yield chunk
