"""What cannot be read harms nobody: it is passed over, counted and told of, and nothing is lost."""

import logging
from contextlib import suppress

import pytest

from smartlink.consumer import Context, RetryableError
from smartlink.domain.identity import Direction
from smartlink.domain.message import DeadReason, State
from smartlink.ports import Delivery, Unavailable
from smartlink.services.publishing.publish import PublishError
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, OTHER, World, catalog

PAGE = {"SMARTLINK_DUE_PAGE": "10"}
OUTAGE = Unavailable("down")


def fails_once(_content: str, context: Context) -> None:
    if context.attempt == 1:
        raise RetryableError("once")


def with_unreadable(number: int) -> World:
    """So many, due at one instant, before whatever else is due."""
    world = World(variables=PAGE)
    names = [f"odd{n:02}" for n in range(number)]
    for name in names:
        world.broker.offer("acme", COMMAND, "{}", message_id=name)
    world.publisher.faults.fail("publish", OUTAGE, times=99)
    world.tick(minutes=1)
    world.publisher.faults.clear()
    for name in names:
        world.store.make_unreadable("acme", f"D-{name}")
    return world


@pytest.mark.parametrize("number", [1, 9, 10, 11, 35])
def test_what_waits_behind_them_is_found(number: int) -> None:
    """Fewer than a page, a page, and several, all of one instant."""
    world = with_unreadable(number)
    world.behave = fails_once
    world.broker.offer("acme", COMMAND, "{}", message_id="good")
    world.minutes(60)
    assert world.ran == [("acme", "good")] * 2
    assert "good" in world.ended()
    assert len(world.store.live("acme")) == number


@pytest.mark.parametrize("number", [10, 25])
def test_they_hide_neither_direction(number: int) -> None:
    """A lost dispatch is found, and what waits to be sent is sent."""
    world = with_unreadable(number)
    world.publisher.faults.fail("publish", OUTAGE)
    world.broker.offer("acme", COMMAND, "{}", message_id="lost")
    world.tick(minutes=1)
    world.publish(content="up", id="up")
    world.minutes(10)
    assert world.ran == [("acme", "lost")]
    assert world.replies_to() == ["up"]


def test_a_full_page_of_each_kind() -> None:
    """Unreadable ones of both directions, and more than a page that can be sent and run."""
    world = with_unreadable(15)
    world.broker.faults.fail("send", OUTAGE, times=99)
    for number in range(40):
        world.publish(content="x", id=f"u{number:02}")
    for number in range(20):
        world.store.make_unreadable("acme", f"U-u{number:02}")
    world.broker.faults.clear()
    for number in range(25):
        world.broker.offer("acme", COMMAND, "{}", message_id=f"g{number:02}")
    world.minutes(30)
    assert len(world.replies_to()) == 20
    assert len(world.ran) == 25
    assert len(world.store.live("acme")) == 35


