"""One due query for all tenants of a bucket: cheap while nothing is due, and nobody is hidden."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from smartlink.domain.bucket import bucket_of
from smartlink.domain.message import Stored, Version
from smartlink.ports import Refused, Unavailable
from smartlink.services.polling.buckets import LOOK_EVERY, MARGIN, looks
from tests.scenarios.conftest import Logged
from tests.support.world import Interruptions, World

TOGETHER = [f"t{n}" for n in range(400) if bucket_of(f"t{n}") == "07"][:8]


def world(**variables: str) -> World:
    """Eight tenants of one bucket, whose process knows what it needs to know."""
    named = {f"SMARTLINK_{name.upper()}": value for name, value in variables.items()}
    made = World(tenants=TOGETHER, variables=named)
    made.minutes(2)
    return made


def queries(it: World) -> list[str]:
    """The due queries of a minute, each by its bucket or its tenant."""
    asked: list[str] = []
    in_bucket, of_tenant = it.store.due_in_bucket, it.store.due

    def due_in_bucket(bucket: str, *more: object) -> object:
        asked.append(f"bucket {bucket}")
        return in_bucket(bucket, *more)  # type: ignore[arg-type]

    def due(tenant: str, *more: object, **named: object) -> object:
        asked.append(tenant)
        return of_tenant(tenant, *more, **named)  # type: ignore[arg-type]

    it.store.due_in_bucket, it.store.due = due_in_bucket, due  # type: ignore[method-assign, assignment]
    try:
        it.tick()
    finally:
        it.store.due_in_bucket, it.store.due = in_bucket, of_tenant  # type: ignore[method-assign]
    return asked


def quiet(it: World) -> None:
    """Goes on to a minute in which no tenant is asked by itself."""
    while any(looks(name, it.clock()) for name in TOGETHER):
        it.clock.forward(seconds=60)


def test_one_query_asks_for_all_tenants_of_a_bucket() -> None:
    it = world()
    quiet(it)
    assert queries(it) == ["bucket 07"]


def test_every_tenant_is_asked_by_itself_now_and_then_and_never_all_at_once() -> None:
    it = world()
    asked: list[list[str]] = []
    for _ in range(LOOK_EVERY):
        asked.append([name for name in queries(it) if not name.startswith("bucket")])
        it.clock.forward(seconds=60)
    assert sorted(name for names in asked for name in names) == sorted(TOGETHER)
    assert max(map(len, asked)) < len(TOGETHER)


@pytest.mark.parametrize("every", [1, 2, 3, 5, 15, 60])
def test_another_rhythm_of_the_scheduler_reaches_every_tenant_too(every: int) -> None:
    it = World()
    ticks = [it.clock() + timedelta(minutes=every * n) for n in range(LOOK_EVERY)]
    assert all(sum(looks(name, tick) for tick in ticks) == 1 for name in TOGETHER)


def test_it_can_be_switched_off() -> None:
    """For the release in which not every document carries its bucket yet."""
    it = world(due_by_bucket="false")
    quiet(it)
    assert sorted(queries(it)) == sorted(TOGETHER)


@pytest.mark.parametrize("page", ["2", "3", "7", "100"])
def test_one_tenants_backlog_hides_nobodys_messages(page: str) -> None:
    """And each is read once: whatever the size of a page, whoever has the most."""
    it = world(due_page=page)
    for number in range(20):
        it.publish(tenant=TOGETHER[0], id=f"m{number}", content="{}")
    for name in TOGETHER[1:]:
        it.publish(tenant=name, id="only", content="{}")
    quiet(it)
    before = it.store.operations["read"]
    it.tick()
    assert len(it.replies_to(TOGETHER[0])) == 20
    assert all(len(it.replies_to(name)) == 1 for name in TOGETHER[1:])
    asked = 30 + len(TOGETHER)  # the ends of pages, and who has nothing left
    assert it.store.operations["read"] - before <= 2 * 27 + asked  # found, and in the history


def test_what_is_due_at_the_same_instant_is_shared_out_whole() -> None:
    """A page may end in the midst of one instant, and of one tenant."""
    it = world(due_page="5")
    quiet(it)
    for name in TOGETHER:
        for number in range(3):
            it.publish(tenant=name, id=f"m{number}", content="{}")
    it.tick()
    assert [len(it.replies_to(name)) for name in TOGETHER] == [3] * len(TOGETHER)


def test_a_tenant_that_is_gone_does_not_hide_the_others() -> None:
    """What lives under a deleted secret stays in the bucket."""
    it = world(due_page="2")
    gone, other = TOGETHER[0], TOGETHER[1]
    for number in range(5):
        it.publish(tenant=gone, id=f"m{number}", content="{}")
    it.clock.forward(seconds=1)
    it.publish(tenant=other, id="m", content="{}")
    it.secrets.remove(gone)
    it.clock.forward(seconds=300)  # until the secrets are listed again
    quiet(it)
    it.tick()
    assert len(it.replies_to(other)) == 1
    assert it.replies_to(gone) == []


def test_an_unreadable_document_is_told_by_its_own_tenant(logged: Logged) -> None:
    it = world()
    it.publish(tenant=TOGETHER[2], id="odd", content="{}")
    it.store.make_unreadable(TOGETHER[2], "U-odd")
    quiet(it)
    it.tick()
    [line] = logged("document_unreadable")
    assert (line["tenant"], line["documents"]) == (TOGETHER[2], ["U-odd"])


def test_a_document_without_its_bucket_is_late_by_minutes_and_found_from_then_on() -> None:
    """An older release wrote it beside this one. While its broker is down it is not even sent."""
    it = world()
    name = TOGETHER[3]
    it.publish(tenant=name, id="m", content="{}")
    it.store.lead_astray(name, "U-m")
    quiet(it)
    it.tick()
    assert it.store.astray() == {(name, "U-m")}
    for _ in range(LOOK_EVERY):
        it.clock.forward(seconds=60)
        it.tick()
    assert len(it.replies_to(name)) == 1
    assert it.store.astray() == set()


@pytest.mark.parametrize("down", [True, False])
def test_more_documents_without_their_bucket_than_a_poll_has_room_for_are_all_found(
    *, down: bool
) -> None:
    """Those that it does not reach do not wait for the next look."""
    it = world(due_page="2", receivers="1")
    name = TOGETHER[4]
    for number in range(9):
        it.publish(tenant=name, id=f"m{number}", content="{}")
        it.store.lead_astray(name, f"U-m{number}")
    while not looks(name, it.clock()):
        it.clock.forward(seconds=60)
    if down:
        it.broker.faults.fail("send", Unavailable("down"), times=2)
    it.tick()
    assert len(it.replies_to(name)) == (0 if down else 9)
    assert it.store.astray() == set()
    for _ in range(5):
        it.clock.forward(seconds=60)
        quiet(it)
        it.tick()
    assert len(it.replies_to(name)) == 9


@pytest.mark.parametrize(
    "error", [Refused("it needs the index of Balde"), Unavailable("down"), RuntimeError("odd")]
)
def test_without_the_index_each_tenant_is_asked(logged: Logged, error: Exception) -> None:
    """Said as an error; nothing waits for it."""
    it = world()
    it.publish(tenant=TOGETHER[4], id="m", content="{}")
    quiet(it)
    it.store.faults.fail("due_in_bucket", error)
    assert sorted(queries(it)) == sorted(["bucket 07", *TOGETHER])
    assert len(it.replies_to(TOGETHER[4])) == 1
    assert len(logged("bucket_not_asked")) == 1
    it.clock.forward(seconds=60)
    quiet(it)
    assert queries(it) == ["bucket 07"]


# The watermark


def bounds(it: World) -> list[object]:
    """From where on the buckets' queries of a minute ask."""
    asked: list[object] = []
    in_bucket = it.store.due_in_bucket

    def due_in_bucket(bucket: str, now: object, limit: object, since: object = None) -> object:
        asked.append(since)
        return in_bucket(bucket, now, limit, since)  # type: ignore[arg-type]

    it.store.due_in_bucket = due_in_bucket  # type: ignore[method-assign, assignment]
    try:
        it.tick()
    finally:
        it.store.due_in_bucket = in_bucket  # type: ignore[method-assign]
    return asked


