"""The broker's model: one queue for each tenant, leases, sessions.

It is pure: the caller passes the time and the random choices.

Assumptions (A), after RabbitMQ:
- a delivery tag belongs to the session that received it and counts from 1 there; a session belongs
  to one tenant;
- an ack of a tag that the session never received is answered 404; an ack of a settled or expired
  tag is answered 410;
- a message whose lease expired, or that was NACKed, returns to the front of the queue;
- a later setup replaces the subscriptions and keeps the queue.
"""

import heapq
import itertools
import uuid
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from infra.simulator.message import Message

_SESSIONS_KEPT = 10_000


class UnknownTagError(Exception):
    """The session has never received this tag."""


class GoneTagError(Exception):
    """The delivery is settled already, or its lease has expired."""


class Fate(Enum):
    """What happened to a message on its way to a queue."""

    QUEUED = "queued"
    LOST_BEFORE_SETUP = "lostBeforeSetup"
    LOST_UNSUBSCRIBED = "lostUnsubscribed"


@dataclass(slots=True, eq=False)
class Lease:
    """One delivery of a message, which waits for its ack."""

    message: Message
    session: "Session"
    tag: int
    open: bool = True


@dataclass(slots=True, eq=False)
class Session:
    """The session of a cookie."""

    id: str
    tenant: str
    last_tag: int = 0
    leases: dict[int, Lease] = field(default_factory=dict)


class TenantQueue:
    """The messages of one tenant: the waiting ones, and the leased ones by the end of their
    lease."""

    def __init__(self) -> None:
        self.waiting: deque[Message] = deque()
        self.subscriptions: frozenset[str] | None = None
        self.leased = 0
        self.acked = 0
        self.expired = 0
        self.dead_letters: list[Message] = []
        self._ends: list[tuple[float, int, Lease]] = []
        self._order = itertools.count()

    def publish(self, message: Message) -> Fate:
        """Route a message as Smart Link does. It is lost unless setup has subscribed its type."""
        if self.subscriptions is None:
            return Fate.LOST_BEFORE_SETUP
        if message.type not in self.subscriptions:
            return Fate.LOST_UNSUBSCRIBED
        self.waiting.append(message)
        return Fate.QUEUED

    def lease(self, session: Session, now: float, seconds: float, count: int = 1) -> list[Lease]:
        """Lease up to `count` messages to the session for `seconds`, with the session's next
        tags."""
        self.recover(now)
        leases: list[Lease] = []
        while self.waiting and len(leases) < count:
            session.last_tag += 1
            lease = Lease(self.waiting.popleft(), session, session.last_tag)
            session.leases[lease.tag] = lease
            heapq.heappush(self._ends, (now + seconds, next(self._order), lease))
            leases.append(lease)
        self.leased += len(leases)
        return leases

    def ack(self, session: Session, tag: int, now: float, *, offer_again: bool = False) -> bool:
        """Remove a leased message; return whether it was queued again.

        With `offer_again` it is queued again, but each message only once.
        """
        message = self._settled(session, tag, now)
        self.acked += 1
        if not offer_again or message.offered_again:
            return False
        message.offered_again = True
        self.waiting.append(message)
        return True

    def nack(self, session: Session, tag: int, now: float, *, dead: bool = False) -> None:
        """Return a leased message to the front, or move it to the dead letters."""
        message = self._settled(session, tag, now)
        if dead:
            self.dead_letters.append(message)
        else:
            self.waiting.appendleft(message)

    def recover(self, now: float) -> None:
        """Put the messages whose lease has ended back at the head of the queue, the oldest
        first."""
        expired = []
        while self._ends and (not self._ends[0][2].open or self._ends[0][0] <= now):
            lease = heapq.heappop(self._ends)[2]
            if lease.open:
                self._close(lease)
                expired.append(lease.message)
        self.expired += len(expired)
        self.waiting.extendleft(reversed(expired))

    def _settled(self, session: Session, tag: int, now: float) -> Message:
        self.recover(now)
        lease = session.leases.get(tag)
        if lease is None:
            raise GoneTagError if 1 <= tag <= session.last_tag else UnknownTagError
        self._close(lease)
        self.recover(now)  # removes closed leases from the heap, which would keep their contents
        return lease.message

    def _close(self, lease: Lease) -> None:
        lease.open = False
        del lease.session.leases[lease.tag]
        self.leased -= 1


class Broker:
    """The queues of all tenants and the sessions of their clients."""

    def __init__(self) -> None:
        self.queues: dict[str, TenantQueue] = {}
        self._sessions: dict[str, Session] = {}

    def queue(self, tenant: str) -> TenantQueue:
        """Return the tenant's queue. Until setup has created it, published messages are lost."""
        queue = self.queues.get(tenant)
        if queue is None:
            queue = self.queues[tenant] = TenantQueue()
        return queue

    def setup(self, tenant: str, subscriptions: Iterable[str]) -> None:
        """Create the tenant's queue, or change its subscriptions."""
        self.queue(tenant).subscriptions = frozenset(subscriptions)

    def session(self, tenant: str, cookie: str | None) -> Session:
        """Return the tenant's session of this cookie, or a new one if there is none."""
        session = self._sessions.get(cookie) if cookie else None
        if session is None or session.tenant != tenant:
            session = Session(uuid.uuid4().hex, tenant)
            self._sessions[session.id] = session
            self._forget_oldest_idle()
        return session

    def remove(self, tenant: str) -> None:
        """Remove the tenant's queue with its messages, and its sessions."""
        self.queues.pop(tenant, None)
        self._sessions = {
            key: session for key, session in self._sessions.items() if session.tenant != tenant
        }

    def _forget_oldest_idle(self) -> None:
        """Limit the memory of sessions, because a client without cookies opens many.

        A session that holds a lease is kept.
        """
        if len(self._sessions) <= _SESSIONS_KEPT:
            return
        oldest = next(iter(self._sessions))
        session = self._sessions.pop(oldest)
        if session.leases:
            self._sessions[oldest] = session
