"""Several sessions send a tenant's outbox side by side, and the next page is read meanwhile."""

from collections.abc import Collection, Sequence
from typing import Any

import pytest

from smartlink.adapters.in_memory import Faults, InMemoryMessages
from smartlink.domain.identity import Direction
from smartlink.domain.message import State, Stored, Version
from smartlink.ports import Refused, Unavailable
from tests.scenarios.test_invariant_13_in_order import offer, ordered
from tests.support.inline import InlineTurns
from tests.support.world import World

DOWN = Unavailable("Smart Link answered 503")


class Meanwhile(Faults):
    """Performs the turn that waits next at the beginning of these sends, or of each one."""

    def __init__(self, turns: InlineTurns, sends: Collection[int] | None = None) -> None:
        super().__init__()
        self._turns = turns
        self._sends = sends
        self.number = 0

    def before(self, call: str, subject: str) -> None:
        if call == "send":
            self.number += 1
            if self._sends is None or self.number in self._sends:
                self._turns.another()
        super().before(call, subject)


class Watched(InMemoryMessages):
    """Notes the reads of Upstream pages, the claims and the commits, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, int]] = []

    def due(self, *asked: Any) -> Any:  # noqa: ANN401
        page = super().due(*asked)
        if asked[3] is not Direction.DOWNSTREAM:
            self.seen.append(("page", len(page)))
        return page

    def swap(self, tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        claimed = sum(it.message.state is State.RUNNING for it in changes)
        self.seen.append(("claim", claimed))
        return super().swap(tenant, changes)

    def commit(self, tenant: str, settlements: Sequence[Any]) -> None:
        self.seen.append(("commit", len(settlements)))
        super().commit(tenant, settlements)


def publishing(number: int, store: InMemoryMessages | None = None, **settings: int) -> World:
    """A world in which so many messages wait to be sent."""
    variables = {f"SMARTLINK_{name.upper()}": str(value) for name, value in settings.items()}
    world = World(store=store or InMemoryMessages(), variables=variables)
    world.minute()
    for name in range(number):
        world.publish(id=f"{name:03}", content=str(name))
    return world


def numbers(world: World) -> list[int]:
    return [int(it) for it in world.replies_to()]


def test_another_session_sends_as_soon_as_the_broker_has_accepted_a_message() -> None:
    """It does not wait for the end of the first chunk."""
    world = publishing(40, receivers=2)
    world.broker.faults = Meanwhile(world.turns, {1, 2})
    world.tick(minutes=1)
    assert numbers(world) == [0, *range(20, 40), *range(1, 20)]


@pytest.mark.parametrize(
    ("number", "chunks"),
    [(1, [1]), (40, [10] * 4), (80, [10] * 8), (100, [13] * 7 + [9]), (160, [20] * 8)],
)
def test_a_page_that_is_not_full_is_shared_among_the_sessions(
    number: int, chunks: list[int]
) -> None:
    """But ten messages at least are claimed together, and settled together."""
    store = Watched()
    world = publishing(number, store)
    store.seen.clear()
    world.turns.most = 0
    world.tick(minutes=1)
    assert [claimed for what, claimed in store.seen if what == "claim"] == chunks
    assert world.turns.most <= len(chunks) + 1, "no session comes for nothing"


def test_no_other_session_sends_before_the_broker_has_accepted_a_message() -> None:
    """One that has just stopped to answer holds up one thread, not eight."""
    world = publishing(40, receivers=2)
    world.broker.faults = faults = Meanwhile(world.turns, {1, 2, 3})
    faults.fail("send", DOWN)
    world.tick(minutes=1)
    assert numbers(world) == [1, *range(20, 40), *range(2, 20)]
    world.minutes(2)
    assert sorted(numbers(world)) == list(range(40))


def test_no_more_sessions_send_than_a_tenant_may_have() -> None:
    """However many chunks wait: each session that is not in the middle of one takes the next."""
    store = Watched()
    world = publishing(100, store, receivers=3, due_page=20)
    store.seen.clear()
    world.broker.faults = Meanwhile(world.turns)
    world.tick(minutes=1)
    assert sorted(numbers(world)) == list(range(100))
    sending, most = 0, 0
    for what, _ in store.seen:
        sending += {"claim": 1, "commit": -1}.get(what, 0)
        most = max(most, sending)
    assert most == 3


def test_the_next_page_is_read_while_the_last_chunk_is_being_sent() -> None:
    """It begins behind this one: it shows nothing that is not claimed yet, and nothing twice."""
    store = Watched()
    world = publishing(25, store, due_page=10, receivers=1)
    store.seen.clear()
    world.broker.faults = Meanwhile(world.turns)
    world.tick(minutes=1)
    assert sorted(numbers(world)) == list(range(25))
    claims = [claimed for what, claimed in store.seen if what == "claim"]
    assert claims == [10, 10, 5]
    whats = [what for what, _ in store.seen if what != "claim"]
    assert whats == ["page", "page", "commit", "page", "commit", "commit"]


def test_one_page_waits_in_memory_at_most() -> None:
    """As long as a chunk waits for a session, no further page is read."""
    store = Watched()
    world = publishing(60, store, due_page=10, receivers=4)
    store.seen.clear()
    world.broker.faults = Meanwhile(world.turns)
    world.tick(minutes=1)
    assert sorted(numbers(world)) == list(range(60))
    waiting = 0
    for what, number in store.seen:
        if what == "page":
            assert waiting <= 0
            waiting += number
        elif what == "claim":
            waiting -= number


@pytest.mark.parametrize("receivers", [1, 2, 8])
def test_a_session_that_found_nothing_to_send_is_there_for_the_next_page(receivers: int) -> None:
    """It came while that page was being read."""

    class Slow(InMemoryMessages):
        turns: InlineTurns | None = None

        def due(self, *asked: Any) -> Any:  # noqa: ANN401
            for _ in range(receivers):
                if self.turns is not None:
                    self.turns.another()
            return super().due(*asked)

    store = Slow()
    world = publishing(50, store, receivers=receivers, due_page=10)
    store.turns = world.turns
    world.tick(minutes=1)
    assert sorted(numbers(world)) == list(range(50))


@pytest.mark.parametrize("receivers", [1, 8])
def test_everything_leaves_in_the_poll_in_which_the_broker_takes_one_again(receivers: int) -> None:
    """The one that was sent to try is followed by all others."""
    world = publishing(100, receivers=receivers, due_page=20)
    world.broker.faults.fail("send", DOWN, times=1_000)
    world.minutes(3)
    world.broker.faults.clear()
    world.minute()
    assert len(numbers(world)) > 95, "but those few that wait after their own failure"


@pytest.mark.parametrize("receivers", [1, 8])
def test_messages_that_the_broker_refuses_hold_up_no_others_when_it_works_again(
    receivers: int,
) -> None:
    """Its refusal tells nothing of the others: the next one is tried at once."""
    world = publishing(60, receivers=receivers)
    world.broker.faults.fail("send", DOWN, times=1_000)
    world.minutes(3)
    world.broker.faults.clear()
    world.broker.faults.fail("send", Refused("404: no such audience"), times=10)
    world.minute()
    assert 45 < len(numbers(world)) <= 50, "but those few that wait after their own failure"
    assert sum(it.attempt for it in world.live().values()) == 10


def test_of_a_broker_that_refuses_everything_each_message_is_sent_once() -> None:
    world = publishing(15)
    world.broker.faults.fail("send", DOWN, times=2)
    world.minute()
    world.broker.faults.fail("send", Refused("404"), times=1_000)
    calls = world.calls("send")
    world.minutes(3)
    assert world.calls("send") - calls == 15
    assert {it.attempt for it in world.live().values()} == {1}


def test_after_two_failures_in_a_row_no_further_page_is_read() -> None:
    """Although nothing of this one waits any more."""
    store = Watched()
    world = publishing(20, store, due_page=2)
    store.seen.clear()
    world.broker.faults.fail("send", DOWN, times=1_000)
    world.tick(minutes=1)
    assert world.calls("send") == 2
    assert [what for what, _ in store.seen].count("page") == 1


def test_a_page_that_was_to_be_read_is_not_read_after_two_failures_in_a_row() -> None:
    """The first message was accepted, all others are not."""

    class Stops(Faults):
        sends = 0

        def before(self, call: str, subject: str) -> None:
            super().before(call, subject)
            self.sends += call == "send"
            if call == "send" and self.sends > 1:
                raise DOWN

    store = Watched()
    world = publishing(20, store, due_page=10, receivers=1)
    store.seen.clear()
    world.broker.faults = Stops()
    world.tick(minutes=1)
    assert numbers(world) == [0]
    assert [what for what, _ in store.seen].count("page") == 1


def test_after_two_failures_in_a_row_nobody_joins() -> None:
    """A turn that is left at the poll's end would have the tenant polled once more, for nothing."""
    world = publishing(100)
    world.broker.faults.fail("send", DOWN, times=1_000)
    world.turns.most = 0
    world.tick(minutes=1)
    assert world.calls("send") == 2
    assert world.turns.most == 1, "the first turn"


