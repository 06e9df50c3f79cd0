"""The faults of a run: drawn from a seed beforehand, done one after the other by the clock."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from heapq import heappop, heappush
from itertools import count

from tests.chaos.proxy import Mode
from tests.chaos.scale import Scale
from tests.chaos.stack import Stack


class Fault(StrEnum):
    """What happens to the stack."""

    KILL_WORKER = "a function's worker is killed"
    KILL_FUNCTION = "a function is killed as a whole"
    FREEZE = "a worker is frozen beyond its lease"
    BROKER_ERRORS = "the broker answers 503 at times"
    BROKER_THROTTLES = "the broker answers 429 at times"
    BROKER_LOST_ANSWERS = "the broker does it and answers 503"
    BROKER_DOWN = "the broker answers nothing but 503"
    BROKER_HANGS = "the broker hangs"
    BROKER_TRUNCATES = "the broker truncates its answers"
    BROKER_RESETS = "the broker does it and resets"
    BROKER_SWALLOWS = "the broker's connections die without a word"
    RAC_DOWN = "RAC is down and the tokens are revoked"
    FIRESTORE_CUT = "Firestore is cut off"
    FIRESTORE_STALLS = "Firestore hangs"
    FIRESTORE_LOST_ANSWERS = "Firestore does it and resets"
    FIRESTORE_SWALLOWS = "Firestore's connections die without a word"
    PUBSUB_CUT = "Pub/Sub is cut off"
    PUBSUB_SWALLOWS = "Pub/Sub's connections die without a word"
    PUSH_LOST = "Pub/Sub gets no answer to its pushes"
    PUSH_CUT = "Pub/Sub's pushes are cut while they are worked on"


FIRESTORE = frozenset({Fault.FIRESTORE_CUT, Fault.FIRESTORE_STALLS, Fault.FIRESTORE_LOST_ANSWERS})


@dataclass(frozen=True, slots=True)
class _Kind:
    weight: int
    seconds: tuple[float, float]  # how long it lasts; of a kill: until the restart
    mode: Mode | None = None  # of a proxy
    place: str = ""  # the proxy; "" draws one of the functions that Pub/Sub pushes to
    options: tuple[tuple[str, float | bool], ...] = ()  # of the simulator, while it lasts


_KINDS = {
    Fault.KILL_WORKER: _Kind(8, (0, 0)),
    Fault.KILL_FUNCTION: _Kind(4, (0.2, 1.5)),
    Fault.FREEZE: _Kind(3, (1, 3)),  # on top of the lease
    Fault.BROKER_ERRORS: _Kind(2, (1, 4), options=(("errorRate", 0.4),)),
    Fault.BROKER_THROTTLES: _Kind(2, (1, 4), options=(("throttleRate", 0.25),)),
    Fault.BROKER_LOST_ANSWERS: _Kind(2, (1, 4), options=(("lostAnswerRate", 0.4),)),
    Fault.BROKER_DOWN: _Kind(1, (1, 3), options=(("down", True),)),
    Fault.BROKER_HANGS: _Kind(2, (1, 5), Mode.STALL, "simulator"),
    Fault.BROKER_TRUNCATES: _Kind(2, (0.3, 1), Mode.TRUNCATE, "simulator"),
    Fault.BROKER_RESETS: _Kind(2, (0.2, 0.6), Mode.LOSE, "simulator"),
    # They stay dead when it is over: whoever has one must find that out, and open another.
    Fault.BROKER_SWALLOWS: _Kind(2, (0.1, 0.5), Mode.BLACKHOLE, "simulator"),
    Fault.RAC_DOWN: _Kind(1, (0.5, 2), options=(("racDown", True),)),
    Fault.FIRESTORE_CUT: _Kind(2, (1, 6), Mode.CUT, "firestore"),
    Fault.FIRESTORE_STALLS: _Kind(2, (1, 12), Mode.STALL, "firestore"),
    Fault.FIRESTORE_LOST_ANSWERS: _Kind(4, (0.05, 0.4), Mode.LOSE, "firestore"),
    Fault.FIRESTORE_SWALLOWS: _Kind(2, (0.1, 0.5), Mode.BLACKHOLE, "firestore"),
    Fault.PUBSUB_SWALLOWS: _Kind(2, (0.1, 0.5), Mode.BLACKHOLE, "pubsub"),
    Fault.PUBSUB_CUT: _Kind(2, (0.5, 3), Mode.CUT, "pubsub"),
    Fault.PUSH_LOST: _Kind(3, (0.3, 1.5), Mode.LOSE),
    Fault.PUSH_CUT: _Kind(4, (0.1, 0.4), Mode.CUT),
}
_PAUSE_SECONDS, _HURRIED_PAUSE_SECONDS = (0.3, 1.6), (0.2, 0.8)  # from one fault to the next
_LONGEST_HURRIED = 3.0
_LONGEST_WAIT = 6.0  # seconds until a place is free
_AGAIN_SECONDS = 0.3
_EARLY = -3  # from the end of the bag, which is emptied from there


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault: when it begins, in seconds from the start, how long it lasts, where it strikes."""

    at: float
    fault: Fault
    seconds: float
    target: str
    choice: int  # which of the target's processes


