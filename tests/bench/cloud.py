"""A deployment in virtual time: Google's part, instances with one CPU each, and the broker.

The relay's own code runs on the in-memory adapters. A call of another's server takes its latency,
what the relay computes takes its instance's one CPU, and an instance serves one push at a time.
Google's part is as its documentation has it: a push for which no instance is free waits for 10 s,
is then refused (429), and comes again after the subscription's back-off; shards come in any order.
How Pub/Sub slows pushes down after refusals is not simulated.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count
from random import Random
from typing import Any, TypeVar

from smartlink.adapters.http.at_need import session_at_need
from smartlink.adapters.in_memory import (
    InMemoryBroker,
    InMemoryConfig,
    InMemoryContents,
    InMemoryEffects,
    InMemoryMessages,
    InMemorySecrets,
)
from smartlink.common_wiring import Adapters
from smartlink.consume_wiring import ConsumeAdapters, make_consume
from smartlink.consumer import Context, Reply, consumer
from smartlink.domain.tenant import Tenant
from smartlink.poll_wiring import PollAdapters, make_poll
from smartlink.ports import BrokerSession, Delivery, Envelope, PortError
from smartlink.services.dispatch import decode_dispatch
from smartlink.services.polling.poll import Poll
from smartlink.services.polling.shard import TICK_LIFE, decode_shard
from smartlink.settings import Settings, load_settings
from tests.bench.sizing import (
    CONNECT_CPU,
    PENDING,
    SECRET,
    START,
    Assumed,
    Measured,
)
from tests.simulation.kernel import Kernel, Process
from tests.support.inline import InlineRunner
from tests.support.world import COMMAND, catalog, config_file, end_process, secret

_PLENTY = 1_000  # instances, while the tenants are set up
_INTERVAL = 60.0  # seconds between two ticks
UNASKED = 2 * _INTERVAL
"""Seconds for which no tenant may go unasked: first in a tick, last in the next one."""
_BACKOFF, _LONGEST_BACKOFF = 10.0, 60.0  # terraform/pubsub.tf, of the shards
_DELIVERIES = 5  # of a shard until it is a dead letter, likewise
_DISPATCH_DELIVERIES = 10
_PUBLISH, _PUSH = 0.02, 0.05  # seconds of a call; from the publishing to the request
_JITTER = 0.2  # of a latency, to both sides
_SHARDS = "topic-shards"
_IDLE_SECONDS = 100  # for which an idle connection is used again
_TOKEN_SECONDS = 3_500  # of an hour

_Work = TypeVar("_Work")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Form:
    """Which deployment is simulated."""

    tenants: int
    rate: float  # messages a second
    shard_tenants: int
    poll_threads: int
    sessions: int  # that an instance keeps while they are idle
    tokens: int  # that it keeps
    ticks: int = 3  # that are held to the claim

    @property
    def settings(self) -> dict[str, int]:
        """The relay's settings that differ from its defaults, or may."""
        return {"shard_tenants": self.shard_tenants, "poll_threads": self.poll_threads}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A tick over all tenants."""

    seconds: float  # until its last shard was done
    asked: int  # tenants that were asked in it
    refused: int  # pushes of shards that found no instance in time
    expired: int  # shards that came when the tick was over


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How the ticks went that are held, on so many instances."""

    tenants: int
    rate: float
    poll: int  # instances that `poll` and `poll_shard` used
    consume: int
    ticks: Sequence[Tick]
    unasked: float  # the longest that a tenant went unasked, in seconds
    settled: int  # messages
    left: int  # messages that have been in the broker for more than two ticks

    @property
    def keeps_up(self) -> bool:
        """Whether each tick ended before the next one, with every tenant asked."""
        return (
            all(it.seconds < _INTERVAL and it.asked == self.tenants for it in self.ticks)
            and self.unasked < UNASKED
            and not self.left
        )

    def json(self) -> dict[str, Any]:
        """Write it for programs."""
        return {
            "tenants": self.tenants,
            "rate": self.rate,
            "instances": self.poll,
            "consume": self.consume,
            "seconds": [round(it.seconds, 1) for it in self.ticks],
            "asked": [it.asked for it in self.ticks],
            "refused": sum(it.refused for it in self.ticks),
            "expired": sum(it.expired for it in self.ticks),
            "unaskedSeconds": round(self.unasked, 1),
            "settled": self.settled,
            "left": self.left,
            "keepsUp": self.keeps_up,
        }


