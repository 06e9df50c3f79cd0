"""Invariant 13: the messages of one key run one after the other, in the order of their receipt."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from smartlink.consumer import Context, Continue, FatalError, Reply, RetryableError, Returned
from smartlink.domain.message import DeadReason, State
from smartlink.operations.actions import DISCARD, REDRIVE, Action
from smartlink.operations.audit import Note
from smartlink.ports import Refused, Unavailable
from smartlink.services.order import keys_of, wake
from smartlink.services.settle import Pending, settle_all
from tests.scenarios.conftest import Logged
from tests.scenarios.test_cost import spent
from tests.support.inline import ProcessEndedError
from tests.support.world import (
    COMMAND,
    OTHER,
    SECRET_ONE,
    Interruptions,
    Slow,
    World,
    catalog,
    config_file,
)

DAYS = timedelta(days=90)
ORDERED = catalog(**{COMMAND: {"ordered": "/invoice"}})


class Ledger:
    """What ran, in the order in which it ended; and what is to go wrong."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.fails: dict[str, int] = {}  # by content's name: in how many attempts
        self.rejects: set[str] = set()
        self.before: Callable[[str], object] = lambda _: None

    def __call__(self, content: str, context: Context) -> Returned:
        name = _name(content)
        self.before(name)
        if name in self.rejects:
            raise FatalError("never")
        if context.attempt <= self.fails.get(name, 0):
            raise RetryableError("locked")
        self.done.append(name)
        return Reply("ProbeResponse", name)


def _name(content: str) -> str:
    return str(json.loads(content)["name"]) if content.startswith("{") else content


def body(name: str) -> str:
    """`A1` is the first message of the invoice A."""
    return json.dumps({"invoice": name[0], "name": name})


def offer(world: World, *names: str, command: str = COMMAND) -> None:
    for name in names:
        world.broker.offer("acme", command, body(name), message_id=name)


def ordered(text: str = ORDERED, **variables: str) -> tuple[World, Ledger]:
    ledger = Ledger()
    world = World(catalog_json=text, behave=ledger, variables=variables)
    world.config.put(config_file(interval=1))
    return world, ledger


def of(ledger: Ledger, key: str) -> list[str]:
    return [name for name in ledger.done if name[0] == key]


def test_a_message_that_waits_for_its_retry_holds_back_its_own_key() -> None:
    """A2 and A3 wait for A1; B1 does not."""
    world, ledger = ordered()
    ledger.fails["A1"] = 1
    offer(world, "A1", "A2", "A3", "B1")
    world.minute()
    assert ledger.done == ["B1"]
    assert world.live()["A2"].attempt == 0, "the first failure hands back the rest, uncharged"
    world.minutes(30)
    assert ledger.done == ["B1", "A1", "A2", "A3"]
    assert not world.live()


@pytest.mark.parametrize("whole", [True, "tenant"])
def test_the_tenant_may_be_the_key(whole: object) -> None:
    """RM's own order: one loop. True in the catalogue means the same."""
    world, ledger = ordered(catalog(**{COMMAND: {"ordered": whole}}))
    ledger.fails["A1"] = 1
    offer(world, "A1", "B1", "A2")
    world.minute()
    assert not ledger.done
    world.minutes(30)
    assert ledger.done == ["A1", "B1", "A2"]


def test_two_tenants_have_nothing_to_do_with_each_other() -> None:
    ledger = Ledger()
    world = World(("acme", "globex"), catalog_json=ORDERED, behave=ledger)
    ledger.fails["A1"] = 9
    world.broker.offer("acme", COMMAND, body("A1"))
    world.broker.offer("globex", COMMAND, body("A2"))
    world.minutes(2)
    assert ledger.done == ["A2"]


def test_a_dead_message_holds_its_key_until_an_operator_redrives_it() -> None:
    """At its place: it runs before those that came after it."""
    world, ledger = ordered()
    ledger.rejects.add("A1")
    offer(world, "A1", "A2", "B1")
    world.minutes(180)
    assert ledger.done == ["B1"]
    assert world.live()["A1"].state is State.DEAD
    ledger.rejects.clear()
    redrive(world, "A1")
    world.minutes(3)
    assert ledger.done == ["B1", "A1", "A2"]


