"""What the checks of an examination share, and the errors by which they end."""

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
    """A check failed. The text says what was found, and `advice` says how to fix it."""

    def __init__(self, detail: str, advice: str) -> None:
        super().__init__(detail)
        self.advice = advice


class NotRunError(Exception):
    """A check cannot run. The text says why."""


@dataclass(slots=True)
class Examination:
    """The consumer, its sample payload, and the result of the first delivery."""

    consumer: Consumer
    text: str
    others: tuple[str, ...]
    arrival: Arrival
    options: Options
    first: Seen = field(init=False)
    grown: object = field(init=False)  # how much the first delivery added to the snapshot
    failed: set[str] = field(default_factory=set)  # the checks that have failed
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def scenario(self) -> Scenario:
        """Makes a scenario in a new place, after `reset`; without `reset` with a new message id."""
        arrival = self.arrival
        if self.options.reset is not None:
            self.options.reset()
        else:
            arrival = replace(arrival, message_id=f"{arrival.message_id}-{next(self._numbers)}")
        effects = InMemoryEffects()
        place = replace(arrival.at(), effects=effects)
        return Scenario(self.consumer, arrival, self.options, place, effects)

    def begin(self) -> Seen:
        """Delivers the sample for the first time. Raises OverdueError."""
        scenario = self.scenario()
        before = scenario.snapshot()
        self.first = scenario.deliver(self.text)
        self.grown = growth(before, scenario.snapshot())
        return self.first

    @property
    def repeats(self) -> bool:
        """Whether the relay itself runs the message again after a crash."""
        return not self.arrival.hold or self.first.watch.asked_for("once")
