"""The relay on in-memory twins, in a process of its own: what grows with messages and tenants?

`python -m tests.bench.growth_in_memory messages 10000` or `tenants 5000 idle|active`: prints one
line of JSON. What the twins keep of ended messages is thrown away as it comes, as it leaves the
process for Firestore: the memory is the relay's own, and of the messages that live.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass

from smartlink.adapters.in_memory_faults import Faults
from smartlink.adapters.threads import ThreadTurns
from tests.bench.memory import own_peak
from tests.bench.workload import offers
from tests.support.world import COMMAND, World

LATENCY_SECONDS = 0.1
THREADS = 256  # more than deployed: the wait is simulated, and the bench is not to take long
_AT_ONCE = 1_000  # messages of a tick
_TICKS = 2


@dataclass
class _Slow(Faults):
    """Each call of the broker takes as long as a call of RAC would."""

    def __post_init__(self) -> None:
        super().__init__()

    def before(self, call: str, subject: str) -> None:
        if call != "session":
            time.sleep(LATENCY_SECONDS)
        super().before(call, subject)


def grow_messages(count: int) -> dict[str, float]:
    """One tenant's messages, a thousand a tick, from the broker to the history."""
    world = World(variables={"SMARTLINK_RECEIVE_SECONDS": "60"})
    world.broker.page = 10
    world.minute()
    _forget(world)
    before, begin = own_peak(), time.process_time()
    left = count
    while left:
        some = offers(min(left, _AT_ONCE), COMMAND)
        for it in some:
            world.broker.offer("acme", COMMAND, it.content, message_id=it.id)
        world.minute()
        if len(world.ended()) != len(some):
            message = f"{len(world.ended())} of {len(some)} messages ended in their tick"
            raise AssertionError(message)
        left -= len(some)
        _forget(world)
    seconds = time.process_time() - begin
    return {
        "microseconds": 1e6 * seconds / count,
        "peakBytes": own_peak(),
        "grownBytes": own_peak() - before,
    }


def grow_tenants(count: int, *, active: bool) -> dict[str, float]:
    """Ticks over many tenants; of the active ones each gets a message a tick."""
    names = [f"tenant-{number}" for number in range(count)]
    begin = own_peak()
    world = World(tenants=names, variables={"SMARTLINK_SHARD_TENANTS": str(max(200, count))})
    world.broker.faults = _Slow()
    world.turns = ThreadTurns(THREADS, world.clock)  # type: ignore[assignment]
    world.cold_start()
    world.minute()  # sets up
    used = wall = 0.0
    for _ in range(_TICKS):
        for name in names if active else ():
            world.broker.offer(name, COMMAND)
        _forget(world)
        cpu, clock = time.process_time(), time.perf_counter()
        world.tick(minutes=1)
        used, wall = used + time.process_time() - cpu, wall + time.perf_counter() - clock
        while world.deliver():
            pass
    ticks = count * _TICKS
    return {
        "microseconds": 1e6 * used / ticks,
        "wallSeconds": wall / _TICKS,
        "bytes": (own_peak() - begin) / count,
    }


def _forget(world: World) -> None:
    """What has left the process in the cloud leaves it here too."""
    store = world.store
    store._history.clear()  # noqa: SLF001  (the twin keeps what Firestore would)
    store._logs.clear()  # noqa: SLF001
    for kept in (world.broker.acked, world.broker.calls, world.broker.sent, world.ran):
        kept.clear()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="tests.bench.growth_in_memory", description=__doc__)
    parser.add_argument("what", choices=("messages", "tenants"))
    parser.add_argument("count", type=int)
    parser.add_argument("kind", nargs="?", choices=("idle", "active"), default="idle")
    asked = parser.parse_args()
    if asked.what == "messages":
        found = grow_messages(asked.count)
    else:
        found = grow_tenants(asked.count, active=asked.kind == "active")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