def test_a_dead_message_that_is_discarded_lets_its_key_go_on() -> None:
    """Soon, although the one behind it has waited for hours."""
    world, ledger = ordered()
    ledger.rejects.add("A1")
    offer(world, "A1", "A2", "A3")
    world.minutes(180)
    assert not ledger.done
    discard(world, "A1")
    world.minutes(2)
    assert ledger.done == ["A2", "A3"]


def test_a_dead_message_may_be_passed() -> None:
    """`"whenDead": "pass"`: those behind it go on at once; redriven, it is the last."""
    world, ledger = ordered(catalog(**{COMMAND: {"ordered": "/invoice", "whenDead": "pass"}}))
    ledger.rejects.add("A1")
    ledger.fails["A3"] = 1
    offer(world, "A1", "A2", "A3")
    world.minute()
    assert ledger.done == ["A2"]
    ledger.rejects.clear()
    redrive(world, "A1")
    world.minutes(2)
    assert ledger.done == ["A2"], "A3 came before it now, and waits for its retry"
    world.minutes(30)
    assert ledger.done == ["A2", "A3", "A1"]


def test_one_that_crashes_out_of_attempts_is_passed_too() -> None:
    """The sweep declares it dead, and wakes the next one."""
    world, ledger = ordered(
        catalog(**{COMMAND: {"ordered": "/invoice", "whenDead": "pass", "attempts": 1}})
    )
    world.runner.crashes = lambda stored: stored.message.id == "A1"
    offer(world, "A1", "A2")
    world.minutes(30)
    assert of(ledger, "A")[-1] == "A2"
    assert world.live()["A1"].state is State.DEAD


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        "{}",
        '{"invoice": null}',
        '{"invoice": {"number": 1}}',
        '{"header": {"invoice": 1}, "content": {}}',
        '{"INVOICE": 2, "Invoice": 3}',
    ],
)
def test_a_payload_without_the_key_is_dead_and_holds_nobody_back(content: str) -> None:
    world, ledger = ordered()
    world.broker.offer("acme", COMMAND, content, message_id="odd")
    offer(world, "A1")
    world.minute()
    assert ledger.done == ["A1"]
    odd = world.live()["odd"]
    assert (odd.state, odd.dead_reason, odd.order) == (State.DEAD, DeadReason.MALFORMED, None)
    assert "/invoice" in (odd.error or "")
    redrive(world, "odd")
    offer(world, "A2")
    world.minutes(5)
    assert ledger.done == ["A1", "A2"]
    assert world.live()["odd"].state is State.DEAD


@pytest.mark.parametrize(
    ("pointer", "content", "key"),
    [
        ("/invoice", '{"invoice": "7"}', "7"),
        ("/invoice", '{"invoice": 7}', "7"),
        ("/invoice", '{"invoice": 7.10}', "7.10"),
        ("/invoice", '{"invoice": true}', "true"),
        ("/invoice", '{"Invoice": "7"}', "7"),
        ("/order/number", '{"order": {"number": 12345678901234567890}}', "12345678901234567890"),
        ("/rows/1/id", '{"rows": [{"id": "a"}, {"id": "b"}]}', "b"),
        ("/a~1b/~0", '{"a/b": {"~": "x"}}', "x"),
        ("/invoice", '{"header": {"type": "T"}, "content": {"invoice": "7"}}', "7"),
        ("/invoice", '{"header": {"type": "T"}, "content": "{\\"invoice\\": \\"7\\"}"}', "7"),
        ("/invoice", '{"specversion": "1.0", "data": {"invoice": "7"}}', "7"),
    ],
)
def test_the_key_is_read_from_the_payloads_body(pointer: str, content: str, key: str) -> None:
    """In each style, without the consumer's code."""
    world, _ = ordered(catalog(**{COMMAND: {"ordered": pointer}}))
    world.broker.offer("acme", COMMAND, content, message_id="m")
    world.tick(minutes=1)
    order = world.live()["m"].order
    assert order is not None
    assert (order.key, order.by) == (f"{COMMAND} {pointer} {key}", pointer)


