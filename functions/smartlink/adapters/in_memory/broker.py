"""The twin of the broker and RAC: a queue for each tenant; a lease ends with its session."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from threading import Lock

from smartlink.adapters.in_memory.faults import Faults
from smartlink.domain.pin import same_tenant_id
from smartlink.domain.tenant import Tenant
from smartlink.ports import (
    CALL_SECONDS,
    AnotherTenant,
    Broker,
    BrokerSession,
    Delivery,
    Refused,
    Tokens,
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that reached the broker."""

    tenant: str
    type: str
    audience: str | None
    content: bytes = field(repr=False)
    traceparent: str | None = field(default=None, compare=False)


class InMemoryBroker:
    """Smart Link Server's twin. One `get` leases `page` messages.

    `faults` may fail the calls session, tenant_id, setup, get, ack, nack and send of a tenant.
    """

    def __init__(self, page: int = 1) -> None:
        self.faults = Faults()
        self.page = page
        self.sent: list[Sent] = []
        self.acked: list[tuple[str, str | None]] = []  # tenant, message id
        self.dead_letters: list[tuple[str, str | None]] = []  # what was nacked
        self.requeues = False  # a nacked message comes again instead
        self.calls: list[tuple[str, str]] = []  # call, tenant
        self.subscriptions: dict[str, tuple[str, ...]] = {}
        self.tenant_ids: dict[str, str] = {}
        """By client id: the tenant id that RAC's tokens name. Tokens of other clients name none."""
        self._lock = Lock()
        self._numbers = count(1)
        self._queues: defaultdict[str, list[Delivery]] = defaultdict(list)
        self._sessions: list[InMemorySession] = []

    def offer(
        self,
        tenant: str,
        message_type: str,
        content: str = "{}",
        *,
        message_id: str | None = None,
        audience: str | None = None,
        problem: str | None = None,
    ) -> str:
        """Puts a message into the tenant's queue; returns its id, a new one if none is given."""
        identity = message_id if message_id is not None else f"message-{next(self._numbers)}"
        self.deliver(tenant, Delivery(None, identity, message_type, content, audience, problem))
        return identity

    def deliver(self, tenant: str, delivery: Delivery) -> None:
        """Puts any delivery into the queue. It gets its tag when it is leased."""
        with self._lock:
            self._queues[tenant].append(delivery)

    def waiting(self, tenant: str) -> int:
        """Counts the messages that are neither leased nor acked."""
        with self._lock:
            return len(self._queues[tenant])

    def sent_by(self, tenant: str) -> list[Sent]:
        """Returns what this tenant sent, in order."""
        return [sent for sent in self.sent if sent.tenant == tenant]

    def release(self) -> None:
        """Ends every lease, and puts unacked messages back at the head of their queues."""
        with self._lock:
            for session in self._sessions:
                self._requeue(session)

    def _requeue(self, session: "InMemorySession") -> None:
        self._queues[session.tenant][:0] = session.leased.values()
        session.leased.clear()

    @contextmanager
    def session(self, tenant: Tenant) -> Iterator[BrokerSession]:
        self.called("session", tenant.name)
        session = InMemorySession(self, tenant)
        with self._lock:
            self._sessions.append(session)
        try:
            yield session
        finally:
            with self._lock:
                self._sessions.remove(session)
                self._requeue(session)

    def called(self, call: str, tenant: str) -> None:
        """Records a session's call, then raises its planned fault."""
        with self._lock:
            self.calls.append((call, tenant))
        self.faults.before(call, tenant)

    def lease(self, session: "InMemorySession") -> list[Delivery]:
        """Leases up to a page of messages to the session."""
        with self._lock:
            queue = self._queues[session.tenant]
            taken = [replace(delivery, tag=next(self._numbers)) for delivery in queue[: self.page]]
            del queue[: self.page]
            session.leased.update({delivery.tag: delivery for delivery in taken})
        return taken

    def remove(self, session: "InMemorySession", tag: int) -> None:
        """Removes a leased message for good. Raises Refused if the session has not leased it."""
        with self._lock:
            delivery = self._drawn(session, tag, "ack")
            self.acked.append((session.tenant, delivery.id))

    def bury(self, session: "InMemorySession", tag: int) -> None:
        """Moves a leased message to the dead letters, or back to the queue if it `requeues`."""
        with self._lock:
            delivery = self._drawn(session, tag, "nack")
            if self.requeues:
                self._queues[session.tenant].append(delivery)
            else:
                self.dead_letters.append((session.tenant, delivery.id))

    def _drawn(self, session: "InMemorySession", tag: int, call: str) -> Delivery:
        delivery = session.leased.pop(tag, None)
        if delivery is None:
            message = f"the broker refused {call}: delivery tag {tag} is not of this session"
            raise Refused(message)
        return delivery


