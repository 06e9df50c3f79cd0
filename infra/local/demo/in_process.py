"""The relay without emulators: the functions' services run in this process on in-memory adapters.

It differs from the functions in two ways. Firestore, Pub/Sub, Cloud Storage and Secret Manager are
replaced by their in-memory twins, and a thread delivers what is published. Smart Link and RAC are
called over HTTP.
"""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from infra.local.errors import NotReadyError, TickError
from smartlink.adapters.http.at_need import session_at_need
from smartlink.adapters.http.connections import Bounds, Http
from smartlink.adapters.http.rac import RacTokens
from smartlink.adapters.http.smart_link import SmartLinkBroker
from smartlink.adapters.in_memory import (
    InMemoryConfig,
    InMemoryContents,
    InMemoryEffects,
    InMemoryMessages,
    InMemoryPublisher,
    InMemorySecrets,
)
from smartlink.adapters.threads import ThreadRunner, ThreadTurns, beside, wait
from smartlink.bootstrap import load_consumer, new_id, now
from smartlink.common_wiring import Adapters
from smartlink.consume_wiring import ConsumeAdapters, make_consume
from smartlink.domain.catalog import Command
from smartlink.poll_wiring import PollAdapters, make_poll
from smartlink.ports import Effects, Envelope, PortError, Runner
from smartlink.services.consuming.consume import Consume
from smartlink.services.dispatch import decode_dispatch
from smartlink.services.polling.poll import Poll
from smartlink.services.polling.shard import decode_shard
from smartlink.settings import Settings

Delivery = tuple[str, Envelope] | None  # None: the end


def _end_process() -> NoReturn:
    message = "A message ran past its time-out; in the cloud that would have ended its function."
    raise NotReadyError(message)


class InProcessRelay:
    """All use cases of the relay, on the twins and on threads of this process."""

    def __init__(
        self,
        settings: Settings,
        secrets: InMemorySecrets,
        config: bytes,
        tenants: list[str],
        *,
        effects: Effects | None = None,
        runner: Runner | None = None,
    ) -> None:
        """Make the use cases over empty twins, or with these effects, or with this runner."""
        self.tenants = tenants
        self.store = InMemoryMessages()
        self._settings = settings
        self._secrets = secrets
        self._contents = InMemoryContents()
        self._effects = InMemoryEffects() if effects is None else effects
        self._runner = ThreadRunner() if runner is None else runner
        self._deliveries: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._publisher = InMemoryPublisher(lambda *delivery: self._deliveries.put(delivery))
        self._adapters = Adapters(
            store=self.store,
            contents=self._contents,
            secrets=secrets,
            beside=beside,
            clock=now,
            new_id=new_id,
            wait=wait,
        )
        self._poll = self._make_poll(InMemoryConfig(config))
        self._consumers = {
            command.topic: self._make_consume(name, command)
            for name, command in settings.catalog.commands.items()
        }
        self._worker = threading.Thread(target=self._deliver, name="pubsub", daemon=True)
        self._died: Exception | None = None

    def _make_poll(self, config: InMemoryConfig) -> Poll:
        settings = self._settings
        http = Http(Bounds.of(settings))
        tokens = RacTokens(http, settings.token_url, now)
        own = PollAdapters(
            config=config,
            broker=SmartLinkBroker(http, settings.smart_link_url, settings.paths, tokens),
            publisher=self._publisher,
            turns=ThreadTurns(settings.poll_threads, now),
        )
        return make_poll(settings, self._adapters, own)

    def _make_consume(self, command: str, entry: Command) -> Consume:
        own = ConsumeAdapters(
            erp=self._secrets,
            effects=self._effects,
            runner=self._runner,
            end_process=_end_process,
            http=session_at_need,
            publisher=lambda: self._publisher,
        )
        consumer = load_consumer(command, entry.module)
        return make_consume(self._settings, self._adapters, own, command, consumer)

    @contextmanager
    def running(self) -> Iterator["InProcessRelay"]:
        """Deliver what is published while the block runs."""
        self._worker.start()
        try:
            yield self
        finally:
            self._deliveries.put(None)
            self._worker.join()

    def _deliver(self) -> None:
        try:
            while delivery := self._deliveries.get():
                topic, envelope = delivery
                if consume := self._consumers.get(topic):
                    consume(decode_dispatch(envelope.data))
                else:
                    self._poll.shard(decode_shard(envelope.data))
        except Exception as error:  # noqa: BLE001 - `check` raises it in the main thread
            self._died = error

    def tick(self) -> None:
        """Poll once."""
        try:
            self._poll.tick()
        except PortError as error:
            message = f"The tick failed: {error}."
            raise TickError(message) from error

    def check(self) -> None:
        """Raise NotReadyError if a delivery has failed."""
        if self._died is not None:
            message = f"A delivery failed: {self._died}."
            raise NotReadyError(message) from self._died