def test_each_tick_tells_of_them_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line with their number and the first, and a count in the report; no line for each."""
    world = with_unreadable(25)
    world.tick(minutes=10)
    caplog.clear()
    with caplog.at_level(logging.ERROR):
        report = world.tick(minutes=1)
    assert report.as_dict()["unreadable"] == 25
    fields = [vars(it)["fields"] for it in caplog.records]
    told = [it for it in fields if it["action"] == "document_unreadable"]
    assert [(it["tenant"], it["number"], len(it["documents"])) for it in told] == [("acme", 25, 10)]


@pytest.mark.parametrize("gone", [False, True])
def test_one_that_lost_its_date_is_told_each_day(
    gone: bool,  # noqa: FBT001
    logged: Logged,
) -> None:
    """No sweep finds it, for the query goes by that field; also of a tenant without a secret."""
    world = World(tenants=("acme", "globex"))
    world.broker.offer("acme", COMMAND, message_id="odd")
    world.tick()
    world.store.take_date("acme", "D-odd")
    if gone:
        world.secrets.remove("acme")
    world.cold_start()
    for _ in range(49):
        world.tick(hours=1)
    told = [it for it in logged("document_unreadable") if it["documents"] == ["D-odd"]]
    assert [(it["tenant"], it["number"]) for it in told] == [("acme", 1)] * 2
    assert logged("undated_not_sought") == []


def test_one_tenant_that_cannot_be_looked_at_hides_no_other(logged: Logged) -> None:
    """The look for what lost its date goes on with the next tenant."""
    world = World(tenants=("acme", "globex"))
    world.broker.offer("globex", COMMAND, message_id="odd")
    world.tick()
    world.store.take_date("globex", "D-odd")
    world.store.faults.fail("undated", Unavailable("down"), when=lambda name: name == "acme")
    world.cold_start()
    for _ in range(24):
        world.tick(hours=1)
    (told,) = logged("document_unreadable")
    assert (told["tenant"], told["documents"]) == ("globex", ["D-odd"])
    (failed,) = logged("undated_not_sought")
    assert failed["tenant"] == "acme"


def test_who_has_none_hears_of_none() -> None:
    world = World(tenants=("acme", "globex"))
    world.broker.offer("globex", COMMAND, "{}")
    assert "unreadable" not in world.minute().as_dict()


def test_an_unreadable_one_keeps_nobody_from_receiving() -> None:
    """It is no back-pressure, and no overdue message."""
    world = with_unreadable(10)
    world.tick(minutes=60)
    world.broker.offer("acme", OTHER, "{}", message_id="new")
    world.minutes(2)
    assert ("acme", "new") in world.ran


@pytest.mark.parametrize(
    ("content", "legible", "reason"),
    [
        ("{}", True, None),
        ("other", True, DeadReason.ID_REUSED),
        ("{}", False, DeadReason.UNKNOWN_OUTCOME),
    ],
)
def test_its_repeat_is_acked(content: str, legible: bool, reason: DeadReason | None) -> None:  # noqa: FBT001
    """Not acked, it would stand before the broker's other messages for ever; it is not run. If
    not even its command and hash can be read, the arrival is kept for a person to look at."""
    world = with_unreadable(1)
    world.store.make_unreadable("acme", "D-odd00", legible=legible)
    world.broker.offer("acme", COMMAND, content, message_id="odd00")
    world.broker.offer("acme", OTHER, "{}", message_id="behind")
    world.minutes(5)
    assert world.ran == [("acme", "behind")]
    assert world.broker.waiting("acme") == 0
    live = {name: it.message for name, it in world.store.live("acme").items()}
    beside = [it for name, it in live.items() if name != "D-odd00"]
    assert [it.dead_reason for it in beside] == ([reason] if reason else [])


def test_publishing_under_its_id_is_told() -> None:
    """A repeat where that can be read, a conflict where not: asking again would never help."""
    world = World()
    world.publish(content="x", id="taken")
    world.store.make_unreadable("acme", "U-taken")
    assert world.publish(content="x", id="taken").repeated
    world.store.make_unreadable("acme", "U-taken", legible=False)
    with pytest.raises(PublishError, match="choose another") as refused:
        world.publish(content="x", id="taken")
    assert refused.value.conflict


@pytest.mark.parametrize("legible", [True, False])
def test_publishing_under_its_id_keeps_its_content(*, legible: bool) -> None:
    """What is in the bucket is its own, though nobody can read that it is."""
    world = World()
    world.publish(content="x" * 300_000, id="taken")
    world.store.make_unreadable("acme", "U-taken", legible=legible)
    with suppress(PublishError):
        world.publish(content="x" * 300_000, id="taken")
    [name] = world.contents.objects
    assert world.store.live("acme")["U-taken"].message.content.object == name
    assert world.contents.expired == {}


@pytest.mark.parametrize("later", [1, 90])
def test_what_came_without_an_id_is_not_run_beside_one_that_cannot_be_read(later: int) -> None:
    """Within the hour it is a repeat, after it another message. When the first one came cannot
    be read, so the second one is neither run nor dropped: a person decides."""
    world = World()
    world.clock.forward(minutes=20 if later > 60 else 58)
    world.broker.deliver("acme", Delivery(None, None, COMMAND, "{}"))
    world.publisher.faults.fail("publish", OUTAGE, times=99)
    world.tick(minutes=1)
    world.publisher.faults.clear()
    [document] = world.store.live("acme")
    world.store.make_unreadable("acme", document)
    world.clock.forward(minutes=later)
    world.broker.deliver("acme", Delivery(None, None, COMMAND, "{}"))
    world.minutes(10)
    assert world.ran == []
    live = dict(world.store.live("acme"))
    del live[document]
    [beside] = live.values()
    assert (beside.message.dead_reason, beside.message.content.text) == (
        DeadReason.UNKNOWN_OUTCOME,
        "{}",
    )


def test_a_tenant_without_a_secret_still_has_it() -> None:
    """Nobody may believe that nothing of it lives."""
    world = with_unreadable(1)
    world.secrets.remove("acme")
    world.cold_start()
    world.tick(minutes=61)
    assert world.store.states(["acme"])["acme"].orphaned


@pytest.mark.parametrize("hold", [False, True])
def test_an_effect_that_cannot_be_read_is_not_repeated(*, hold: bool) -> None:
    """Nobody knows whether it was done: a person has to look."""
    paid: list[str] = []
    world = World(catalog_json=catalog(**({COMMAND: {"unknownOutcome": "hold"}} if hold else {})))

    def pay(content: str, context: Context) -> None:
        context.once(content, lambda: paid.append(content))

    world.behave = pay
    world.broker.offer("acme", COMMAND, "order-7")
    world.minutes(2)
    [effect] = world.effects.all("acme")
    world.effects.make_unreadable("acme", effect.document)
    world.broker.offer("acme", COMMAND, "order-7", message_id="again")
    world.minutes(24 * 60)
    assert paid == ["order-7"]
    dead = world.live()["again"]
    assert dead.state is State.DEAD
    assert "cannot be read" in (dead.error or "")
    assert dead.dead_reason is (DeadReason.UNKNOWN_OUTCOME if hold else DeadReason.EXHAUSTED)


@pytest.mark.parametrize(("direction", "letter"), list(zip(Direction, "DU", strict=True)))
def test_pages_of_either_direction_go_on_behind_their_end(
    direction: Direction, letter: str
) -> None:
    """Nothing is skipped and nothing comes twice, also where a page is all odd."""
    world = World()
    for number in range(7):
        world.broker.offer("acme", COMMAND, message_id=f"d{number}")
    world.tick()
    for number in range(7):
        world.publish(content="x", id=f"u{number}")
    world.clock.forward(hours=1)
    for number in (2, 3, 4):
        world.store.make_unreadable("acme", f"{letter}-{letter.lower()}{number}")
    seen: list[str] = []
    after = None
    while True:
        page = world.store.due("acme", world.clock(), 2, direction, None, after)
        seen += sorted(
            [*(it.message.document for it in page), *(it.document for it in page.unreadable)]
        )
        if page.returned < 2:
            break
        after = page.end
    assert seen == [f"{letter}-{letter.lower()}{number}" for number in range(7)]
