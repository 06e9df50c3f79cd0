"""A message that others come before: a mask waits for the data requests of its person."""

from collections import Counter

import pytest

from smartlink.consumer import Context, FatalError, RetryableError
from smartlink.domain.message import DeadReason, Message, State
from smartlink.domain.settlement import Settlement
from tests.support.world import COMMAND, OTHER, World, catalog, config_file

LARGE = '{"person": "ana", "filling": "' + "x" * 300_000 + '"}'


class Desk:
    """Messages of COMMAND wait for those of OTHER about the same person."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.other_fails: Exception | None = None
        self.world = World(behave=self.run)
        self.world.minutes(2)

    def run(self, content: str, context: Context) -> None:
        if context.command == OTHER and self.other_fails:
            raise self.other_fails
        if context.command == COMMAND:
            context.answered_first(OTHER, lambda body: body == {"person": content})
        self.answered.append(context.message_id)

    def offer(self, command: str, content: str, name: str) -> None:
        self.world.broker.offer("acme", command, content, message_id=name)

    def live(self, name: str = "mask") -> Message:
        return self.world.live()[name]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_together_the_other_is_first(desk: Desk) -> None:
    """Whichever the broker gives first, and whichever function is first."""
    desk.offer(COMMAND, "ana", "mask")
    desk.offer(OTHER, '{"person": "ana"}', "data")
    desk.world.minutes(3)
    assert desk.answered == ["data", "mask"]
    assert desk.world.ended()["mask"].message.attempt == 1, "waiting costs no attempt"


def test_nobody_elses_message_is_waited_for(desk: Desk) -> None:
    desk.other_fails = RetryableError("not now")
    desk.offer(OTHER, '{"person": "bia"}', "data")
    desk.offer(OTHER, "no JSON", "broken")
    desk.offer(COMMAND, "ana", "mask")
    desk.world.minute()
    assert desk.answered == ["mask"]


def test_it_waits_as_long_as_the_other_retries_and_holds_up_nobody(desk: Desk) -> None:
    """The tenant goes on receiving, and no attempt is spent, although the limit is one."""
    desk.world.config.put(config_file(attempts=5))
    desk.other_fails = RetryableError("the ERP is down")
    desk.offer(OTHER, '{"person": "ana"}', "data")
    desk.offer(COMMAND, "ana", "mask")
    for number in range(10):
        desk.world.minute()
        assert (desk.live().state, desk.live().attempt) == (State.WAITING, 0)
        desk.offer(COMMAND, "bia", f"b{number}")
    assert "data of OtherCommand is to be answered first" in str(desk.live().error)
    assert desk.answered == [f"b{number}" for number in range(9)]
    desk.other_fails = None
    desk.world.minutes(20)
    assert desk.answered.index("data") < desk.answered.index("mask")


def test_a_dead_one_is_told_and_has_to_be_settled_by_a_person(desk: Desk) -> None:
    """The mask fails attempts meanwhile, so that it shows; discarding the other lets it go."""
    desk.other_fails = FatalError("several people fit")
    desk.offer(OTHER, '{"person": "ana"}', "data")
    desk.world.minute()
    desk.offer(COMMAND, "ana", "mask")
    desk.world.minute()
    assert (desk.live().state, desk.live().attempt) == (State.WAITING, 1)
    assert "data of OtherCommand comes first, and it is dead (rejected)" in str(desk.live().error)
    desk.world.minutes(15 + 30 + 45 + 60 + 5)
    assert desk.live().dead_reason is DeadReason.EXHAUSTED
    assert desk.answered == []


def test_once_the_dead_one_is_gone_it_goes_on(desk: Desk) -> None:
    desk.other_fails = FatalError("several people fit")
    desk.offer(OTHER, '{"person": "ana"}', "data")
    desk.offer(COMMAND, "ana", "mask")
    desk.world.minutes(3)
    dead = desk.world.store.read("acme", ["D-data"])["D-data"]
    desk.world.store.commit("acme", [Settlement(document="D-data", fence=dead.version)])
    desk.world.minutes(20)
    assert desk.answered == ["mask"]


def test_what_came_later_is_not_waited_for(desk: Desk) -> None:
    """Or a person about whom somebody asks each minute would never be masked."""
    desk.other_fails = RetryableError("not now")

    def fail_once(content: str, context: Context) -> None:
        if context.command == COMMAND and context.attempt == 1:
            raise RetryableError(content)
        desk.run(content, context)

    desk.world.behave = fail_once
    desk.offer(COMMAND, "ana", "mask")
    desk.world.minutes(2)
    desk.offer(OTHER, '{"person": "ana"}', "data")
    desk.world.minutes(20)
    assert desk.answered == ["mask"]


def test_a_large_content_is_looked_into(desk: Desk) -> None:
    """It lies in the bucket."""
    desk.world.behave = lambda _, context: context.answered_first(
        OTHER, lambda body: isinstance(body, dict) and body["person"] == "ana"
    )
    desk.world.broker.offer("acme", COMMAND, message_id="mask")
    desk.world.broker.offer("acme", OTHER, LARGE, message_id="data")
    desk.world.tick(minutes=1)
    assert desk.world.live()["data"].content.object
    for topic, envelope in sorted(desk.world.publisher.take()):
        desk.world.delivery(topic, envelope) if "probe" in topic else None
    assert desk.live().state is State.WAITING


def test_one_that_cannot_be_read_may_be_the_one(desk: Desk) -> None:
    """Nobody can say whose it is, so it is not passed over: the error names it."""
    desk.other_fails = RetryableError("not now")
    desk.offer(OTHER, '{"person": "bia"}', "data")
    desk.world.minute()
    desk.world.store.make_unreadable("acme", "D-data")
    desk.offer(COMMAND, "ana", "mask")
    desk.world.minute()
    assert (desk.live().state, desk.live().attempt) == (State.WAITING, 1)
    assert "D-data of OtherCommand cannot be read" in str(desk.live().error)


def test_too_many_to_look_through_are_too_many_to_be_sure(desk: Desk) -> None:
    desk.other_fails = FatalError("no")
    for number in range(1_001):
        desk.offer(OTHER, '{"person": "bia"}', f"data-{number}")
    desk.world.minutes(3)
    desk.offer(COMMAND, "ana", "mask")
    desk.world.minute()
    assert "over 1000 messages of OtherCommand are not answered yet" in str(desk.live().error)


def test_where_nothing_waits_it_costs_a_read(desk: Desk) -> None:
    """For each message that asks, and of no other."""
    for number in range(20):
        desk.offer(COMMAND, "ana", f"mask-{number}")
    before: Counter[str] = desk.world.store.operations.copy()
    desk.world.minute()
    after = desk.world.store.operations
    assert len(desk.answered) == 20
    assert after["write"] - before["write"] <= 4 * 20
    assert after["read"] - before["read"] <= 2 * 20 + 3


def test_a_release_that_holds_unknown_outcomes_waits_too() -> None:
    """Each of its messages is claimed alone."""
    desk = Desk()
    desk.world.catalog_json = catalog(**{COMMAND: {"unknownOutcome": "hold"}})
    desk.world.cold_start()
    test_together_the_other_is_first(desk)
