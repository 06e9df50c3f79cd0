"""A poll asks for the next step of an operators' job whose push was lost, and is never delayed."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import pytest

from smartlink.adapters.in_memory import at_once
from smartlink.ports import Unavailable
from tests.support.world import COMMAND, World

_Result = TypeVar("_Result")
MINUTE = timedelta(minutes=1)


def asked(world: World) -> list[str]:
    return [
        json.loads(it.data)["job"]
        for topic, it in world.publisher.take()
        if topic == "topic-operate"
    ]


def test_the_job_that_stands_still_for_longest_is_asked_for() -> None:
    world = World()
    world.store.set_job_due("later", world.clock.now + 3 * MINUTE)
    world.store.set_job_due("first", world.clock.now + MINUTE)
    assert (world.tick(), asked(world))[1] == []
    world.tick(minutes=1)
    assert asked(world) == ["first"]
    world.tick(minutes=1)
    assert asked(world) == ["first"], "until a step of it claims it"
    world.store.set_job_due("first", None)
    world.tick(minutes=1)
    assert asked(world) == ["later"]


def test_it_is_one_read_of_a_tick_for_the_whole_project() -> None:
    """A shard of `poll_shard` does not look again."""
    world = World(tenants=[f"t-{n}" for n in range(6)], variables={"SMARTLINK_SHARD_TENANTS": "2"})
    looks: list[datetime] = []
    looked = world.store.standing_job

    def look(now: datetime) -> str | None:
        looks.append(now)
        return looked(now)

    world.store.standing_job = look  # type: ignore[method-assign]
    world.tick()
    assert world.deliver() >= 2
    assert looks == [world.clock.now]


@pytest.mark.parametrize("call", ["standing_job", "publish"])
@pytest.mark.parametrize("error", [Unavailable("down"), RuntimeError("odd")])
def test_whatever_becomes_of_it_the_poll_goes_on(
    call: str, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    world.store.set_job_due("job", world.clock.now)
    faults = world.store.faults if call == "standing_job" else world.publisher.faults
    when = (lambda _: True) if call == "standing_job" else (lambda topic: topic == "topic-operate")
    faults.fail(call, error, when=when)
    world.broker.offer("acme", COMMAND)
    report = world.tick()
    assert report.counts["received"] == 1
    assert any(vars(it)["fields"]["action"] == "jobs_not_looked_at" for it in caplog.records)
    assert asked(world) == []
    world.tick(minutes=1)
    assert asked(world) == ["job"]


def test_a_poll_does_not_wait_for_it() -> None:
    """The look may take as long as it likes."""
    world = World()

    def beside(work: Callable[[], _Result]) -> Callable[[], _Result]:
        if work == world.poll.standing_jobs:
            return lambda: pytest.fail("the poll waits for the look at jobs")
        return at_once(work)

    world.poll = replace(world.poll, beside=beside)
    world.broker.offer("acme", COMMAND)
    assert world.tick().counts["received"] == 1
