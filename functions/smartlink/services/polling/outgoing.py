"""Splits a page of the outbox into the chunks that the turns send."""

import math
import threading
from collections.abc import Iterator, Sequence

from smartlink.domain.message import Stored
from smartlink.ports import Place
from smartlink.services.order import key_of

_SEND_CHUNK = 20  # messages that one turn claims, sends and settles, at most
_LARGE = 262_144  # bytes of contents that a turn sends, unless a single one is larger


def chunk_size(page: int, sessions: int) -> int:
    """Returns how many messages a turn sends, so that a page keeps all of the tenant's sessions
    busy."""
    return min(_SEND_CHUNK, math.ceil(page / sessions))


class Outgoing:
    """A page of due Upstream messages, in chunks that several turns may send at the same time.

    `end` is where the next page begins, or None if there is none. If `probing`, one message is sent
    first, and the others follow only if the broker accepts it.
    """

    def __init__(
        self, due: Sequence[Stored], most: int, end: Place | None, *, probing: bool = False
    ) -> None:
        self.end = end
        self.empty = not due
        self.probing = probing
        groups = sorted(by_key(due), key=_failures)  # one that fails keeps no other waiting
        self._chunks = list(_chunks(groups, most))
        self._open = len(self._chunks)
        self._lock = threading.Lock()

    @property
    def chunks(self) -> int:
        """How many chunks no turn has taken yet."""
        return len(self._chunks)

    def take(self) -> Sequence[Stored]:
        """Takes the next chunk; an empty one if there is none."""
        return self._chunks.pop(0) if self._chunks else ()

    def take_unfailed(self) -> Sequence[Stored]:
        """Takes the first chunk if none of its messages has failed before, else an empty one.

        A message that failed before may cost a time-out again.
        """
        unfailed = self._chunks and not any(_failures([it]) for it in self._chunks[0])
        return self.take() if unfailed else ()

    def take_one(self) -> Sequence[Stored]:
        """Takes only the message that failed least often; the others of its chunk stay."""
        first, *rest = self._chunks.pop(0)
        if rest:
            self._chunks.insert(0, rest)
            self._open += 1
        return [first]

    def sent(self) -> bool:
        """Notes that a chunk has been sent; tells whether it was the page's last one."""
        with self._lock:
            self._open -= 1
            return self._open == 0


def _failures(group: Sequence[Stored]) -> int:
    failure = group[0].message.failure
    return failure.times if failure else 0


def by_key(due: Sequence[Stored]) -> list[list[Stored]]:
    """Returns the messages in groups: those of a key together and in their order, others alone."""
    groups: dict[str, list[Stored]] = {}
    for stored in due:
        groups.setdefault(key_of(stored) or f" {stored.message.document}", []).append(stored)
    for group in groups.values():
        group.sort(key=lambda it: it.message.order.number if it.message.order else "")
    return list(groups.values())


def _chunks(groups: Sequence[Sequence[Stored]], most: int) -> Iterator[Sequence[Stored]]:
    """Yields one chunk for each turn: at most `most` messages and 256 KB of contents, unless those
    of one key are more, which one turn has to send."""
    chunk: list[Stored] = []
    size = 0
    for group in groups:
        its = sum(stored.message.content.size for stored in group)
        size += its
        if chunk and (len(chunk) + len(group) > most or size > _LARGE):
            yield chunk
            chunk, size = [], its
        chunk += group
    if chunk:
        yield chunk