@dataclass(slots=True)
class _Recent:
    """The tenants of which an instance keeps something: the last ones, for so many seconds."""

    most: int
    seconds: float
    _kept: OrderedDict[str, float] = field(default_factory=OrderedDict)  # since when

    def has(self, tenant: str, now: float) -> bool:
        """Whether it is kept; from now on it is."""
        since = self._kept.pop(tenant, None)
        self._kept[tenant] = now
        if len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return since is not None and now - since < self.seconds


@dataclass(slots=True, eq=False)
class _Instance:
    """One instance of a function: a CPU, and what it keeps between calls."""

    kernel: Kernel
    process: Process
    tokens: _Recent
    sessions: _Recent
    poll: Poll | None = None
    _free_at: float = 0.0

    def compute(self, seconds: float) -> None:
        """Wait until the CPU has done so much more."""
        self._free_at = max(self.kernel.now, self._free_at) + seconds
        self.kernel.sleep(self._free_at - self.kernel.now)

    def beside(self, work: Callable[[], _Result]) -> Callable[[], _Result]:
        """See Beside."""
        results: list[_Result] = []
        errors: list[Exception] = []

        def run() -> None:
            try:
                results.append(work())
            except Exception as error:  # noqa: BLE001  (whoever waits for the result raises it)
                errors.append(error)

        task = self.kernel.spawn(self.process, run)

        def wait() -> _Result:
            self.kernel.join(task)
            if errors:
                raise errors[0]
            return results[0]

        return wait


@dataclass(slots=True)
class _Turns:
    """As many turns at once as a poll has threads."""

    instance: _Instance
    most: int

    def __call__(
        self,
        work: Sequence[_Work],
        perform: Callable[[_Work, Callable[[_Work], None]], None],
        deadline: datetime,
    ) -> list[_Work]:
        kernel, process = self.instance.kernel, self.instance.process
        waiting: deque[_Work] = deque()
        tasks: deque[Any] = deque()
        busy = [0]

        def add(item: _Work) -> None:
            waiting.append(item)
            if busy[0] < self.most:
                busy[0] += 1
                tasks.append(kernel.spawn(process, work_off))

        def work_off() -> None:
            while waiting and kernel.clock() < deadline:
                perform(waiting.popleft(), add)
            busy[0] -= 1

        for item in work:
            add(item)
        while tasks:
            kernel.join(tasks.popleft())
        return list(waiting)


@dataclass(slots=True)
class _Timed:
    """A port each of whose calls takes its time."""

    kernel: Kernel
    target: Any
    seconds: Callable[[], float]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        method = getattr(self.target, name)

        def call(*args: object, **named: object) -> object:
            self.kernel.sleep(self.seconds())
            return method(*args, **named)

        return call


@dataclass(slots=True)
class _Pushes:
    """The pushes to one function, and its instances."""

    most: int
    serve: Callable[[_Instance, Envelope], None]
    deliveries: int
    instances: list[_Instance] = field(default_factory=list)
    starting: int = 0
    free: list[_Instance] = field(default_factory=list)
    pending: deque[list[Any]] = field(default_factory=deque)  # envelope, number of the delivery