def test_of_a_broker_that_takes_nothing_no_further_page_is_read() -> None:
    """One call and one page in each poll, however much waits."""
    store = Watched()
    world = publishing(60, store, due_page=10)
    world.broker.faults.fail("send", DOWN, times=1_000)
    world.minutes(3)
    store.seen.clear()
    calls = world.calls("send")
    world.minute()
    assert world.calls("send") == calls + 1
    assert [what for what, _ in store.seen].count("page") == 1
    world.broker.faults.clear()
    world.minutes(31)
    assert sorted(numbers(world)) == list(range(60))


def test_a_page_of_refused_messages_hides_no_page_behind_it() -> None:
    """Nothing of it is accepted: the next one is read all the same."""
    world = publishing(25, due_page=5)
    world.broker.faults.fail("send", Refused("404"), times=5)
    world.minute()
    assert numbers(world) == list(range(5, 25))


@pytest.mark.parametrize("poison", ["0", "25", "59"])
@pytest.mark.parametrize(("receivers", "page"), [(1, 160), (8, 160), (1, 30), (8, 30)])
def test_a_chunk_that_cannot_be_claimed_holds_up_no_other(
    receivers: int, page: int, poison: str
) -> None:
    """Its turn fails; all other chunks are sent in the same poll, those of further pages too."""

    class Odd(InMemoryMessages):
        def swap(self, tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
            if any(it.message.content.text == poison for it in changes):
                message = "the database does not take it now"
                raise Unavailable(message)
            return super().swap(tenant, changes)

    world = publishing(60, Odd(), receivers=receivers, due_page=page)
    report = world.minute()
    assert report.counts["failedTurns"] == 1
    left = set(range(60)) - set(numbers(world))
    assert int(poison) in left
    assert len(left) <= 20
    assert len(numbers(world)) == 60 - len(left)


@pytest.mark.parametrize("receivers", [1, 2, 8])
def test_ordered_replies_of_a_page_that_was_read_early_go_out_in_the_same_poll(
    receivers: int,
) -> None:
    """Where they stand is looked up when those that were being sent have been settled."""
    world, _ = ordered(SMARTLINK_DUE_PAGE="2", SMARTLINK_RECEIVERS=str(receivers))
    names = [f"{key}{number}" for number in range(1, 5) for key in "ABC"]
    offer(world, *names)
    world.minute()
    assert world.replies_to() == []
    world.broker.faults = Meanwhile(world.turns)
    world.tick(minutes=1)
    assert sorted(world.replies_to()) == sorted(names)
    for key in "ABC":
        assert [it for it in world.replies_to() if it[0] == key] == [f"{key}{it}" for it in "1234"]
