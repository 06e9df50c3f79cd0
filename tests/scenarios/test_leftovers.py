"""Contents that nothing refers to go, and none that is live is ever on its way to deletion."""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain, cycle

import pytest

from smartlink.adapters.in_memory import InMemoryContents, InMemoryMessages
from smartlink.consumer import Context, FatalError, Reply, Returned
from smartlink.domain.lifecycle import received
from smartlink.domain.message import DeadReason, Message, State, Stored
from smartlink.ports import ContentSweep, Delivery, Refused, StoredContent, Unavailable
from smartlink.services.contents import inline
from tests.support.world import COMMAND, OTHER, SECRET_ONE, START, Clock, Interruptions, World

LARGE = "á" * 150_000
LATER = "b" * 300_000


def answer(text: str = LARGE) -> Reply:
    return Reply("R", text)


def days(world: World, number: int) -> None:
    """So many days, with a poll and all that comes of it in each."""
    for _ in range(number):
        world.clock.forward(days=1)
        world.minute()


def leftover(world: World, document: str = "D-lost", tenant: str = "acme") -> str:
    """What a process leaves that ends between `put` and `create`."""
    data = LARGE.encode()
    return world.contents.put(tenant, document, hashlib.sha256(data).hexdigest(), data)


# An attempt whose outcome is not written.


def fails_after(reply: object) -> Callable[[str, Context], Returned]:
    """It answers at length, and with this reply too, which cannot be sent."""
    return lambda *_: [answer(LARGE), reply]


@pytest.mark.parametrize("command", [COMMAND, SECRET_ONE])
@pytest.mark.parametrize(
    "reply",
    [Reply("", {}), Reply("R", {}, audience="A" * 600), Reply("R", {"a": {1, 2}}), "no reply"],
    ids=["no type", "long audience", "no JSON", "no reply"],
)
def test_the_answers_of_an_attempt_that_fails_go_at_once(command: str, reply: object) -> None:
    """Those that were kept before the one that cannot be."""
    world = World(behave=fails_after(reply))
    world.broker.offer("acme", command, "{}")
    world.minute()
    assert world.contents.objects == {}
    world.minutes(20)
    assert [message.dead_reason for message in world.live().values()] == [
        DeadReason.UNWRITTEN_OUTCOME
    ]
    assert world.replies_to() == []
    assert world.contents.objects == {}


def test_the_answers_go_of_an_attempt_whose_last_one_cannot_be_kept() -> None:
    world = World(behave=lambda *_: [answer(), answer(LATER)])
    world.broker.offer("acme", COMMAND, "{}")
    second = iter([False, True])
    down = Unavailable("down")
    world.contents.faults.fail("put", down, when=lambda _: next(second))
    world.minute()
    assert world.contents.objects == {}
    assert [message.state for message in world.live().values()] == [State.PENDING]


def test_a_message_that_dies_leaves_no_answer() -> None:
    """At its last attempt, and by a fatal error in the middle of its answers."""

    def behave(*_: object) -> Returned:
        yield answer()
        message = "not this one"
        raise FatalError(message)

    world = World(behave=behave)
    world.broker.offer("acme", COMMAND, "{}")
    world.minutes(3)
    assert [message.state for message in world.live().values()] == [State.DEAD]
    assert world.contents.objects == {}


def test_the_answers_go_of_a_run_that_outlived_its_lease() -> None:
    """Its outcome is void. What the run that took over answers stays."""
    world = World()

    def behave(_: str, context: Context) -> Returned:
        if len(world.ran) == 1:
            world.clock.forward(minutes=20)  # the lease runs out in the middle
            world.minute()  # and another process takes over, to the end
        return answer(f"{len(world.ran)} {context.attempt} {LARGE}")

    world.behave = behave
    world.broker.offer("acme", COMMAND, "{}")
    world.minutes(3)
    assert len(world.ran) == 2
    assert len(world.replies_to()) == 1
    assert world.contents.objects.keys() == world.contents.expired.keys()


