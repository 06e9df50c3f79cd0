"""Invariant 11: a name is not a tenant. What lives under it is its first customer's alone."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from smartlink.consumer import Context, Reply, RetryableError, Returned
from smartlink.domain.message import DeadReason, Result, State, Stored
from smartlink.domain.pin import Pin
from smartlink.ports import CredentialsRefused, Unavailable
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, Interruptions, World

Behave = Callable[[str, Context], Returned]
GUID = "0b1f22d4-5a7e-4c53-9a10-2f6f3c1f9d11"
OLD = {"clientId": "OLD", "tenantId": "t-old"}
NEW = {"clientId": "NEW", "tenantId": "t-new"}


def behave(content: str, context: Context) -> Returned:
    if content == "fails" and context.attempt == 1:
        text = "once"
        raise RetryableError(text)
    return Reply("R", "the first customer's data")


def used(**payload: str) -> World:
    """A name in use: an answer waits to be sent, a message for its retry, one for its sweep."""
    world = World(behave=behave)
    world.activate(**payload)
    world.broker.offer("acme", COMMAND, "answered", message_id="answered")
    world.broker.offer("acme", COMMAND, "fails", message_id="fails")
    world.tick(minutes=1)
    world.deliver()
    world.clock.forward(minutes=1)
    return world


def touched(world: World) -> tuple[int, int, int]:
    """Runs, messages sent, and calls of the broker."""
    calls = [call for call, _ in world.broker.calls if call != "session"]
    return len(world.ran), len(world.broker.sent), len(calls)


def rows(world: World) -> tuple[bool, str]:
    """Whether it is halted, and what its document says."""
    state = world.store.states(["acme"])["acme"]
    return state.halted is not None, state.last_error or ""


# Another customer.


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (OLD, NEW),
        (OLD, {**OLD, "tenantId": "t-new"}),  # the same client, of another tenant id now
        (OLD, {"clientId": "NEW"}),  # nobody says whose it is
        ({"clientId": "OLD"}, {"clientId": "NEW"}),  # RAC's tokens are opaque
        ({"clientId": "OLD"}, NEW),
    ],
)
@pytest.mark.parametrize("gone", [0, 10])
def test_another_customers_credentials_halt_the_name(
    first: dict[str, str], second: dict[str, str], gone: int, logged: Logged
) -> None:
    """Nothing is sent, received or run, it is said in each tick, and the document says what to
    do; whether its secret was deleted for days before or replaced in place."""
    world = used(**first)
    if gone:
        world.secrets.remove("acme")
        world.minutes(60 * 24 * gone)
    before = touched(world)
    world.activate(**second)
    world.broker.offer("acme", COMMAND, "new", message_id="new")
    world.tick()  # what waits is not touched before the tenants are listed again
    world.minutes(90)
    assert touched(world) == before
    assert world.broker.waiting("acme") == 1
    assert len(logged("tenant_halted")) >= 85
    halted, text = rows(world)
    assert halted
    assert "tenants adopt acme" in text
    assert "6.5 minutes after its halt" in text, "no sooner than it says"


def test_a_halted_name_is_counted_by_the_poll() -> None:
    world = used(**OLD)
    world.activate(**NEW)
    assert world.minute().counts["haltedTenants"] == 1


def test_the_other_tenants_go_on() -> None:
    world = World(tenants=("acme", "other"))
    world.activate(**OLD)
    world.broker.offer("acme", COMMAND)
    world.tick()
    world.publisher.take()
    world.activate(**NEW)
    world.broker.offer("other", COMMAND)
    world.minutes(10)
    assert [tenant for tenant, _ in world.ran] == ["other"]


def test_a_pin_that_cannot_be_read_halts_the_name_until_it_is_adopted() -> None:
    """Another release wrote it, or a slip of a hand: whose the messages are is not known."""
    world = used(**OLD)
    state = world.store.states(["acme"])["acme"]
    world.store.pin("acme", Pin(None, ()), state.pin)
    world.cold_start()
    before = touched(world)
    world.minutes(60)
    assert touched(world) == before
    halted, text = rows(world)
    assert halted
    assert "in a way that cannot be read" in text
    assert "tenants adopt acme" in text
    world.store.pin("acme", state.pin, Pin(None, ()))
    world.minutes(60)
    assert world.live() == {}


def test_a_dead_message_is_its_customers_too() -> None:
    """An operator could redrive it: the name passes on when nothing of it is live any more."""
    world = used(**OLD)
    world.minutes(1)
    world.broker.offer("acme", "UnknownCommand", message_id="dead")
    world.minutes(60)
    assert set(world.live()) == {"dead"}
    world.activate(**NEW)
    world.minutes(10)
    assert rows(world)[0]


def test_a_name_passes_on_once_nothing_of_its_first_customer_lives(logged: Logged) -> None:
    """Loudly, and not at once: the new one is set up, and works."""
    world = used(**OLD)
    world.minutes(60)
    assert world.live() == {}
    world.activate(**NEW)
    world.minutes(9)
    assert rows(world)[0]
    assert world.calls("setup") == 1
    world.minutes(3)
    world.broker.offer("acme", COMMAND, "new", message_id="new")
    world.minutes(2)
    assert "new" in world.ended()
    assert world.calls("setup") == 2
    assert len(logged("tenant_passed")) == 1
    assert not rows(world)[0]
    pin = world.store.states(["acme"])["acme"].pin
    assert pin
    assert pin.tenant_id == "t-new"


@pytest.mark.parametrize("ticks", [1, 3])
def test_a_name_does_not_pass_on_while_a_process_knows_the_old_secret(ticks: int) -> None:
    """What that one receives lives, so the name stays its customer's."""
    world = World(behave=behave)
    world.activate(**OLD)
    world.minute()
    other = world.elsewhere()
    other.tick()
    world.activate(**NEW)
    world.cold_start()
    world.broker.offer("acme", COMMAND, "answered", message_id="old")
    for _ in range(ticks):
        world.tick(minutes=1)
    other.tick()
    assert set(world.live()) == {"old"}
    calls = world.calls("get")
    world.minutes(60)
    assert (world.ran, world.broker.sent, world.calls("get")) == ([], [], calls)
    assert rows(world)[0]