def test_a_personal_key_is_kept_hashed() -> None:
    """Nothing shows whom it is about; the order is the same."""
    world, ledger = ordered(catalog(**{SECRET_ONE: {"ordered": "/invoice"}}))
    ledger.fails["A1"] = 1
    for name in ("A1", "A2", "B1"):
        content = json.dumps({"invoice": f"{name[0]}-529.982.247-25", "name": name})
        world.broker.offer("acme", SECRET_ONE, content, message_id=name)
    world.minute()
    orders = [it.order for it in world.live().values()]
    assert orders
    assert "529" not in repr(orders)
    world.minutes(30)
    assert ledger.done == ["B1", "A1", "A2"]


def test_more_messages_of_a_key_than_a_dispatch_holds_follow_at_once() -> None:
    """All within one minute: each run publishes the next one."""
    world, ledger = ordered(SMARTLINK_DISPATCH_BATCH="7", SMARTLINK_RECEIVE_BATCH="10")
    names = [f"A{number}" for number in range(100)]
    offer(world, *names)
    world.minute()
    assert ledger.done == names
    world.minutes(2)
    assert not world.live()
    assert world.replies_to() == names


def test_a_hundred_long_ones_follow_each_other_without_a_wait() -> None:
    """100 messages of one key end within 100 times their run time and 10 s: a call whose time is up
    hands on to the next."""
    world, ledger = ordered()
    names = [f"A{number}" for number in range(100)]
    ledger.before = lambda _: world.clock.forward(seconds=30)
    offer(world, *names)
    began = world.clock.now + timedelta(minutes=1)
    world.minute()
    assert ledger.done == names
    assert world.clock.now - began <= timedelta(seconds=100 * 30 + 10)


def test_what_comes_while_a_key_runs_waits_and_follows() -> None:
    """A poll in the middle of A1 stores A2, and does not dispatch it; A1's end does."""
    world, ledger = ordered()
    offer(world, "A1")
    world.tick(minutes=1)

    def meanwhile(name: str) -> None:
        if name == "A1":
            offer(world, "A2", "B1")
            world.tick(minutes=1)
            for topic, envelope in world.publisher.take():
                world.delivery(topic, envelope)
            assert ledger.done == ["B1"]

    ledger.before = meanwhile
    world.deliver()
    world.deliver()
    assert ledger.done == ["B1", "A1", "A2"]


def test_a_delivery_that_comes_twice_runs_nothing_beside_itself() -> None:
    """Again, and again in the middle of the first one."""
    world, ledger = ordered()
    offer(world, "A1", "A2", "A3")
    world.tick(minutes=1)
    [delivery] = world.publisher.take()
    running: list[str] = []

    def meanwhile(name: str) -> None:
        assert not running, "no two of a key at once"
        running.append(name)
        world.delivery(*delivery)
        running.remove(name)

    ledger.before = meanwhile
    world.delivery(*delivery)
    world.delivery(*delivery)
    assert ledger.done == ["A1", "A2", "A3"]


def test_a_crash_between_two_of_a_key_loses_no_place() -> None:
    """The process dies while A2 runs: A2 runs again before A3."""
    world, ledger = ordered()
    crashes = ["A2"]
    world.runner.crashes = lambda stored: stored.message.id in crashes and bool(crashes.pop())
    offer(world, "A1", "A2", "A3", "A4")
    world.minutes(60)
    assert ledger.done == ["A1", "A2", "A2", "A3", "A4"]
    assert not world.live()


def test_a_crash_before_the_next_one_is_dispatched_is_made_good_by_the_redelivery() -> None:
    world, ledger = ordered(SMARTLINK_DISPATCH_BATCH="1")
    offer(world, "A1", "A2")
    world.tick(minutes=1)
    world.store.faults = faults = Interruptions()
    faults.at("before in_order", _die)
    world.deliver()
    assert ledger.done == ["A1"]
    world.store.faults = Interruptions()
    world.redeliver()
    world.deliver()
    assert ledger.done == ["A1", "A2"]


def test_what_nobody_dispatched_is_found_within_the_hour() -> None:
    """Even if Pub/Sub has given the delivery up."""
    world, ledger = ordered(SMARTLINK_DISPATCH_BATCH="1")
    offer(world, "A1", "A2")
    world.tick(minutes=1)
    world.store.faults = faults = Interruptions()
    faults.at("before in_order", _die)
    world.deliver()
    world.undelivered.clear()
    world.minutes(65)
    assert ledger.done == ["A1", "A2"]


def _die() -> None:
    raise ProcessEndedError


