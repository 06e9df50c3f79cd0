"""A deployment in virtual time: instances of the functions, Pub/Sub, a broker, and their moods."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, NoReturn, TypeVar

from smartlink.adapters.in_memory import (
    InMemoryBroker,
    InMemoryConfig,
    InMemoryContents,
    InMemoryEffects,
    InMemorySecrets,
    at_once,
)
from smartlink.consumer import Context, FatalError, Reply, RetryableError, Returned, consumer
from smartlink.domain.identity import Direction, document_id
from smartlink.domain.message import Stored
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.tenant import Tenant
from smartlink.ports import BrokerSession, CredentialsRefused, Envelope, Ran, Run, Unavailable
from smartlink.services.config import Config
from smartlink.services.consume import Consume, Timeouts
from smartlink.services.dispatch import decode_dispatch
from smartlink.services.poll import Poll
from smartlink.services.publish import Publish, PublishRequest
from smartlink.services.relay import Outside, make_poll
from smartlink.services.shard import decode_shard
from smartlink.services.tenants import Tenants
from smartlink.settings import Settings, load_settings
from tests.simulation.kernel import DiedError, Kernel, Port, Process
from tests.simulation.ledger import Ledger, WatchedMessages
from tests.support.world import COMMAND, catalog, config_file, secret

_Work = TypeVar("_Work")
SKEW = timedelta(seconds=2)  # how far the instances' clocks are apart at most
_DELIVERIES = 5  # until Pub/Sub gives a message up


@dataclass(slots=True)
class SimTurns:
    """Turns in two tasks of the process, so that they interleave."""

    kernel: Kernel
    process: Process
    workers: int = 2

    def __call__(
        self,
        work: Sequence[_Work],
        perform: Callable[[_Work, Callable[[_Work], None]], None],
        deadline: datetime,
    ) -> list[_Work]:
        waiting = list(work)
        busy = [0]

        def work_off() -> None:
            while waiting and self.kernel.clock(self.process) < deadline:
                busy[0] += 1
                try:
                    perform(waiting.pop(0), waiting.append)
                finally:
                    busy[0] -= 1

        tasks = [self.kernel.spawn(self.process, work_off) for _ in range(self.workers)]
        for task in tasks:
            self.kernel.join(task)
        if self.process.dead:
            raise DiedError
        return waiting


@dataclass(slots=True)
class SimRunner:
    """Messages one after the other; how many finish between two settlements is drawn."""

    kernel: Kernel
    process: Process
    overran: Callable[[Stored], None]

    def run(
        self, stored: Sequence[Stored], execute: Run, timeout: timedelta
    ) -> Iterator[list[Ran]]:
        finished: list[Ran] = []
        for item in stored:
            began = self.kernel.now
            outcome = execute(item)
            if self.process.dead:
                raise DiedError
            overdue = self.kernel.now - began > timeout.total_seconds()
            finished.append(Ran(item, outcome, overdue=overdue))
            if overdue:
                self.overran(item)
                yield finished
                return
            if self.kernel.random.random() < 0.5:
                yield finished
                finished = []
        if finished:
            yield finished


class SimBroker(InMemoryBroker):
    """The broker, with its moods: tenants for which it is down, or refuses their tokens."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(page=2)
        self.kernel = kernel
        self.down: set[str] = set()
        self.refusing: set[str] = set()

        self.last_ack = 0  # the number of the call

    def called(self, call: str, tenant: str) -> None:
        if call == "ack":
            self.last_ack = self.kernel.calls
        if tenant in self.down and call != "session":
            message = "the broker is down"
            raise Unavailable(message)
        if tenant in self.refusing and call != "session":
            message = "RAC refuses the credentials"
            raise CredentialsRefused(message)

    def port(self, process: Process) -> "BrokerPort":
        return BrokerPort(self, process)


@dataclass(slots=True)
class BrokerPort:
    """The broker as one process sees it."""

    broker: SimBroker
    process: Process

    @contextmanager
    def session(self, tenant: Tenant) -> Iterator[BrokerSession]:
        with self.broker.session(tenant) as session:
            yield Port(self.broker.kernel, self.process, f"broker[{tenant.name}]", session)


@dataclass(slots=True)
class Instance:
    """A warm instance of poll or poll_shard: one call at a time."""

    process: Process
    poll: Poll
    busy: bool = False


