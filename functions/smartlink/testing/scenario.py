"""A scenario delivers messages in one place, one after the other, and watches their seams."""

import copy
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any

from smartlink.adapters.in_memory import InMemoryEffects
from smartlink.adapters.threads import ThreadRunner
from smartlink.consumer import BatchConsumer, Consumer
from smartlink.domain.message import Stored, Version
from smartlink.testing.delivered import Delivered
from smartlink.testing.delivery import Arrival
from smartlink.testing.options import Options
from smartlink.testing.place import Place
from smartlink.testing.seams import Watch

REDELIVERED_AFTER = timedelta(minutes=20)


class OverdueError(Exception):
    """A delivery still runs after its time-out, so nothing further can be examined."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a delivery, from outside and at the seams."""

    delivered: Delivered
    watch: Watch
    replies: tuple[tuple[object, ...], ...]  # without the volatile fields, to compare them

    @property
    def result(self) -> tuple[str, object]:
        """The outcome and the replies, which a repeat must not change."""
        return type(self.delivered.verdict).__name__, self.replies

    @property
    def kinds(self) -> list[object]:
        """The type and the audience of each reply."""
        return [reply[:2] for reply in self.replies]


@dataclass(slots=True)
class Scenario:
    """Delivers messages in one place. 20 minutes pass between two deliveries."""

    consumer: Consumer
    arrival: Arrival
    options: Options
    place: Place
    effects: InMemoryEffects  # those of the place
    _deliveries: Iterator[int] = field(default_factory=count)

    def deliver(
        self,
        text: str,
        *,
        attempt: int = 1,
        message_id: str | None = None,
        crash_at: int | None = None,
    ) -> Seen:
        """Delivers the text in a thread, as the deployed function does. Raises OverdueError."""
        limits = self.options.limits
        watch = Watch(limits.replies, crash_at)
        now = self.arrival.now + next(self._deliveries) * REDELIVERED_AFTER
        arrival = replace(
            self.arrival,
            now=now,
            received=self.arrival.received or self.arrival.now,
            attempt=attempt,
            attempts=max(attempt, self.arrival.attempts),
            message_id=message_id or self.arrival.message_id,
        )
        place = replace(self.place, clock=lambda: now)
        message = arrival.message(place, self.consumer.command, text)
        execution = place.execution(watch.over(self.consumer))
        stored = [Stored(message, Version("0"))]
        timeout = timedelta(seconds=self.options.timeout)
        [[ran]] = ThreadRunner().run(stored, execution, timeout)
        if ran.overdue:
            raise OverdueError
        delivered = place.delivered(message, ran.finished)
        return Seen(delivered, watch, tuple(self._comparable(delivered)))

    def deliver_together(self, texts: Mapping[str, str]) -> list[Seen]:
        """Delivers the texts, by message id, in one call of a batch consumer."""
        assert isinstance(self.consumer, BatchConsumer)  # noqa: S101  (the check has looked)
        watch = Watch(self.options.limits.replies)
        now = self.arrival.now + next(self._deliveries) * REDELIVERED_AFTER
        received = self.arrival.received or self.arrival.now
        place = replace(self.place, clock=lambda: now)
        messages = [
            replace(self.arrival, now=now, received=received, message_id=name).message(
                place, self.consumer.command, text
            )
            for name, text in texts.items()
        ]
        seen = []
        for message, finished in zip(
            messages, place.run_batch(self.consumer, messages), strict=True
        ):
            delivered = place.delivered(message, finished)
            seen.append(Seen(delivered, watch, tuple(self._comparable(delivered))))
        return seen

    def snapshot(self) -> object:
        """Returns a copy of the outside's present snapshot; None without `effects`."""
        return None if self.options.effects is None else copy.deepcopy(self.options.effects())

    def _comparable(self, delivered: Delivered) -> list[tuple[object, ...]]:
        volatile = {name.lower() for name in self.options.volatile}
        found: list[tuple[object, ...]] = [
            (it.type, it.audience, it.correlation_id, _without(volatile, it.text))
            for it in delivered.replies
        ]
        if delivered.next_step is not None:
            found.append(("(next step)", None, None, _without(volatile, delivered.next_step)))
        return found


def _without(volatile: Collection[str], text: str) -> object:
    def pruned(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {name: item for name, item in pairs if name.lower() not in volatile}

    try:
        return json.loads(text, object_pairs_hook=pruned)
    except (ValueError, RecursionError):
        return text