def test_without_pubsub_the_sweep_dispatches_what_follows() -> None:
    world, ledger = ordered(SMARTLINK_DISPATCH_BATCH="1")
    offer(world, "A1", "A2")
    world.tick(minutes=1)
    world.publisher.faults.fail("publish", Unavailable("Pub/Sub is down"))
    world.deliver()
    assert ledger.done == ["A1"]
    world.minutes(3)
    assert ledger.done == ["A1", "A2"]


def test_what_waits_for_its_turn_holds_up_nothing_that_comes() -> None:
    """Nobody's dispatch is overdue: the tenant receives."""
    world, ledger = ordered()
    ledger.rejects.add("A1")
    offer(world, "A1", "A2", "A3")
    world.minutes(4)
    offer(world, "B1")
    world.minute()
    assert ledger.done == ["B1"]
    waiting = world.live()["A2"]
    assert (waiting.state, waiting.queued) == (State.WAITING, True)


def test_what_waits_for_its_turn_is_not_looked_at_in_each_minute() -> None:
    """Once an hour, whatever it waits for."""
    world, ledger = ordered()
    ledger.rejects.add("A1")
    offer(world, "A1", *(f"A{number}" for number in range(2, 22)))
    world.minutes(5)
    before = world.store.operations.copy()
    world.minutes(50)
    cost = spent(world, before)
    assert cost["write"] <= 2 * 50, "the intake, and the tenant's state"


def test_an_ordered_message_costs_a_read_and_a_write_more_at_most() -> None:
    """Of one key, and of a hundred keys; a command without order costs nothing more."""
    for text, names in (
        (catalog(), [f"A{number}" for number in range(100)]),
        (ORDERED, [f"A{number}" for number in range(100)]),
        (ORDERED, [f"{chr(200 + number)}1" for number in range(100)]),
        (catalog(**{OTHER: {"ordered": "/invoice"}}), [f"A{number}" for number in range(100)]),
    ):
        world, ledger = ordered(text)
        world.minutes(2)
        before = world.store.operations.copy()
        offer(world, *names)
        world.minute()
        assert ledger.done == names
        cost = spent(world, before)
        plain = COMMAND not in world.settings.catalog.ordered
        assert cost["write"] <= 500 + (0 if plain else 100), text  # 100 replies among them
        assert cost["read"] <= 103 + (0 if plain else 100), text
        assert cost["delete"] == 100


def test_what_waits_in_several_pages_costs_no_more() -> None:
    """Its state is written when it begins to wait, and it is read when its turn has come."""
    world, ledger = ordered(SMARTLINK_RECEIVE_BATCH="25", SMARTLINK_DISPATCH_BATCH="25")
    names = [f"A{number}" for number in range(100)]
    world.minutes(2)
    before = world.store.operations.copy()
    offer(world, *names)
    world.minute()
    assert ledger.done == names
    cost = spent(world, before)
    assert cost["write"] <= 500 + 100
    assert cost["read"] <= 103 + 100


def test_only_what_comes_ordered_takes_the_tenants_one_session() -> None:
    """A tenant to whom no ordered message comes has several, and no intake."""
    world, _ = ordered(catalog(**{OTHER: {"ordered": "/invoice"}}))
    offer(world, "A1", "A2")
    world.minutes(2)
    assert world.store.intake("acme") is None
    assert not world.store.states(["acme"])["acme"].ordered


def test_one_process_receives_for_a_tenant_at_a_time() -> None:
    """Another poll, in the middle of a batch, leaves the queue alone: A1 was received first."""
    world, ledger = ordered()
    offer(world, "A0")
    world.minute()
    other = world.elsewhere()
    offer(world, "A1")
    world.store.faults = faults = Interruptions()

    def meanwhile() -> None:
        offer(world, "A2")
        other.tick()
        while world.deliver():
            pass

    faults.at("before take_in", lambda: None)  # the one of the intake itself
    faults.at("before alive", lambda: None)
    world.broker.faults = broker_faults = Interruptions()
    broker_faults.at("after get", meanwhile)
    world.minute()
    world.minutes(2)
    assert ledger.done == ["A0", "A1", "A2"]