def test_what_a_late_run_answers_alike_stays_for_the_one_that_took_over() -> None:
    """It is one object, as they say the same: neither may take it from the other."""
    world = World()

    def behave(*_: object) -> Returned:
        if len(world.ran) == 1:
            world.clock.forward(minutes=20)
            world.tick()
            while world.deliver():
                pass
        return answer()

    world.behave = behave
    world.broker.offer("acme", COMMAND, "{}")
    world.tick(minutes=1)
    world.deliver()
    assert len(world.ran) == 2
    [reply] = world.live().values()
    assert world.contents.get(reply.content.object or "").decode() == LARGE
    assert world.contents.expired == {}
    world.minutes(2)
    assert world.replies_to() == [LARGE]


def test_a_failed_attempt_takes_nothing_that_a_later_one_put_meanwhile() -> None:
    """The later one has put the same content, and not yet written who refers to it."""
    world = World()
    put = []

    def behave(_: str, context: Context) -> Returned:
        put.append(context.attempt)
        return [answer(), answer(LATER)]

    world.behave = behave
    request = world.broker.offer("acme", COMMAND, "{}")
    sha256 = hashlib.sha256(LARGE.encode()).hexdigest()
    interruptions = world.contents.faults = Interruptions()
    document = f"U-D-{request}%2Freply%2F1"
    second = iter([False, True, False])
    interruptions.fail("put", Refused("no"), when=lambda _: next(second))
    interruptions.at(
        "before withdraw",
        lambda: world.contents.put("acme", document, sha256, LARGE.encode()),
    )
    world.minute()
    assert put == [1]
    assert list(world.contents.objects) == [f"acme/{document}/{sha256}"]
    assert world.contents.expired == {}


def test_the_answers_of_a_settlement_that_was_written_all_the_same_stay() -> None:
    """Its commit's answer was lost, and the next try found it done."""
    world = World(behave=lambda *_: answer())
    world.broker.offer("acme", COMMAND, "{}")
    world.store.faults.fail("commit", Unavailable("down"), applied=True)
    world.minutes(3)
    assert len(world.ran) == 1
    assert world.replies_to() == [LARGE]


def test_answers_that_cannot_be_withdrawn_are_found_by_the_daily_look() -> None:
    world = World(behave=lambda *_: [answer(), answer(LATER)])
    world.broker.offer("acme", COMMAND, "{}")
    second = chain([False, True], cycle([False]))
    world.contents.faults.fail("put", Refused("no"), when=lambda _: next(second))
    world.contents.faults.fail("withdraw", Unavailable("down"))
    world.minutes(1)
    world.behave = lambda *_: None
    world.minutes(19)
    [left] = world.contents.objects.keys() - world.contents.expired.keys()
    days(world, 3)
    assert left in world.contents.expired


# A process that ends between `put` and what refers to it.


def test_a_database_that_is_down_for_days_costs_no_content() -> None:
    """Each poll puts it, fails, and leaves the message in the broker: it is being taken up."""
    world = World()
    request = world.broker.offer("acme", COMMAND, LARGE)
    world.store.faults.fail("create", Unavailable("down"), times=5)
    days(world, 5)
    assert world.contents.expired == {}
    world.store.faults.clear()
    world.minute()
    assert world.ended().keys() == {request}


def test_a_leftover_expires_after_two_days_and_not_before() -> None:
    world = World()
    left = leftover(world)
    world.minutes(2)
    days(world, 1)
    assert world.contents.expired == {}
    days(world, 2)
    assert world.contents.expired.keys() == {left}


@pytest.mark.parametrize("command", [COMMAND, SECRET_ONE])
def test_what_a_crash_after_the_run_left_expires(command: str) -> None:
    """The process ended after the answer was put and before it was settled."""
    world = World()
    world.behave = lambda *_: answer(f"{len(world.ran)}{LARGE}")
    world.runner.crashes = lambda _: len(world.ran) == 1
    world.broker.offer("acme", command, "{}")
    world.minutes(40)
    assert len(world.replies_to()) == 1
    [left] = world.contents.objects.keys() - world.contents.expired.keys()
    days(world, 3)
    assert left in world.contents.expired