def test_a_process_learns_of_a_halt_however_often_it_writes_the_state() -> None:
    """What it notes itself does not make what it has read any newer."""
    world = World(behave=behave)
    world.activate(**OLD)
    world.minute()
    world.clock.forward(minutes=13)
    other = world.elsewhere()
    other.tick()
    world.activate(**NEW)
    world.cold_start()
    world.tick(minutes=2)  # it is halted
    other.tick()  # notes a success, a quarter of an hour after the last one
    world.clock.forward(minutes=2, seconds=30)
    gets = world.calls("get")
    other.tick()
    assert world.calls("get") == gets


def passed_on(behave: Behave) -> World:
    """The name acme is another customer's now; the first one ended a message, "used"."""
    world = World(behave=behave)
    world.activate(**OLD)
    world.broker.offer("acme", COMMAND, '"same"', message_id="used")
    world.minutes(3)
    assert "used" in world.ended()
    world.activate(**NEW)
    world.minutes(12)
    pin = world.store.states(["acme"])["acme"].pin
    assert pin
    assert pin.since is not None
    return world


def test_an_id_that_the_first_customer_used_is_no_repeat_of_its_message() -> None:
    """The new one's is kept as dead: not dropped as executed, and not mixed with the other's."""
    world = passed_on(lambda _content, _context: None)
    for _ in range(2):
        world.broker.offer("acme", COMMAND, '"same"', message_id="used")
        world.minutes(2)
    (dead,) = world.live().values()
    assert (dead.state, dead.dead_reason) == (State.DEAD, DeadReason.ID_REUSED)
    assert "customer" in (dead.error or "")
    assert world.ran == [("acme", "used")]
    world.broker.offer("acme", COMMAND, '"own"', message_id="own")
    world.minutes(2)
    world.broker.offer("acme", COMMAND, '"own"', message_id="own")
    world.minutes(2)
    assert world.ran == [("acme", "used"), ("acme", "own")]  # its own repeats are repeats


@pytest.mark.parametrize("ends", [True, False])
def test_an_effect_of_the_first_customer_is_none_of_the_new_ones(ends: bool) -> None:  # noqa: FBT001
    """The same key of `once` does it again, for the new one; its own repeats do not."""
    done: list[str] = []

    def pays(_content: str, context: Context) -> None:
        def pay() -> str:
            done.append(context.message_id)
            if not ends and len(done) == 1:
                raise ValueError
            return context.message_id

        with suppress(ValueError):
            assert context.once("order 7", pay) in {"used", "new"}

    world = passed_on(pays)
    for name in ("new", "again"):
        world.broker.offer("acme", COMMAND, '"other"', message_id=name)
        world.minutes(2)
    assert world.ended().keys() == {"used", "new", "again"}
    assert done == ["used", "new"]


def test_a_rotation_forgets_no_repeat() -> None:
    """New credentials of the same customer: what was executed before is executed still."""
    world = used(**OLD)
    world.minutes(60)
    ran = len(world.ran)
    again = world.ran[0][1]
    world.activate(**{**OLD, "clientId": "another"})
    world.minutes(6)
    text = world.ended()[again].message.content.text
    assert text
    world.broker.offer("acme", COMMAND, text, message_id=again)
    world.minutes(2)
    assert (len(world.ran), world.live()) == (ran, {})


