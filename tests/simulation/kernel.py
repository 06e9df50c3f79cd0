"""Virtual time, processes that can be killed, and a fault at any call through a port.

Everything random comes from the seed. A task sleeps through each call's latency, and the one
that wakes first goes on: so random latencies interleave the tasks, and the same seed does it in
the same way again.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from random import Random
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from smartlink.ports import Unavailable

_T = TypeVar("_T")

START = datetime(2026, 3, 2, 12, 52, tzinfo=UTC)
"""An hour begins while faults come: ids that are derived from contents hold an hour."""


class DiedError(BaseException):
    """The process is no more; nothing in the relay may catch this and go on."""


class StuckError(AssertionError):
    """The schedule does not come to an end."""


class Fault(StrEnum):
    """What may happen at a call."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    UNAVAILABLE = "unavailable"  # it took no effect
    UNKNOWN = "unknown outcome"  # it took effect, the caller hears that it is unavailable
    REPEATED = "repeated"  # an adapter's own retry: it took effect twice, the second answer counts
    SLOW_BEFORE = "slow before"  # beyond every lease
    SLOW_AFTER = "slow after"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What befell a process, or one task of it: the only excuse for what it did not bring about."""

    fault: Fault | None = None
    call: int = 0
    label: str = ""
    task: object = None  # None: each of them
    ended: float = 0.0  # of what is slow
    kills: bool = False
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """When a process read a tenant's state last, and which task of it did."""

    at: float
    task: object


@dataclass(slots=True, eq=False)
class Process:
    """An instance of a function: what a crash takes with it."""

    name: str
    skew: timedelta = timedelta()
    dead: bool = False
    began: float = 0.0  # its present call
    polls: float = 0.0  # since when, if it polls
    older: bool = False  # it is of a release that writes no bucket
    hold: bool = False  # of a consumer: what it leaves unknown waits for a person
    incidents: list[Incident] = field(default_factory=list)
    read: dict[str, Reading] = field(default_factory=dict)  # by tenant
    tasks: set[greenlet] = field(default_factory=set)
    turns: set[greenlet] = field(default_factory=set)  # those of them that perform turns