def draw(scale: Scale, functions: list[str]) -> list[Blow]:
    """Draw from a bag that holds each kind: once at first, then as often as it weighs."""
    dice = random.Random(f"storm {scale.seed}")
    bag: list[Fault] = []
    busy: dict[str, float] = {}  # no two faults at the same place
    blows: list[Blow] = []
    at = 0.5
    while at < scale.seconds:
        if not bag:
            bag = [it for it, kind in _KINDS.items() for _ in range(kind.weight if blows else 1)]
            dice.shuffle(bag)
            if not blows:
                bag.remove(Fault.FREEZE)
                bag.insert(_EARLY, Fault.FREEZE)  # it lasts longest
        fault = bag.pop()
        kind = _KINDS[fault]
        lasts = _seconds(scale, fault, dice)
        target = _target(fault, functions, dice)
        place = f"{target}'s bytes" if kind.mode else f"{target} {fault}"
        begins = max(at, busy.get(place, 0))
        if begins > at + _LONGEST_WAIT:
            continue
        busy[place] = begins + lasts + 0.1
        blows.append(Blow(begins, fault, lasts, target, dice.randrange(100)))
        at += dice.uniform(*(_HURRIED_PAUSE_SECONDS if scale.hurried else _PAUSE_SECONDS))
    return sorted(blows, key=lambda blow: blow.at)


def _seconds(scale: Scale, fault: Fault, dice: random.Random) -> float:
    lasts = dice.uniform(*_KINDS[fault].seconds)
    if scale.hurried:
        lasts = min(lasts, _LONGEST_HURRIED)
    return lasts + scale.lease_seconds if fault is Fault.FREEZE else lasts


def _target(fault: Fault, functions: list[str], dice: random.Random) -> str:
    kind = _KINDS[fault]
    if kind.place or kind.options:
        return kind.place or "simulator"
    # Pub/Sub does not push to poll, and the one worker of poll, if it froze, would stop all else.
    pushed = [name for name in functions if name != "poll"]
    return dice.choice(pushed if kind.mode or fault is Fault.FREEZE else functions)


@dataclass(frozen=True, slots=True)
class Window:
    """When Firestore was out of order, by the monotonic clock."""

    begin: float
    end: float


class Storm:
    """Does what was drawn. Call `work` again and again from the main thread."""

    def __init__(
        self, stack: Stack, blows: Iterable[Blow], clock: Callable[[], float], tenants: list[str]
    ) -> None:
        self.done: Counter[Fault] = Counter()
        self.windows: list[Window] = []
        self._stack = stack
        self._clock = clock
        self._start = clock()
        self._tenants = tenants
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        for blow in blows:
            self._later(blow.at, lambda blow=blow: self._begin(blow))  # type: ignore[misc]

    @property
    def over(self) -> bool:
        """Whether nothing is left to be done."""
        return not self._agenda

    def work(self) -> None:
        """Do what is due."""
        while self._agenda and self._agenda[0][0] <= self._clock() - self._start:
            heappop(self._agenda)[2]()

    def _later(self, at: float, action: Callable[[], None]) -> None:
        heappush(self._agenda, (at, next(self._order), action))

    def _begin(self, blow: Blow) -> None:
        kind, functions = _KINDS[blow.fault], self._stack.functions
        end: Callable[[], None] | None = None
        did = True
        if blow.fault is Fault.KILL_WORKER:
            did = functions.kill_worker(blow.target, blow.choice)
        elif blow.fault is Fault.KILL_FUNCTION:
            did = functions.kill(blow.target)
            end = functions.start_missing
        elif blow.fault is Fault.FREEZE:
            end = functions.freeze_worker(blow.target, blow.choice)
            did = end is not None
        elif kind.mode is not None:
            end = self._misbehave(blow, kind.mode)
        else:
            end = self._configure(blow, dict(kind.options))
        if not did:  # it was killed just now, and is not up again
            self._later(self._clock() - self._start + _AGAIN_SECONDS, lambda: self._begin(blow))
            return
        self.done[blow.fault] += 1
        if end is not None:
            self._later(self._clock() - self._start + blow.seconds, end)

    def _misbehave(self, blow: Blow, mode: Mode) -> Callable[[], None]:
        proxy, began = self._stack.proxies[blow.target], self._clock()
        proxy.set(mode)

        def end() -> None:
            proxy.set(Mode.PASS)
            if blow.fault in FIRESTORE:
                self.windows.append(Window(began, self._clock()))

        return end

    def _configure(self, blow: Blow, options: dict[str, float | bool]) -> Callable[[], None]:
        self._stack.simulator("PUT", "/options", options)
        if blow.fault is Fault.RAC_DOWN:
            for name in self._tenants:
                self._stack.simulator("POST", f"/tenants/{name}/revoke")
        off = {name: type(value)() for name, value in options.items()}

        def end() -> None:
            self._stack.simulator("PUT", "/options", off)

        return end
