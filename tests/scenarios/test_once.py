"""An effect that cannot be repeated: done once, its result kept; unknown outcomes may be held."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from smartlink.adapters.in_memory import InMemoryEffects
from smartlink.consumer import Context, FatalError, Reply, RetryableError, UnknownOutcomeError
from smartlink.domain.effect import Effect
from smartlink.domain.message import DeadReason, Message, Result, State, Version
from smartlink.operations.actions import redriven
from smartlink.operations.audit import Note
from smartlink.ports import Unavailable
from tests.support.inline import ProcessEndedError
from tests.support.world import COMMAND, SECRET_ONE, World, catalog

HOLD = catalog(**{COMMAND: {"unknownOutcome": "hold"}})


@dataclass
class Bank:
    """Pays whenever it is asked: what must not happen twice."""

    paid: list[str] = field(default_factory=list)
    raises: BaseException | None = None  # after it paid
    refuses: Exception | None = None  # before
    once_paid: Callable[[], None] | None = None  # the first time

    def pay(self, order: str) -> dict[str, object]:
        if self.refuses:
            raise self.refuses
        self.paid.append(order)
        if self.once_paid:
            happens, self.once_paid = self.once_paid, None
            happens()
        if self.raises:
            raised, self.raises = self.raises, None
            raise raised
        return {"receipt": len(self.paid)}

    def consume(self, content: str, context: Context) -> Reply:
        return Reply("Paid", context.once(content, lambda: self.pay(content)))


def at(world: World, bank: Bank) -> World:
    world.behave = bank.consume
    return world


def redrive(world: World, *, undone: bool = False) -> None:
    """What `smartlink messages redrive` writes."""
    note = Note("ana", "the bank says no", world.clock(), world.clock(), undone)
    settlements = [
        redriven(stored, note)
        for stored in world.store.live("acme").values()
        if stored.message.state is State.DEAD
    ]
    world.store.commit("acme", settlements)


def fail_after_paying(world: World, bank: Bank, times: int, *, applied: bool) -> None:
    """The effect's record is not taken so often, or its answers are lost."""
    down = Unavailable("ABORTED")
    bank.once_paid = lambda: world.effects.faults.fail("write", down, times=times, applied=applied)


def only(world: World) -> Message:
    (message,) = world.live().values()
    return message


def test_two_messages_with_one_key_pay_once() -> None:
    """The second answers with what the first one got."""
    bank = Bank()
    world = at(World(), bank)
    world.broker.offer("acme", COMMAND, "order-7")
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(2)
    assert bank.paid == ["order-7"]
    assert world.replies_to() == ['{"receipt":1}'] * 2


def test_the_settlement_that_was_lost_pays_no_second_time() -> None:
    """Crashed after the effect was recorded: the next run answers the same."""
    bank = Bank()
    world = at(World(), bank)
    world.runner.crashes = lambda stored: stored.message.attempt == 1
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(20)
    assert bank.paid == ["order-7"]
    assert world.replies_to() == ['{"receipt":1}']


def test_keys_belong_to_their_tenant() -> None:
    bank = Bank()
    world = at(World(tenants=("acme", "globex")), bank)
    for tenant in world.tenants:
        world.broker.offer(tenant, COMMAND, "order-7")
    world.minutes(2)
    assert bank.paid == ["order-7", "order-7"]


@pytest.mark.parametrize("error", [RetryableError("closed"), FatalError("no such account")])
def test_what_was_refused_was_not_done(error: Exception) -> None:
    """The record of it is gone, so another message may try."""
    bank = Bank(refuses=error)
    world = at(World(catalog_json=HOLD), bank)
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(2)
    assert world.effects.all("acme") == []
    bank.refuses = None
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(2)
    assert bank.paid == ["order-7"]


@pytest.mark.parametrize("raised", [TimeoutError("bank"), UnknownOutcomeError("bank")])
def test_an_unknown_outcome_is_held(raised: Exception) -> None:
    """Dead until a person has looked; a redrive says that nothing was done."""
    bank = Bank(raises=raised)
    world = at(World(catalog_json=HOLD), bank)
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(120)
    held = only(world)
    assert (held.state, held.dead_reason) == (State.DEAD, DeadReason.UNKNOWN_OUTCOME)
    assert [it.result for it in held.attempts] == [Result.UNKNOWN]
    assert bank.paid == ["order-7"]
    redrive(world)
    world.minutes(2)
    assert bank.paid == ["order-7", "order-7"]
    assert world.replies_to() == ['{"receipt":2}']


def test_or_it_is_repeated() -> None:
    """The command's entry says so by default: the effect is repeated, until its result is kept."""
    bank = Bank(raises=TimeoutError("bank"))
    world = at(World(), bank)
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(60)
    assert bank.paid == ["order-7", "order-7"]
    assert world.replies_to() == ['{"receipt":2}']


