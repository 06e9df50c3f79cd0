"""Messages: created once, changed only under their version, settled all or nothing."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from smartlink.domain import lifecycle
from smartlink.domain.bucket import bucket_of
from smartlink.domain.identity import Direction, document_id
from smartlink.domain.message import (
    DeadReason,
    Ended,
    Ending,
    Message,
    Past,
    State,
    Stored,
    Unreadable,
    Version,
)
from smartlink.domain.order import Intake, Order
from smartlink.domain.settlement import Settlement
from smartlink.ports import Conflict, Place
from tests.contract.backends import Store
from tests.support.samples import LATER, NOW, ended, line, pending, under_claim, upstream

TENANT = "acme"
MICROSECOND = timedelta(microseconds=1)


def created(store: Store, plain: Message, tenant: str = TENANT) -> Stored:
    [version] = store.create(tenant, [plain])
    assert version
    return Stored(plain, version)


def claimed(store: Store, plain: Message) -> Stored:
    stored = created(store, plain)
    [version] = store.swap(TENANT, [Stored(under_claim(plain), stored.version)])
    assert version
    return Stored(under_claim(plain), version)


def live(store: Store, *identities: str, tenant: str = TENANT) -> dict[str, Stored]:
    ids = [document_id(Direction.DOWNSTREAM, identity) for identity in identities]
    return store.read(tenant, ids)


def test_a_message_is_created_once(store: Store) -> None:
    """A repeated id answers None, harms no neighbour and leaves the first as it was."""
    first = created(store, pending("twice", "first"))
    versions = store.create(TENANT, [pending("a"), pending("twice", "second"), pending("b")])
    assert [bool(version) for version in versions] == [True, False, True]
    assert live(store, "twice")["D-twice"] == first


def test_reading_answers_what_exists_at_the_version_written(store: Store) -> None:
    stored = created(store, pending())
    assert store.read(TENANT, ["D-m-1", "D-none"]) == {"D-m-1": stored}
    assert store.read(TENANT, []) == {}


def test_a_swap_moves_only_what_is_at_its_version(store: Store) -> None:
    """A stale version and a missing document answer None; the others are written."""
    plain = pending()
    old = created(store, plain)
    other = created(store, pending("other"))
    waiting = replace(plain, state=State.WAITING, due=LATER, attempt=1)
    [version] = store.swap(TENANT, [Stored(waiting, old.version)])
    assert version
    assert version != old.version
    dead = lifecycle.dead(plain, DeadReason.REJECTED, "no")
    missing = pending("missing")
    changes = [
        Stored(dead, old.version),
        Stored(under_claim(other.message), other.version),
        Stored(missing, old.version),
    ]
    assert [bool(item) for item in store.swap(TENANT, changes)] == [False, True, False]
    assert live(store, "m-1")["D-m-1"] == Stored(waiting, version)
    assert live(store, "other")["D-other"].message == under_claim(other.message)
    assert not live(store, "missing")


def test_a_swap_writes_the_state_alone(store: Store) -> None:
    """Content, id and origin survive a swap that knows nothing of them."""
    plain = pending("m-1", "the content", audience="SGDP", correlation_id="c", published=True)
    stored = created(store, plain)
    forgetful = replace(under_claim(pending("m-1", "another")), received=LATER, published=False)
    [version] = store.swap(TENANT, [Stored(forgetful, stored.version)])
    assert version
    assert live(store, "m-1")["D-m-1"] == Stored(under_claim(plain), version)


def test_a_swap_that_changes_nothing_leaves_the_version(store: Store) -> None:
    """Firestore does so: only a real change ends the fences of others."""
    stored = created(store, pending())
    assert store.swap(TENANT, [stored]) == [stored.version]
    assert live(store, "m-1")["D-m-1"] == stored


def test_a_swap_clears_what_is_none_or_zero_again(store: Store) -> None:
    plain = replace(under_claim(pending()), dispatches=3, alone=True, error="x")
    stored = created(store, plain)
    dead = pending(state=State.DEAD, due=None)
    [version] = store.swap(TENANT, [Stored(dead, stored.version)])
    assert version
    assert live(store, "m-1")["D-m-1"] == Stored(dead, version)


def test_settling_moves_a_message_to_the_history(store: Store) -> None:
    """Done: the live document is gone; history, log lines and replies are there."""
    stored = claimed(store, pending())
    reply = upstream("m-1/reply/1")
    settlement = Settlement(
        document="D-m-1",
        fence=stored.version,
        history=ended(stored.message),
        logs=(line("one"), line("two", debug="why")),
        created=(reply,),
    )
    store.commit(TENANT, [settlement])
    assert not live(store, "m-1")
    done = ended(stored.message)
    kept = replace(done, message=replace(done.message, due=None))
    assert store.history(TENANT, ["D-m-1"]) == {"D-m-1": kept}
    assert {log.text: log for log in store.logs(TENANT)} == {
        "one": line("one"),
        "two": line("two", debug="why"),
    }
    assert store.read(TENANT, [reply.document])[reply.document].message == reply


def test_settling_a_failure_keeps_the_message_live(store: Store) -> None:
    stored = claimed(store, pending("m-1", "content"))
    failed = lifecycle.failed(stored.message, LATER, NOW, "No connection")
    forgetful = replace(failed, content=pending("m-1", "other").content)
    store.commit(TENANT, [Settlement(document="D-m-1", fence=stored.version, live=forgetful)])
    assert live(store, "m-1")["D-m-1"].message == failed


def test_settling_is_fenced(store: Store) -> None:
    """A consumer that outlived its lease can settle no more, neither way."""
    stored = claimed(store, pending())
    [fresh] = store.swap(TENANT, [Stored(replace(stored.message, due=LATER), stored.version)])
    done = Settlement(
        document="D-m-1", fence=stored.version, history=ended(stored.message), logs=(line(),)
    )
    again = Settlement(document="D-m-1", fence=stored.version, live=stored.message)
    for settlement in (done, again):
        with pytest.raises(Conflict):
            store.commit(TENANT, [settlement])
    assert live(store, "m-1")["D-m-1"].version == fresh
    assert store.history(TENANT, ["D-m-1"]) == {}
    assert store.logs(TENANT) == []


def test_a_commit_is_all_or_nothing(store: Store) -> None:
    """One conflict among many settlements, and nothing of any of them is written."""
    good = [claimed(store, pending(f"good-{number}")) for number in range(3)]
    stale = created(store, pending("stale"))
    store.swap(TENANT, [Stored(under_claim(stale.message), stale.version)])
    settlements = [
        Settlement(
            document=item.message.document,
            fence=item.version,
            history=ended(item.message),
            logs=(line(),),
            created=(upstream(f"{item.message.id}/reply/1"),),
        )
        for item in [*good, stale]
    ]
    with pytest.raises(Conflict):
        store.commit(TENANT, settlements)
    names = [item.message.document for item in good]
    assert store.read(TENANT, names) == {item.message.document: item for item in good}
    assert store.history(TENANT, names) == {}
    assert store.read(TENANT, [upstream(f"good-{n}/reply/1").document for n in range(3)]) == {}
    assert store.logs(TENANT) == []
    store.commit(TENANT, settlements[:3])
    assert set(store.history(TENANT, names)) == set(names)


def test_history_is_written_once(store: Store) -> None:
    first = claimed(store, pending())
    settlement = Settlement(document="D-m-1", fence=first.version, history=ended(first.message))
    store.commit(TENANT, [settlement])
    again = claimed(store, pending())
    with pytest.raises(Conflict):
        store.commit(TENANT, [replace(settlement, fence=again.version)])
    assert live(store, "m-1")["D-m-1"] == again


def test_the_past_tells_what_has_ended_and_what_it_was(store: Store) -> None:
    """As much as tells a repeat, and whose end it was."""
    stored = claimed(store, pending("m-1", audience="APP"))
    assert store.past(TENANT, ["D-m-1"]) == {}
    done = Settlement(document="D-m-1", fence=stored.version, history=ended(stored.message))
    store.commit(TENANT, [done])
    past = Past.of(stored.message, Ending.DONE)
    assert store.past(TENANT, ["D-m-1", "D-none"]) == {"D-m-1": past}
    assert store.past("globex", ["D-m-1"]) == {}
    assert store.past(TENANT, []) == {}


def test_a_reply_that_exists_is_a_conflict(store: Store) -> None:
    stored = claimed(store, pending())
    created(store, upstream("m-1/reply/1"))
    settlement = Settlement(
        document="D-m-1", fence=stored.version, created=(upstream("m-1/reply/1"),)
    )
    with pytest.raises(Conflict):
        store.commit(TENANT, [settlement])
    assert live(store, "m-1")["D-m-1"] == stored


def test_a_settlement_without_a_fence_creates(store: Store) -> None:
    """`live` must not exist then; nothing but logs is no conflict with anything."""
    settlement = Settlement(document="D-m-1", fence=None, live=pending())
    store.commit(TENANT, [settlement])
    assert live(store, "m-1")["D-m-1"].message == pending()
    with pytest.raises(Conflict):
        store.commit(TENANT, [settlement])
    store.commit(TENANT, [Settlement(document="D-m-1", fence=None, logs=(line(),))])
    assert store.logs(TENANT) == [line()]
    store.commit(TENANT, [])


def test_a_repeat_is_deleted_under_its_version(store: Store) -> None:
    stored = created(store, pending())
    gone = Settlement(document="D-m-1", fence=stored.version, logs=(line("A repeat"),))
    store.commit(TENANT, [gone])
    assert not live(store, "m-1")
    with pytest.raises(Conflict):
        store.commit(TENANT, [gone])


def test_a_settled_message_cannot_be_swapped(store: Store) -> None:
    stored = claimed(store, pending())
    store.commit(TENANT, [Settlement(document="D-m-1", fence=stored.version)])
    assert store.swap(TENANT, [stored]) == [None]
    assert not live(store, "m-1")


def test_due_messages_come_the_longest_due_first(store: Store) -> None:
    """From and up to the very microsecond, by limit and by direction; the dead never."""
    late = [pending(f"late-{n}", due=NOW - n * MICROSECOND) for n in range(4)]
    others = [
        pending("now", due=NOW),
        pending("soon", due=NOW + MICROSECOND),
        lifecycle.dead(pending("dead"), DeadReason.REJECTED, "no"),
        replace(upstream("up"), due=NOW - timedelta(days=1)),
    ]
    store.create(TENANT, [*late, *others])

    def ids(
        limit: int, direction: Direction | None = None, since: datetime | None = None
    ) -> list[str]:
        return [item.message.id for item in store.due(TENANT, NOW, limit, direction, since)]

    assert ids(10) == ["up", "late-3", "late-2", "late-1", "late-0", "now"]
    assert ids(2) == ["up", "late-3"]
    assert ids(10, Direction.UPSTREAM) == ["up"]
    assert ids(3, Direction.DOWNSTREAM) == ["late-3", "late-2", "late-1"]
    assert ids(10, None, NOW - MICROSECOND) == ["late-1", "late-0", "now"]
    assert ids(2, Direction.DOWNSTREAM, NOW - 3 * MICROSECOND) == ["late-3", "late-2"]
    assert ids(10, Direction.UPSTREAM, NOW) == []
    [first] = store.due(TENANT, NOW, 1, Direction.DOWNSTREAM)
    assert first == store.read(TENANT, ["D-late-3"])["D-late-3"]


def test_messages_due_at_once_come_by_their_document(store: Store) -> None:
    store.create(TENANT, [pending(identity) for identity in ("b", "B", "~", "a", "é")])
    found = [item.message.id for item in store.due(TENANT, NOW, 10)]
    assert found == ["~", "é", "B", "a", "b"]


def test_a_page_tells_what_came_back(store: Store) -> None:
    """Readable or not: how many, where it ended, and which cannot be read."""
    names = ("a", "b", "c", "d")
    store.create(TENANT, [pending(name) for name in names])
    for name in ("a", "b", "d"):
        store.make_unreadable(TENANT, f"D-{name}")
    first = store.due(TENANT, NOW, 2)
    assert (list(first), first.returned, first.end) == ([], 2, Place(NOW, "D-b"))
    assert [(it.document, it.type) for it in first.unreadable] == [
        ("D-a", pending().type),
        ("D-b", pending().type),
    ]
    second = store.due(TENANT, NOW, 3, Direction.DOWNSTREAM, NOW, first.end)
    assert [it.message.id for it in second] == ["c"]
    assert [it.document for it in second.unreadable] == ["D-d"]
    third = store.due(TENANT, NOW, 3, None, NOW, second.end)
    assert (list(third), third.returned, third.end) == ([], 0, None)


def test_a_page_goes_on_behind_the_end_of_the_one_before(store: Store) -> None:
    """By instant and, of one instant, by document; by either direction; nothing comes twice."""
    messages = [pending(f"{n % 3}-{n}", due=NOW - (n % 3) * MICROSECOND) for n in range(9)]
    store.create(TENANT, [*messages, *(upstream(f"u{n}") for n in range(3))])
    for direction in (None, *Direction):
        whole = [it.message.document for it in store.due(TENANT, NOW, 100, direction)]
        seen: list[str] = []
        page = store.due(TENANT, NOW, 2, direction)
        while page.end is not None:
            seen += [it.message.document for it in page]
            page = store.due(TENANT, NOW, 2, direction, page.end.due, page.end)
        assert seen == whole


def neighbours() -> tuple[str, str]:
    """A tenant of the same bucket, and one of another."""
    names = [f"t{number}" for number in range(100)]
    same = next(it for it in names if bucket_of(it) == bucket_of(TENANT))
    return same, next(it for it in names if bucket_of(it) != bucket_of(TENANT))


def test_one_query_finds_what_is_due_of_a_buckets_tenants(store: Store) -> None:
    """The longest due first, whoever's it is; readable or not; up to the microsecond."""
    near, far = neighbours()
    store.create(near, [pending("b", due=NOW - 2 * MICROSECOND), pending("odd", due=NOW)])
    store.create(far, [pending("far")])
    theirs = [pending("a", due=NOW - MICROSECOND), pending("late", due=NOW + MICROSECOND)]
    store.create(TENANT, theirs)
    store.make_unreadable(near, "D-odd")
    whole = store.due_in_bucket(bucket_of(TENANT), NOW, 10)
    assert {tenant: [it.message.id for it in page] for tenant, page in whole.of.items()} == {
        near: ["b"],
        TENANT: ["a"],
    }
    assert [it.document for it in whole.of[near].unreadable] == ["D-odd"]
    assert whole.of[near].end == Place(NOW, "D-odd")
    assert whole.of[TENANT].end == Place(NOW - MICROSECOND, "D-a")
    assert (whole.begin, whole.end, whole.whole) == (NOW - 2 * MICROSECOND, NOW, True)
    [first] = whole.of[TENANT]
    assert first == store.read(TENANT, ["D-a"])["D-a"]
    part = store.due_in_bucket(bucket_of(TENANT), NOW, 2, NOW - 2 * MICROSECOND)
    assert (sorted(part.of), part.whole) == (sorted([near, TENANT]), False)
    assert part.end == NOW - MICROSECOND
    [tenant] = store.due_in_bucket(bucket_of(TENANT), NOW, 2, NOW).of
    assert tenant == near
    empty = store.due_in_bucket(bucket_of(TENANT), NOW - timedelta(days=1), 2)
    assert (empty.of, empty.begin, empty.end, empty.whole) == ({}, None, None, True)


