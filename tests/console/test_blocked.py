"""What waits for its turn, behind what: on the lists, on a message's page, on the overview."""

import json
from dataclasses import replace

import pytest

from infra.cli.target import find_target
from smartlink.domain.message import Message, State
from smartlink.domain.order import Order
from smartlink.operations.rights import Roles, parse_roles
from smartlink.operator_wiring import OperatorWiring
from tests.cli.place import Place
from tests.console.browser import Browser, browser_of, text_of
from tests.console.conftest import watched
from tests.console.samples import recent
from tests.contract.backends import _text_instead
from tests.support import samples
from tests.support.firestore_counter import FirestoreCounter


def at(message: Message, key: str, number: int, *, queued: bool = True) -> Message:
    state = State.WAITING if queued else message.state
    order = Order(f"{message.type} /invoice {key}", f"{number:05d}", "/invoice")
    return recent(replace(message, order=order, state=state, queued=queued))


def ordered() -> list[Message]:
    """Key A is held by a dead message, key B by one that waits for its retry; C waits for none."""
    return [
        at(samples.dead("A1"), "A", 1, queued=False),
        at(samples.pending("A2"), "A", 2),
        at(samples.pending("A3"), "A", 3),
        at(samples.waiting("B1"), "B", 4, queued=False),
        at(samples.pending("B2"), "B", 5),
        at(samples.pending("C1"), "C", 6),
    ]


def in_order(place: Place, when_dead: str = "hold") -> OperatorWiring:
    """A deployment whose catalogue orders the command."""
    target = find_target(None, None, {"SMARTLINK_LOCAL_DIR": str(place.folder)})
    catalog = json.loads(target.variables["SMARTLINK_CATALOG"])
    catalog["commands"]["SGDPDataCommand"] |= {"ordered": "/invoice", "whenDead": when_dead}
    variables = {**target.variables, "SMARTLINK_CATALOG": json.dumps(catalog)}
    return OperatorWiring(variables, target.title, local_operator="ana@example.com")


@pytest.fixture
def own(fresh: Place) -> Browser:
    fresh.keep("acme", *ordered())
    return browser_of(in_order(fresh), Roles(everybody=True))


@pytest.mark.parametrize("tenant", ["", "&tenant=acme"])
def test_the_list_names_what_each_waits_for(own: Browser, tenant: str) -> None:
    page = own.get(f"/messages?blocked=yes{tenant}")
    seen = text_of(page)
    for waiting, by in (("A2", "A1"), ("A3", "A1"), ("B2", "B1")):
        row = text_of(page.partition(f">{waiting}</bdi>")[2].partition("</tr>")[0])
        assert f"por {by} " in row
        assert "espera há 20 minutos" in row
    row = text_of(page.partition(">C1</bdi>")[2].partition("</tr>")[0])
    assert "a vez dela chegou" in row
    for name in ("dead-1", "pend-1"):
        assert f" {name} " not in seen
    assert "document=D-A1" in page


def test_a_message_tells_what_it_waits_for_and_what_waits_for_it(own: Browser) -> None:
    waiting = own.get("/message?tenant=acme&document=D-A2")
    assert "por A1 Morta" in text_of(waiting)
    assert "SGDPDataCommand /invoice A" in text_of(waiting)
    assert "que vêm depois: 1." in text_of(waiting)
    dead = text_of(own.get("/message?tenant=acme&document=D-A1"))
    assert "que vêm depois: 2." in dead
    assert "Espera pela vez" not in dead
    assert "Espera pela vez" not in own.get("/message?tenant=acme&document=D-dead-1")


def test_what_blocks_is_named_even_if_it_is_unreadable(own: Browser, fresh: Place) -> None:
    store = fresh.store
    first = store._in("acme", "GTotvsLinkMessage", "D-A1")  # noqa: SLF001
    store._calls.write_each("break it", [_text_instead(first, "QtdeTentativaExec")])  # noqa: SLF001
    row = text_of(own.get("/messages?blocked=yes"))
    assert "por D-A1 Ilegível" in row


def test_a_dead_message_that_holds_others_back_needs_a_person(own: Browser) -> None:
    page = own.get("/")
    assert "A1 de acme (SGDPDataCommand) está morta e segura as que vêm depois: 2" in text_of(page)
    assert 'href="/message?tenant=acme&amp;document=D-A1"' in page


def test_where_the_others_pass_a_dead_one_nobody_is_called(fresh: Place) -> None:
    fresh.keep("acme", *ordered())
    browser = browser_of(in_order(fresh, "pass"), Roles(everybody=True))
    assert "segura as que vêm depois" not in text_of(browser.get("/"))


def test_of_further_tenants_nothing_is_told(fresh: Place) -> None:
    fresh.keep("acme", *ordered())
    roles = parse_roles(json.dumps({"ana@example.com": {"viewer": ["globex"]}}), local=False)
    browser = browser_of(in_order(fresh), roles)
    assert "segura" not in text_of(browser.get("/"))
    assert "A2" not in browser.get("/messages?blocked=yes")
    browser.get("/messages?blocked=yes&tenant=acme", 404)


def test_a_filter_that_means_nothing_there_is_told(own: Browser) -> None:
    own.get("/messages?blocked=yes&view=history", 400)
    own.get("/messages?blocked=perhaps", 400)
    own.post("/selection", 400, action="hold", which="all", blocked="yes")


def test_however_many_wait_and_are_dead_the_pages_stay_bounded(fresh: Place) -> None:
    """Many keys, each held by a dead message of its own: a read more for each that is shown."""
    for start in range(0, 300, 50):
        made = []
        for number in range(start, start + 50):
            key = f"K{number:03}"
            made.append(at(samples.dead(f"{key}-1"), key, number, queued=False))
            made.append(at(samples.pending(f"{key}-2"), key, 1_000 + number))
        fresh.keep("acme", *made)
    paths = {
        "/": "Outras mensagens mortas podem segurar mais",
        "/messages?blocked=yes": "por K000-1 Morta",
        "/messages?blocked=yes&error=nothing-has-it": "nenhuma",
        "/message?tenant=acme&document=D-K000-1": "que vêm depois: 1.",
    }
    for path, told in paths.items():
        counter = FirestoreCounter()
        wiring = watched(in_order(fresh), fresh, counter)
        page = browser_of(wiring, Roles(everybody=True)).get(path)
        assert told.casefold() in text_of(page).casefold()
        assert counter.operations["read"] <= 200, (path, counter.operations["read"])