def test_what_could_not_be_released_expires_when_the_history_is_gone() -> None:
    """While a document of the history refers to it, never."""
    world = World()
    request = world.broker.offer("acme", COMMAND, LARGE)
    world.contents.faults.fail("expire", Unavailable("down"))
    world.minute()
    assert world.ended().keys() == {request}
    days(world, 5)
    assert world.contents.expired == {}
    world.store._history.clear()  # noqa: SLF001  (as Firestore's expiry does)
    days(world, 1)
    assert world.contents.expired.keys() == world.contents.objects.keys() != set()


def test_a_personal_content_that_could_not_be_deleted_expires() -> None:
    """Its history keeps hash and size: that is no reference."""
    world = World()
    world.broker.offer("acme", SECRET_ONE, LARGE)
    world.contents.faults.fail("delete", Unavailable("down"))
    world.minute()
    assert len(world.contents.objects) == 1
    days(world, 3)
    assert world.contents.expired.keys() == world.contents.objects.keys()


def test_leftovers_of_a_tenant_that_is_gone_expire_too() -> None:
    world = World(tenants=("acme",))
    left = leftover(world, tenant="globex")
    days(world, 3)
    assert world.contents.expired.keys() == {left}


# None that is live.


@pytest.mark.parametrize("command", [COMMAND, SECRET_ONE])
def test_what_waits_for_weeks_keeps_its_content(command: str) -> None:
    """A dead message until its operator comes, an answer until its broker is back."""
    world = World()

    def behave(content: str, _: Context) -> Returned:
        if content == LARGE:
            message = "not this one"
            raise FatalError(message)
        return answer(LATER)

    world.behave = behave
    dead = world.broker.offer("acme", command, LARGE)
    world.minutes(2)
    world.broker.faults.fail("send", Unavailable("down"), times=10_000)
    done = world.broker.offer("acme", command, "{}")
    days(world, 30)
    assert {dead} < world.live().keys()
    assert done in world.ended()
    assert world.contents.expired == {}
    assert sorted(data.decode() for data in world.contents.objects.values()) == [LATER, LARGE]


def test_a_message_that_is_redriven_after_weeks_has_its_content() -> None:
    seen: list[str] = []

    def behave(content: str, _: Context) -> None:
        seen.append(content)
        if len(seen) == 1:
            message = "not now"
            raise FatalError(message)

    world = World(behave=behave)
    request = world.broker.offer("acme", COMMAND, LARGE)
    days(world, 10)
    [stored] = world.store.live("acme").values()
    again = replace(stored.message, state=State.PENDING, due=world.clock(), attempt=0)
    world.store.swap("acme", [Stored(again, stored.version)])
    world.minute()
    assert seen == [LARGE, LARGE]
    assert world.ended().keys() == {request}


def refuses(*_: object) -> None:
    message = "a person has to look"
    raise FatalError(message)


def test_a_leftover_that_a_message_takes_up_meanwhile_does_not_expire() -> None:
    """Between the look at its documents and the expiry: it was put again."""
    world = World(behave=refuses)
    left = leftover(world, "D-m")
    world.clock.forward(days=3)
    interruptions = world.contents.faults = Interruptions()
    other = world.elsewhere()

    def comes() -> None:
        world.broker.offer("acme", COMMAND, LARGE, message_id="m")
        other.tick()

    interruptions.at("before expire_unchanged", comes)
    world.minute()
    days(world, 5)
    [message] = world.live().values()
    assert (message.content.object, message.state) == (left, State.DEAD)
    assert world.contents.expired == {}