class Deployment:
    """All of it, in virtual time."""

    def __init__(self, form: Form, unit: Measured, assumed: Assumed) -> None:
        self._form = form
        self._unit, self._assumed = unit, assumed
        self._random = Random(0)
        self.kernel = Kernel(self._random, {})
        self._outside = Process("outside")
        self._settings = _settings(form)
        self._store = InMemoryMessages()
        self._contents = InMemoryContents(self.kernel.clock)
        self._effects = InMemoryEffects()
        self._config = InMemoryConfig(config_file())
        self._secrets = InMemorySecrets({name: secret() for name in self._names()})
        self._broker = InMemoryBroker(page=max(1, round(assumed.per_get)))
        self._ids = count(1)
        self._asked: dict[str, float] = {}  # when last
        self._unasked = 0.0
        self._offered: dict[tuple[str, str], float] = {}  # when
        self._settled = 0
        self._ends: dict[datetime, float] = {}
        self._asked_in: Counter[datetime] = Counter()
        self._refused: Counter[datetime] = Counter()
        self._expired: Counter[datetime] = Counter()
        self._ticks: list[datetime] = []
        self._scheduled = False
        self._poll = self._new_instance("poll", polls=True)
        self._pushes: dict[str, _Pushes] = {}
        self.deploy(_PLENTY, _PLENTY)

    def deploy(self, shards: int, consumers: int) -> None:
        """New instances of all, and so many at most of `poll_shard` and `consume`."""
        self._poll = self._new_instance("poll", polls=True)
        self._pushes = {
            _SHARDS: _Pushes(shards, self._shard, _DELIVERIES),
            f"topic-{COMMAND.lower()}": _Pushes(consumers, self._consume, _DISPATCH_DELIVERIES),
        }

    def _names(self) -> Iterator[str]:
        return (f"tenant-{number:06d}" for number in range(self._form.tenants))

    # Instances.

    def _new_instance(self, name: str, *, polls: bool) -> _Instance:
        form = self._form
        tokens = _Recent(form.tokens, _TOKEN_SECONDS)
        sessions = _Recent(form.sessions, _IDLE_SECONDS)
        instance = _Instance(self.kernel, Process(name), tokens, sessions)
        if polls:
            own = PollAdapters(
                config=self._timed(self._config, SECRET),
                broker=_BrokerPort(self, instance),
                publisher=self._timed(self, _PUBLISH),
                turns=_Turns(instance, self._settings.poll_threads),
            )
            instance.poll = make_poll(self._settings, self._adapters(instance), own)
        return instance

    def _adapters(self, instance: _Instance) -> Adapters:
        return Adapters(
            store=self._timed(self._store, self._assumed.store),
            contents=self._timed(self._contents, self._assumed.store),
            secrets=self._timed(self._secrets, SECRET),
            beside=instance.beside,
            clock=self.kernel.clock,
            new_id=lambda: f"{next(self._ids):032x}",
            wait=self._wait,
        )

    def _wait(self, most: float) -> None:
        self.kernel.sleep(most * self._random.random())

    def _timed(self, target: object, seconds: float) -> Any:  # noqa: ANN401
        return _Timed(self.kernel, target, lambda: self.drawn(seconds))

    def drawn(self, seconds: float) -> float:
        """That latency, with its jitter."""
        return seconds * (1 + _JITTER * (2 * self._random.random() - 1))

    # Scheduler, Pub/Sub and Cloud Run.

    def _schedule(self) -> None:
        """One call of `poll`; Scheduler never makes two at once."""
        if self._scheduled:
            return
        self._scheduled = True
        tick = self.kernel.clock()
        self._ticks.append(tick)

        def call() -> None:
            try:
                if self._poll.poll is not None:
                    report = self._poll.poll.tick()
                    self._done(tick, report.tenants)
            finally:
                self._scheduled = False

        self.kernel.spawn(self._poll.process, call)

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        """See Publisher. Pub/Sub delivers in any order."""
        for envelope in self._random.sample(envelopes, len(envelopes)):
            self._deliver(topic, envelope, 1, self.drawn(_PUSH))

    def _deliver(self, topic: str, envelope: Envelope, number: int, after: float) -> None:
        def arrive() -> None:
            pushes = self._pushes[topic]
            waiting = [envelope, number]
            pushes.pending.append(waiting)
            room = pushes.most - len(pushes.instances) - pushes.starting
            if room > 0 and len(pushes.pending) > len(pushes.free) + pushes.starting:
                pushes.starting += 1
                start = self.drawn(START)
                self.kernel.spawn(self._outside, partial(self._start, topic), start)
            self._serve(topic)
            self.kernel.sleep(PENDING)
            if any(it is waiting for it in pushes.pending):
                pushes.pending.remove(waiting)
                self._refuse(topic, envelope, number)

        self.kernel.spawn(self._outside, arrive, after)

    def _start(self, topic: str) -> None:
        pushes = self._pushes[topic]
        instance = self._new_instance(topic, polls=topic == _SHARDS)
        pushes.starting -= 1
        pushes.instances.append(instance)
        pushes.free.append(instance)
        self._serve(topic)

    def _serve(self, topic: str) -> None:
        pushes = self._pushes[topic]
        while pushes.free and pushes.pending:
            instance = pushes.free.pop()
            envelope, number = pushes.pending.popleft()

            def call(
                instance: _Instance = instance, envelope: Envelope = envelope, number: int = number
            ) -> None:
                try:
                    pushes.serve(instance, envelope)
                except PortError:
                    self._refuse(topic, envelope, number)
                finally:
                    pushes.free.append(instance)
                    self._serve(topic)

            self.kernel.spawn(instance.process, call)

    def _refuse(self, topic: str, envelope: Envelope, number: int) -> None:
        if topic == _SHARDS:
            self._refused[decode_shard(envelope.data).tick] += 1
        if number < self._pushes[topic].deliveries:
            again = min(_BACKOFF * 2 ** (number - 1), _LONGEST_BACKOFF)
            self._deliver(topic, envelope, number + 1, self.drawn(again))

    def _shard(self, instance: _Instance, envelope: Envelope) -> None:
        shard = decode_shard(envelope.data)
        if instance.poll is None:
            return
        if self.kernel.clock() >= shard.ends:
            self._expired[shard.tick] += 1
        report = instance.poll.shard(shard)
        self._done(shard.tick, report.tenants if not shard.sequence else 0)

    def _done(self, tick: datetime, tenants: int) -> None:
        self._asked_in[tick] += tenants
        self._ends[tick] = (self.kernel.clock() - tick).total_seconds()

    def _consume(self, instance: _Instance, envelope: Envelope) -> None:
        @consumer(COMMAND)
        def run(content: str, context: Context) -> list[Reply]:
            instance.compute(self._unit.consume_cpu)
            self.kernel.sleep(self.drawn(self._assumed.consumer))
            self._settled += self._offered.pop((context.tenant, context.message_id), 0.0) > 0
            return [Reply("ProbeResponse", content)] if self._assumed.replies else []

        runner = InlineRunner()
        runner.gathers = True
        own = ConsumeAdapters(
            erp=self._secrets,
            effects=self._effects,
            runner=runner,
            end_process=end_process,
            http=session_at_need,
            publisher=lambda: self._timed(self, _PUBLISH),
        )
        consume = make_consume(self._settings, self._adapters(instance), own, COMMAND, run)
        consume(decode_dispatch(envelope.data))

    # The broker.

    def asking(self, instance: _Instance, tenant: str) -> None:
        """A session begins, with a token and a connection; it computes as for an idle tenant."""
        cpu = self._unit.idle_cpu
        if not instance.tokens.has(tenant, self.kernel.now):
            self.kernel.sleep(self.drawn(self._assumed.latency))
            cpu = self._unit.cold_cpu
        if not instance.sessions.has(tenant, self.kernel.now):
            self.kernel.sleep(self.drawn(self._assumed.connect))
            cpu += CONNECT_CPU
        instance.compute(cpu)

    def got(self, tenant: str) -> None:
        """A tenant was asked."""
        now = self.kernel.now
        self._unasked = max(self._unasked, now - self._asked.get(tenant, now))
        self._asked[tenant] = now

    def session(self, tenant: Tenant) -> Any:  # noqa: ANN401
        """A session with the broker."""
        return self._broker.session(tenant)

    def call(self, instance: _Instance, cpu: float) -> None:
        """What a call takes: of the instance's CPU, and the broker's time."""
        instance.compute(cpu)
        self.kernel.sleep(self.drawn(self._assumed.latency))

    @property
    def message_cpu(self) -> float:
        """Half of what a poll computes for a message: it is received, and its reply is sent."""
        return self._unit.poll_cpu / 2

    def _offers(self) -> None:
        names, due = list(self._names()), 0.0
        while True:
            self.kernel.sleep(1.0)
            due += self._form.rate
            for _ in range(int(due)):
                tenant, identity = self._random.choice(names), f"m{next(self._ids)}"
                self._broker.deliver(tenant, Delivery(None, identity, COMMAND, '{"a": 1}'))
                self._offered[tenant, identity] = self.kernel.now
            due -= int(due)

    # All of it.

    def run(self, ticks: int, shards: int, consumers: int) -> Kept:
        """Set every tenant up, deploy, and hold so many ticks to the claim.

        `shards` and `consumers`: the most instances of `poll_shard` and `consume`.
        """
        self.kernel.spawn(self._outside, self._offers)
        self._minute()
        self.deploy(shards, consumers)
        self._asked = {name: self._asked[name] for name in self._names()}
        for _ in range(ticks):
            self._minute()
        old = self.kernel.now - 2 * _INTERVAL
        polled, consumed = self._pushes.values()
        return Kept(
            tenants=self._form.tenants,
            rate=self._form.rate,
            poll=1 + len(polled.instances),
            consume=len(consumed.instances),
            ticks=[
                Tick(
                    seconds=self._ends.get(it, TICK_LIFE.total_seconds()),
                    asked=self._asked_in[it],
                    refused=self._refused[it],
                    expired=self._expired[it],
                )
                for it in self._ticks[-ticks:]
            ],
            unasked=max(self._unasked, *(self.kernel.now - at for at in self._asked.values())),
            settled=self._settled,
            left=sum(at < old for at in self._offered.values()),
        )

    def _minute(self) -> None:
        self._schedule()
        self.kernel.run(self.kernel.now + _INTERVAL)