@dataclass(slots=True)
class Deployment:
    """All of it."""

    kernel: Kernel
    tenants: Sequence[str]
    variables: dict[str, str]
    ledger: Ledger = field(default_factory=Ledger)
    store: WatchedMessages = field(init=False)
    broker: SimBroker = field(init=False)
    contents: InMemoryContents = field(default_factory=InMemoryContents)
    effects: InMemoryEffects = field(default_factory=InMemoryEffects)
    secrets: InMemorySecrets = field(default_factory=InMemorySecrets)
    config: InMemoryConfig = field(default_factory=InMemoryConfig)
    settings: Settings = field(init=False)
    unknown: str = "retry"  # what follows an unknown outcome
    instances: list[Instance] = field(default_factory=list)
    duplicates: float = 0.0  # share of deliveries that Pub/Sub repeats
    backlog: float = 0.0  # seconds that a delivery may wait
    late: Sequence[float] = ()  # when, in seconds, each delivery is repeated
    given_up: int = 0
    consuming: list[Process] = field(default_factory=list)
    _numbers: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self.settings = load_settings(
            {
                "GOOGLE_CLOUD_PROJECT": "simulation",
                "SMARTLINK_ENVIRONMENT": "development",
                "SMARTLINK_CONFIG_URI": "gs://config/totvsAppConfig_v2.json",
                "SMARTLINK_CATALOG": catalog(**{COMMAND: {"unknownOutcome": self.unknown}}),
                **self.variables,
            }
        )
        self.ledger.hold = self.unknown == "hold"
        self.store = WatchedMessages(self.ledger, self.kernel.clock, 2 * SKEW)
        self.store.calls = lambda: self.kernel.calls
        self.store.say = self.kernel.say
        self.broker = SimBroker(self.kernel)
        for tenant in self.tenants:
            self.secrets.put(tenant, secret())

    def break_configuration(self) -> None:
        """The last good generation stays; before there is one, the defaults hold."""
        if self.store.load() is None:
            self.ledger.limits.append(RetryPolicy().attempts)
        self.config.put(b"{ broken")

    def configure(self, limit: int) -> None:
        """A new generation of the configuration file."""
        self.ledger.limits.append(limit)
        self.config.put(config_file(attempts=limit, interval=1))

    def new_process(self, kind: str) -> Process:
        seconds = SKEW.total_seconds() * (2 * self.kernel.random.random() - 1)
        return Process(f"{kind}-{next(self._numbers)}", timedelta(seconds=seconds))

    def port(self, process: Process, name: str, target: object) -> Any:
        return Port(self.kernel, process, name, target)

    def running(self) -> list[Process]:
        """Every process that has work under way."""
        self.consuming = [it for it in self.consuming if it.tasks]
        return [*self.consuming, *(it.process for it in self.instances)]

    # The functions.

    def tick(self) -> None:
        """Cloud Scheduler's call, of a warm instance or of a new one."""
        instance = self._instance()
        self.kernel.spawn(instance.process, lambda: self._tick(instance))

    def _tick(self, instance: Instance) -> None:
        try:
            instance.poll.tick()
        except Unavailable as error:
            self.kernel.say(f"a poll failed: {error}")
        finally:
            instance.busy = False

    def _instance(self) -> Instance:
        self.instances = [it for it in self.instances if not it.process.dead]
        idle = [it for it in self.instances if not it.busy]
        if idle and self.kernel.random.random() < 0.8:
            instance = self.kernel.random.choice(idle)
            instance.busy = True
            return instance
        process = self.new_process("poll")
        store = self.port(process, "store", self.store)
        clock = lambda: self.kernel.clock(process)  # noqa: E731
        outside = Outside(
            messages=store,
            logs=store,
            states=store,
            ticks=store,
            contents=self.port(process, "contents", self.contents),
            broker=self.broker.port(process),
            publisher=self.port(process, "pubsub", self),
            turns=SimTurns(self.kernel, process),
            beside=at_once,
            clock=clock,
            new_id=self.new_id,
            wait=partial(self._wait, process),
        )
        tenants = Tenants(
            self.port(process, "secrets", self.secrets),
            "development",
            clock,
            timedelta(seconds=300),
            timedelta(seconds=3_600),
        )
        config = Config(self.port(process, "config", self.config), store)
        poll = make_poll(self.settings, outside, tenants, config)
        instance = Instance(process, poll, busy=True)
        self.instances.append(instance)
        return instance

    def _wait(self, process: Process, most: float) -> None:
        self.kernel.sleep(most * self.kernel.random.random())
        if process.dead:
            raise DiedError

    def new_id(self) -> str:
        return f"{next(self._numbers):032x}"

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        """Pub/Sub: at least once, in any order, when it likes."""
        for envelope in envelopes:
            self._deliver(topic, envelope, 1)
            if self.kernel.random.random() < self.duplicates:
                self._deliver(topic, envelope, 1, 600 * self.kernel.random.random())
            for after in self.late:
                self._deliver(topic, envelope, 1, after)

    def _deliver(self, topic: str, envelope: Envelope, number: int, after: float = 0.0) -> None:
        wait = 0.05 + after + self.backlog * self.kernel.random.random()
        if number > 1:
            wait += 10 * 2**number
        if topic == "topic-shards":
            instance = self._instance()
            process = instance.process
            work = partial(self._shard, instance, envelope)
        else:
            process = self.new_process("consume")
            self.consuming.append(process)
            work = partial(self._consume, process, envelope)

        def deliver() -> None:
            done = False
            try:
                work()
                done = True
            except Unavailable as error:
                self.kernel.say(f"{process.name} answers 500: {error}")
            finally:
                if not done and number < _DELIVERIES:
                    self._deliver(topic, envelope, number + 1)
                elif not done:
                    self.given_up += 1

        self.kernel.spawn(process, deliver, wait)

    def _shard(self, instance: Instance, envelope: Envelope) -> None:
        try:
            instance.poll.shard(decode_shard(envelope.data))
        finally:
            instance.busy = False

    def _consume(self, process: Process, envelope: Envelope) -> None:
        dispatch = decode_dispatch(envelope.data)
        ran: set[tuple[str, str]] = set()
        tenant = dispatch.tenant

        @consumer(COMMAND)
        def run(content: str, context: Context) -> Returned:
            if process.dead:
                raise DiedError
            key = (tenant, document_id(Direction.DOWNSTREAM, context.message_id))
            returned = self._behave(process, json.loads(content), context, key)
            self.ledger.completed[key] += 1
            self.ledger.expected[key] = len(returned)
            ran.add(key)
            return returned

        claims: set[str] = set()

        def own_id() -> str:
            claims.add(made := self.new_id())
            return made

        def overran(stored: Stored) -> None:
            self.ledger.failures[tenant, stored.message.document] += 1
            process.harmed = True

        def end_process() -> NoReturn:
            self.kernel.kill(process)
            raise DiedError

        consume = Consume(
            command=COMMAND,
            consumer=run,
            entry=self.settings.catalog.commands[COMMAND],
            messages=self.port(process, "store", self.store),
            contents=self.port(process, "contents", self.contents),
            erp=self.secrets,
            effects=self.port(process, "effects", self.effects),
            runner=SimRunner(self.kernel, process, overran),
            timeouts=Timeouts.of(self.settings.catalog, COMMAND),
            retention=self.settings.retention,
            clock=lambda: self.kernel.clock(process),
            new_id=own_id,
            wait=partial(self._wait, process),
            end_process=end_process,
        )
        try:
            consume(dispatch)
        finally:
            for key in ran:
                if self.ledger.settled_by.get(key) not in claims:
                    if not process.harmed:
                        self.ledger.broken(f"{key} ran to its end, and its outcome was dropped")
                    self.ledger.excused[key] += 1

    def _behave(
        self, process: Process, content: dict[str, Any], context: Context, key: tuple[str, str]
    ) -> list[Reply]:
        """What the message makes its consumer do."""
        if content["tenant"] != context.tenant:
            self.ledger.broken(f"{context.tenant} got a message of {content['tenant']}")
        self.kernel.sleep(content["seconds"])
        if process.dead:
            raise DiedError
        match content["does"]:
            case "crash":
                self.kernel.say(f"{process.name} is crashed by {key}")
                self.kernel.kill(process)
                raise DiedError
            case "loop":
                self.kernel.sleep(61)
            case "fail" if context.attempt <= content["times"]:
                self.ledger.failures[key] += 1
                raise RetryableError("it fails")
            case "reject":
                self.ledger.failures[key] += 1
                raise FatalError("it is rejected")
        if "once" in content:
            context.once(content["once"], lambda: self._affect(process, context, content["once"]))
        return [
            Reply("ProbeResponse", {"tenant": context.tenant, "to": key[1], "number": number})
            for number in range(content["replies"])
        ]

    def _affect(self, process: Process, context: Context, key: str) -> None:
        """What cannot be taken back: the process may die right before it or right after."""
        self.kernel.sleep(0.01)
        if process.dead:
            raise DiedError
        self.ledger.effects[context.tenant, key] += 1
        self.kernel.sleep(0.01)

    # The outside.

    def offer(self, tenant: str, message_id: str, content: dict[str, Any]) -> None:
        """The broker gets a message for the tenant."""
        text = json.dumps(content, sort_keys=True)
        self.kernel.say(f"the broker gets {tenant}/{message_id} that does {content['does']}")
        self.broker.offer(tenant, COMMAND, text, message_id=message_id)

    def ask_to_publish(self, tenant: str, message_id: str, content: str) -> None:
        """A segment publishes, again and again until it is told that it is accepted."""
        process = self.new_process("publish")

        def work() -> None:
            accepted = False
            try:
                tenants = Tenants(
                    self.secrets,
                    "development",
                    self.kernel.clock,
                    timedelta(seconds=300),
                    timedelta(hours=1),
                )
                publish = Publish(
                    tenants,
                    self.port(process, "store", self.store),
                    self.port(process, "contents", self.contents),
                    lambda: self.kernel.clock(process),
                    self.new_id,
                )
                body = {"tenant": tenant, "type": "T", "content": content, "id": message_id}
                publish(PublishRequest.model_validate(body))
                accepted = True
                self.ledger.published.add((tenant, content))
            except Unavailable:
                self.kernel.say("publish answers 503")
            finally:
                if not accepted:
                    again = self.new_process("client")
                    self.kernel.spawn(
                        again, lambda: self.ask_to_publish(tenant, message_id, content), 5.0
                    )

        self.kernel.spawn(process, work)