def test_a_crash_is_held() -> None:
    """In the middle of the effect; the sweep finds the lease over."""
    bank = Bank()
    world = at(World(catalog_json=HOLD), bank)
    world.runner.crashes = lambda _: True
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(60)
    held = only(world)
    assert (held.state, held.dead_reason) == (State.DEAD, DeadReason.UNKNOWN_OUTCOME)
    assert bank.paid == ["order-7"]


def test_a_time_out_is_held() -> None:
    bank = Bank()
    world = at(World(catalog_json=HOLD), bank)
    world.runner.overdue = lambda _: True
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(60)
    assert only(world).dead_reason is DeadReason.UNKNOWN_OUTCOME
    assert bank.paid == ["order-7"]


def test_a_crash_holds_one_message_only() -> None:
    """A command that holds claims one message at a time: its neighbours were never begun."""
    bank = Bank()
    world = at(World(catalog_json=HOLD), bank)
    world.runner.crashes = lambda stored: stored.message.content.text == "order-2"
    for number in range(5):
        world.broker.offer("acme", COMMAND, f"order-{number}")
    world.minutes(120)
    assert only(world).content.text == "order-2"
    assert sorted(bank.paid) == [f"order-{number}" for number in range(5)]


def test_whoever_comes_while_another_is_at_it_waits() -> None:
    """Handed back, without an attempt spent: it is no fault of its own."""
    bank = Bank()
    world = at(World(), bank)
    world.runner.crashes = lambda stored: stored.message.id == "first"
    bank.raises = ProcessEndedError()
    world.broker.offer("acme", COMMAND, "order-7", message_id="first")
    world.minute()
    world.broker.offer("acme", COMMAND, "order-7", message_id="second")
    world.minute()
    assert bank.paid == ["order-7"]
    second = world.live()["second"]
    assert (second.state, second.attempt) == (State.PENDING, 0)
    assert "is at it" in (second.error or "")


@pytest.mark.parametrize("call", ["write", "read"])
def test_a_database_that_fails_before_the_effect_costs_no_attempt(call: str) -> None:
    """Nothing was done: the message is handed back."""
    bank = Bank()
    world = at(World(), bank)
    world.broker.offer("acme", COMMAND, "order-7")
    if call == "read":
        world.effects.faults.fail("write", Unavailable("down"), applied=True)
    world.effects.faults.fail(call, Unavailable("down"))
    world.minutes(20)
    assert bank.paid == ["order-7"]
    assert {it.message.attempt for it in world.ended().values()} == {1}


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_a_result_that_the_database_does_not_take_for_seconds(*, applied: bool, held: bool) -> None:
    """The effect was done: its record is written again until it is kept."""
    bank = Bank()
    world = at(World(catalog_json=HOLD if held else catalog()), bank)
    world.broker.offer("acme", COMMAND, "order-7")
    fail_after_paying(world, bank, 4, applied=applied)
    world.minutes(60)
    assert bank.paid == ["order-7"]
    assert world.replies_to() == ['{"receipt":1}']
    assert len(world.waits) == 4


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_a_result_that_could_not_be_kept(*, applied: bool, held: bool) -> None:
    """The effect was done: held, or repeated unless the lost write had kept it."""
    bank = Bank()
    world = at(World(catalog_json=HOLD if held else catalog()), bank)
    world.broker.offer("acme", COMMAND, "order-7")
    fail_after_paying(world, bank, 6, applied=applied)
    world.minutes(60)
    assert len(bank.paid) == (1 if held or applied else 2)
    if held:
        assert only(world).dead_reason is DeadReason.UNKNOWN_OUTCOME
    else:
        assert world.replies_to() == [f'{{"receipt":{len(bank.paid)}}}']


@pytest.mark.parametrize("result", [object(), float("nan"), "x" * 70_000])
def test_a_result_that_cannot_be_kept_ends_the_message(result: object) -> None:
    """It was done, and trying again would do it again: dead, and the error says so."""
    done: list[int] = []

    def effect() -> object:
        done.append(1)
        return result

    def consume(content: str, context: Context) -> None:
        context.once(content, effect)

    world = World()
    world.behave = consume
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(60)
    assert done == [1]
    dead = only(world)
    assert dead.dead_reason is DeadReason.REJECTED
    assert "the effect was done" in (dead.error or "")


def test_of_a_personal_command_no_key_is_stored() -> None:
    bank = Bank()
    world = at(World(), bank)
    world.broker.offer("acme", SECRET_ONE, "529.982.247-25")
    world.minutes(2)
    (effect,) = world.effects.all("acme")
    assert effect.key is None
    assert "529" not in repr(effect)


def test_a_key_of_another_type_is_named() -> None:
    """Nothing was done, and no further attempt would fix it."""
    world = World()
    world.behave = lambda _content, context: context.once(7, lambda: None)  # type: ignore[arg-type]
    world.broker.offer("acme", COMMAND, "{}")
    world.minutes(2)
    assert (only(world).state, only(world).error) == (State.DEAD, "once: a key is a str, not a int")


