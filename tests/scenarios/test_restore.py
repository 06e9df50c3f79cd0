"""A restore is no time machine: what was done since then must not be done again."""

from dataclasses import dataclass, field

from smartlink.consumer import Context, FatalError, RetryableError
from smartlink.domain.message import DeadReason, State
from smartlink.operations.actions import held
from smartlink.operations.audit import Note
from smartlink.operations.plan import Unfit, not_holdable, not_redrivable
from tests.scenarios.test_once import redrive
from tests.support.world import COMMAND, OTHER, World


@dataclass
class Deeds:
    """What was done to the outside, whatever the database remembers."""

    done: list[str] = field(default_factory=list)
    fails: set[str] = field(default_factory=set)

    def consume(self, content: str, context: Context) -> None:
        if context.message_id in self.fails:
            raise RetryableError("not yet")
        self.done.append(content)


def at_work() -> tuple[World, Deeds]:
    deeds = Deeds()
    world = World()
    world.behave = deeds.consume
    return world, deeds


def hold(world: World) -> None:
    """What `smartlink messages hold --all` writes."""
    note = Note("ana", "restored to 12:00", world.clock(), world.clock())
    for stored in world.store.live("acme").values():
        if not_holdable(stored.message) is None:
            world.store.commit("acme", [held(stored, note)])


def test_without_the_hold_it_happens_twice() -> None:
    """What the runbook is for."""
    world, deeds = at_work()
    world.broker.offer("acme", COMMAND, "pay", message_id="m")
    world.tick(minutes=1)
    before = world.store.snapshot()
    world.minutes(10)
    world.store.restore(before)
    world.cold_start()
    world.minutes(60)
    assert deeds.done == ["pay", "pay"]


def test_what_lived_then_is_held() -> None:
    """Dispatched, waiting for its retry, in the outbox: nothing of it is done, or sent, again."""
    world, deeds = at_work()
    deeds.fails = {"waits"}
    world.broker.offer("acme", COMMAND, "waits", message_id="waits")
    world.minutes(2)
    world.broker.offer("acme", COMMAND, "pay", message_id="pay")
    world.publish(content="up", id="up")
    before = world.store.snapshot()
    world.tick(minutes=1)
    dispatched = world.store.snapshot()
    deeds.fails = set()
    world.minutes(60)
    assert sorted(deeds.done) == ["pay", "waits"]
    assert world.replies_to() == ["up"]
    for snapshot, lived in ((before, {"waits", "up"}), (dispatched, {"waits", "pay"})):
        world.store.restore(snapshot)
        hold(world)
        world.cold_start()
        world.minutes(24 * 60)
        assert sorted(deeds.done) == ["pay", "waits"]
        assert world.replies_to() == ["up"]
        dead = {it.id: it.dead_reason for it in world.live().values()}
        assert dead == dict.fromkeys(lived, DeadReason.UNKNOWN_OUTCOME)


def test_what_comes_after_the_hold_runs() -> None:
    world, deeds = at_work()
    world.broker.offer("acme", COMMAND, "old", message_id="old")
    world.tick(minutes=1)
    hold(world)
    world.broker.offer("acme", COMMAND, "new", message_id="new")
    world.minutes(10)
    assert deeds.done == ["new"]


def test_a_run_that_is_under_way_cannot_settle_any_more() -> None:
    """Held while it ran: it stays held, and whatever came of it is void."""
    world, deeds = at_work()

    def meanwhile(content: str, _context: Context) -> None:
        deeds.done.append(content)
        hold(world)

    world.behave = meanwhile
    world.broker.offer("acme", COMMAND, "pay", message_id="m")
    world.minutes(24 * 60)
    assert deeds.done == ["pay"]
    message = world.live()["m"]
    assert (message.state, message.dead_reason) == (State.DEAD, DeadReason.UNKNOWN_OUTCOME)


def test_a_dispatch_of_before_finds_nothing_to_run() -> None:
    """Pub/Sub still holds it when the database is back in the past."""
    world, deeds = at_work()
    world.broker.offer("acme", COMMAND, "pay", message_id="m")
    world.tick(minutes=1)
    before = world.store.snapshot()
    dispatches = list(world.publisher.published)
    world.deliver()
    world.store.restore(before)
    hold(world)
    for topic, envelope in dispatches:
        world.delivery(topic, envelope)
    assert deeds.done == ["pay"]


def test_what_was_dead_then_is_held_too() -> None:
    """It may have been redriven, and done, since; a redrive of everything must not take it."""
    world, deeds = at_work()
    world.behave = lambda _content, _context: reject()
    world.broker.offer("acme", COMMAND, "pay", message_id="m")
    world.broker.offer("acme", "NoSuchCommand", "x", message_id="unknown")
    world.minutes(2)
    before = world.store.snapshot()
    world.behave = deeds.consume
    redrive(world)
    world.minutes(2)
    assert deeds.done == ["pay"]
    world.store.restore(before)
    hold(world)
    assert world.live().keys() == {"m", "unknown"}
    for message in world.live().values():
        assert not_redrivable(message, [COMMAND, OTHER]) is Unfit.MAY_HAVE_RUN
        assert not_redrivable(message, [COMMAND, "NoSuchCommand"], undone=True) is None
        assert not_holdable(message) is not None


def reject() -> None:
    reason = "no"
    raise FatalError(reason)


def test_who_found_out_redrives() -> None:
    """It was not done: it runs, once."""
    world, deeds = at_work()
    world.broker.offer("acme", COMMAND, "pay", message_id="m")
    world.tick(minutes=1)
    hold(world)
    redrive(world, undone=True)
    world.minutes(20)
    assert deeds.done == ["pay"]
    assert "m" in world.ended()
