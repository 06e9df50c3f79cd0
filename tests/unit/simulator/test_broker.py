"""The queue's model, without HTTP and on a clock that is a number."""

import pytest

from infra.simulator.broker import (
    Broker,
    Fate,
    GoneTagError,
    Lease,
    Session,
    TenantQueue,
    UnknownTagError,
)
from infra.simulator.message import Message


def message(identifier: str, kind: str = "Command") -> Message:
    return Message(identifier, kind, "{}")


def queue_of(*identifiers: str) -> TenantQueue:
    queue = TenantQueue()
    queue.subscriptions = frozenset({"Command"})
    for identifier in identifiers:
        queue.publish(message(identifier))
    return queue


def ids(leases: list[Lease]) -> list[object]:
    return [lease.message.id for lease in leases]


@pytest.fixture
def session() -> Session:
    return Session("s", "acme")


def test_until_setup_has_run_every_message_is_lost() -> None:
    """The facts' silent loss: nothing is kept for later."""
    broker = Broker()
    assert broker.queue("acme").publish(message("1", "A")) is Fate.LOST_BEFORE_SETUP
    broker.setup("acme", ["A"])
    assert broker.queue("acme").publish(message("2", "A")) is Fate.QUEUED
    assert broker.queue("acme").publish(message("3", "B")) is Fate.LOST_UNSUBSCRIBED
    assert [kept.id for kept in broker.queue("acme").waiting] == ["2"]


def test_a_later_setup_replaces_subscriptions_and_keeps_the_queue() -> None:
    """What waits is not lost by a change of commands."""
    queue = queue_of("1")
    broker = Broker()
    broker.queues["acme"] = queue
    broker.setup("acme", ["Other"])
    assert queue.publish(message("2")) is Fate.LOST_UNSUBSCRIBED
    assert len(queue.waiting) == 1


def test_a_leased_message_is_nobody_elses_until_its_lease_ends(session: Session) -> None:
    """Competing clients share a queue without sharing a message."""
    queue = queue_of("1", "2")
    other = Session("other", "acme")
    assert ids(queue.lease(session, 0, 60)) == ["1"]
    assert ids(queue.lease(other, 0, 60)) == ["2"]
    assert queue.lease(other, 59.9, 60) == []
    assert queue.leased == 2


def test_ended_leases_return_to_the_front_in_their_old_order(session: Session) -> None:
    """What came first is first again, before what never left."""
    queue = queue_of("1", "2", "3")
    queue.lease(session, 0, 60, count=2)
    assert ids(queue.lease(session, 60, 60, count=3)) == ["1", "2", "3"]
    assert queue.expired == 2


def test_a_shorter_lease_given_later_ends_first(session: Session) -> None:
    """The lease's length may change while messages are out."""
    queue = queue_of("1", "2")
    queue.lease(session, 0, 60)
    queue.lease(session, 0, 5)
    assert ids(queue.lease(session, 10, 60)) == ["2"]


def test_ack_removes_and_nack_returns_to_the_front(session: Session) -> None:
    """The two verdicts."""
    queue = queue_of("1", "2", "3")
    first, second = queue.lease(session, 0, 60, count=2)
    queue.ack(session, first.tag, 1)
    queue.nack(session, second.tag, 1)
    assert [waiting.id for waiting in queue.waiting] == ["2", "3"]
    assert (queue.acked, queue.leased) == (1, 0)


def test_tags_count_from_one_in_each_session(session: Session) -> None:
    """A tag says nothing outside of its session."""
    queue = queue_of("1", "2", "3")
    other = Session("other", "acme")
    assert [lease.tag for lease in queue.lease(session, 0, 60, count=2)] == [1, 2]
    assert [lease.tag for lease in queue.lease(other, 0, 60)] == [1]
    queue.ack(other, 1, 1)
    assert set(session.leases) == {1, 2}


def test_a_tag_of_another_session_is_unknown(session: Session) -> None:
    """Ack only over the session that received."""
    queue = queue_of("1")
    queue.lease(session, 0, 60)
    with pytest.raises(UnknownTagError):
        queue.ack(Session("other", "acme"), 1, 1)
    assert queue.leased == 1


def test_a_settled_tag_is_gone(session: Session) -> None:
    """A second ack does not count."""
    queue = queue_of("1")
    queue.lease(session, 0, 60)
    queue.ack(session, 1, 1)
    with pytest.raises(GoneTagError):
        queue.ack(session, 1, 1)
    assert queue.acked == 1


def test_an_ack_after_the_lease_is_gone_and_the_message_stays(session: Session) -> None:
    """A late ack must not remove what another client may hold by now."""
    queue = queue_of("1")
    queue.lease(session, 0, 60)
    with pytest.raises(GoneTagError):
        queue.ack(session, 1, 60)
    assert ids(queue.lease(session, 60, 60)) == ["1"]


def test_a_duplicate_comes_once_more_and_not_for_ever(session: Session) -> None:
    """Even if every ack draws a duplicate, the queue drains."""
    queue = queue_of("1")
    (first,) = queue.lease(session, 0, 60)
    assert queue.ack(session, first.tag, 1, offer_again=True)
    (second,) = queue.lease(session, 2, 60)
    assert second.message.id == "1"
    assert not queue.ack(session, second.tag, 3, offer_again=True)
    assert not queue.waiting


def test_settled_messages_are_not_held_until_their_lease_would_end(session: Session) -> None:
    """Memory: the heap of lease ends drops what was settled."""
    queue = queue_of("1", "2")
    for lease in queue.lease(session, 0, 60, count=2):
        queue.ack(session, lease.tag, 1)
    assert queue._ends == []  # noqa: SLF001 - what is under test


def test_a_session_resumes_by_its_cookie_and_serves_one_tenant() -> None:
    """A stranger's cookie opens a new session."""
    broker = Broker()
    session = broker.session("acme", None)
    assert broker.session("acme", session.id) is session
    assert broker.session("globex", session.id) is not session
    assert broker.session("acme", "made-up") is not session


def test_clients_without_a_cookie_jar_cost_bounded_memory() -> None:
    """A session that holds a lease survives the thinning."""
    broker = Broker()
    holder = broker.session("acme", None)
    broker.setup("acme", ["Command"])
    broker.queue("acme").publish(message("1"))
    broker.queue("acme").lease(holder, 0, 60)
    for _ in range(10_050):
        broker.session("acme", None)
    assert len(broker._sessions) <= 10_002  # noqa: SLF001 - what is under test
    assert broker.session("acme", holder.id) is holder