def test_a_message_that_takes_up_what_expires_has_a_content_that_does_not() -> None:
    """After the expiry: only a new object lives on."""
    world = World(behave=refuses)
    left = leftover(world, "D-m")
    days(world, 3)
    assert world.contents.expired.keys() == {left}
    world.broker.offer("acme", COMMAND, LARGE, message_id="m")
    days(world, 5)
    [message] = world.live().values()
    assert message.content.object == left
    assert world.contents.expired == {}


@pytest.mark.parametrize("ended_first", [True, False])
def test_another_commands_message_of_the_same_id_and_content_keeps_its_own(
    ended_first: bool,  # noqa: FBT001
) -> None:
    """It is dead, its id reused: it waits for its operator, whatever becomes of the first one."""
    world = World()
    world.broker.offer("acme", COMMAND, LARGE, message_id="one")
    if ended_first:
        world.minute()
    else:
        world.tick()
    world.broker.offer("acme", OTHER, LARGE, message_id="one")
    world.minutes(3)
    days(world, 4)
    assert [ended.message.type for ended in world.ended().values()] == [COMMAND]
    [dead] = world.live().values()
    assert dead.dead_reason is DeadReason.ID_REUSED
    name = dead.content.object or ""
    assert world.contents.get(name).decode() == LARGE
    assert name not in world.contents.expired
    assert world.contents.objects.keys() - world.contents.expired.keys() == {name}


def test_another_message_of_its_id_sends_no_content_of_a_live_one_to_its_end() -> None:
    """The first one waits for its operator too, with the very same content."""
    world = World(behave=refuses)
    world.broker.offer("acme", COMMAND, LARGE, message_id="one")
    world.minutes(2)
    world.broker.offer("acme", OTHER, LARGE, message_id="one")
    days(world, 5)
    assert len(world.store.live("acme")) == len(world.contents.objects) == 2
    assert world.contents.expired == {}


def test_a_bucket_that_is_down_leaves_a_message_of_a_used_id_in_the_broker() -> None:
    """And none of its batch with it."""
    world = World()
    world.broker.offer("acme", COMMAND, "small", message_id="one")
    world.minute()
    world.broker.offer("acme", COMMAND, LARGE, message_id="one")
    small = world.broker.offer("acme", COMMAND, "small")
    world.contents.faults.fail("get", Unavailable("down"))
    world.minute()
    assert small in world.ended()
    world.minutes(2)
    [dead] = world.live().values()
    assert world.contents.get(dead.content.object or "").decode() == LARGE
    assert world.broker.waiting("acme") == 0


def test_a_personal_message_takes_no_other_message_of_its_id_with_it() -> None:
    """It deletes its content at its end: its own."""
    world = World()
    world.broker.offer("acme", SECRET_ONE, LARGE, message_id="one")
    world.tick()
    world.broker.offer("acme", COMMAND, LARGE, message_id="one")
    world.minutes(3)
    [dead] = world.live().values()
    assert list(world.contents.objects) == [dead.content.object]
    assert world.contents.get(dead.content.object or "").decode() == LARGE


def test_what_an_older_release_left_in_the_first_ones_place_stays() -> None:
    """There, a message whose id was reused refers to an object under the id itself."""
    world = World()
    world.broker.offer("acme", COMMAND, "small", message_id="one")
    world.minute()
    world.broker.offer("acme", COMMAND, LARGE, message_id="one")
    world.minute()
    [stored] = world.store.live("acme").values()
    content = stored.message.content
    old = world.contents.put("acme", "D-one", content.sha256, LARGE.encode())
    like_then = replace(
        stored.message, document=f"D-one~{'0' * 64}", content=replace(content, object=old)
    )
    world.store.create("acme", [like_then])
    days(world, 4)
    assert world.contents.expired == {}
    assert world.contents.get(old).decode() == LARGE