@pytest.mark.parametrize("key", ["", "x" * 1_001])
def test_a_key_that_is_none_is_named(key: str) -> None:
    world = World()
    world.behave = lambda _content, context: context.once(key, lambda: None)
    world.broker.offer("acme", COMMAND, "{}")
    world.minutes(2)
    assert "a key has 1 to 1000 characters" in (only(world).error or "")


@pytest.mark.parametrize(("own", "made"), [(2, 2), (9, 5), (None, 5)])
def test_a_command_may_lower_the_limit_of_attempts(own: int | None, made: int) -> None:
    """Never raise it; and RM's formula goes on with the file's QtdeTentativasExec."""
    change: dict[str, dict[str, object]] = {} if own is None else {COMMAND: {"attempts": own}}
    world = World(catalog_json=catalog(**change))

    def fail(_content: str, context: Context) -> None:
        assert context.attempts == made
        raise RetryableError("down")

    world.behave = fail
    world.broker.offer("acme", COMMAND, "{}")
    world.minute()
    waits = only(world).due
    assert waits
    assert (waits - world.clock()).total_seconds() == 15 * 60
    world.minutes(400)
    assert len(world.ran) == made
    assert only(world).dead_reason is DeadReason.EXHAUSTED


def test_the_sweep_knows_the_commands_limit() -> None:
    """A crash in the last attempt that the command has: dead at the end of the lease."""
    world = World(catalog_json=catalog(**{COMMAND: {"attempts": 1}}))
    world.runner.crashes = lambda _: True
    world.broker.offer("acme", COMMAND, "{}")
    world.minutes(30)
    assert only(world).dead_reason is DeadReason.EXHAUSTED
    assert len(world.ran) == 1


class AnsweredTwice(InMemoryEffects):
    """An adapter whose own second try is answered: the first one had taken effect."""

    def write(self, tenant: str, effect: Effect, version: Version | None) -> Version | None:
        super().write(tenant, effect, version)
        return super().write(tenant, effect, version)


def test_an_own_write_whose_answer_got_lost_is_recognised() -> None:
    """At its beginning and at its end: the effect is neither repeated nor held."""
    bank = Bank()
    world = at(World(catalog_json=HOLD, effects=AnsweredTwice()), bank)
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(2)
    assert bank.paid == ["order-7"]
    assert world.replies_to() == ['{"receipt":1}']


def forget(world: World, **later: float) -> None:
    """Time passes, and the TTL removes what has expired."""
    world.clock.forward(**later)
    world.effects.expire(world.clock())
    world.cold_start()


def dead_after_paying(catalog_json: str) -> tuple[World, Bank]:
    """Paid and noted; then the message died of something else."""
    bank = Bank()
    world = World(catalog_json=catalog_json)

    def consume(content: str, context: Context) -> None:
        context.once(content, lambda: bank.pay(content))
        reason = "the answer cannot be made"
        raise FatalError(reason)

    world.behave = consume
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(2)
    assert only(world).dead_reason is DeadReason.REJECTED
    return world, bank


@pytest.mark.parametrize("days", [1, 89, 91, 179, 181, 400, 3_000])
@pytest.mark.parametrize("catalog_json", [HOLD, catalog()])
def test_what_a_dead_message_did_is_not_forgotten(days: int, catalog_json: str) -> None:
    """However long it lies dead: redriven, it is answered by the record, or waits for a person."""
    world, bank = dead_after_paying(catalog_json)
    forget(world, days=days)
    redrive(world)
    world.minutes(24 * 60)
    assert bank.paid == ["order-7"]
    if days > 180:
        assert "older than what once remembers" in (only(world).error or "")


def test_a_person_who_knows_has_it_done() -> None:
    """The record may be gone; who looked says that it was not done, and it is done once."""
    bank = Bank(refuses=FatalError("closed"))
    world = at(World(), bank)
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(2)
    forget(world, days=400)
    bank.refuses = None
    redrive(world)
    world.minutes(24 * 60)
    assert bank.paid == []
    redrive(world, undone=True)
    world.minutes(2)
    assert bank.paid == ["order-7"]
    assert world.ended()


def test_what_another_message_did_is_known_as_long_as_it_matters() -> None:
    """The second came while the first one's effect was known, and is redriven long after."""
    bank = Bank()
    world = at(World(), bank)
    world.broker.offer("acme", COMMAND, "order-7", message_id="first")
    world.minutes(2)
    forget(world, days=85)
    world.behave = lambda _content, _context: fail_for_good()
    world.broker.offer("acme", COMMAND, "order-7", message_id="second")
    world.minutes(2)
    forget(world, days=85)
    world.behave = bank.consume
    redrive(world)
    world.minutes(2)
    assert bank.paid == ["order-7"]
    assert world.replies_to() == ['{"receipt":1}'] * 2


def fail_for_good() -> None:
    reason = "no"
    raise FatalError(reason)
