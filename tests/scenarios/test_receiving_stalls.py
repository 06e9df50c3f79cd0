"""A receiver that gets nothing new stops for this poll, whatever the broker means by it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from smartlink.adapters.in_memory import InMemoryBroker
from smartlink.domain.tenant import Tenant
from smartlink.ports import BrokerSession, Delivery
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, World

NUMBERS = count(1)
SAME = Delivery(7, "m", COMMAND, "{}")


class Repeating(InMemoryBroker):
    """A broker whose `get` answers this for ever, and whose `ack` takes anything."""

    def __init__(self, answer: Callable[[], list[Delivery]]) -> None:
        super().__init__()
        self._answer = answer

    @contextmanager
    def session(self, tenant: Tenant) -> Iterator[BrokerSession]:
        with super().session(tenant) as session:

            def get() -> list[Delivery]:
                self.called("get", tenant.name)
                return self._answer()

            def ack(tag: int) -> None:  # noqa: ARG001  (any)
                self.called("ack", tenant.name)

            session.get, session.ack = get, ack  # type: ignore[method-assign]
            yield session


def odd(text: str, tag: int | None = None) -> Delivery:
    return Delivery(tag, None, "", text, problem="it has no type, or one that is no text")


@pytest.mark.parametrize(
    ("answer", "most", "acks"),
    [
        (lambda: [odd('{"status":"empty"}')], 2, 0),
        (lambda: [odd(f'{{"empty at":{next(NUMBERS)}}}')], 2, 0),
        (lambda: [SAME], 6, 3),
        (lambda: [SAME, SAME], 6, 6),
        (lambda: [odd('{"status":"empty"}', 3)], 6, 3),
    ],
    ids=["no tag", "no tag, another text", "one message", "one message twice", "the same tag"],
)
def test_an_answer_that_brings_nothing_new_ends_the_tenants_receiving(
    answer: Callable[[], list[Delivery]], most: int, acks: int, logged: Logged
) -> None:
    """Not the tick's 45 s of calls: a few, and one line says why. The next poll asks again."""
    world = World(broker=Repeating(answer))
    for polls in (1, 2):
        world.broker.calls.clear()
        world.minute()
        calls = [call for call, _ in world.broker.calls]
        assert 0 < calls.count("get") <= most
        assert calls.count("ack") <= acks
        assert len(logged("receive_stalled")) == polls


def test_acks_that_take_nothing_from_the_broker_do_not_keep_a_poll_busy(logged: Logged) -> None:
    """Each time under a new tag, as a broker gives a message again: a bounded number of times."""
    world = World(broker=Repeating(lambda: [Delivery(next(NUMBERS), "m", COMMAND, "{}")]))
    world.minute()
    assert world.ran == [("acme", "m")]
    assert sum(call == "get" for call, _ in world.broker.calls) <= 400
    assert logged("receive_stalled")


def test_many_repeats_before_a_new_message_hold_it_back_for_no_poll(logged: Logged) -> None:
    """Whoever sends one message many times does not close the queue."""
    world = World()
    for _ in range(90):
        world.broker.offer("acme", COMMAND, "{}", message_id="again")
    world.broker.offer("acme", COMMAND, "{}", message_id="new")
    world.minute()
    assert world.ran == [("acme", "again"), ("acme", "new")]
    assert logged("receive_stalled") == []