@pytest.mark.parametrize("command", [COMMAND, SECRET_ONE])
def test_a_repeat_without_an_id_takes_nothing_from_the_next_message(command: str) -> None:
    """The same content at 12:51, at 13:31 a repeat of it, at 13:56 a message of its own; which
    has the document that the repeat had, and comes while that one's content is given up."""
    world = World()
    world.clock.forward(minutes=50)
    same = Delivery(None, None, command, LARGE)
    world.broker.deliver("acme", same)
    world.minute()
    world.clock.forward(minutes=39)
    interruptions = world.contents.faults = Interruptions()
    other = world.elsewhere()

    def comes() -> None:
        world.clock.forward(minutes=25)
        world.broker.deliver("acme", same)
        other.tick()

    interruptions.at("before withdraw", comes)
    world.broker.deliver("acme", same)
    world.minutes(5)
    assert len(world.ran) == 2
    assert world.live() == {}


def test_a_repeat_without_an_id_leaves_no_object() -> None:
    world = World()
    world.clock.forward(minutes=50)
    world.broker.deliver("acme", Delivery(None, None, SECRET_ONE, LARGE))
    world.minute()
    world.clock.forward(minutes=39)
    world.broker.deliver("acme", Delivery(None, None, SECRET_ONE, LARGE))
    world.minutes(5)
    assert len(world.ran) == 1
    assert world.contents.objects == {}


# The look through the bucket itself.


def test_it_looks_once_a_day(caplog: pytest.LogCaptureFixture) -> None:
    """It costs two reads then, none in between, and one in each new process."""
    looks: list[datetime] = []

    class Store(InMemoryMessages):
        def content_sweep(self) -> ContentSweep | None:
            looks.append(world.clock())
            return super().content_sweep()

    world = World(store=Store())
    world.minutes(2)
    caplog.clear()  # a test before may have set the level
    with caplog.at_level(logging.INFO):
        for hour in range(24 * 3):
            world.clock.forward(hours=1)
            if hour == 30:
                world.cold_start()
            world.tick()
    days_of_looks = Counter(look.date() for look in looks)
    assert max(days_of_looks.values()) <= 2 + 1
    assert len(looks) <= 2 * 4 + 1
    swept = [it for it in caplog.records if it.fields["action"] == "contents_swept"]  # type: ignore[attr-defined]
    assert len(swept) == 3


def test_it_goes_on_where_it_was_in_the_next_tick() -> None:
    """A little at each tick, also in another process."""
    clock = Clock()

    class Slow(InMemoryContents):
        def expire_unchanged(self, content: StoredContent, now: datetime) -> bool:
            clock.forward(seconds=0.1)
            return super().expire_unchanged(content, now)

    world = World(contents=Slow(), clock=clock)
    world.minute()
    left = {leftover(world, f"D-lost-{number:04}") for number in range(230)}
    world.clock.forward(days=3)
    counts = []
    for _ in range(4):
        world.cold_start()
        world.tick(minutes=1)
        counts.append(len(world.contents.expired))
    assert 0 < counts[0] < counts[1] < counts[2] == 230
    assert world.contents.expired.keys() == left


def test_a_bucket_that_is_down_is_asked_again_in_an_hour() -> None:
    """And the poll does its work."""
    world = World()
    world.minute()
    left = leftover(world)
    world.clock.forward(days=3)
    world.contents.faults.fail("lasting", Unavailable("down"))
    request = world.broker.offer("acme", COMMAND, "{}")
    world.minutes(30)
    assert world.ended().keys() == {request}
    assert world.contents.expired == {}
    world.minutes(40)
    assert world.contents.expired.keys() == {left}


def test_a_document_that_cannot_be_read_keeps_what_it_may_refer_to() -> None:
    world = World()
    world.minute()
    left = leftover(world, "D-lost")
    for document in ("D-edited", "D-of-old~edited"):
        world.store.create("acme", [other(document)])
        world.store.make_unreadable("acme", document, legible=False)
        leftover(world, document.partition("~")[0])
    world.clock.forward(days=3)
    world.minute()
    assert world.contents.expired.keys() == {left}


