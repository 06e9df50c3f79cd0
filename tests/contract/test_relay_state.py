"""What the relay remembers beside messages: tenants' states, ticks, the last good configuration."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from smartlink.domain.noted import Noted
from smartlink.domain.pin import Pin
from smartlink.domain.tenant import TenantState
from smartlink.ports import ConfigFile, ContentSweep
from tests.contract.backends import Store
from tests.support.samples import LATER, NOW, pending

MINUTE = timedelta(minutes=1)
FULL = TenantState(
    setup="0f" * 32,
    commands=("SGDPDataCommand", "SGDPMaskCommand"),
    failures=4,
    paused_until=LATER,
    last_error="RAC answered 503 \ud800",
    last_error_at=NOW,
    last_success=NOW - MINUTE,
    orphaned=True,
    send_failed=LATER,
    sent=NOW,
    pin=Pin("0b1f22d4-5a7e-4c53-9a10-2f6f3c1f9d11", ("ab" * 32, "cd" * 32), NOW),
    halted=NOW,
    adopted="2025-03-09 ana: the same customer",
    counted=NOW,
)


def test_a_state_comes_back(store: Store) -> None:
    """A tenant that has none gets a new one, and knows it."""
    store.save_state("acme", FULL)
    store.save_state("plain", TenantState())
    states = store.states(["acme", "plain", "new"])
    assert states == {"acme": FULL, "plain": TenantState(), "new": TenantState()}
    assert [states[name].known for name in ("acme", "plain", "new")] == [True, True, False]
    assert store.states([]) == {}


def test_saving_a_state_leaves_nothing_of_the_last_one(store: Store) -> None:
    store.save_state("acme", FULL)
    fresh = replace(TenantState(), last_success=NOW)
    store.save_state("acme", fresh)
    assert store.states(["acme"]) == {"acme": fresh}


def test_saving_what_changed_leaves_the_rest(store: Store) -> None:
    """What another process wrote meanwhile stays; what is absent now is gone."""
    store.save_state("acme", FULL)
    known = replace(FULL, pin=None, commands=(), failures=4)
    store.save_state("acme", replace(known, failures=0, paused_until=None), known)
    assert store.states(["acme"]) == {"acme": replace(FULL, failures=0, paused_until=None)}
    store.save_state("acme", known, known)
    assert store.states(["acme"])["acme"].failures == 0
    store.save_state("new", replace(TenantState(), failures=1), TenantState())
    assert store.states(["new"]) == {"new": replace(TenantState(), failures=1)}


def test_a_name_is_pinned_only_over_the_pin_that_is_known(store: Store) -> None:
    """Whether there is a state or not; and nothing else of it changes."""
    one, other = Pin("t-one", ("a",)), Pin(None, ("b", "c"))
    assert store.pin("new", one, None)
    assert store.pin("new", one, None), "it is the same"
    assert not store.pin("new", other, None)
    assert store.states(["new"])["new"].pin == one
    store.save_state("acme", replace(FULL, pin=one))
    assert store.pin("acme", other, one)
    assert store.states(["acme"]) == {"acme": replace(FULL, pin=other)}
    assert store.pin("acme", None, other)
    assert store.states(["acme"]) == {"acme": replace(FULL, pin=None)}


def test_of_pins_at_once_one_holds(store: Store) -> None:
    with ThreadPoolExecutor(8) as threads:
        pins = [Pin(f"t-{number}", ()) for number in range(8)]
        pinned = list(threads.map(lambda pin: store.pin("acme", pin, None), pins))
    assert sum(pinned) == 1
    assert store.states(["acme"])["acme"].pin == pins[pinned.index(True)]


def test_whether_anything_of_a_tenant_lives(store: Store) -> None:
    """Also what is due never: a dead message."""
    assert not store.has_live("acme")
    store.create("other", [pending()])
    assert not store.has_live("acme")
    store.create("acme", [pending("dead", due=None)])
    assert store.has_live("acme")


def test_commands_are_noted_now_and_then(store: Store) -> None:
    """Each poll adds its own, and writes no more often than it is told to."""
    assert store.commands() == {}
    every = 10 * MINUTE
    first = store.note_commands(["A", "with.dots and `ticks`"], NOW, every)
    assert first == dict.fromkeys(("A", "with.dots and `ticks`"), Noted(NOW, NOW))
    assert store.commands() == first
    assert store.note_commands(["A"], NOW + 9 * MINUTE, every) == first
    later = NOW + 10 * MINUTE
    noted = store.note_commands(["A", "B"], later, every)
    assert noted == {**first} | {"A": Noted(NOW, later), "B": Noted(later, later)}
    assert store.commands() == noted


def test_polls_that_note_at_once_note_all(store: Store) -> None:
    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(store.note_commands, [name], NOW, MINUTE) for name in "ABCD"]
        for call in calls:
            call.result()
    assert store.commands().keys() == set("ABCD")


def test_every_tenant_with_a_state_is_known(store: Store) -> None:
    """More than a page of them."""
    assert store.known_tenants() == []
    names = sorted(f"tenant-{number:03}" for number in range(320))
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda name: store.save_state(name, TenantState()), names))
    assert store.known_tenants() == names
    assert set(store.states(names)) == set(names)


def test_a_tick_goes_only_forward(store: Store) -> None:
    assert store.advance(0, NOW, 0)
    assert not store.advance(0, NOW, 0)
    assert store.advance(0, NOW, 1)
    assert not store.advance(0, NOW, 0)
    assert not store.advance(0, NOW - MINUTE, 5)
    assert store.advance(0, NOW + MINUTE, 0)
    assert not store.advance(0, NOW, 9)


def test_shards_tick_apart(store: Store) -> None:
    assert store.advance(0, NOW, 3)
    assert store.advance(1, NOW, 0)
    assert not store.advance(0, NOW, 3)
    assert store.advance(0, NOW, 4)
    assert not store.advance(1, NOW, 0)
    assert store.advance(1, NOW, 1)


def test_of_calls_at_once_one_advances(store: Store) -> None:
    """Both where the shard never ticked before and where it did."""
    for sequence in range(3):
        with ThreadPoolExecutor(8) as threads:
            calls = [threads.submit(store.advance, 7, NOW, sequence) for _ in range(8)]
            assert sum(call.result() for call in calls) == 1


def test_the_last_good_configuration_comes_back(store: Store) -> None:
    assert store.load() is None
    first = ConfigFile("1741523415123457", b'{"a": "\xc3\xa9"}\xff\x00')
    store.save(first)
    assert store.load() == first
    second = ConfigFile("2", b"x" * 500_000)
    store.save(second)
    assert store.load() == second


def test_how_far_the_bucket_was_swept_comes_back(store: Store) -> None:
    assert store.content_sweep() is None
    for after in ("acme/D-m/00", ""):
        store.save_content_sweep(ContentSweep(NOW, after))
        assert store.content_sweep() == ContentSweep(NOW, after)


def test_changes_are_told_by_a_mark(store: Store) -> None:
    """Another one each time; processes that know it have seen the change."""
    assert store.changes() == ""
    store.announce_change()
    first = store.changes()
    assert first
    assert store.changes() == first
    store.announce_change()
    assert store.changes() not in {"", first}
