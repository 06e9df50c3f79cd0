"""The pages in a real browser: fit for everybody, narrow, dark, without scripts, by keyboard."""

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from infra.console_here import console_here
from smartlink.domain.message import State
from smartlink.operations import operate
from smartlink.operations.rights import Roles
from tests.cli.place import Place
from tests.console.chromium import chromium
from tests.console.conftest import wired
from tests.console.samples import REQUEST, recent
from tests.console.test_blocked import ordered
from tests.console.test_pages import PAGES
from tests.support import samples

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@dataclass
class Site:
    """A console on this machine, as `smartlink console` serves it."""

    root: str
    entry: str
    place: Place


@contextmanager
def served(place: Place) -> Iterator[Site]:
    server, address = console_here(wired(place), 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Site(address.partition("/enter")[0], address, place)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture(scope="module")
def site(place: Place) -> Iterator[Site]:
    with served(place) as made:
        yield made


@pytest.fixture(scope="module")
def cookies(chrome: Browser, site: Site) -> Any:  # noqa: ANN401
    """The browser that used the address: the others take its cookies, as it works once."""
    context = chrome.new_context()
    page = context.new_page()
    page.goto(site.entry)
    kept = context.cookies()
    context.close()
    return kept


Contexts = Callable[..., BrowserContext]


@pytest.fixture
def contexts(chrome: Browser, cookies: Any) -> Iterator[Contexts]:  # noqa: ANN401
    made: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:  # noqa: ANN401
        context = chrome.new_context(**{"locale": "pt-BR", "viewport": WIDE, **options})
        context.add_cookies(cookies)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


def problems(page: Page) -> list[str]:
    found = Axe().run(page, options=AXE).response["violations"]
    return [f"{it['id']}: {it['nodes'][0]['html'][:200]}" for it in found]


def follow(button: Locator) -> None:
    """Clicks, and waits for the page to which it leads: a click itself waits for none."""
    with button.page.expect_event("load"):
        button.click()


FORMS: dict[str, dict[str, Any]] = {
    "light and wide": {},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": NARROW},
    "English": {"locale": "en-US"},
}


BETWEEN = {name: (1_210, 1_000, 990, 768) if name == "light and wide" else () for name in FORMS}
"""The widths of tablets and of half a screen too, once: the menu and the tables change between."""


def cut_off(page: Page, width: int) -> int:
    """How far the page is wider than its window."""
    page.set_viewport_size({"width": width, "height": 900})
    cut: int = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return cut


@pytest.mark.parametrize("form", FORMS)
def test_no_page_shuts_anybody_out(contexts: Contexts, site: Site, form: str) -> None:
    """Axe finds nothing (WCAG 2.2 AA), nothing is cut off, and the browser refuses nothing."""
    page = contexts(**FORMS[form]).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    found: dict[str, list[str]] = {}
    for path in PAGES:
        page.goto(f"{site.root}{path}")
        page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true })")
        own = problems(page)
        own += [
            f"{cut} px are cut off, {width} px wide"
            for width in (*BETWEEN[form], FORMS[form].get("viewport", WIDE)["width"])
            if (cut := cut_off(page, width)) > 0
        ]
        if own:
            found[path] = own
    assert not found
    assert not said, "a policy was broken, or a script failed"


def test_a_preview_of_many_shuts_nobody_out(chrome: Browser, fresh: Place) -> None:
    """While it has looked at a part of them, and when it has seen all."""
    fresh.keep("globex", *(recent(samples.dead(f"m{number:03}")) for number in range(200)))
    found: dict[str, list[str]] = {}
    with served(fresh) as site:
        first = chrome.new_context()
        first.new_page().goto(site.entry)
        cookies: Any = first.cookies()
        for name, form in FORMS.items():
            context = chrome.new_context(**{"locale": "pt-BR", "viewport": WIDE, **form})
            context.add_cookies(cookies)
            page = context.new_page()
            page.goto(f"{site.root}/messages?tenant=globex&error=Connection")
            page.locator("input[name=which][value=all]").check()
            follow(page.locator("button[value=redrive]"))
            for looked in ("part", "all"):
                own = problems(page)
                wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                found[f"{name}, {looked}"] = [*own, *([f"{wide} px cut off"] if wide > 0 else [])]
                if looked == "part":
                    follow(page.locator("form:not(.act) button:not([name])").last)
            context.close()
        first.close()
    assert not {name: its for name, its in found.items() if its}


def test_hostile_contents_run_nowhere(contexts: Contexts, site: Site) -> None:
    """Nothing that others wrote becomes a dialog, a request to elsewhere, or a picture."""
    page = contexts().new_page()
    dialogs: list[str] = []
    asked: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    page.on("request", lambda request: asked.append(request.url))
    for path in (*PAGES, "/messages?error=%3Cscript%3Ealert(1)%3C/script%3E"):
        page.goto(f"{site.root}{path}")
    assert not dialogs
    assert {url for url in asked if not url.startswith(site.root)} == set()


