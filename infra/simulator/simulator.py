"""The simulated servers without HTTP, for the admin API and for tests in the same process."""

import math
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.simulator.answers import COMMAND_OF
from infra.simulator.broker import Broker, Fate
from infra.simulator.message import Message
from infra.simulator.options import SimulatorOptions
from infra.simulator.rac import Credential, Rac
from infra.simulator.stats import Stats
from infra.simulator.tpd import AUDIENCE, Ask, Tpd, iso

Clock = Callable[[], float]
Json = dict[str, object]


class UnknownTenantError(Exception):
    """The tenant has no registered credential."""


class RequestTakenError(Exception):
    """The tenant has a request with this id already."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a client sent."""

    type: str
    audience: str | None
    content: str
    at: float


class Simulator:
    """The state of RAC, broker and TPD.

    It is not thread-safe: only the server's event loop may use it.
    """

    def __init__(self, options: SimulatorOptions | None = None, clock: Clock = time.time) -> None:
        self.clock = clock
        self._initial = options or SimulatorOptions()
        self.reset()

    def reset(self) -> None:
        """Forget everything, also tenants and changed options."""
        self.options = self._initial
        self.dice = _dice(self.options.seed)
        self.rac = Rac()
        self.broker = Broker()
        self.tpd = Tpd()
        self.stats = Stats()
        self._sent: dict[str, deque[Sent]] = {}
        self._waits: dict[tuple[str, str], random.Random] = {}

    def configure(self, changes: Mapping[str, object]) -> SimulatorOptions:
        """Change some options. A `seed` starts the random choices again."""
        self.options = self.options.updated(changes)
        if "seed" in changes:
            self.dice = _dice(self.options.seed)
            self._waits.clear()
        return self.options

    def chance(self, share: float) -> bool:
        """Make a random choice that is true with this share; make none if the share is zero.

        So an unused fault does not change the random choices of the others.
        """
        return share > 0 and self.dice.random() < share

    def wait(self, call: str, who: str, seconds: float) -> float:
        """Draw how long this call waits; without a sigma it is `seconds`.

        Each tenant's calls of a kind have their own dice, so what others call changes nothing.
        """
        sigma = self.options.latency_sigma
        if not seconds or not sigma:
            return seconds
        dice = self._waits.get((call, who))
        if dice is None:
            dice = self._waits[call, who] = _dice(f"{self.options.seed}/{call}/{who}")
        return dice.lognormvariate(math.log(seconds), sigma)

    def remove_tenant(self, tenant: str) -> None:
        """Remove the tenant's credential, tokens and queue; its sent messages and requests stay."""
        self._credential(tenant)
        self.rac.remove(tenant)
        self.broker.remove(tenant)

    def revoke(self, tenant: str) -> int:
        """Revoke the tenant's tokens; return how many there were."""
        self._credential(tenant)
        return self.rac.revoke(tenant)

    def offer(
        self,
        tenant: str,
        messages: Iterable[Mapping[str, object]],
        *,
        force: bool = False,
        routed: bool = False,
    ) -> Json:
        """Queue raw messages. With `routed`, messages of unsubscribed types are lost.

        Before setup all messages are lost, unless `force`.
        """
        self._credential(tenant)
        queue = self.broker.queue(tenant)
        offered = [Message.offered(entry) for entry in messages]
        lost = 0
        if routed:
            lost = sum(self._publish(tenant, message) is not Fate.QUEUED for message in offered)
        elif queue.subscriptions is None and not force:
            lost = len(offered)
            self.stats.count("lostBeforeSetup", tenant, lost)
        else:
            queue.waiting.extend(offered)
        return {
            "queued": len(offered) - lost,
            "lost": lost,
            "ids": [message.id if isinstance(message.id, str) else None for message in offered],
        }

    def ask(self, asks: Sequence[Ask]) -> list[str]:
        """Open all TPD requests or none, and publish their messages; return the requests' ids."""
        named = Counter((ask.tenant, ask.request_id) for ask in asks if ask.request_id)
        for (tenant, request_id), times in named.items():
            if times > 1 or self.tpd.knows(tenant, request_id):
                message = f"{tenant} has a request {request_id} already"
                raise RequestTakenError(message)
        credentials = [self._credential(ask.tenant) for ask in asks]
        identifiers = []
        for ask, credential in zip(asks, credentials, strict=True):
            request, message_to_erp = self.tpd.ask(ask, credential.tenant_id, self.clock())
            self._publish(ask.tenant, message_to_erp)
            identifiers.append(request.request_id)
        return identifiers

    def receive(self, tenant: str, kind: str, audience: str | None, content: str) -> None:
        """Receive what a client sends. TPD reads the messages that are addressed to it."""
        now = self.clock()
        sent = self._sent.setdefault(tenant, deque())
        sent.append(Sent(kind, audience, content, now))
        while len(sent) > self.options.keep_sent:
            sent.popleft()
        if self.options.dialect.loopback and audience == (
            tenant if self.options.dialect.loopback == "tenant" else None
        ):
            self.broker.queue(tenant).publish(Message.offered({"type": kind, "content": content}))
        if (
            audience == AUDIENCE
            and kind in COMMAND_OF
            and not self.tpd.answered(tenant, kind, content, now)
        ):
            self.stats.count("unmatchedAnswers", tenant)

    def requests(self, tenant: str | None = None, status: str | None = None) -> list[Json]:
        """List TPD's requests, the oldest first."""
        return [
            request.view()
            for request in self.tpd
            if tenant in (None, request.ask.tenant) and status in (None, request.status)
        ]

    def sent(self, tenant: str | None = None) -> list[Json]:
        """List what clients sent, the oldest first for each tenant."""
        return [
            {
                "tenant": name,
                "type": sent.type,
                "audience": sent.audience,
                "content": sent.content,
                "at": iso(sent.at),
            }
            for name, messages in self._sent.items()
            if tenant in (None, name)
            for sent in messages
        ]

    def queues(self) -> dict[str, Json]:
        """Describe each tenant's queue, after ended leases have returned their messages."""
        now = self.clock()
        for queue in self.broker.queues.values():
            queue.recover(now)
        return {
            tenant: {
                "waiting": len(queue.waiting),
                "leased": queue.leased,
                "acked": queue.acked,
                "expired": queue.expired,
                "deadLetters": len(queue.dead_letters),
                "setup": queue.subscriptions is not None,
                "subscriptions": sorted(queue.subscriptions or ()),
            }
            for tenant, queue in self.broker.queues.items()
        }

    def statistics(self) -> Json:
        """Return the counts, and how many requests have each status."""
        return {
            **self.stats.view(),
            "requests": Counter(str(request.status) for request in self.tpd),
        }

    def _publish(self, tenant: str, message: Message) -> Fate:
        fate = self.broker.queue(tenant).publish(message)
        if fate is not Fate.QUEUED:
            self.stats.count(fate.value, tenant)
        return fate

    def _credential(self, tenant: str) -> Credential:
        credential = self.rac.credential_of(tenant)
        if credential is None:
            message = f"no such tenant: {tenant}"
            raise UnknownTenantError(message)
        return credential


def _dice(seed: int | str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable faults, not secrets