def other(document: str) -> Message:
    """A message that is stored under this document."""
    text = inline("{}")
    message = received(message_id="m", command=COMMAND, content=text, now=START, due=START)
    return replace(message, document=document, state=State.DEAD, due=None)


def test_what_it_cannot_decide_it_leaves_and_counts(caplog: pytest.LogCaptureFixture) -> None:
    """What is none of ours, what does not tell its document, what no document can be asked for."""
    world = World()
    world.minute()
    for name in ("stray", "a/b", "Not A Tenant/D-m/00", "acme/X-m/00", f"acme/~{'0' * 64}/00"):
        world.contents.objects[name] = b"x"
    left = leftover(world, "D-z")
    unreadable = leftover(world, "D-unreadable", "globex")
    world.store.faults.fail("references", Refused("no"), when=lambda tenant: tenant == "globex")
    world.clock.forward(days=3)
    caplog.clear()  # a test before may have set the level
    with caplog.at_level(logging.INFO):
        world.tick()
    [swept] = [it for it in caplog.records if it.fields["action"] == "contents_swept"]  # type: ignore[attr-defined]
    assert swept.fields["undecided"] == 6  # type: ignore[attr-defined]
    assert swept.levelno == logging.WARNING
    assert world.contents.expired.keys() == {left}
    assert unreadable in world.contents.objects


@pytest.mark.parametrize("command", [COMMAND, SECRET_ONE])
def test_a_repeat_that_comes_beside_another_message_of_its_id_keeps_no_content(
    command: str,
) -> None:
    """Both were put before it was known that their message has ended: the content of the one
    that did goes on to expire, or is gone again if it is personal."""
    world = World()
    world.broker.offer("acme", command, LARGE, message_id="m")
    world.minutes(2)
    world.broker.page = 2
    world.broker.offer("acme", command, LATER, message_id="m")
    world.broker.offer("acme", command, LARGE, message_id="m")
    world.minutes(2)
    name = f"acme/D-m/{hashlib.sha256(LARGE.encode()).hexdigest()}"
    assert (name in world.contents.objects) == (command != SECRET_ONE)
    assert (name in world.contents.expired) == (command != SECRET_ONE)
    assert len(world.ran) == 1


def test_pages_and_looks_are_bounded() -> None:
    """500 objects are listed at once, the documents of 50 looked up: each within its time."""
    listed: list[int] = []
    looked_up: list[int] = []

    class Bucket(InMemoryContents):
        def lasting(
            self, after: str, touched: datetime, limit: int
        ) -> tuple[list[StoredContent], str]:
            listed.append(limit)
            return super().lasting(after, touched, limit)

    class Store(InMemoryMessages):
        def references(self, tenant: str, documents: Sequence[str]) -> dict[str, set[str | None]]:
            looked_up.append(len(documents))
            return super().references(tenant, documents)

    world = World(contents=Bucket(), store=Store())
    world.minute()
    left = {leftover(world, f"D-lost-{number:04}") for number in range(501)}
    listed.clear()
    world.clock.forward(days=3)
    world.minute()
    assert listed == [500, 500]
    assert [number for number in looked_up if number] == [50] * 10 + [1]
    assert world.contents.expired.keys() == left


def test_what_the_bucket_refuses_is_counted_and_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A hold that somebody placed, say: it is told once, by name."""
    world = World()
    world.minute()
    left = [leftover(world, f"D-lost-{number}") for number in range(4)]
    world.contents.faults.fail("expire_unchanged", Refused("it is held"), times=3)
    world.clock.forward(days=3)
    caplog.clear()  # a test before may have set the level
    with caplog.at_level(logging.INFO):
        world.tick()
    fields = [it.fields for it in caplog.records]  # type: ignore[attr-defined]
    [swept] = [it for it in fields if it["action"] == "contents_swept"]
    assert (swept["refused"], swept["expired"]) == (3, 1)
    [told] = [it for it in fields if it["action"] == "contents_not_swept"]
    assert told["object"] == left[0]
    assert world.contents.expired.keys() == {left[3]}