def test_without_scripts_everything_works(contexts: Contexts, site: Site) -> None:
    """Filters, pages, forms and previews are plain links and forms."""
    page = contexts(java_script_enabled=False).new_page()
    page.goto(f"{site.root}/messages")
    page.get_by_label("Estado (Situacao)").select_option("Morta")
    page.get_by_label("Tenant", exact=True).fill("globex")
    follow(page.get_by_role("button", name="Mostrar"))
    expect(page).to_have_url(re.compile("tenant=globex.*state=Morta"))
    page.get_by_label("Selecionar dead-1 de globex").check()
    follow(page.get_by_role("button", name="Reenviar …"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Prévia: reenviar")
    expect(page.get_by_role("button", name="Reenviar 1 mensagem", exact=True)).to_be_visible()


def test_by_keyboard_alone(contexts: Contexts, site: Site) -> None:
    """The first stop skips the menu; what has the focus is seen; Enter opens and sends."""
    page = contexts().new_page()
    page.goto(f"{site.root}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    seen = set()
    for _ in range(12):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        seen.add(style)
    assert seen == {"solid"}
    page.get_by_role("link", name="Mensagens", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Mensagens")


def test_nothing_is_asked_while_nobody_looks(contexts: Contexts, site: Site) -> None:
    """What is seen is drawn anew; a hidden page asks for nothing."""
    page = contexts().new_page()
    page.clock.install()
    page.goto(f"{site.root}/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with page.expect_response(lambda answer: answer.url == f"{site.root}/"):
        page.clock.fast_forward(31_000)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {get: () => true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    asked.clear()
    page.clock.fast_forward(600_000)
    assert asked == []


class NoPause:
    """Nobody stops the step from outside, and no rate has it wait."""

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float) -> bool:
        assert timeout >= 0
        return False


def worked_off(place: Place, job: str, looked: int) -> None:
    """One step, as the function `operate` does it."""
    bounds = operate.Bounds(seconds=300, looked=looked)
    new_id = uuid.uuid4
    operate.step(wired(place), job, Roles(everybody=True), lambda: new_id().hex, NoPause(), bounds)


def test_a_job_that_ends_while_somebody_looks_cannot_be_stopped(
    chrome: Browser, fresh: Place
) -> None:
    """What is drawn anew tells that it is done, and the button beside it goes too."""
    with served(fresh) as site:
        context = chrome.new_context(locale="pt-BR")
        page = context.new_page()
        page.goto(site.entry)
        page.goto(f"{site.root}/messages?tenant=globex")
        page.get_by_label("Selecionar dead-1 de globex").check()
        follow(page.get_by_role("button", name="Reenviar …"))
        page.get_by_label("Motivo").fill("the ERP is back")
        follow(page.get_by_role("button", name="Reenviar 1 mensagem", exact=True))
        expect(page.get_by_role("button", name="Parar")).to_be_visible()
        page.get_by_role("heading", level=1).click()  # a field that has the focus is left alone
        worked_off(fresh, page.url.rpartition("/")[2], 10)
        expect(page.get_by_role("button", name="Parar")).to_be_hidden(timeout=30_000)
        expect(page.get_by_role("status")).to_contain_text("Concluída")
        context.close()


MANY = 5_000


@pytest.mark.parametrize("scripts", [True, False])
def test_enter_in_the_reason_does_nothing(chrome: Browser, fresh: Place, *, scripts: bool) -> None:
    """A form with several acts has none that Enter chooses: discarding what waits is for ever."""
    with served(fresh) as site:
        context = chrome.new_context(locale="pt-BR", java_script_enabled=scripts)
        page = context.new_page()
        page.goto(site.entry)
        page.goto(f"{site.root}/message?tenant=acme&document=D-wait-1")
        page.get_by_label("Motivo").fill("the ERP is back")
        page.get_by_label("Motivo").press("Enter")
        page.get_by_role("button", name="Reter").focus()
        assert "document=D-wait-1" in page.url
        follow(page.get_by_role("button", name="Reter"))
        expect(page.get_by_role("status").first).to_contain_text("1 mensagem: retida")
        context.close()
    [result] = [it for it in wired(fresh).audit.records(None) if it.intent is not None]
    assert result.act == "messages hold"


def test_a_double_click_acts_once(chrome: Browser, fresh: Place) -> None:
    """The page says what was done, and not that somebody else was faster."""
    with served(fresh) as site:
        context = chrome.new_context(locale="pt-BR")
        page = context.new_page()
        page.goto(site.entry)
        page.goto(f"{site.root}/message?tenant=acme&document=D-dead-1")
        page.get_by_label("Motivo").fill("the ERP is back")
        asked: list[str] = []
        page.on("request", lambda it: asked.append(it.method))
        with page.expect_event("load"):
            page.get_by_role("button", name="Reenviar").dblclick()
        expect(page.get_by_role("status").first).to_contain_text("1 mensagem: ")
        assert asked.count("POST") == 1
        context.close()


def test_a_page_that_cannot_be_drawn_anew_says_so(chrome: Browser, fresh: Place) -> None:
    """And goes on trying: one refusal does not leave a job's page as it was for ever."""
    fresh.keep("globex", recent(samples.dead("x")))
    with served(fresh) as site:
        context = chrome.new_context(locale="pt-BR")
        page = context.new_page()
        page.clock.install()
        page.goto(site.entry)
        page.goto(f"{site.root}/")
        old = page.locator("#stale")
        expect(old).to_be_hidden()
        page.route(f"{site.root}/", lambda it: it.fulfill(status=503, body="no"))
        page.clock.fast_forward(31_000)
        expect(old).to_be_visible()
        page.unroute(f"{site.root}/")
        page.clock.fast_forward(31_000)
        expect(old).to_be_hidden()
        context.close()


def test_5000_are_redriven_stopped_and_resumed(chrome: Browser, fresh: Place) -> None:
    """In a browser that closes after the start; another one stops it and lets it go on.

    The steps wait for no rate.
    """
    fresh.keep("globex", *(recent(samples.dead(f"m{number:05}")) for number in range(MANY)))
    with served(fresh) as site:
        first = chrome.new_context(locale="pt-BR")
        page = first.new_page()
        page.goto(site.entry)
        cookies: Any = first.cookies()
        page.goto(f"{site.root}/messages?tenant=globex&error=Connection")
        page.get_by_label("todas as que se encaixam").check()
        follow(page.get_by_role("button", name="Reenviar …"))
        expect(page.get_by_text("No máximo 5.004 mensagens seriam executadas")).to_be_visible()
        follow(page.get_by_role("button", name="Continuar a procura"))
        expect(page.get_by_role("status")).to_contain_text("Das primeiras 300 examinadas")
        page.get_by_label("Motivo").fill("the ERP is back")
        follow(page.get_by_role("button", name="Reenviar todas"))
        job = page.url.rpartition("/")[2]
        first.close()
        worked_off(fresh, job, 1_000)
        second = chrome.new_context(locale="pt-BR")
        second.add_cookies(cookies)
        other = second.new_page()
        other.goto(f"{site.root}/jobs/{job}")
        other.get_by_label("Motivo").fill("slower, please")
        follow(other.get_by_role("button", name="Parar"))
        worked_off(fresh, job, 10_000)
        other.goto(f"{site.root}/jobs/{job}")
        expect(other.get_by_role("status")).to_contain_text("Parada")
        expect(other.get_by_role("status")).to_contain_text("1.000 de no máximo 5.004")
        other.get_by_label("Motivo").fill("go on")
        follow(other.get_by_role("button", name="Retomar"))
        worked_off(fresh, job, 10_000)
        other.goto(f"{site.root}/jobs/{job}")
        expect(other.get_by_role("status")).to_contain_text("5.002 de no máximo 5.004")
        second.close()
    states = {
        it.message.state
        for it in wired(fresh).store.live("globex", {})
        if it.message.id.startswith("m")
    }
    assert states == {State.PENDING}


def test_a_picture_can_be_taken(contexts: Contexts, site: Site, tmp_path: Path) -> None:
    """The style sheet came: a page without it would be one white column."""
    page = contexts().new_page()
    page.goto(f"{site.root}/")
    page.screenshot(path=tmp_path / "overview.png")
    menu = page.locator("nav.menu").bounding_box()
    main = page.locator("main").bounding_box()
    assert menu
    assert main
    assert menu["x"] + menu["width"] <= main["x"] + 1


@pytest.mark.parametrize("form", FORMS)
def test_what_waits_and_what_is_held_shut_nobody_out(
    chrome: Browser, fresh: Place, form: str
) -> None:
    """The lists and pages of ordered messages, a search by a request id, the preview of a hold."""
    fresh.keep("acme", *ordered())
    paths = (
        "/messages?blocked=yes",
        "/message?tenant=acme&document=D-A2",
        f"/messages?id={REQUEST}",
    )
    with served(fresh) as site:
        context = chrome.new_context(**{"locale": "pt-BR", "viewport": WIDE, **FORMS[form]})
        page = context.new_page()
        page.goto(site.entry)
        found: dict[str, list[str]] = {}
        for path in (*paths, "the preview"):
            if path == "the preview":
                page.goto(f"{site.root}/messages?tenant=acme&request={REQUEST}")
                page.locator('input[name="which"][value="all"]').check()
                follow(page.locator('button[value="hold"]'))
            else:
                page.goto(f"{site.root}{path}")
            own = problems(page)
            wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            found |= {path: [*own, f"{wide} px are cut off"]} if own or wide > 0 else {}
        context.close()
    assert not found