def test_who_lost_the_intake_stores_nothing() -> None:
    """Its messages stay in the broker, and come again."""
    world, ledger = ordered()
    offer(world, "A0")
    world.minute()
    offer(world, "A1")
    world.broker.faults = faults = Interruptions()

    def robbed() -> None:
        found = world.store.intake("acme")
        assert found is not None
        intake, version = found
        thief = type(intake)("thief", world.clock.now, intake.last, intake.ordered)
        world.store.take_in("acme", thief, version)

    faults.at("after get", robbed)
    world.tick(minutes=1)
    assert "A1" not in world.live()
    assert world.broker.waiting("acme") == 1
    world.minutes(2)
    assert ledger.done == ["A0", "A1"]


def test_an_answer_that_got_lost_stores_nothing_twice() -> None:
    """The commit took effect, the process was told otherwise: it looks."""
    world, ledger = ordered()
    offer(world, "A0")
    world.minute()
    offer(world, "A1", "A2")
    world.store.faults.fail("take_in", Unavailable("lost"), applied=True)
    world.minutes(5)
    assert ledger.done == ["A0", "A1", "A2"]
    assert not world.live()


def test_repeats_among_ordered_messages_are_dropped_and_keep_nobody_waiting() -> None:
    """One that is live, one that has ended, one whose id was used for another content."""
    world, ledger = ordered()
    ledger.fails["B1"] = 1
    offer(world, "A1", "B1")
    world.minute()
    offer(world, "A1", "A2", "B1", "B2")
    world.broker.offer("acme", COMMAND, body("A9"), message_id="A1")
    offer(world, "A3")
    world.minutes(30)
    assert of(ledger, "A") == ["A1", "A2", "A3"]
    assert of(ledger, "B") == ["B1", "B2"]
    [reused] = world.live().values()
    assert (reused.dead_reason, reused.order) == (DeadReason.ID_REUSED, None)


def test_the_replies_of_a_key_are_sent_in_order() -> None:
    """One that is refused holds back those behind it, and nobody else's."""
    world, _ = ordered()
    offer(world, "A1", "A2", "A3", "B1")
    world.minute()
    world.broker.faults.fail("send", Refused("not now"))
    world.minute()
    assert world.replies_to() == ["B1"]
    world.minutes(60)
    assert world.replies_to() == ["B1", "A1", "A2", "A3"]


def test_a_reply_that_a_lowered_limit_made_dead_holds_back_its_key() -> None:
    """It is found dead in the very page that shows those behind it."""
    world, _ = ordered()
    offer(world, "A1", "A2", "B1")
    world.minute()
    world.broker.faults.fail("send", Refused("404"), times=1)
    world.minute()
    assert world.replies_to() == ["B1"]
    world.config.put(config_file(attempts=1, interval=1))
    world.minutes(60)
    assert world.replies_to() == ["B1"]
    [first, behind] = sorted(world.live().values(), key=lambda it: it.document)
    assert (first.dead_reason, behind.queued) == (DeadReason.EXHAUSTED, True)
    discard(world, first.id)
    world.minutes(31)
    assert world.replies_to() == ["B1", "A2"]


@pytest.mark.parametrize("others", [(), ("B1", "B2")])
def test_behind_a_reply_that_is_refused_when_it_is_sent_to_try_nothing_of_its_key_is_sent(
    others: Sequence[str],
) -> None:
    """Another key's is: it is tried next."""
    world, _ = ordered()
    offer(world, "A1", "A2", "A3", *others)
    world.minute()
    world.broker.faults.fail("send", Unavailable("down"), times=2)
    world.minutes(1)
    world.broker.faults.clear()
    world.broker.faults.fail("send", Refused("404"))
    world.minute()
    assert world.replies_to() == [*others]
    world.minutes(30)
    assert world.replies_to() == [*others, "A1", "A2", "A3"]


@pytest.mark.parametrize("act", ["redrive", "discard"])
def test_all_that_waits_behind_a_dead_reply_goes_on_after_an_operators_act(act: str) -> None:
    """Not one in each minute, and not when its own wait is over."""
    world, _ = ordered(catalog(**{COMMAND: {"ordered": "/invoice"}}))
    world.config.put(config_file(attempts=1))
    names = [f"A{number}" for number in range(1, 7)]
    offer(world, *names)
    world.minute()
    world.broker.faults.fail("send", Refused("404"))
    world.minutes(5)
    [dead] = [it for it in world.live().values() if it.state is State.DEAD]
    assert world.replies_to() == []
    {"redrive": redrive, "discard": discard}[act](world, dead.id)
    world.minutes(2)
    assert world.replies_to() == (names if act == "redrive" else names[1:])


