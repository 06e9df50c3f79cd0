"""The whole relay on in-memory adapters, with a clock that stands still until it is moved."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NoReturn

from smartlink.adapters.http.at_need import session_at_need
from smartlink.adapters.in_memory import (
    Faults,
    InMemoryBroker,
    InMemoryConfig,
    InMemoryContents,
    InMemoryEffects,
    InMemoryMessages,
    InMemoryPublisher,
    InMemorySecrets,
    at_once,
)
from smartlink.common_wiring import Adapters
from smartlink.consume_wiring import ConsumeAdapters, make_consume
from smartlink.consumer import Consumer, Context, Returned, consumer
from smartlink.domain.message import Ended, LogLine, Message
from smartlink.poll_wiring import PollAdapters, make_poll
from smartlink.ports import Envelope, PortError
from smartlink.publish_wiring import make_publish
from smartlink.services.consuming.consume import Consume
from smartlink.services.dispatch import decode_dispatch
from smartlink.services.polling.poll import Poll, PollReport
from smartlink.services.polling.shard import decode_shard
from smartlink.services.publishing.publish import Published, PublishRequest
from smartlink.settings import Settings, load_settings
from tests.support.inline import InlineRunner, InlineTurns, ProcessEndedError

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
COMMAND, OTHER, SECRET_ONE = "ProbeCommand", "OtherCommand", "PersonalCommand"


def catalog(**changes: Mapping[str, object]) -> str:
    """A catalogue with three commands; `changes` are merged into a command's entry."""
    commands: dict[str, dict[str, object]] = {
        name: {
            "module": f"consumers.{name.lower()}",
            "topic": f"topic-{name.lower()}",
            "timeoutSeconds": 60,
            "personal": name == SECRET_ONE,
        }
        for name in (COMMAND, OTHER, SECRET_ONE)
    }
    for name, change in changes.items():
        commands[name] |= change
    functions = {name: {"timeoutSeconds": 60} for name in ("poll", "publish")}
    functions["poll_shard"] = {"timeoutSeconds": 60, "topic": "topic-shards"}  # type: ignore[dict-item]
    functions["consume"] = {"timeoutSeconds": 540}
    functions["operate"] = {"timeoutSeconds": 120, "topic": "topic-operate"}  # type: ignore[dict-item]
    return json.dumps({"functions": functions, "commands": commands})


def config_file(attempts: int = 5, factor: float = 1, interval: float = 3) -> bytes:
    info = {
        "QtdeTentativasExec": attempts,
        "FatorTempoExecucao": factor,
        "MinutesInterval": interval,
    }
    return json.dumps({"TotvsAppGlobalConfig": {"IntegrationSmartLinkInfo": info}}).encode()


def secret(environment: object = "development", **more: object) -> bytes:
    payload = {"clientId": "id", "clientSecret": "s3cret", "environment": environment, **more}
    return json.dumps(payload).encode()


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


def end_process() -> NoReturn:
    raise ProcessEndedError


class Interruptions(Faults):
    """Lets something happen in the middle of a call: `store.faults = Interruptions()`."""

    def __init__(self) -> None:
        super().__init__()
        self._plans: list[tuple[str, Callable[[], object]]] = []

    def at(self, moment: str, happens: Callable[[], object]) -> None:
        """Once, at the next "before create" or "after commit", say."""
        self._plans.append((moment, happens))

    def before(self, call: str, subject: str) -> None:
        self._happen(f"before {call}")
        super().before(call, subject)

    def after(self, call: str, subject: str) -> None:
        self._happen(f"after {call}")
        super().after(call, subject)

    def _happen(self, moment: str) -> None:
        for plan in list(self._plans):
            if plan[0] == moment and plan in self._plans:
                self._plans.remove(plan)
                plan[1]()


class Slow(Faults):
    """Each call takes some milliseconds: `broker.faults = Slow(world.clock, 100)`."""

    def __init__(self, clock: Clock, milliseconds: float) -> None:
        super().__init__()
        self._clock, self._milliseconds = clock, milliseconds

    def before(self, call: str, subject: str) -> None:
        self._clock.forward(milliseconds=self._milliseconds)
        super().before(call, subject)


