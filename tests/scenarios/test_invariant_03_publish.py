"""Invariant 3, for `publish`: a repeated id is accepted once, and sent once."""

import pytest

from smartlink.domain.message import DeadReason, Past
from smartlink.ports import Refused, Unavailable
from smartlink.services.publishing.publish import PublishError
from tests.support.inline import ProcessEndedError
from tests.support.world import Interruptions, World, end_process


def test_what_is_published_is_sent_with_the_next_poll() -> None:
    """Under its type and audience, with the content as it was given."""
    world = World()
    published = world.publish(type="Hired", audience="APP", content={"é": 1})
    assert not published.repeated
    world.minute()
    (sent,) = world.broker.sent_by("acme")
    assert (sent.type, sent.audience, sent.content.decode()) == ("Hired", "APP", '{"é":1}')
    assert world.ended().keys() == {published.id}


@pytest.mark.parametrize("ended", [False, True])
def test_a_repeat_is_accepted_and_sent_once(ended: bool) -> None:  # noqa: FBT001
    """Before it is sent, and after."""
    world = World()
    assert not world.publish(id="one", content="same").repeated
    if ended:
        world.minute()
    assert world.publish(id="one", content="same").repeated
    world.minutes(2)
    assert world.replies_to("acme") == ["same"]
    assert world.live() == {}


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("change", [{"content": "other"}, {"type": "Other"}, {"audience": "B"}])
def test_the_same_id_for_another_message_is_an_error(
    ended: bool,  # noqa: FBT001
    change: dict[str, object],
) -> None:
    """The caller is told which field; nothing of it is sent, nothing stays behind."""
    world = World()
    world.publish(id="one", content="same")
    if ended:
        world.minute()
    with pytest.raises(PublishError) as caught:
        world.publish(**({"id": "one", "content": "same"} | change))
    assert (caught.value.field, caught.value.conflict) == ("id", True)
    world.minutes(2)
    assert world.replies_to("acme") == ["same"]
    assert world.live() == {}


def test_a_history_that_cannot_be_read_is_one_all_the_same() -> None:
    """The same message was accepted before; what cannot be told apart is refused, not sent."""
    world = World()
    world.publish(id="one", content="same")
    world.minute()
    sent = Past.of(world.ended()["one"].message)
    world.store.break_history("acme", "U-one", left=sent)
    assert world.publish(id="one", content="same").repeated
    world.store.break_history("acme", "U-one", left=Past(None, None, None))
    with pytest.raises(PublishError) as caught:
        world.publish(id="one", content="same")
    assert caught.value.conflict
    world.minutes(9)
    assert world.replies_to("acme") == ["same"]
    assert world.live() == {}


@pytest.mark.parametrize(("content", "kept"), [("same", []), ("other", ["other"])])
def test_a_publish_that_dies_before_it_read_the_history(content: str, kept: list[str]) -> None:
    """The poll reads it before it sends: no repeat goes out, a reused id is kept as dead."""
    world = World()
    world.publish(id="one", content="same")
    world.minute()
    interruptions = world.store.faults = Interruptions()
    interruptions.at("before history", end_process)
    with pytest.raises(ProcessEndedError):
        world.publish(id="one", content=content)
    world.minutes(2)
    assert world.replies_to("acme") == ["same"]
    dead = list(world.live().values())
    assert [message.content.text for message in dead] == kept
    assert all(message.dead_reason is DeadReason.ID_REUSED for message in dead)


def test_a_create_of_unknown_outcome_is_accepted_at_the_second_try() -> None:
    """The caller gets an error, tries again with the same id, and the message goes out once."""
    world = World()
    world.store.faults.fail("create", Unavailable("lost answer"), applied=True)
    with pytest.raises(Unavailable):
        world.publish(id="one", content="same")
    assert world.publish(id="one", content="same").repeated
    world.minutes(2)
    assert world.replies_to("acme") == ["same"]


def test_two_callers_with_a_reused_id_get_the_same_answer() -> None:
    """While the one is being refused the other must not hear that it was accepted."""
    world = World()
    world.publish(id="one", content="same")
    world.minute()
    interruptions = world.store.faults = Interruptions()
    answers: list[object] = []

    def meanwhile() -> None:
        with pytest.raises(PublishError):
            world.publish(id="one", content="other")
        answers.append(world.publish(id="one", content="same").repeated)

    interruptions.at("after create", meanwhile)
    with pytest.raises(PublishError):
        world.publish(id="one", content="other")
    assert answers == [True]
    world.minutes(2)
    assert world.replies_to("acme") == ["same"]


def test_a_poll_may_find_the_repeat_first() -> None:
    """Publish created it, a poll dropped it, then publish reads: accepted before, sent once."""
    world = World()
    world.publish(id="one", content="same")
    world.minute()
    interruptions = world.store.faults = Interruptions()
    interruptions.at("after create", world.minute)
    assert world.publish(id="one", content="same").repeated
    world.minutes(2)
    assert world.replies_to("acme") == ["same"]
    assert world.live() == {}


@pytest.mark.parametrize("tenant", ["nobody", "../acme", "", "ACME", "a" * 64])
def test_a_tenant_that_is_not_active_is_refused(tenant: str) -> None:
    """The field is named, whatever stands in it."""
    world = World()
    with pytest.raises(PublishError) as caught:
        world.publish(tenant=tenant, content="x")
    assert caught.value.field == "tenant"


def test_a_published_message_that_is_refused_may_not_be_published_over() -> None:
    """It is dead, so its id is still taken."""
    world = World()
    world.publish(id="one", content="same")
    world.broker.faults.fail("send", Refused("no such type"), times=99)
    world.minutes(200)
    assert world.live()["one"].dead_reason is DeadReason.EXHAUSTED
    assert world.publish(id="one", content="same").repeated
    with pytest.raises(PublishError):
        world.publish(id="one", content="other")