def test_every_write_of_a_message_carries_its_bucket(store: Store) -> None:
    """And so whatever changes a message of before: it is found by its bucket from then on."""
    store.create(TENANT, [pending("created"), pending("swapped"), pending("settled")])
    fresh = Settlement(document="D-kept", fence=None, live=pending("kept"))
    made = Settlement(document="D-none", fence=None, created=(pending("made"),))
    store.commit(TENANT, [fresh, made])
    store.create(TENANT, [pending(it) for it in ("moved", "moves", "x")])
    intake = Intake("me", NOW, "1")
    documents = ("D-created", "D-swapped", "D-settled", "D-kept", "D-made", "D-moves", "D-x")
    for document in documents:
        store.lead_astray(TENANT, document)
    page = store.due(TENANT, NOW, 100)
    assert sorted(it.message.document for it in page.astray) == sorted(documents)
    assert in_bucket(store) == {"D-moved"}
    by_name = {it.message.document: it for it in page}
    swapped, settled, moves = (by_name[f"D-{it}"] for it in ("swapped", "settled", "moves"))
    [version] = store.swap(TENANT, [swapped])
    assert version not in {None, swapped.version}, "the bucket alone is a change, too"
    live = replace(settled.message, attempt=1)
    store.commit(TENANT, [Settlement(document="D-settled", fence=settled.version, live=live)])
    change = Stored(replace(moves.message, order=Order("key", "2", "tenant")), moves.version)
    store.take_in(TENANT, intake, None, [pending("taken")], [change])
    assert in_bucket(store) == {"D-moved", "D-swapped", "D-settled", "D-moves", "D-taken"}
    left = {it.message.document for it in store.due(TENANT, NOW, 100).astray}
    assert left == {"D-created", "D-kept", "D-made", "D-x"}


