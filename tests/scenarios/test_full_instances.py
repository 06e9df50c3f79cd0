"""Every instance of a command is busy: its pushes are answered 429, and Pub/Sub keeps them."""

from smartlink.services.dispatch import decode_dispatch
from tests.support.world import COMMAND, World

MESSAGES = 30
MINUTES = 60


def _copies(world: World) -> list[str]:
    """The ids of what waits in Pub/Sub, one for each dispatch of a message."""
    return [
        stored.message.id
        for _, envelope in world.publisher.published
        for stored in decode_dispatch(envelope.data).messages
    ]


def test_the_sweep_does_not_multiply_what_waits_for_an_instance() -> None:
    """Each further dispatch waits twice as long: after 0, 2, 6, 14, 30 and 62 minutes, then every
    hour, while a sweep that took each grace alike would have made 30 of each in an hour."""
    world = World()
    for number in range(MESSAGES):
        world.broker.offer("acme", COMMAND, "{}", message_id=f"m{number}")
    for _ in range(MINUTES):
        world.tick(minutes=1)
    copies = _copies(world)
    assert {copies.count(f"m{number}") for number in range(MESSAGES)} == {5}


def test_while_dispatches_are_overdue_the_broker_keeps_what_is_new() -> None:
    world = World()
    world.broker.offer("acme", COMMAND, "{}", message_id="first")
    world.tick(minutes=1)
    world.broker.offer("acme", COMMAND, "{}", message_id="second")
    world.tick(minutes=2)
    assert set(_copies(world)) == {"first"}
    world.tick(minutes=1)
    assert set(_copies(world)) == {"first", "second"}


def test_when_instances_are_free_again_each_message_runs_once() -> None:
    world = World()
    for number in range(MESSAGES):
        world.broker.offer("acme", COMMAND, "{}", message_id=f"m{number}")
    for _ in range(MINUTES):
        world.tick(minutes=1)
    assert len(_copies(world)) > MESSAGES
    while world.deliver():
        pass
    assert sorted(world.ran) == sorted(("acme", f"m{number}") for number in range(MESSAGES))
    assert world.live() == {}
