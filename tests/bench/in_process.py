"""The relay's own composition against the emulators, in one process that can be looked into.

`python -m tests.bench.in_process messages|idle|stages|work|fill|sweep`, as in a function,
prints one line of JSON. Pub/Sub gets what is published; what it would push is handed over at once.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from infra.local.rest import Rest
from smartlink import bootstrap
from smartlink.adapters.google.pubsub import PubSubPublisher
from smartlink.common_wiring import Store
from smartlink.ports import Envelope
from smartlink.services.dispatch import decode_dispatch
from tests.bench.workload import Offer


class Relay:
    """`poll` and the consumers as deployed, with a clock that is moved."""

    def __init__(self) -> None:
        self.simulator = os.environ["SMARTLINK_BASE_URL"]
        self._rest = Rest()
        self._ahead = timedelta()
        self._published: list[Envelope] = []
        bootstrap.now = self._now
        send = PubSubPublisher.publish

        def publish(publisher: PubSubPublisher, topic: str, envelopes: Sequence[Envelope]) -> None:
            send(publisher, topic, envelopes)
            self._published += envelopes

        PubSubPublisher.publish = publish  # type: ignore[method-assign, assignment]
        self.poll = bootstrap.poll()

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def offer(self, tenant: str, messages: Sequence[Offer]) -> None:
        """Let messages wait in the broker."""
        body = {"tenant": tenant, "messages": list(map(asdict, messages)), "force": True}
        self._rest.call("POST", f"{self.simulator}/simulator/offer", body)

    def tick(self) -> dict[str, int]:
        """Poll, a minute after the last time."""
        self._ahead += timedelta(minutes=1)
        return self.poll.tick().as_dict()

    def tick_at(self, instant: datetime) -> dict[str, int]:
        """Poll at this instant, which is later than the last one."""
        self._ahead = instant - datetime.now(UTC)
        return self.poll.tick().as_dict()

    @property
    def store(self) -> Store:
        """The database's adapter."""
        store: Any = self.poll.relay_state
        return cast("Store", store)

    def take(self) -> list[bytes]:
        """What was published since the last call."""
        taken, self._published = self._published, []
        return [envelope.data for envelope in taken]

    def consume(self, published: Sequence[bytes]) -> None:
        """Hand over dispatches to the consumer of their command."""
        for data in published:
            dispatch = decode_dispatch(data)
            if os.environ["SMARTLINK_COMMAND"] != dispatch.command:
                os.environ["SMARTLINK_COMMAND"] = dispatch.command
                bootstrap.settings.cache_clear()
                bootstrap.consume.cache_clear()
            bootstrap.consume()(dispatch)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="tests.bench.in_process", description=__doc__)
    choices = ("messages", "idle", "stages", "work", "fill", "sweep")
    parser.add_argument("what", choices=choices)
    parser.add_argument("count", type=int, help="messages of a batch or that wait; minutes")
    parser.add_argument("more", type=int, nargs="?", help="when fill and sweep begin, since 1970")
    asked = parser.parse_args()
    found: Any
    match asked.what:  # each imports what it looks into
        case "messages":
            from tests.bench.operations import count_messages  # noqa: PLC0415

            found = count_messages(asked.count)
        case "idle":
            from tests.bench.operations import count_idle  # noqa: PLC0415

            found = count_idle(asked.count)
        case "stages":
            from tests.bench.stages import time_stages  # noqa: PLC0415

            found = time_stages(asked.count)
        case "work":
            from tests.bench.work import count_work  # noqa: PLC0415

            found = count_work(asked.count)
        case "fill":
            from tests.bench.waiting import fill  # noqa: PLC0415

            found = fill(asked.count, asked.more)
        case _:
            from tests.bench.waiting import sweep  # noqa: PLC0415

            found = sweep(asked.count, asked.more)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
