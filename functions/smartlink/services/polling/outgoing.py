"""What a poll has read of a tenant's outbox: chunks, which several sessions send side by side."""

import math
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from smartlink.domain.message import Stored
from smartlink.ports import Place
from smartlink.services.order import key_of

if TYPE_CHECKING:  # for the annotations alone: a page is read for a tenant's poll, which has this
    from smartlink.services.polling.pages import Page

_SEND_CHUNK = 20  # messages that one turn claims, sends and settles, at most
_LARGE = 262_144  # bytes of contents that a turn sends, unless a single one is larger


def chunk_size(page: int, sessions: int) -> int:
    """Returns how many messages a turn sends at most, so that a full page keeps all of the tenant's
    sessions busy."""
    return min(_SEND_CHUNK, math.ceil(page / sessions))


class Outgoing:
    """The chunks that wait to be sent, and where the next page begins.

    A session joins for each chunk that waits, up to the tenant's sessions, and leaves when it has
    sent it. The next page is read as soon as the last chunk is taken, so that the sessions do not
    wait for it: they still send. So one page waits in memory at most.

    `place` is where the next page begins, or None if there is none. If `probing`, one message
    after the other is sent until the broker accepts one: then the others follow.
    """

    def __init__(
        self,
        due: Sequence[Stored] = (),
        most: int = 1,
        place: Place | None = None,
        *,
        sessions: int = 1,
        probing: bool = False,
    ) -> None:
        self.probing = probing
        self._most = most
        self._sessions = sessions
        self._place = place
        self._waiting = deque(self._chunks(due))
        self._coming = 0  # sessions that were let in, and have not taken a chunk yet
        self._sending = 0  # sessions that send a chunk
        self._read: Page | None = None  # the next page, while its messages cannot be placed
        self._lock = threading.Lock()

    def join(self) -> int:
        """Lets more sessions in, one for each chunk that waits for one; returns how many."""
        with self._lock:
            free = self._sessions - self._coming - self._sending
            more = max(min(len(self._waiting) - self._coming, free), 0)
            self._coming += more
            return more

    def leave(self) -> None:
        """Notes that a session that was let in sends nothing."""
        with self._lock:
            self._coming -= 1

    def take(self) -> Sequence[Stored]:
        """Takes the next chunk, for a session that was let in; an empty one if none waits."""
        with self._lock:
            self._coming -= 1
            return self._taken() if self._waiting else ()

    def take_first(self) -> Sequence[Stored]:
        """Takes the first chunk if none of its messages has failed before, else an empty one.

        A message that failed before may cost a time-out again.
        """
        if self.probing or not self._waiting or any(_failures([it]) for it in self._waiting[0]):
            return ()
        return self._taken()

    @property
    def waits(self) -> bool:
        """Whether a message waits to be taken."""
        return bool(self._waiting)

    def take_one(self) -> Sequence[Stored]:
        """Takes only the message that failed least often; the others of its chunk stay."""
        first, *rest = self._taken()
        if rest:
            self._waiting.appendleft(rest)
        return [first]

    def leave_out(self, key: str | None) -> None:
        """Leaves out what waits behind an ordered message that was not sent: it stays due."""
        if key is not None:
            left = ([it for it in chunk if key_of(it) != key] for chunk in self._waiting)
            self._waiting = deque(chunk for chunk in left if chunk)

    def _taken(self) -> Sequence[Stored]:
        self._sending += 1
        return self._waiting.popleft()

    def next_place(self) -> Place | None:
        """Returns where to read the next page if it is to be read now, to one caller alone."""
        with self._lock:
            if self._waiting:
                return None
            place, self._place = self._place, None
            return place

    def sent(self) -> bool:
        """Notes that the sending of a chunk has ended; tells whether a page that was read waits for
        that."""
        with self._lock:
            self._sending -= 1
            return self._read is not None and not self._sending

    def read(self, page: "Page") -> None:
        """Keeps a page that was read, until its messages can be placed."""
        with self._lock:
            self._read = page

    def placeable(self) -> "Page | None":
        """Returns the page that was read, if its messages can be placed now.

        An ordered reply may come behind one that is being sent. Where it stands shows only when
        that has been settled.
        """
        with self._lock:
            page = self._read
            if page is None or (self._sending and any(it.message.order for it in page.due)):
                return None
            self._read = None
            return page

    def add(self, due: Sequence[Stored], place: Place | None) -> None:
        """Adds the next page's messages, and where the page after it begins."""
        with self._lock:
            self._waiting.extend(self._chunks(due))
            self._place = place

    def _chunks(self, due: Sequence[Stored]) -> Iterator[Sequence[Stored]]:
        """Shares the messages among the sessions. But a chunk is not smaller than half a full one:
        its messages are claimed together, and settled together."""
        even = math.ceil(len(due) / self._sessions)
        groups = sorted(by_key(due), key=_failures)  # one that fails keeps no other waiting
        return _chunks(groups, min(max(even, math.ceil(self._most / 2)), self._most))


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