def test_a_query_begins_where_nothing_can_be_due_before() -> None:
    """A new process knows nothing; one that has asked begins a margin before that."""
    it = world()
    it.cold_start()
    quiet(it)
    assert bounds(it) == [None]
    asked = it.clock()
    it.clock.forward(seconds=60)
    quiet(it)
    assert bounds(it) == [asked - MARGIN]


def test_what_stays_due_holds_the_watermark_back() -> None:
    it = world()
    it.publish(tenant=TOGETHER[5], id="m", content="{}")
    due = it.clock()
    it.store.make_unreadable(TOGETHER[5], "U-m")
    for _ in range(40):
        it.clock.forward(seconds=60)
        it.tick()
    quiet(it)
    assert bounds(it) == [due]


def test_a_query_that_failed_leaves_no_watermark() -> None:
    it = world()
    quiet(it)
    it.store.faults.fail("due_in_bucket", Unavailable("down"))
    it.tick()
    it.clock.forward(seconds=60)
    quiet(it)
    assert bounds(it) == [None]


@pytest.mark.parametrize(("error", "asked"), [(Unavailable("down"), 1), (Refused("no index"), 2)])
def test_a_poll_waits_for_a_database_that_does_not_answer_once_and_not_for_each_bucket(
    error: Exception, asked: int
) -> None:
    others = [f"t{n}" for n in range(400) if bucket_of(f"t{n}") == "08"][:2]
    it = World(tenants=[*TOGETHER, *others])
    it.minutes(2)
    while any(looks(name, it.clock()) for name in (*TOGETHER, *others)):
        it.clock.forward(seconds=60)
    for name in (TOGETHER[0], others[0]):
        it.publish(tenant=name, id="m", content="{}")
    it.store.faults.fail("due_in_bucket", error, times=9)
    names = queries(it)
    assert sum(name.startswith("bucket") for name in names) == asked
    assert {*TOGETHER, *others} < {*names}
    assert [len(it.replies_to(name)) for name in (TOGETHER[0], others[0])] == [1, 1]