def in_bucket(store: Store) -> set[str]:
    page = store.due_in_bucket(bucket_of(TENANT), NOW, 100).of[TENANT]
    return {it.message.document for it in page}


def test_the_messages_of_a_command_come_by_document(store: Store) -> None:
    """In every state, over pages that are cut by number or by size; what is odd is told."""
    names = [f"m-{number:03}" for number in range(205)]
    store.create(TENANT, [pending(name) for name in names])
    store.create(TENANT, [pending("other", command="SGDPMaskCommand")])
    store.create(TENANT, [pending(f"x-{n}", "y" * 250_000, state=State.DEAD) for n in range(5)])
    store.create("globex", [pending("m-000")])
    store.make_unreadable(TENANT, "D-m-100")
    found = list(store.of_command(TENANT, "SGDPDataCommand"))
    assert [
        it.document if isinstance(it, Unreadable) else it.message.document for it in found
    ] == sorted([*(f"D-{name}" for name in names), *(f"D-x-{n}" for n in range(5))])
    assert [it.document for it in found if isinstance(it, Unreadable)] == ["D-m-100"]
    assert {it.message.content.size for it in found if not isinstance(it, Unreadable)} == {
        20,
        250_000,
    }
    assert list(store.of_command(TENANT, "SGDPLogsCommand")) == []


