"""An examination under way, and how its checks end."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count

from smartlink.adapters.in_memory import InMemoryEffects
from smartlink.consumer import Consumer
from smartlink.testing.delivery import Arrival
from smartlink.testing.growth import growth
from smartlink.testing.options import Options
from smartlink.testing.scenario import Scenario, Seen


class FailedError(Exception):
    """A check failed. What was found, and how to fix it."""

    def __init__(self, detail: str, advice: str) -> None:
        super().__init__(detail)
        self.advice = advice


class NotRunError(Exception):
    """A check has nothing to look at. Why."""


@dataclass(slots=True)
class Examination:
    """The consumer, its sample payload, and how it went with that at first."""

    consumer: Consumer
    text: str
    others: tuple[str, ...]
    arrival: Arrival
    options: Options
    first: Seen = field(init=False)
    grown: object = field(init=False)  # by the first delivery
    failed: set[str] = field(default_factory=set)  # the checks that did, so far
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def scenario(self) -> Scenario:
        """A new place. The message's id is a new one, unless the outside is put back."""
        arrival = self.arrival
        if self.options.reset is not None:
            self.options.reset()
        else:
            arrival = replace(arrival, message_id=f"{arrival.message_id}-{next(self._numbers)}")
        effects = InMemoryEffects()
        place = replace(arrival.at(), effects=effects)
        return Scenario(self.consumer, arrival, self.options, place, effects)

    def begin(self) -> Seen:
        """The sample's first delivery. Raises OverdueError."""
        scenario = self.scenario()
        before = scenario.snapshot()
        self.first = scenario.deliver(self.text)
        self.grown = growth(before, scenario.snapshot())
        return self.first

    @property
    def repeats(self) -> bool:
        """Whether the relay runs it again by itself after a crash."""
        return not self.arrival.hold or self.first.watch.asked_for("once")