def test_what_an_operator_makes_due_in_the_past_is_found_at_once() -> None:
    """`tenants enable` has what failed due since it failed; its mark takes the watermarks away."""
    it = world()
    it.publish(tenant=TOGETHER[6], id="m", content="{}")
    [stored] = it.store.live(TOGETHER[6]).values()
    late = replace(stored.message, due=it.clock() + timedelta(days=1))
    [version] = it.store.swap(TOGETHER[6], [Stored(late, stored.version)])
    assert version is not None
    it.minutes(3)
    past = replace(late, due=it.clock() - timedelta(hours=2))
    it.store.swap(TOGETHER[6], [Stored(past, version)])
    it.store.announce_change()
    it.clock.forward(seconds=60)
    quiet(it)
    it.tick()
    assert len(it.replies_to(TOGETHER[6])) == 1


def test_what_somebody_dates_back_is_found_by_its_tenants_own_query() -> None:
    """And, if it is not dealt with then, by the bucket's query from then on."""
    it = world()
    name = TOGETHER[7]
    it.publish(tenant=name, id="m", content="{}")
    it.store.make_unreadable(name, "U-m")
    it.minutes(1)
    it.publish(tenant=name, id="back", content="{}")
    stored = it.store.live(name)["U-back"]
    past = replace(stored.message, due=it.clock() - timedelta(hours=2))
    it.store.swap(name, [Stored(past, stored.version)])
    for _ in range(LOOK_EVERY):
        it.clock.forward(seconds=60)
        it.tick()
    assert len(it.replies_to(name)) == 1


def test_a_clock_that_goes_back_hides_nothing() -> None:
    it = world()
    it.clock.forward(hours=2)
    quiet(it)
    it.tick()
    it.clock.forward(hours=-2)
    quiet(it)
    it.publish(tenant=TOGETHER[0], id="m", content="{}")
    it.tick()
    assert len(it.replies_to(TOGETHER[0])) == 1


def waiting_behind(it: World, name: str) -> None:
    """A message that is due for hours, and not found by the bucket's query, because of its date."""
    it.publish(tenant=name, id="back", content="{}")
    stored = it.store.live(name)["U-back"]
    past = replace(stored.message, due=it.clock() - timedelta(hours=2))
    it.store.swap(name, [Stored(past, stored.version)])


def test_what_a_tenants_own_query_finds_while_its_bucket_is_asked_for_is_not_hidden() -> None:
    """Two polls at once. The own query finds it, and its poll ends before it is sent."""
    it = world()
    name = TOGETHER[1]
    waiting_behind(it, name)
    due = it.store.live(name)["U-back"].message.due
    assert due is not None
    quiet(it)
    it.store.faults = asked = Interruptions()
    asked.at("before due_in_bucket", lambda: it.poll.buckets.seen(name, due))
    it.tick()
    assert it.replies_to(name) == []
    it.clock.forward(seconds=60)
    quiet(it)
    it.tick()
    assert len(it.replies_to(name)) == 1


def test_what_is_led_back_and_left_to_the_next_tick_is_found_in_it() -> None:
    """The answer to the write of its bucket got lost, so that its version is not known."""
    it = world()
    name = TOGETHER[2]
    waiting_behind(it, name)
    it.store.lead_astray(name, "U-back")
    quiet(it)
    while not looks(name, it.clock() + timedelta(seconds=60)):
        it.tick(seconds=60)
    written = it.store.swap

    def swap(tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        written(tenant, changes)
        it.store.swap = written  # type: ignore[method-assign]
        return [None] * len(changes)

    it.store.swap = swap  # type: ignore[method-assign]
    it.tick(seconds=60)
    assert it.replies_to(name) == []
    assert it.store.astray() == set()
    it.clock.forward(seconds=60)
    quiet(it)
    it.tick()
    assert len(it.replies_to(name)) == 1