def test_whom_a_message_is_about_is_kept_with_it(store: Store) -> None:
    """While it lives, over a swap and a claim, and in the history."""
    titular = ("ab" * 32, "cd" * 32)
    stored = claimed(store, pending())
    failed = replace(stored.message, state=State.WAITING, titular=titular)
    store.commit(TENANT, [Settlement(document="D-m-1", fence=stored.version, live=failed)])
    again = store.read(TENANT, ["D-m-1"])["D-m-1"]
    assert again.message.titular == titular
    [version] = store.swap(TENANT, [replace(again, message=replace(again.message, attempt=2))])
    assert version is not None
    assert store.read(TENANT, ["D-m-1"])["D-m-1"].message.titular == titular
    ended = Ended(again.message, Ending.DONE, LATER, LATER)
    store.commit(TENANT, [Settlement(document="D-m-1", fence=version, history=ended)])
    assert store.history(TENANT, ["D-m-1"])["D-m-1"].message.titular == titular


def test_what_lost_its_date_is_found_though_never_due(store: Store) -> None:
    """Of the living; a dead one has no date. It cannot be read, so it is listed as odd."""
    names = [f"m-{number:03}" for number in range(301)]  # more than a page
    store.create(TENANT, [pending(name, due=None, state=State.DEAD) for name in names[:300]])
    store.create(TENANT, [pending(names[300]), pending("a")])
    assert store.undated(TENANT) == []
    store.take_date(TENANT, "D-m-300")
    store.take_date(TENANT, "D-a")
    assert store.undated(TENANT) == ["D-a", "D-m-300"]
    assert store.due(TENANT, LATER, 10).returned == 0
    assert store.read(TENANT, ["D-m-300"]) == {}
    assert list(store.unreadable(TENANT, ["D-m-300"])) == ["D-m-300"]


