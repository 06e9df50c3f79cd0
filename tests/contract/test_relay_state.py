"""What the relay remembers beside messages: tenants' states, ticks, the last good configuration."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from smartlink.domain.tenant import TenantState
from smartlink.ports import ConfigFile, ContentSweep
from tests.contract.backends import Store
from tests.contract.samples import LATER, NOW

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
