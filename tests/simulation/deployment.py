"""A deployment in virtual time: instances of the functions, Pub/Sub, a broker, and their moods."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from random import Random
from typing import Any, NoReturn, TypeVar

from greenlet import getcurrent

from smartlink.adapters.http.at_need import session_at_need
from smartlink.adapters.in_memory import (
    InMemoryBroker,
    InMemoryConfig,
    InMemoryEffects,
    InMemorySecrets,
    at_once,
)
from smartlink.adapters.in_memory.broker import InMemorySession
from smartlink.common_wiring import Adapters
from smartlink.consume_wiring import ConsumeAdapters, make_consume
from smartlink.consumer import (
    BatchContext,
    Consumer,
    Context,
    Continue,
    FatalError,
    Item,
    Reply,
    RetryableError,
    Returned,
    batch_consumer,
    consumer,
)
from smartlink.domain.identity import Direction, content_hash, document_id
from smartlink.domain.lifecycle import REPEAT
from smartlink.domain.message import Message, Stored
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Settlement
from smartlink.domain.tenant import Tenant, TenantState
from smartlink.poll_wiring import PollAdapters, make_poll
from smartlink.ports import (
    BrokerSession,
    CredentialsRefused,
    Delivery,
    Envelope,
    Ran,
    Refused,
    Run,
    Unavailable,
)
from smartlink.publish_wiring import make_publish
from smartlink.services.consuming.together import Together
from smartlink.services.dispatch import decode_dispatch
from smartlink.services.polling.poll import Poll
from smartlink.services.polling.shard import decode_shard
from smartlink.services.publishing.publish import PublishError, PublishRequest
from smartlink.settings import LIMITS, Settings, load_settings
from tests.simulation.claims import SKEW, Claims
from tests.simulation.due import WatchedPages
from tests.simulation.kernel import DiedError, Kernel, Port, Process, Reading
from tests.simulation.ledger import Ledger, WatchedContents, WatchedMessages
from tests.support.world import COMMAND, OTHER, SECRET_ONE, catalog, config_file, secret

_Work = TypeVar("_Work")
LARGE = "x" * LIMITS.inline  # with anything beside it, it is kept in the bucket
_DELIVERIES = 5  # until Pub/Sub gives a message up


@dataclass(slots=True)
class SimMany:
    """Runs several messages at once; now and then it raises, or says nothing of one of them: that
    one's run counts as none."""

    alone: Consumer
    forget: Callable[[Item[str]], None]
    random: Random

    def __call__(self, items: list[Item[str]]) -> None:
        done: list[Item[str]] = []
        try:
            self._run(items, done)
        except BaseException:
            for item in done:
                self.forget(item)
            raise

    def _run(self, items: list[Item[str]], done: list[Item[str]]) -> None:
        for item in items:
            try:
                returned = self.alone(item.payload, item.context)
            except RetryableError as error:
                item.retry(str(error))
            except FatalError as error:
                item.fatal(str(error))
            else:
                done.append(item)
                if len(items) == 1 or self.random.random() < 0.9:
                    item.done(returned)
                else:
                    self.forget(done.pop())
        if len(items) > 1 and self.random.random() < 0.1:
            message = "the batch fails"
            raise KeyError(message)


@dataclass(slots=True)
class SimBeside:
    """Work in a task of its own, if turns ask for it: they share what it brings. All else is done
    at once, as a task that waits for a lock would never wake up."""

    kernel: Kernel
    process: Process

    def __call__(self, work: Callable[[], _Work]) -> Callable[[], _Work]:
        if getcurrent() not in self.process.turns:
            return at_once(work)
        done: list[Callable[[], _Work]] = []

        def perform() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001  (whoever waits for it gets it)
                done.append(partial(_raise, error))
            else:
                done.append(lambda: result)

        task = self.kernel.spawn(self.process, perform)

        def wait() -> _Work:
            began = self.kernel.now
            self.kernel.join(task)
            self.process.incidents += [  # whoever waited for a slow one was as slow
                replace(it, task=getcurrent())
                for it in self.process.incidents
                if it.slow and it.task is task and it.ended > began
            ]
            if self.process.dead or not done:
                raise DiedError
            return done[0]()

        return wait