def test_what_cannot_be_read_exists(store: Store) -> None:
    """It is not answered by a read, is not created again, and no fence of before holds."""
    stored = created(store, pending())
    store.make_unreadable(TENANT, "D-m-1")
    assert store.read(TENANT, ["D-m-1"]) == {}
    told = store.alive(TENANT, ["D-m-1", "D-none"])
    assert list(told) == ["D-m-1"]
    assert (told["D-m-1"].type, told["D-m-1"].sha256) == (
        pending().type,
        pending().content.sha256,
    )
    odd = store.unreadable(TENANT, ["D-m-1", "D-none"])["D-m-1"]
    assert odd.version != stored.version
    assert store.create(TENANT, [pending()]) == [None]
    assert store.swap(TENANT, [Stored(under_claim(pending()), stored.version)]) == [None]
    assert store.alive(TENANT, []) == {}
    created(store, pending("whole"))
    assert store.alive(TENANT, ["D-whole"]) == {"D-whole": Past.of(pending("whole"))}


def test_tenants_are_apart(store: Store) -> None:
    """The same id lives once for each tenant, and no call of one sees the other's."""
    mine, theirs = created(store, pending()), created(store, pending(text="x"), "globex")
    assert live(store, "m-1", tenant="globex")["D-m-1"] == theirs
    done = Settlement(
        document="D-m-1", fence=mine.version, history=ended(mine.message), logs=(line(),)
    )
    store.commit(TENANT, [done])
    assert store.due(TENANT, NOW, 10) == []
    assert store.due("globex", NOW, 10) == [theirs]
    assert store.history("globex", ["D-m-1"]) == {}
    assert store.past("globex", ["D-m-1"]) == {}
    assert store.logs("globex") == []
    assert store.read("globex", ["D-m-1"]) == {"D-m-1": theirs}
    assert (store.read(TENANT, ["D-m-1"]), store.alive(TENANT, ["D-m-1"])) == ({}, {})
    assert [store.has_live(tenant) for tenant in (TENANT, "globex")] == [False, True]
    store.make_unreadable("globex", "D-m-1")
    assert store.unreadable(TENANT, ["D-m-1"]) == {}
    assert list(store.unreadable("globex", ["D-m-1"])) == ["D-m-1"]
    store.take_date("globex", "D-m-1")
    assert (store.undated(TENANT), store.undated("globex")) == ([], ["D-m-1"])
    [swapped] = store.swap(TENANT, [Stored(under_claim(pending()), theirs.version)])
    assert swapped is None


