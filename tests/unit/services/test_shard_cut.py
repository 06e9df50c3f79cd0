"""How tenants become shards, and in which order a shard's tenants have their turns."""

from itertools import pairwise

import pytest

from smartlink.domain.bucket import BUCKETS, EVERY_BUCKET, bucket_of
from smartlink.domain.tenant import TenantEntry
from smartlink.services.polling.shard import cut, in_turns


def entries(count: int) -> list[TenantEntry]:
    return [TenantEntry(f"tenant-{number:05}", "1") for number in range(count)]


def test_the_bucket_of_a_name_never_changes() -> None:
    """Documents carry it: another hash would lose sight of them."""
    assert [bucket_of(it) for it in ("acme", "globex", "initech")] == ["02", "11", "12"]
    assert (len(EVERY_BUCKET), EVERY_BUCKET[0], EVERY_BUCKET[-1]) == (BUCKETS, "00", "15")


def test_tenants_are_spread_over_all_buckets() -> None:
    counts = [[bucket_of(it.name) for it in entries(1_600)].count(it) for it in EVERY_BUCKET]
    assert min(counts) > 70
    assert max(counts) < 130


@pytest.mark.parametrize("count", [1, 2, 199, 200, 201, 450, 1_000, 1_616, 5_000, 20_000])
@pytest.mark.parametrize("size", [1, 2, 200])
def test_each_tenant_is_in_one_shard_of_about_the_size(count: int, size: int) -> None:
    shards = cut(entries(min(count, 40 * size)), size)
    names = [entry.name for shard in shards for entry in shard]
    assert sorted(names) == [it.name for it in entries(min(count, 40 * size))]
    assert all(shards)
    assert max(map(len, shards)) <= max(1.5 * size, 1)


@pytest.mark.parametrize("count", [450, 1_000, 2_400])
def test_no_bucket_is_cut_that_fits_into_a_shard(count: int) -> None:
    """So what is due in it is read by one shard alone."""
    of = [{bucket_of(entry.name) for entry in shard} for shard in cut(entries(count), 200)]
    assert sum(map(len, of)) == BUCKETS
    assert len(of) <= -(-count // 200) * 1.4


def test_no_tenant_is_no_shard() -> None:
    assert cut([], 200) == []
    assert in_turns([], 7) == []


def test_each_minute_another_tenant_is_the_first() -> None:
    """And a bucket's tenants have their turns one after the other."""
    its = entries(100)
    orders = [[entry.name for entry in in_turns(its, minute)] for minute in range(100)]
    assert len({order[0] for order in orders}) == 100
    for order in orders:
        assert sorted(order) == [it.name for it in its]
        buckets = [bucket_of(name) for name in order]
        changes = sum(one != other for one, other in pairwise(buckets))
        assert changes == BUCKETS - 1