def test_what_cannot_be_let_go_then_is_sent_when_its_own_wait_is_over(logged: Logged) -> None:
    world, _ = ordered()
    world.config.put(config_file(attempts=1))
    offer(world, "A1", "A2")
    world.minute()
    world.broker.faults.fail("send", Refused("404"))
    world.minutes(5)
    redrive(world, "D-A1/reply/1")
    world.store.faults = failing = Interruptions()
    failing.at("after commit", lambda: failing.fail("in_order", Unavailable("down")))
    world.minutes(2)
    assert world.replies_to() == ["A1"]
    assert len(logged("turn_not_given")) == 1
    world.minutes(30)
    assert world.replies_to() == ["A1", "A2"]


def test_an_overlapping_poll_puts_nothing_off_behind_what_the_other_one_sends() -> None:
    """The first one ends with its chunk; what it has, is sent when the next minute begins."""
    every = catalog(**{COMMAND: {"ordered": "tenant"}})
    world, _ = ordered(every, SMARTLINK_DUE_PAGE="20")
    names = [f"A{number}" for number in range(60)]
    offer(world, *names)
    world.minute()
    assert world.replies_to() == []
    world.broker.faults = overlap = Interruptions()
    overlap.at("before send", lambda: world.elsewhere().tick())
    world.turns.budget = 1
    world.tick(minutes=1)
    assert 0 < len(world.replies_to()) < len(names)
    world.turns.budget = None
    world.minute()
    assert world.replies_to() == names


def test_a_changed_path_lets_nothing_overtake() -> None:
    """What was stored under the old one has a key of the new one, before anything is received."""
    world, ledger = ordered(catalog(**{COMMAND: {"ordered": "/invoice"}}))
    ledger.fails["A1"] = 1
    for name, customer in (("A1", "x"), ("B1", "y")):
        content = json.dumps({"invoice": name[0], "customer": customer, "name": name})
        world.broker.offer("acme", COMMAND, content, message_id=name)
    world.minute()
    world.catalog_json = catalog(**{COMMAND: {"ordered": "/customer"}})
    world.cold_start()
    for name, customer in (("C1", "x"), ("D1", "y")):
        content = json.dumps({"invoice": name[0], "customer": customer, "name": name})
        world.broker.offer("acme", COMMAND, content, message_id=name)
    world.minutes(2)
    assert ledger.done == ["B1", "D1"], "C1 is of A1's customer, and A1 waits for its retry"
    world.minutes(30)
    assert ledger.done == ["B1", "D1", "A1", "C1"]


def test_what_came_before_its_command_was_ordered_comes_first() -> None:
    """What waits for its retry gets a place as soon as the first ordered message comes."""
    world, ledger = ordered(catalog())
    ledger.fails["A1"] = 1
    offer(world, "A1")
    world.minute()
    world.catalog_json = ORDERED
    world.cold_start()
    offer(world, "A2", "B1")
    world.minutes(3)
    assert ledger.done == ["B1"]
    world.minutes(30)
    assert ledger.done == ["B1", "A1", "A2"]


def test_an_unreadable_message_holds_its_own_key() -> None:
    """Nobody knows whether it has run. Its discard lets the key go on within the hour."""
    world, ledger = ordered()
    ledger.fails["A1"] = 9
    offer(world, "A1", "A2", "B1")
    world.minute()
    world.store.make_unreadable("acme", "D-A1")
    world.minutes(30)
    assert ledger.done == ["B1"]


def test_numbers_rise_even_if_the_clock_goes_back() -> None:
    world, ledger = ordered()
    offer(world, "A1")
    world.minute()
    world.clock.forward(hours=-1)
    ledger.rejects = {"A2"}
    offer(world, "A2")
    world.minutes(61)
    offer(world, "A3")
    world.minutes(3)
    orders = [it.order for it in world.live().values()]
    assert [it.number for it in orders if it] == sorted(it.number for it in orders if it)
    assert ledger.done == ["A1"]


def redrive(world: World, identity: str) -> None:
    _operate(world, identity, REDRIVE)