def test_a_call_takes_more_messages_than_firestore_does_at_once(store: Store) -> None:
    messages = [pending(f"m-{number}") for number in range(600)]
    store.create(TENANT, messages[250:251])
    versions = store.create(TENANT, messages)
    assert [index for index, version in enumerate(versions) if version is None] == [250]
    stored = store.read(TENANT, [item.document for item in messages])
    assert [stored[item.document].message for item in messages] == messages
    changes = [Stored(under_claim(item.message), item.version) for item in stored.values()]
    versions = store.swap(TENANT, changes)
    assert None not in versions
    assert {it.version for it in changes}.isdisjoint(versions)
    changed = store.read(TENANT, [item.document for item in messages])
    assert [it.message for it in changed.values()] == [it.message for it in changes]


def test_a_call_takes_more_bytes_than_firestore_does_at_once(store: Store) -> None:
    messages = [pending(f"m-{number}", "x" * 262_144) for number in range(32)]
    versions = store.create(TENANT, messages)
    assert all(versions)
    found = store.read(TENANT, [item.document for item in messages])
    assert all(found[item.document].message == item for item in messages)


def test_versions_are_opaque_but_exact(store: Store) -> None:
    """A version survives its way through a dispatch as text."""
    stored = created(store, pending())
    carried = Version(str(stored.version).encode().decode())
    change = Stored(under_claim(stored.message), carried)
    [later] = store.swap(TENANT, [change])
    assert later not in {None, carried}
    assert store.swap(TENANT, [change]) == [None]