class InMemorySession:
    """One session. When it closes, the messages that it did not ack return to their queue."""

    def __init__(self, broker: InMemoryBroker, tenant: Tenant | str) -> None:
        self.tenant = tenant if isinstance(tenant, str) else tenant.name
        self._client = "" if isinstance(tenant, str) else tenant.credentials.client_id
        self._pinned = None if isinstance(tenant, str) else tenant.pinned
        self.leased: dict[int | None, Delivery] = {}
        self._traceparent: str | None = None
        self._broker = broker

    def limit(self, seconds: float) -> None:
        """Does nothing: calls in memory take no time."""

    def tenant_id(self) -> str | None:
        self._broker.faults.before("tenant_id", self.tenant)
        return self._broker.tenant_ids.get(self._client)

    def _check_token(self) -> None:
        named = self._broker.tenant_ids.get(self._client)
        if named and self._pinned and not same_tenant_id(named, self._pinned):
            message = f"RAC's token is made out to {named}, but {self.tenant} is {self._pinned}'s"
            raise AnotherTenant(message)

    def trace(self, traceparent: str) -> None:
        """See BrokerSession."""
        self._traceparent = traceparent

    def setup(self, commands: Sequence[str]) -> None:
        self._check_token()
        self._broker.called("setup", self.tenant)
        self._broker.subscriptions[self.tenant] = tuple(commands)

    def get(self) -> list[Delivery]:
        self._check_token()
        self._broker.called("get", self.tenant)
        taken = self._broker.lease(self)
        self._broker.faults.after("get", self.tenant)
        return taken

    def ack(self, tag: int) -> None:
        self._check_token()
        self._broker.called("ack", self.tenant)
        self._broker.remove(self, tag)
        self._broker.faults.after("ack", self.tenant)

    def nack(self, tag: int) -> None:
        self._check_token()
        self._broker.called("nack", self.tenant)
        self._broker.bury(self, tag)
        self._broker.faults.after("nack", self.tenant)

    def send(self, message_type: str, audience: str | None, content: bytes) -> None:
        self._check_token()
        self._broker.called("send", self.tenant)
        trace, self._traceparent = self._traceparent, None
        self._broker.sent.append(Sent(self.tenant, message_type, audience, content, trace))
        self._broker.faults.after("send", self.tenant)


class InMemoryTokens:
    """RAC's twin. A token stays valid until the broker refuses it."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._numbers: defaultdict[str, int] = defaultdict(lambda: 1)

    def token(
        self,
        tenant: Tenant,
        refused: str | None = None,
        seconds: float = CALL_SECONDS,  # noqa: ARG002
    ) -> str:
        self.faults.before("token", tenant.name)
        if refused == f"token-{tenant.name}-{self._numbers[tenant.name]}":
            self._numbers[tenant.name] += 1
        return f"token-{tenant.name}-{self._numbers[tenant.name]}"


_broker: type[Broker] = InMemoryBroker
_session: type[BrokerSession] = InMemorySession
_tokens: type[Tokens] = InMemoryTokens