def _raise(error: Exception) -> NoReturn:
    raise error


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
        self.process.turns |= set(tasks)
        for task in tasks:
            self.kernel.join(task)
        self.process.turns -= set(tasks)
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
                for each in execute.batch if isinstance(execute, Together) else (item,):
                    self.overran(each)
                yield finished
                return
            if self.kernel.random.random() < 0.5:
                yield finished
                finished = []
        if finished:
            yield finished


class StorePort(Port):
    """The store as one process sees it; which of its settlements are answered is noted."""

    def __init__(
        self, kernel: Kernel, process: Process, target: WatchedMessages, claims: Claims
    ) -> None:
        super().__init__(kernel, process, "store", target)
        self._claims = claims

    def states(self, tenants: Sequence[str]) -> dict[str, TenantState]:
        """See TenantStates."""

        def read() -> dict[str, TenantState]:
            reading = Reading(self._kernel.now, getcurrent())
            self._process.read.update(dict.fromkeys(tenants, reading))
            states: dict[str, TenantState] = self._target.states(tenants)
            return states

        return self._kernel.call(self._process, "store.states", read)

    def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        """See Messages."""
        its = [self._claims.holds(self._process, tenant, it.document) for it in settlements]
        began, answered = self._kernel.now, True
        try:
            self._kernel.call(
                self._process, "store.commit", lambda: self._target.commit(tenant, settlements)
            )
        except Unavailable:
            answered = False
            raise
        finally:
            for held in its:
                if held is not None:
                    held.tries.append((began, answered))


class SessionPort(Port):
    """A session with the broker as one process sees it; what the broker says it has is noted."""

    def __init__(
        self,
        kernel: Kernel,
        process: Process,
        tenant: Tenant,
        target: BrokerSession,
        broker: "SimBroker",
    ) -> None:
        super().__init__(kernel, process, f"broker[{tenant.name}]", target)
        self._tenant, self._broker = tenant, broker

    def trace(self, traceparent: str) -> None:
        """See BrokerSession. It calls nobody, so it cannot fail."""
        self._target.trace(traceparent)

    def send(self, message_type: str, audience: str | None, content: bytes) -> None:
        """See BrokerSession."""

        def send() -> None:
            self._broker.refuse(self._tenant, content)
            self._target.send(message_type, audience, content)
            self._broker.took(self._tenant, content)

        claims, tenant = self._broker.claims, self._tenant.name
        accepted = refused = False
        try:
            self._kernel.call(self._process, f"{self._name}.send", send)
            accepted = True
        except CredentialsRefused:
            raise
        except Refused:
            refused = True
            raise
        finally:
            if not refused:
                claims.tried(tenant, content, accepted=accepted)
        claims.sent(self._process, tenant, content)