def test_a_page_of_large_contents_is_cut_short(store: Store) -> None:
    """It says so, and the next pages bring the rest, each once."""
    names = [f"large-{number}" for number in range(7)]
    for name in names:
        created(store, pending(name, "x" * 250_000, due=NOW))
    found: list[str] = []
    place: Place | None = None
    pages = 0
    while pages < 20:
        page = store.due(TENANT, LATER, 100, None, place.due if place else None, place)
        if not page:
            break
        assert len(page) <= 3
        assert page.cut or len(page) < 3
        found += [it.message.id for it in page]
        place, pages = page.end, pages + 1
    assert found == names
    assert pages == 3


def test_a_page_of_small_contents_is_whole(store: Store) -> None:
    """Nothing is read in two queries that one may read."""
    names = sorted(f"small-{number}" for number in range(50))
    for name in names:
        created(store, pending(name, "x" * 1_000, due=NOW))
    page = store.due(TENANT, LATER, 100)
    assert ([it.message.id for it in page], page.cut) == (names, False)


def far(plain: Message, name: str) -> Message:
    """The message, with its content in the bucket."""
    return replace(plain, content=replace(plain.content, text=None, object=name))


def test_what_documents_refer_to_is_told(store: Store) -> None:
    """Of the live and of the history; of a personal one in the history nothing."""
    for identity in ("live", "ended", "personal"):
        plain = far(pending(identity, personal=identity == "personal"), f"acme/D-{identity}/0")
        stored = created(store, plain)
        if identity != "live":
            end = Settlement(document=plain.document, fence=stored.version, history=ended(plain))
            store.commit(TENANT, [end])
    created(store, pending("inline"))
    created(store, far(pending("live"), "globex/D-live/0"), tenant="globex")
    asked = ["D-live", "D-ended", "D-personal", "D-inline", "D-none"]
    assert store.references(TENANT, asked) == {
        "D-live": {"acme/D-live/0"},
        "D-ended": {"acme/D-ended/0"},
        "D-personal": set(),
        "D-inline": set(),
        "D-none": set(),
    }
    assert store.references(TENANT, []) == {}


def test_what_came_under_a_used_id_is_found(store: Store) -> None:
    """Live and ended; and no other document that begins alike."""
    first = created(store, pending("m"))
    others = [replace(pending("m"), document=f"D-m~{letter * 64}") for letter in "fa0"]
    lives, ends, _ = (created(store, other) for other in others)
    end = Settlement(document=others[1].document, fence=ends.version, history=ended(others[1]))
    store.commit(TENANT, [end])
    for document in ("D-m1", "D-m-1", "D-m%7E", "D-l~0", "D-n~0"):
        created(store, replace(pending("x"), document=document))
    created(store, lives.message, tenant="globex")
    assert store.reused(TENANT, first.message.document) == sorted(it.document for it in others)
    assert store.reused(TENANT, "D-m1") == []
    assert store.reused("globex", "D-m") == [others[0].document]