def test_a_halt_ends_with_its_own_credentials(logged: Logged) -> None:
    """Given back, everything goes on by itself; each message was executed once."""
    world = used(**OLD)
    world.activate(**NEW)
    world.minutes(60)
    world.activate(**OLD)
    world.minutes(60)
    assert (world.live(), rows(world)[0]) == ({}, False)
    assert len(world.broker.sent) == 2
    assert len(logged("tenant_resumed")) == 1
    results = {
        it.message.id: [own.result for own in it.message.attempts] for it in world.ended().values()
    }
    assert results["answered"] == [Result.DONE]
    assert results["fails"] == [Result.RETRY, Result.DONE]


def test_a_halt_outlives_the_process() -> None:
    world = used(**OLD)
    world.activate(**NEW)
    before = touched(world)
    for _ in range(5):
        world.cold_start()
        world.minutes(10)
    assert touched(world) == before


@pytest.mark.parametrize("elsewhere", [True, False])
def test_two_processes_of_which_one_knows_the_old_secret(*, elsewhere: bool) -> None:
    """Neither sends what the other one's customer wrote."""
    world = used(**OLD)
    other = world.elsewhere()
    other.tick()
    sent = len(world.broker.sent)
    world.activate(**NEW)
    for number in range(20):
        world.clock.forward(minutes=1)
        (other if elsewhere == bool(number % 2) else world.poll).tick()
    assert len(world.broker.sent) == sent


def test_a_secret_that_is_deleted_sends_nothing_more() -> None:
    """Not even in the five minutes for which a list of secrets is kept."""
    world = used(**OLD)
    world.secrets.remove("acme")
    before = touched(world)
    world.minutes(10)
    assert touched(world) == before
    assert world.live().keys() == {"D-answered/reply/1", "fails"}


# The same customer.


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (GUID, GUID.upper()),
        (GUID, f"{{{GUID}}}"),
        (f"urn:uuid:{GUID}", GUID.replace("-", "")),
        ("T-Old", "t-old"),
    ],
)
def test_new_credentials_of_the_same_id_are_a_rotation(first: str, second: str) -> None:
    """By hand, without the operator's command, and however the id is written."""
    world = used(clientId="OLD", tenantId=first)
    world.activate(clientId="NEW", tenantId=second)
    world.minutes(60)
    assert (world.live(), rows(world)) == ({}, (False, ""))


def test_a_new_password_is_no_new_customer() -> None:
    world = used(clientId="OLD")
    world.activate(clientId="OLD", clientSecret="renewed")
    world.minutes(60)
    assert world.live() == {}


def test_what_rac_names_decides_where_the_secret_names_nobody() -> None:
    """A client that was never seen, of the tenant id that is pinned."""
    world = used(**OLD)
    world.broker.tenant_ids["NEW"] = "T-OLD"
    world.activate(clientId="NEW")
    world.minutes(60)
    assert world.live() == {}


@pytest.mark.parametrize("error", [Unavailable("down"), CredentialsRefused("who?")])
def test_unknown_credentials_touch_nothing_until_rac_has_named_them(error: Exception) -> None:
    """Meanwhile the tenant fails, and is paused, as with any RAC that is down."""
    world = used(**OLD)
    world.broker.tenant_ids["NEW"] = "t-old"
    world.activate(clientId="NEW")
    world.broker.faults.fail("tenant_id", error, times=5)
    before = touched(world)
    world.minutes(5)
    assert touched(world) == before
    assert world.store.states(["acme"])["acme"].failures >= 3
    world.minutes(90)
    assert world.live() == {}


def test_a_client_that_rac_gives_to_another_tenant_halts_the_name() -> None:
    """The secret has not changed; the tokens that it gets have."""
    world = World(behave=behave)
    world.broker.tenant_ids["id"] = "t-old"
    world.broker.offer("acme", COMMAND, "answered", message_id="m")
    world.tick()
    world.deliver()
    world.broker.tenant_ids["id"] = "t-new"
    before = touched(world)
    world.minutes(30)
    assert touched(world) == before
    assert rows(world)[0]
    world.broker.tenant_ids["id"] = "t-old"
    world.minutes(5)
    assert world.live() == {}


def test_a_tenant_without_a_pin_gets_one_at_its_first_use() -> None:
    """As after the release that brought pins: what lives goes on, and costs nothing after."""
    world = used(**OLD)
    state = world.store.states(["acme"])["acme"]
    world.store.pin("acme", None, state.pin)
    world.cold_start()
    world.minutes(60)
    pin = world.store.states(["acme"])["acme"].pin
    assert pin
    assert pin.tenant_id == "t-old"
    assert world.live() == {}