class SimBroker(InMemoryBroker):
    """The broker, with its moods: tenants for which it is down, or refuses their tokens.

    It has a queue for each customer: a name that is given to another one brings nothing of the
    first one's.
    """

    def __init__(self, kernel: Kernel, claims: Claims) -> None:
        super().__init__(page=2)
        self.kernel = kernel
        self.claims = claims
        self.down: set[str] = set()
        self.refusing: set[str] = set()
        self.picky: Random | None = None
        """What draws which messages it refuses; where it is drawn, it refuses a third of them."""
        self.last_ack = 0  # the number of the call
        self.acking: Callable[[str, Delivery, datetime], None] = lambda *_: None
        self._leased: dict[int | None, datetime] = {}
        self.customers: dict[str, str] = {}
        """Whose a client is, where it is not the first customer of a name."""
        self.adopted: set[str] = set()  # names whose two customers are said to be one
        self.owners: dict[str, str] = {}
        self.talking: Callable[[str, str], None] = lambda *_: None
        self.sending: Callable[[str, str, str, str], None] = lambda *_: None
        self.accepted: Callable[[str, bytes], None] = lambda *_: None
        self._of: dict[BrokerSession, str] = {}

    def called(self, call: str, tenant: str) -> None:
        if call == "ack":
            self.last_ack = self.kernel.calls
        if tenant in self.down and call != "session":
            message = "the broker is down"
            raise Unavailable(message)
        if tenant in self.refusing and call != "session":
            message = "RAC refuses the credentials"
            raise CredentialsRefused(message)

    @contextmanager
    def session(self, tenant: Tenant) -> Iterator[BrokerSession]:
        """See InMemoryBroker; it is of the customer whose credentials these are."""
        with super().session(tenant) as session:
            self._of[session] = self.customers.get(tenant.credentials.client_id, "")
            try:
                yield session
            finally:
                del self._of[session]

    def refuse(self, tenant: Tenant, content: bytes) -> None:
        """It takes no such message, says its answer. That costs an attempt."""
        if self.picky is not None and self.picky.random() < 0.33:
            self.claims.refused(tenant.name, content)
            message = "the broker refuses the message"
            raise Refused(message)

    def took(self, tenant: Tenant, content: bytes) -> None:
        """A content has been sent with that tenant's credentials."""
        self.accepted(tenant.name, content)
        if self.customers and content.startswith(b"{"):
            customer = self.customers.get(tenant.credentials.client_id, "")
            told = json.loads(content)
            self.sending(tenant.name, customer, told.get("customer", ""), told.get("to", ""))

    def customer(self, delivery: Delivery) -> str:
        """Whose queue it is in."""
        return self.owners.get(content_hash(delivery.content), "") if self.owners else ""

    def waiting_for(self, tenant: str, customer: str) -> list[Delivery]:
        """What waits in the queue of that customer of the name."""
        return [it for it in self._queues[tenant] if self.customer(it) == customer]

    def lease(self, session: InMemorySession) -> list[Delivery]:
        """See InMemoryBroker."""
        queue, mine = self._queues[session.tenant], self._of[session]
        self.talking(session.tenant, mine)
        self._queues[session.tenant] = self.waiting_for(session.tenant, mine)
        others = [it for it in queue if self.customer(it) != mine]
        taken = super().lease(session)
        self._queues[session.tenant] += others
        self._leased |= {it.tag: self.kernel.clock() for it in taken}
        return taken

    def remove(self, session: InMemorySession, tag: int) -> None:
        """See InMemoryBroker; only what is stored may leave the broker."""
        delivery = session.leased.get(tag)
        super().remove(session, tag)
        if delivery is not None:
            self.acking(session.tenant, delivery, self._leased[tag])

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
            broker = self.broker
            yield SessionPort(broker.kernel, self.process, tenant, session, broker)


@dataclass(frozen=True, slots=True)
class Release:
    """What one deployment of the relay brings: the same code, with a catalogue of its own."""

    settings: Settings
    older: bool = False  # it knows no buckets: it writes none, and asks each tenant

    def hold(self, command: str) -> bool:
        """Whether an unknown outcome of the command waits for a person."""
        return self.settings.catalog.commands[command].unknown_outcome == "hold"


@dataclass(slots=True)
class Instance:
    """A warm instance of poll or poll_shard: one call at a time."""

    process: Process
    poll: Poll
    release: Release
    busy: bool = False


@dataclass(frozen=True, slots=True)
class Rollout:
    """Releases beside each other: until it has ended, whoever is asked may be either."""

    begins: float
    ends: float
    release: Release  # the only one, once it has ended