@dataclass(slots=True)
class World:
    """One deployment. Nothing happens in it but what a test lets happen."""

    tenants: Sequence[str] = ("acme",)
    variables: dict[str, str] = field(default_factory=dict)
    catalog_json: str = field(default_factory=catalog)
    clock: Clock = field(default_factory=Clock)
    store: InMemoryMessages = field(default_factory=InMemoryMessages)
    contents: InMemoryContents = field(default_factory=InMemoryContents)
    broker: InMemoryBroker = field(default_factory=InMemoryBroker)
    publisher: InMemoryPublisher = field(default_factory=InMemoryPublisher)
    secrets: InMemorySecrets = field(default_factory=InMemorySecrets)
    effects: InMemoryEffects = field(default_factory=InMemoryEffects)
    config: InMemoryConfig = field(default_factory=lambda: InMemoryConfig(config_file()))
    runner: InlineRunner = field(default_factory=InlineRunner)
    turns: InlineTurns = field(init=False)
    settings: Settings = field(init=False)
    poll: Poll = field(init=False)
    ran: list[tuple[str, str]] = field(default_factory=list)
    """(tenant, message id) of every run of a consumer."""
    behave: Callable[[str, Context], Returned] = field(default=lambda content, context: None)  # noqa: ARG005
    undelivered: list[tuple[str, Envelope]] = field(default_factory=list)
    """What a process died of, or a port failed on; `redeliver` delivers it again."""
    waits: list[float] = field(default_factory=list)
    """Seconds, of every wait for the database."""
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        for tenant in self.tenants:
            self.secrets.put(tenant, secret())
            self.secrets.put_erp(tenant, b"{}")
        self.turns = InlineTurns(self.clock)
        self.contents.clock = self.clock
        self.cold_start()

    def cold_start(self) -> None:
        """New processes: whatever they kept in memory is gone."""
        self.settings = load_settings(
            {
                "GOOGLE_CLOUD_PROJECT": "test",
                "SMARTLINK_ENVIRONMENT": "development",
                "SMARTLINK_CONFIG_URI": "gs://config/totvsAppConfig_v2.json",
                "SMARTLINK_CATALOG": self.catalog_json,
                **self.variables,
            }
        )
        self.poll = self.elsewhere()

    def elsewhere(self) -> Poll:
        """The poll of another process: it shares nothing but what is stored."""
        own = PollAdapters(
            config=self.config, broker=self.broker, publisher=self.publisher, turns=self.turns
        )
        return make_poll(self.settings, self._adapters(), own)

    def _adapters(self) -> Adapters:
        return Adapters(
            store=self.store,
            contents=self.contents,
            secrets=self.secrets,
            beside=at_once,
            clock=self.clock,
            new_id=self.new_id,
            wait=self.wait,
        )

    def activate(self, tenant: str = "acme", **payload: object) -> None:
        """What the operator's command does: a new version, and an etag that shows it."""
        self.secrets.put(tenant, secret(**payload))
        self.secrets.touch(tenant)

    def wait(self, most: float) -> None:
        """The longest wait that could be drawn."""
        self.waits.append(most)
        self.clock.forward(seconds=most)

    def new_id(self) -> str:
        return f"{next(self._ids):032x}"

    # What happens.

    def tick(self, **later: float) -> PollReport:
        """A poll, after the clock moved that far."""
        self.clock.forward(**later)
        return self.poll.tick()

    def deliver(self) -> int:
        """Delivers everything that waits in Pub/Sub once; how many deliveries that were."""
        taken = self.publisher.take()
        for topic, envelope in taken:
            try:
                self.delivery(topic, envelope)
            except (PortError, ProcessEndedError):
                self.undelivered.append((topic, envelope))
        return len(taken)

    def redeliver(self) -> int:
        """Delivers again what failed, as Pub/Sub does."""
        self.publisher.published[:0], self.undelivered = self.undelivered, []
        return self.deliver()

    def delivery(self, topic: str, envelope: Envelope) -> Any:  # noqa: ANN401
        """One delivery to the function that the topic pushes to."""
        if topic == "topic-shards":
            return self.poll.shard(decode_shard(envelope.data))
        dispatch = decode_dispatch(envelope.data)
        return self.consume(dispatch.command)(dispatch)

    def minute(self) -> PollReport:
        """A poll, a minute after the last one, and all that it dispatched."""
        report = self.tick(minutes=1)
        while self.deliver():
            pass
        return report

    def minutes(self, number: int) -> None:
        for _ in range(number):
            self.minute()

    def consume(self, command: str = COMMAND) -> Consume:
        own = ConsumeAdapters(
            erp=self.secrets,
            effects=self.effects,
            runner=self.runner,
            end_process=end_process,
            http=session_at_need,
            publisher=lambda: self.publisher,
        )
        return make_consume(self.settings, self._adapters(), own, command, self._consumer(command))

    def _consumer(self, command: str) -> Consumer:
        @consumer(command)
        def run(content: str, context: Context) -> Returned:
            self.ran.append((context.tenant, context.message_id))
            return self.behave(content, context)

        return run

    def publish(self, **request: object) -> Published:
        publish = make_publish(self.settings, self._adapters())
        return publish(PublishRequest.model_validate({"tenant": "acme", "type": "T"} | request))

    # What can be seen.

    def live(self, tenant: str = "acme") -> dict[str, Message]:
        """The live messages by id."""
        return {it.message.id: it.message for it in self.store.live(tenant).values()}

    def ended(self, tenant: str = "acme") -> dict[str, Ended]:
        """The history by message id."""
        return {it.message.id: it for it in self.store.ended(tenant).values()}

    def logs(self, tenant: str = "acme") -> list[LogLine]:
        return self.store.logs(tenant)

    def calls(self, call: str, tenant: str = "acme") -> int:
        """How often the broker was called so for a tenant."""
        return self.broker.calls.count((call, tenant))

    def replies_to(self, tenant: str = "acme") -> list[str]:
        """The contents that the tenant sent."""
        return [sent.content.decode() for sent in self.broker.sent_by(tenant)]