@pytest.mark.parametrize("named", [None, "t-one"])
def test_a_pin_is_written_once(named: str | None) -> None:
    world = World()
    if named:
        world.broker.tenant_ids["id"] = named
    world.minutes(2)
    before = world.store.operations["write"]
    world.minutes(6)
    assert world.store.operations["write"] == before


def test_a_pin_survives_whoever_knows_an_older_state() -> None:
    """A process that read the state before it was pinned writes what it changes, and no more."""
    world = World()
    world.activate(**OLD)
    other = world.elsewhere()
    world.broker.faults.fail("tenant_id", Unavailable("down"))
    other.tick()  # knows the tenant without a pin
    world.minute()
    world.broker.faults.fail("get", Unavailable("down"))
    world.clock.forward(minutes=1)
    other.tick()
    pin = world.store.states(["acme"])["acme"].pin
    assert pin
    assert pin.tenant_id == "t-old"


def test_a_first_use_takes_the_name_from_nobody() -> None:
    """A process that knows the name as never used is held up until another customer has it."""
    world = World(behave=behave)
    world.activate(**NEW)

    def first() -> None:
        world.activate(**OLD)
        world.cold_start()
        world.tick()

    world.store.faults = interruptions = Interruptions()
    interruptions.at("before due", first)
    world.elsewhere().tick()
    pin = world.store.states(["acme"])["acme"].pin
    assert pin
    assert pin.tenant_id == "t-old"


@pytest.mark.parametrize("broken", ["has_live", "pin"])
def test_a_database_that_does_not_say_whose_the_name_is(broken: str, logged: Logged) -> None:
    """Nothing is done for the tenant then, and the next tick decides."""
    world = used(**OLD)
    if broken == "pin":
        world.minutes(60)
    world.activate(**NEW)
    world.minutes(6)
    world.store.faults.fail(broken, Unavailable("down"), times=3)
    before = touched(world)
    world.clock.forward(minutes=6)
    for _ in range(3):
        world.tick(minutes=1)
    after = touched(world)
    assert after[:2] == before[:2]
    assert logged("turn_failed")
    world.minutes(5)
    assert rows(world)[0] == (broken != "pin")


def test_an_answer_may_wait_for_weeks() -> None:
    """A name whose secret comes back is its customer's as if nothing had been."""
    world = used(**OLD)
    world.secrets.remove("acme")
    world.clock.forward(days=20)
    world.minutes(10)
    world.activate(**OLD)
    world.minutes(60)
    assert world.live() == {}
    assert world.clock() - world.ended()["fails"].ended < timedelta(hours=2)


# What was dispatched before the halt.


def dispatched() -> World:
    """Two messages are dispatched; before they are delivered the name is another customer's."""
    world = World(behave=behave)
    world.activate(**OLD)
    world.broker.offer("acme", COMMAND, "answered", message_id="one")
    world.broker.offer("acme", COMMAND, "answered", message_id="two")
    world.tick(minutes=1)
    world.activate(**NEW)
    return world


def test_what_was_dispatched_before_the_halt_does_not_run(logged: Logged) -> None:
    """No run, no attempt; given back its own credentials, each is executed once."""
    world = dispatched()
    world.tick(minutes=6)
    while world.deliver():
        pass
    assert world.ran == []
    assert {it.attempt for it in world.live().values()} == {0}
    assert len(logged("dispatches_recalled")) == 1
    world.minutes(30)
    assert world.ran == []
    world.activate(**OLD)
    world.minutes(30)
    assert sorted(name for _, name in world.ran) == ["one", "two"]
    assert {it.message.attempt for it in world.ended().values()} == {1}


def test_what_a_process_that_does_not_know_of_the_halt_dispatches_is_recalled() -> None:
    """Its turn was at it; a message it hands back waits as well."""
    world = dispatched()
    world.tick(minutes=6)
    late = [replace(it.message, state=State.PENDING) for it in world.store.live("acme").values()]
    versions = [it.version for it in world.store.live("acme").values()]
    world.store.swap("acme", [Stored(*it) for it in zip(late, versions, strict=True)])
    world.tick(minutes=1)
    world.deliver()
    assert world.ran == []
    assert {it.state for it in world.live().values()} == {State.WAITING}


def test_a_recall_that_fails_goes_on_at_the_next_tick() -> None:
    world = dispatched()
    world.store.faults.fail("swap", Unavailable("down"))
    world.tick(minutes=6)
    world.tick(minutes=1)
    world.deliver()
    assert world.ran == []


def test_a_recall_ends() -> None:
    """A name that is halted for weeks is not looked through each minute."""
    world = dispatched()
    world.minutes(30)
    before = world.store.operations["read"]
    world.minutes(10)
    assert world.store.operations["read"] - before <= 50