@dataclass(slots=True)
class Kernel:
    """The scheduler of one schedule."""

    random: Random
    faults: Mapping[int, Fault]
    """Planned faults by the number of the call."""
    outages: list[tuple[str, float, float]] = field(default_factory=list)
    """Which calls are not answered, by how their names begin, from when until when."""
    limit: int = 200_000  # calls
    now: float = 0.0  # seconds since START
    calls: int = 0
    acting: Process | None = None  # whose call takes effect at this moment
    acting_call: int = 0
    injected: Counter[Fault] = field(default_factory=Counter)
    trace: list[str] = field(default_factory=list)
    _queue: list[tuple[float, int, greenlet]] = field(default_factory=list)
    _order: Any = field(default_factory=count)
    _hub: greenlet | None = None
    _waiting: dict[greenlet, list[greenlet]] = field(default_factory=dict)

    def clock(self, process: Process | None = None) -> datetime:
        """Now, as that process's clock shows it."""
        return self.at(self.now) + (process.skew if process else timedelta())

    def at(self, seconds: float) -> datetime:
        """That instant, by a clock that is right."""
        return START + timedelta(seconds=seconds)

    def say(self, text: str) -> None:
        """A line of the trace."""
        self.trace.append(f"{self.now:10.3f}  {text}")

    # Tasks.

    def spawn(self, process: Process, work: Callable[[], object], after: float = 0.0) -> greenlet:
        """Work that begins later, in that process."""

        def run() -> None:
            try:
                if not process.dead:
                    work()
            except DiedError:
                pass
            finally:
                process.tasks.discard(getcurrent())
                for waiting in self._waiting.pop(getcurrent(), ()):
                    self._wake(waiting, 0.0)

        task = greenlet(run, parent=self._hub)
        process.tasks.add(task)
        self._wake(task, after)
        return task

    def _wake(self, task: greenlet, after: float) -> None:
        heapq.heappush(self._queue, (self.now + after, next(self._order), task))

    def sleep(self, seconds: float) -> None:
        """The current task goes on later."""
        self._wake(getcurrent(), seconds)
        self._switch_to_hub()

    def join(self, task: greenlet) -> None:
        """The current task goes on when that one has ended."""
        while not task.dead:
            self._waiting.setdefault(task, []).append(getcurrent())
            self._switch_to_hub()

    def _switch_to_hub(self) -> None:
        if self._hub is None:
            message = "no task outside run()"
            raise StuckError(message)
        self._hub.switch()

    def run(self, until: float) -> None:
        """Everything that happens until then."""
        self._hub = getcurrent()
        while self._queue and self._queue[0][0] <= until:
            at, _, task = heapq.heappop(self._queue)
            if task.dead:
                continue
            self.now = max(self.now, at)
            task.parent = self._hub
            task.switch()
        self.now = max(self.now, until)

    @property
    def idle(self) -> bool:
        """Whether no task sleeps."""
        return all(task.dead for _, _, task in self._queue)

    def kill(self, process: Process, *, by_itself: bool = False) -> None:
        """Every task of the process ends where it is: a crash, unless it ends itself."""
        if process.dead:
            return
        process.dead = True
        if not by_itself:
            process.incidents.append(Incident(kills=True))
        self.say(f"{process.name} {'ends itself' if by_itself else 'CRASHES'}")
        current = getcurrent()
        for task in list(process.tasks):
            if task is not current and not task.dead and task:
                task.parent = current
                task.throw(DiedError)

    # Calls through ports.

    def call(self, process: Process, label: str, effect: Callable[[], _T]) -> _T:
        """One call through a port, with what the plan does to it."""
        if process.dead:
            raise DiedError
        self.calls += 1
        if self.calls > self.limit:
            message = f"no end after {self.limit} calls: a livelock"
            raise StuckError(message)
        number = self.calls
        fault = self.faults.get(number) or self._lasting(label)
        if fault is not None:
            self.injected[fault] += 1
            task = getcurrent()
            process.incidents.append(Incident(fault=fault, call=number, label=label, task=task))
            self.say(f"{process.name} {label}  #{number} ** {fault} **")
        else:
            self.say(f"{process.name} {label}")
        self._delay(process, slow=fault is Fault.SLOW_BEFORE)
        if fault is Fault.CRASH_BEFORE:
            self.kill(process)
            raise DiedError
        if fault is Fault.UNAVAILABLE:
            message = f"{label} failed"
            raise Unavailable(message)
        self.acting, self.acting_call = process, number
        if fault is Fault.REPEATED:
            effect()
        result = effect()
        # Only the next effect could tell a wait here from one before it: it is left out.
        if fault is Fault.SLOW_AFTER:
            self._delay(process, slow=True)
        if fault is Fault.CRASH_AFTER:
            self.kill(process)
            raise DiedError
        if fault is Fault.UNKNOWN:
            message = f"{label} failed after it took effect"
            raise Unavailable(message)
        return result

    def held_up(self, tenant: str) -> bool:
        """Whether who acts was held up since it read the tenant's state: that one is too old."""
        reading = self.acting.read.get(tenant) if self.acting else None
        if self.acting is None or reading is None:
            return False
        theirs = {None, reading.task, getcurrent()}
        return any(
            it.slow and it.ended > reading.at and it.task in theirs for it in self.acting.incidents
        )

    def _lasting(self, label: str) -> Fault | None:
        for calls, begins, ends in self.outages:
            if begins <= self.now < ends and label.startswith(calls):
                return Fault.UNAVAILABLE
        return None

    def _delay(self, process: Process, *, slow: bool) -> None:
        draw = self.random.random()
        seconds = 700 + 900 * draw if slow else 0.002 + 0.05 * draw**4
        if slow:
            ended = self.now + seconds
            process.incidents.append(Incident(task=getcurrent(), ended=ended, slow=True))
        self.sleep(seconds)
        if process.dead:
            raise DiedError


class Port:
    """A port as one process sees it: each call may fail."""

    def __init__(self, kernel: Kernel, process: Process, name: str, target: Any) -> None:
        self._kernel = kernel
        self._process = process
        self._name = name
        self._target = target

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._target, name)

        def call(*args: object, **named: object) -> object:
            label = f"{self._name}.{name}"
            return self._kernel.call(self._process, label, lambda: method(*args, **named))

        return call