def numbered(identity: str, key: str, number: int, **parts: object) -> Message:
    return replace(pending(identity), order=Order(key, f"{number:04d}", "/key"), **parts)  # type: ignore[arg-type]


def test_the_messages_of_a_key_are_found_in_their_order(store: Store) -> None:
    """Of several keys at once, up to a limit, and before a number; none of another tenant's."""
    its = [numbered(f"m-{it}", "ab"[it % 2], it) for it in (3, 1, 0, 2)]
    store.create(TENANT, [*its, numbered("other", "c", 0), pending("unordered")])
    store.create("globex", [numbered("m-9", "a", 9)])
    found = store.in_order(TENANT, ["a", "b"], 9)
    assert [(it.key, it.document) for it in found] == [
        *(("a", "D-m-0"), ("b", "D-m-1"), ("a", "D-m-2"), ("b", "D-m-3"))
    ]
    assert [it.stored.message for it in found if it.stored] == sorted(
        its, key=lambda it: it.order.number if it.order else ""
    )
    assert [it.document for it in store.in_order(TENANT, ["a", "b"], 2)] == ["D-m-0", "D-m-1"]
    assert [it.document for it in store.in_order(TENANT, ["b"], 9, "0003")] == ["D-m-1"]
    assert store.in_order(TENANT, ["b"], 9, "0001") == []
    assert store.in_order(TENANT, ["nobody's"], 9) == []


def test_a_swap_changes_and_takes_away_a_place(store: Store) -> None:
    """Whoever passes a dead message on, or orders a command anew, writes it so."""
    first = created(store, numbered("m-1", "a", 1, queued=True, state=State.WAITING))
    again = numbered("m-1", "b", 7)
    [version] = store.swap(TENANT, [Stored(again, first.version)])
    assert version
    assert live(store, "m-1")["D-m-1"] == Stored(again, version)
    [version] = store.swap(TENANT, [Stored(pending("m-1"), version)])
    assert version
    assert store.in_order(TENANT, ["a", "b"], 9) == []


def test_an_intake_is_written_with_its_messages_or_nothing_is(store: Store) -> None:
    """Its version fences: two who receive at once cannot both store."""
    assert store.intake(TENANT) is None
    begun = Intake("me", LATER, "", {"SGDPDataCommand": "/key"})
    [version] = store.take_in(TENANT, begun, None)
    assert store.intake(TENANT) == (begun, version)
    after = replace(begun, last="0002")
    moved = created(store, pending("moved"))
    own, *versions = store.take_in(
        TENANT,
        after,
        version,
        [numbered("m-1", "a", 1), numbered("m-2", "a", 2)],
        [Stored(numbered("moved", "a", 3), moved.version)],
    )
    assert store.intake(TENANT) == (after, own)
    found = store.in_order(TENANT, ["a"], 9)
    assert [it.stored and it.stored.version for it in found] == versions
    for stale, there in ((version, "m-3"), (None, "m-3"), (own, "m-1")):
        with pytest.raises(Conflict):
            store.take_in(TENANT, replace(after, last="0009"), stale, [numbered(there, "a", 9)])
    with pytest.raises(Conflict):
        store.take_in(TENANT, after, own, [numbered("m-3", "a", 9)], [moved])
    assert store.intake(TENANT) == (after, own)
    assert len(store.in_order(TENANT, ["a"], 9)) == 3


def test_an_unreadable_message_keeps_its_place(store: Store) -> None:
    """That it exists is known without reading it."""
    created(store, numbered("m-1", "a", 1))
    created(store, numbered("m-2", "a", 2))
    store.make_unreadable(TENANT, "D-m-1")
    first, second = store.in_order(TENANT, ["a"], 9)
    assert (first.key, first.document, first.stored) == ("a", "D-m-1", None)
    assert second.stored is not None