@dataclass(slots=True)
class Deployment:
    """All of it."""

    kernel: Kernel
    tenants: Sequence[str]
    variables: dict[str, str]
    ledger: Ledger = field(default_factory=Ledger)
    claims: Claims = field(init=False)
    store: WatchedMessages = field(init=False)
    broker: SimBroker = field(init=False)
    contents: WatchedContents = field(init=False)
    effects: InMemoryEffects = field(default_factory=InMemoryEffects)
    secrets: InMemorySecrets = field(default_factory=InMemorySecrets)
    config: InMemoryConfig = field(default_factory=InMemoryConfig)
    release: Release = field(init=False)  # the first one
    rollouts: list[Rollout] = field(default_factory=list)
    draws: Random = field(default_factory=lambda: Random(0))
    """What a rollout draws: schedules without one draw the same as ever."""
    resolve: Callable[[], None] | None = None
    """What an operator does about a name that is halted."""
    credentials: dict[str, dict[str, str]] = field(default_factory=dict)
    """What a tenant's secret holds, where it is not the usual."""
    given: dict[str, datetime] = field(default_factory=dict)
    """When a tenant's credentials were changed last: nothing is done for a name that is halted."""
    by_hand: bool = False  # such changes do not show in the list of secrets
    unknown: str = "retry"  # what follows an unknown outcome
    personal: bool = False
    lanes: Random = field(default_factory=lambda: Random(0))
    """What an ordered command draws: schedules without one draw the same as ever."""
    ordered: str | None = None  # by what the command is ordered
    when_dead: str = "hold"
    batches: bool = False  # the consumers take several messages at once
    instances: list[Instance] = field(default_factory=list)
    duplicates: float = 0.0  # share of deliveries that Pub/Sub repeats
    backlog: float = 0.0  # seconds that a delivery may wait
    late: Sequence[float] = ()  # when, in seconds, each delivery is repeated
    given_up: int = 0
    edited: bool = False  # somebody did so in the console: what it says may be unreadable
    consuming: list[Process] = field(default_factory=list)
    _numbers: Any = field(default_factory=count)
    _topics: dict[str, str] = field(
        default_factory=lambda: {f"topic-{it.lower()}": it for it in (COMMAND, OTHER, SECRET_ONE)}
    )

    def __post_init__(self) -> None:
        self.ledger.say = self.kernel.say
        self.release = self.released(self.unknown)
        self.claims = Claims(self.kernel)
        self.store = WatchedMessages(self.ledger, self.claims, self.kernel)
        self.contents = WatchedContents(self.kernel)
        self.contents.clock = self.kernel.clock
        self.broker = SimBroker(self.kernel, self.claims)
        self.broker.acking = self._check_acked
        self.broker.talking = self._check_fetched
        self.broker.sending = self._check_sent
        self.broker.accepted = self.store.accepted
        self.broker.owners = self.store.owners
        for tenant in self.tenants:
            self.secrets.put(tenant, secret())

    def released(
        self,
        unknown: str,
        without: Collection[str] = (),
        ordered: str | None = None,
        *,
        older: bool = False,
    ) -> Release:
        """A release of the relay whose catalogue is without these commands; an older one writes no
        bucket."""
        changes: dict[str, object] = {"unknownOutcome": unknown, "personal": self.personal}
        by = ordered or self.ordered
        if by is not None:
            changes |= {"ordered": by, "whenDead": self.when_dead}
        document = json.loads(catalog(**{COMMAND: changes}))
        for name in without:
            del document["commands"][name]
        variables = {
            "GOOGLE_CLOUD_PROJECT": "simulation",
            "SMARTLINK_ENVIRONMENT": "development",
            "SMARTLINK_CONFIG_URI": "gs://config/totvsAppConfig_v2.json",
            "SMARTLINK_CATALOG": json.dumps(document),
            **self.variables,
        }
        if older:
            variables["SMARTLINK_DUE_BY_BUCKET"] = "false"
        return Release(load_settings(variables), older)

    @property
    def releases(self) -> list[Release]:
        """All that ever serve."""
        return list(
            {id(it): it for it in (self.release, *(r.release for r in self.rollouts))}.values()
        )

    def serving(self, at: float) -> list[Release]:
        """The releases that may be asked at that time."""
        serving = [self.release]
        for rollout in self.rollouts:
            if at >= rollout.ends:
                serving = [rollout.release]
            elif at >= rollout.begins:
                serving = [*serving, rollout.release]
        return serving

    def _asked(self, at: float, command: str = "") -> Release | None:
        """The one that is asked; None where none that serves has the command."""
        serving = [
            it for it in self.serving(at) if not command or command in it.settings.catalog.commands
        ]
        if len(serving) > 1:
            return self.draws.choice(serving)
        return serving[0] if serving else None

    def payload(self, tenant: str, *, enabled: bool = True) -> bytes:
        """What the tenant's secret says."""
        more = {} if enabled else {"enabled": False}
        return secret(**self.credentials.get(tenant, {}), **more)

    def customer(self, tenant: str) -> str:
        """Whose credentials the tenant's secret holds."""
        return self.broker.customers.get(self.credentials.get(tenant, {}).get("clientId", ""), "")

    def theirs(self, tenant: str, customer: str) -> list[str]:
        """The live documents of another customer than this one."""
        if not self.broker.customers:
            return []
        its = self.store.live(tenant)
        return [
            name
            for name, it in its.items()
            if it.message.direction is Direction.DOWNSTREAM
            and self.store.whose.get((tenant, name), "") != customer
        ]

    def _check_fetched(self, tenant: str, customer: str) -> None:
        """Nothing is fetched for one customer of a name while anything of the other one lives."""
        if tenant not in self.broker.adopted and not self.kernel.held_up(tenant):
            behind = self.store.behind
            theirs = [it for it in self.theirs(tenant, customer) if (tenant, it) not in behind]
            if theirs:
                self.ledger.broken(
                    f"{tenant} fetches for {customer or 'the first'}, and another's live: {theirs}"
                )

    def _check_sent(self, tenant: str, customer: str, of: str, answers: str) -> None:
        """Nothing is sent with another customer's credentials."""
        behind = (tenant, answers) in self.store.behind
        excused = tenant in self.broker.adopted or behind or self.kernel.held_up(tenant)
        if customer != of and not excused:
            self.ledger.broken(f"{tenant} sent with {customer or 'the first one'}'s what is {of}'s")

    def _check_acked(self, tenant: str, delivery: Delivery, leased: datetime) -> None:
        """Stored before acked. Without an id, what came in the hour before is the same message."""
        sha256 = content_hash(delivery.content)
        since = leased - REPEAT - 2 * SKEW
        for message in self.messages_of(tenant):
            if message.content.sha256 == sha256 and (
                message.id == delivery.id or (delivery.id is None and message.received > since)
            ):
                return
        self.ledger.broken(f"{tenant}/{delivery.id} was acked, and is not stored")

    def unreadable(self, tenant: str) -> set[str]:
        """The live documents that nobody can read."""
        return set(self.store.unreadable(tenant, list(self.store.live(tenant))))

    def messages_of(self, tenant: str) -> list[Message]:
        """All that are live or have ended."""
        live = [it.message for it in self.store.live(tenant).values()]
        return live + [it.message for it in self.store.ended(tenant).values()]

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
        if target is self.store:
            return StorePort(self.kernel, process, self.store, self.claims)
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
        instance.process.polls = self.kernel.now
        try:
            instance.poll.tick()
        except Unavailable as error:
            self.kernel.say(f"a poll failed: {error}")
        finally:
            instance.busy = False

    def _instance(self) -> Instance:
        self.instances = [it for it in self.instances if not it.process.dead]
        serving = self.serving(self.kernel.now)
        idle = [it for it in self.instances if not it.busy and it.release in serving]
        if idle and self.kernel.random.random() < 0.8:
            instance = self.kernel.random.choice(idle)
            instance.busy = True
            return instance
        release = self._asked(self.kernel.now) or self.release
        process = self.new_process("poll")
        process.older = release.older
        own = PollAdapters(
            config=self.port(process, "config", self.config),
            broker=self.broker.port(process),
            publisher=self.port(process, "pubsub", self),
            turns=SimTurns(self.kernel, process),
        )
        poll = make_poll(release.settings, self._adapters(process), own)
        pages = poll.tenant_turns.pages
        pages.first = WatchedPages(pages, self.kernel, process, self.store)  # type: ignore[method-assign]
        instance = Instance(process, poll, release, busy=True)
        self.instances.append(instance)
        return instance

    def _adapters(self, process: Process) -> Adapters:
        return Adapters(
            store=self.port(process, "store", self.store),
            contents=self.port(process, "contents", self.contents),
            secrets=self.port(process, "secrets", self.secrets),
            beside=SimBeside(self.kernel, process),
            clock=lambda: self.kernel.clock(process),
            new_id=self.new_id,
            wait=partial(self._wait, process),
        )

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
            command = self._topics[topic]
            release = self._asked(self.kernel.now + wait, command)
            if release is None:
                self.kernel.say(f"nobody consumes {command} any more")
                self.given_up += 1
                return
            process = self.new_process("consume")
            process.hold = release.hold(command)
            process.older = release.older
            self.consuming.append(process)
            work = partial(self._consume, process, release, command, envelope)

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
        instance.process.polls = self.kernel.now
        try:
            shard = decode_shard(envelope.data)
            report = instance.poll.shard(shard)
            if report.tenants and shard.catalog != instance.release.settings.catalog.digest:
                self.ledger.broken(f"{instance.process.name} polls for another catalogue")
        finally:
            instance.busy = False

    def _consume(
        self, process: Process, release: Release, command: str, envelope: Envelope
    ) -> None:
        dispatch = decode_dispatch(envelope.data)
        process.began = self.kernel.now
        tenant = dispatch.tenant

        @consumer(command)
        def run(content: str, context: Context) -> Returned:
            if process.dead:
                raise DiedError
            key = (tenant, document_id(Direction.DOWNSTREAM, context.message_id))
            does = json.loads(content)
            replies = self._behave(process, does, context, key)
            goes_on = context.step < does.get("steps", 1)
            returned = Continue(content, replies) if goes_on else replies
            self.ledger.completed[key] += 1
            self.ledger.expected[key] = len(replies) + goes_on
            if held := self.claims.holds(process, *key):
                held.completed = True
                held.returned = self.kernel.calls
            return returned

        def overran(stored: Stored) -> None:
            """Its process ends before it does: it never returned."""
            key = (tenant, stored.message.document)
            self.ledger.failures[key] += 1
            held = self.claims.holds(process, *key)
            if held and held.completed:
                held.completed = False
                self.ledger.completed[key] -= 1

        def end_process() -> NoReturn:
            self.kernel.kill(process, by_itself=True)
            raise DiedError

        run_all = self._in_batches(process, tenant, run) if self.batches else run
        own = ConsumeAdapters(
            erp=self.secrets,
            effects=self.port(process, "effects", self.effects),
            runner=SimRunner(self.kernel, process, overran),
            end_process=end_process,
            http=session_at_need,
            publisher=lambda: self.port(process, "pubsub", self),
        )
        consume = make_consume(release.settings, self._adapters(process), own, command, run_all)
        self._check_told(process, consume(dispatch))

    def _in_batches(self, process: Process, tenant: str, alone: Consumer) -> Consumer:
        """The same consumer, for several messages at once."""
        forget = partial(self._forget, process, tenant)
        many = SimMany(alone, forget, Random(f"batch {self.new_id()}"))

        @batch_consumer(alone.command, at_most=3)
        def run(items: list[Item[str]], context: BatchContext) -> None:
            many(items)

        return run

    def _forget(self, process: Process, tenant: str, item: Item[str]) -> None:
        key = (tenant, document_id(Direction.DOWNSTREAM, item.context.message_id))
        self.ledger.completed[key] -= 1
        if held := self.claims.holds(process, *key):
            held.completed = False

    def _check_told(self, process: Process, counts: Counter[str]) -> None:
        """What a call says has ended did end; and what it gives up, another has."""
        tried = [it for it in self.claims.of(process) if it.tries]
        done = sum(it.ended for it in tried)
        lost = sum(it.settled is None or it.followed or it.late(self.kernel) for it in tried)
        if counts["done"] != done or (counts["lost"] and not lost):
            self.ledger.broken(f"{process.name} tells {dict(counts)}: {done} done, {lost} lost")

    def _behave(
        self, process: Process, content: dict[str, Any], context: Context, key: tuple[str, str]
    ) -> list[Reply]:
        """What the message makes its consumer do."""
        if content["tenant"] != context.tenant:
            self.ledger.broken(f"{context.tenant} got a message of {content['tenant']}")
        self.store.starts(*key, process)
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
        pad = LARGE if content.get("large") else ""
        told = {"tenant": context.tenant, "to": key[1], "pad": pad}
        if "customer" in content:
            told["customer"] = content["customer"]
        return [
            Reply("ProbeResponse", {**told, "number": number})
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

    def offer(
        self, tenant: str, message_id: str | None, content: dict[str, Any], command: str = COMMAND
    ) -> None:
        """The broker gets a message for the tenant."""
        text = json.dumps(content, sort_keys=True)
        self.kernel.say(f"the broker gets {tenant}/{message_id} that does {content['does']}")
        self.broker.deliver(tenant, Delivery(None, message_id, command, text))

    def ask_to_publish(self, tenant: str, message_id: str, content: str) -> None:
        """A segment publishes, again and again until it is told what becomes of it."""
        process = self.new_process("publish")
        process.older = self.release.older
        self.ledger.asked.add((tenant, content_hash(content)))

        def work() -> None:
            told = False
            try:
                publish = make_publish(self.release.settings, self._adapters(process))
                body = {"tenant": tenant, "type": "T", "content": content, "id": message_id}
                publish(PublishRequest.model_validate(body))
                told = True
                self.ledger.published.add((tenant, content_hash(content)))
            except Unavailable:
                self.kernel.say("publish answers 503")
            except PublishError as error:
                told = True
                if not self.edited:
                    self.ledger.broken(f"publish refuses what it had accepted: {error}")
            finally:
                if not told:
                    again = self.new_process("client")
                    self.kernel.spawn(
                        again, lambda: self.ask_to_publish(tenant, message_id, content), 5.0
                    )

        self.kernel.spawn(process, work)