@dataclass(slots=True)
class _BrokerPort:
    """The broker, as one instance sees it."""

    deployment: Deployment
    instance: _Instance

    @contextmanager
    def session(self, tenant: Tenant) -> Iterator[BrokerSession]:
        """See Broker."""
        with self.deployment.session(tenant) as session:
            self.deployment.asking(self.instance, tenant.name)
            yield _SessionPort(self.deployment, self.instance, tenant.name, session)


@dataclass(slots=True)
class _SessionPort:
    deployment: Deployment
    instance: _Instance
    tenant: str
    target: BrokerSession

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self.target, name)

    def setup(self, commands: Sequence[str]) -> None:
        self.deployment.call(self.instance, 0.0)
        self.target.setup(commands)

    def get(self) -> list[Delivery]:
        self.deployment.call(self.instance, 0.0)
        self.deployment.got(self.tenant)
        return self.target.get()

    def ack(self, tag: int) -> None:
        self.deployment.call(self.instance, self.deployment.message_cpu)
        self.target.ack(tag)

    def send(self, message_type: str, audience: str | None, content: bytes) -> None:
        self.deployment.call(self.instance, self.deployment.message_cpu)
        self.target.send(message_type, audience, content)


def _settings(form: Form) -> Settings:
    return load_settings(
        {
            **{f"SMARTLINK_{name.upper()}": str(its) for name, its in form.settings.items()},
            "GOOGLE_CLOUD_PROJECT": "test",
            "SMARTLINK_ENVIRONMENT": "development",
            "SMARTLINK_CONFIG_URI": "gs://config/totvsAppConfig_v2.json",
            "SMARTLINK_CATALOG": catalog(),
        }
    )