def discard(world: World, identity: str) -> None:
    _operate(world, identity, DISCARD)


def _operate(world: World, identity: str, action: Action) -> None:
    [stored] = [it for it in world.store.live("acme").values() if it.message.id == identity]
    note = Note("operator@example.com", "looked into", world.clock.now, world.clock.now + DAYS)
    claim = stored.message.claim.id if stored.message.claim else ""
    settled = settle_all(world.store, "acme", [Pending(action.settle(stored, note), claim, stored)])
    assert len(settled.written) == 1
    if action.ends:
        wake(world.store, "acme", keys_of([stored]), world.clock.now)


def test_the_steps_of_a_work_keep_its_place() -> None:
    """A2 runs when the last step of A1 has ended; and so go the replies."""
    world, ledger = ordered()
    plain = ledger.__call__

    def steps(content: str, context: Context) -> Returned:
        name = _name(content)
        plain(content, context)
        if name.startswith("A1") and len(name) < 4:
            further = {"invoice": "A", "name": f"{name}+"}
            return Continue(further, [Reply("ProbeResponse", name)])
        return Reply("ProbeResponse", name)

    world.behave = steps
    offer(world, "A1", "A2", "B1")
    world.minutes(4)
    assert of(ledger, "A") == ["A1", "A1+", "A1++", "A2"]
    assert [it for it in world.replies_to() if it[0] == "A"] == ["A1", "A1+", "A1++", "A2"]
    assert not world.live()


def test_nothing_follows_while_the_tenants_name_is_halted() -> None:
    """It would run with the credentials of another customer."""
    world, ledger = ordered(SMARTLINK_DISPATCH_BATCH="1")
    offer(world, "A1", "A2")
    world.tick(minutes=1)
    state = world.store.states(["acme"])["acme"]
    world.store.save_state("acme", replace(state, halted=world.clock.now), state)
    while world.deliver():
        pass
    assert ledger.done == ["A1"]


def test_an_ordered_message_that_the_database_refuses_keeps_nobody_waiting() -> None:
    """It is kept dead with its envelope; those around it are stored in their order."""
    world, ledger = ordered()
    world.store.uncreatable = lambda message: message.document == "D-A2"
    offer(world, "A1", "A2", "A3")
    world.minutes(3)
    assert ledger.done == ["A1", "A3"]
    [refused] = world.live().values()
    assert (refused.state, refused.order) == (State.DEAD, None)


def test_a_message_that_was_not_acked_holds_its_place() -> None:
    """It is stored, comes again, and runs before those behind it."""
    world, ledger = ordered()
    world.broker.faults.fail("ack", Refused("unknown tag"))
    offer(world, "A1", "A2")
    world.minute()
    assert not ledger.done
    world.minutes(5)
    assert ledger.done == ["A1", "A2"]


def test_a_large_message_has_its_place_too() -> None:
    """Its content lies in the bucket."""
    world, ledger = ordered()
    ledger.fails["A1"] = 1
    large = json.dumps({"invoice": "A", "name": "A1", "pad": "x" * 300_000})
    world.broker.offer("acme", COMMAND, large, message_id="A1")
    offer(world, "A2")
    world.minutes(30)
    assert ledger.done == ["A1", "A2"]


def test_two_sessions_that_receive_already_leave_what_is_ordered() -> None:
    """Neither could tell which message came first: the next poll receives with one."""
    world, ledger = ordered(catalog(**{COMMAND: {"ordered": "/invoice"}}))
    poll_faults = Slow(world.clock, 60)
    world.broker.faults = poll_faults
    for number in range(20):
        offer(world, f"Z{number}", command=OTHER)
    offer(world, "A1", "A2")
    world.minutes(5)
    assert [name for name in ledger.done if name[0] == "A"] == ["A1", "A2"]


def test_a_command_that_is_ordered_no_more_runs_what_waits() -> None:
    """What has a place keeps to it; what comes now runs at once."""
    world, ledger = ordered()
    ledger.fails["A1"] = 1
    offer(world, "A1", "A2")
    world.minute()
    world.catalog_json = catalog()
    world.cold_start()
    offer(world, "A3")
    world.minute()
    assert ledger.done == ["A3"]
    world.minutes(70)
    assert ledger.done == ["A3", "A1", "A2"]
    assert not world.live()
