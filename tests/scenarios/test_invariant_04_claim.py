"""Invariant 4: claim before run: a compare-and-swap decides who runs a message, and it counts."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from smartlink.adapters.in_memory import InMemoryMessages
from smartlink.consumer import Context, RetryableError, Returned
from smartlink.domain.message import Claim, State, Stored, Version
from smartlink.ports import Unavailable
from tests.support.world import COMMAND, Interruptions, World


def dispatched(world: World, contents: Sequence[str] = ("one",)) -> list[str]:
    """Offers messages and lets a poll dispatch them in one batch; answers their ids."""
    requests = [world.broker.offer("acme", COMMAND, content) for content in contents]
    world.tick(minutes=1)
    return requests


def test_a_message_is_claimed_when_it_runs() -> None:
    """Its state, its lease, the claim and the attempt are written before the consumer starts."""
    world = World()

    def look(_: str, context: Context) -> None:
        message = world.live()[context.message_id]
        assert message.state is State.RUNNING
        assert message.due == world.clock() + timedelta(seconds=570)
        assert message.claim is not None
        assert message.claim.messages == 2
        assert message.attempt == context.attempt == 1

    world.behave = look
    requests = dispatched(world, ["one", "two"])
    world.deliver()
    assert world.ended().keys() == set(requests), [it.error for it in world.live().values()]


def test_a_delivery_that_is_repeated_runs_nothing_twice() -> None:
    """Pub/Sub delivers at least once, at the same time or later."""
    world = World()
    requests = dispatched(world)
    (delivery,) = world.publisher.take()
    again: list[object] = []

    def run(_: str, __: Context) -> None:
        again.append(world.delivery(*delivery))

    world.behave = run
    world.delivery(*delivery)
    world.delivery(*delivery)
    assert world.ran == [("acme", requests[0])]
    assert again == [{"dropped": 1}]


def test_an_older_delivery_of_a_message_that_failed_is_dropped() -> None:
    """It knows an earlier attempt: the retry waits for its hour."""
    world = World()

    def fail(_: str, __: Context) -> Returned:
        text = "down"
        raise RetryableError(text)

    world.behave = fail
    dispatched(world)
    (delivery,) = world.publisher.take()
    for _ in range(3):
        world.delivery(*delivery)
        world.clock.forward(minutes=1)
    assert len(world.ran) == 1
    world.tick(minutes=15)
    assert world.delivery(*delivery) == {"dropped": 1}, "the retry has its own delivery"
    assert world.deliver() == 1
    assert len(world.ran) == 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_deliveries_come_in_any_order(order: tuple[int, ...]) -> None:
    """As they come they are run."""
    world = World(variables={"SMARTLINK_DISPATCH_BATCH": "1"})
    requests = dispatched(world, ["one", "two", "three"])
    deliveries = world.publisher.take()
    for number in order:
        world.delivery(*deliveries[number])
    assert [message for _, message in world.ran] == [requests[number] for number in order]
    assert world.ended().keys() == set(requests)


def test_a_delivery_older_than_the_re_dispatch_claims() -> None:
    """A backlog in Pub/Sub longer than the grace: always the oldest delivery comes, and it runs."""
    world = World()
    (request,) = dispatched(world)
    deliveries = world.publisher.take()
    for _ in range(20):
        world.tick(minutes=1)
        deliveries += world.publisher.take()
    assert len(deliveries) > 2, "the sweep dispatched it again and again"
    world.delivery(*deliveries[0])
    assert world.ran == [("acme", request)]
    for delivery in deliveries[1:]:
        assert world.delivery(*delivery) == {"dropped": 1}
    assert world.ended()[request].message.attempt == 1


def test_each_re_dispatch_waits_twice_as_long() -> None:
    """From two minutes up to an hour: a backlog is not made worse by what it delays."""
    world = World()
    dispatched(world)
    world.publisher.take()
    waits = [0]
    for _ in range(300):
        world.tick(minutes=1)
        waits[-1] += 1
        if world.publisher.take():
            waits.append(0)
    assert waits[:7] == [2, 4, 8, 16, 32, 60, 60]


def test_a_delivery_that_comes_after_the_end_is_dropped() -> None:
    """Nothing is there to be claimed."""
    world = World()
    dispatched(world)
    (delivery,) = world.publisher.take()
    world.delivery(*delivery)
    world.clock.forward(days=2)
    assert world.delivery(*delivery) == {"dropped": 1}
    assert len(world.ran) == 1


def test_a_late_delivery_does_not_run_a_repeat_that_was_just_stored() -> None:
    """The repeat is pending at attempt 0, as the delivery expects: only the history tells."""
    world = World()
    (request,) = dispatched(world)
    (delivery,) = world.publisher.take()
    world.delivery(*delivery)
    world.broker.offer("acme", COMMAND, "one", message_id=request)
    interruptions = world.store.faults = Interruptions()
    interruptions.at("after create", lambda: world.delivery(*delivery))
    world.tick(minutes=1)
    world.minutes(3)
    assert world.ran == [("acme", request)]
    assert world.live() == {}


class Forgetful(InMemoryMessages):
    """Each swap is done, but its answer lost: the second try meets the first one's doing."""

    def swap(self, tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        super().swap(tenant, changes)
        return super().swap(tenant, changes)


def test_a_claim_whose_answer_got_lost_is_known_by_its_id() -> None:
    """The message is ours: it runs, once, and is settled."""
    world = World(store=Forgetful())
    requests = dispatched(world, ["one", "two"])
    world.deliver()
    assert [message for _, message in world.ran] == requests
    assert world.ended().keys() == set(requests)


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("contents", [["one"], ["one", "two"]])
def test_a_claim_that_fails_is_recovered(applied: bool, contents: list[str]) -> None:  # noqa: FBT001
    """By the redelivery, or by the sweep when the lease is over."""
    world = World()
    requests = dispatched(world, contents)
    world.store.faults.fail("swap", Unavailable("down"), applied=applied)
    world.deliver()
    assert world.ran == []
    assert world.redeliver() == 1
    world.minutes(12)
    assert [message for _, message in world.ran] == requests
    assert world.ended().keys() == set(requests)


def test_only_one_of_two_sweeps_dispatches_a_message() -> None:
    """Both read it as due; the compare-and-swap lets one win."""
    world = World()
    dispatched(world)
    world.publisher.take()
    world.clock.forward(minutes=5)
    interruptions = world.store.faults = Interruptions()
    interruptions.at("before swap", world.elsewhere().tick)
    world.tick()
    assert len(world.publisher.take()) == 1


class Unheard(InMemoryMessages):
    """Dispatched again before the claim; of the claim that follows the answer is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.swaps = 0
        self.theirs: Claim | None = None  # who was quicker at the second try

    def swap(self, tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        self.swaps += 1
        if self.swaps != 2:
            return super().swap(tenant, changes)
        if self.theirs:
            changes = [
                replace(it, message=replace(it.message, claim=self.theirs)) for it in changes
            ]
        super().swap(tenant, changes)
        return [None] * len(changes)  # it met what its own first try had written


@pytest.mark.parametrize("own", [True, False])
def test_a_claim_made_again_is_recognised_too_where_its_first_answer_got_lost(own: bool) -> None:  # noqa: FBT001
    """It is ours if the claim in the document says so; else another's, and is not run."""
    store = Unheard()
    world = World(store=store)
    requests = dispatched(world)
    (stored,) = store.live("acme").values()
    again = replace(stored.message, dispatches=1)
    assert InMemoryMessages.swap(store, "acme", [Stored(again, stored.version)]) != [None]
    store.theirs = None if own else Claim("f" * 32, 1, world.clock())
    store.swaps = 0
    world.deliver()
    assert store.swaps == 2
    assert world.ran == [("acme", name) for name in requests if own]
    assert (world.live() == {}) is own
