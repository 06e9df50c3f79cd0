"""Each page, as somebody who may do everything sees it, and what stands on it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial

import pytest

from console import words
from smartlink.domain.message import DeadReason, Ending, Listed, LogType, Result, State
from smartlink.domain.tenant import TenantState
from smartlink.i18n import Language, spoken
from smartlink.operations.board import Scope, live_page
from smartlink.operations.fixes import ADVICE
from smartlink.operations.health import Fix
from smartlink.operations.job import ACTIONS, JobState
from smartlink.operations.plan import Unfit
from smartlink.operations.rights import Roles
from smartlink.operations.select import Filters
from smartlink.operations.tenants import Status
from tests.cli.place import Place
from tests.console.browser import Browser, browser_of, tags_of, text_of
from tests.console.conftest import wired
from tests.console.samples import HOSTILE, REQUEST, recent
from tests.contract.test_jobs import PLAIN
from tests.support import samples

MESSAGE = "/message?tenant=acme&document=D-dead-1"
PAGES = (
    "/",
    "/tenants",
    "/tenants/acme",
    "/activate",
    "/messages",
    "/messages?view=history",
    "/messages?state=Morta&tenant=acme",
    "/messages?id=corr-77",
    "/messages?blocked=yes",
    MESSAGE,
    "/message?tenant=acme&document=D-done-acme",
    "/errors",
    "/configuration",
    "/person",
    "/audit",
    "/jobs",
    "/health",
    "/health?run=yes",
)


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_drawn(browser: Browser, path: str) -> None:
    page = browser.get(path)
    assert "<h1" in page
    assert "</html>" in page


@pytest.mark.parametrize("language", Language)
def test_an_instant_is_written_with_signs_that_a_page_shows(language: Language) -> None:
    """What steers, and what looks like a space and is none, stands on a page as a dot."""
    with spoken(language):
        for form in ("short", "medium"):
            assert words.seen(words.when(samples.NOW, form)) == words.when(samples.NOW, form)


def test_the_overview_tells_when_it_was_counted(
    fresh: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept for 30 seconds, so that is not the instant at which it is drawn."""
    wiring = wired(fresh)
    browser = browser_of(wiring, Roles(everybody=True))
    begun = wiring.now()
    with spoken(Language.PORTUGUESE):
        counted = words.when(begun)
    for seconds in (0, 29):
        now = begun + timedelta(seconds=seconds)
        monkeypatch.setattr(
            wiring, "now", partial(datetime.fromtimestamp, now.timestamp(), UTC), raising=False
        )
        assert f"Contado em {counted}" in text_of(browser.get("/"))


def test_no_trouble_grows_too_old_to_be_seen(fresh: Place) -> None:
    """What began days ago, and stands still since, is named like what began now."""
    wiring = wired(fresh)
    now = wiring.now()
    old = now - timedelta(days=9)
    troubles = {
        "halted": TenantState(halted=old, last_error="another customer", last_error_at=old),
        "orphan": TenantState(orphaned=True, last_error_at=old),
        "paused": TenantState(paused_until=now + timedelta(days=1), last_error_at=old),
        "over": TenantState(paused_until=old, last_error="long over", last_error_at=old),
    }
    for name, state in troubles.items():
        wiring.store.save_state(name, state)
    page = text_of(browser_of(wiring, Roles(everybody=True)).get("/"))
    for said in ("halted está bloqueado", "orphan perdeu o segredo", "paused está pausado"):
        assert said in page
    assert "long over" not in page
    assert "Há mais tenants" not in page
    for number in range(12):
        wiring.store.save_state(f"halted-{number}", troubles["halted"])
    page = text_of(browser_of(wiring, Roles(everybody=True)).get("/"))
    assert "Há mais tenants" in page


@pytest.mark.parametrize("path", PAGES)
def test_what_others_wrote_is_text_alone(browser: Browser, path: str) -> None:
    """No tag, no attribute, no address of a page comes from an id, a command or an error."""
    page = browser.get(path)
    for name, attributes in tags_of(page):
        assert not [it for it in attributes if it.startswith("on") or it == "style"], attributes
        assert name != "script" or attributes["src"]
        for it in ("href", "src", "action"):
            assert not (attributes.get(it) or "").casefold().startswith(("javascript:", "data:"))
    assert not set(page) & {"\u202e", "\u2066", "\x1b", "\x07", "\x00"}


def test_hostile_contents_are_read_as_they_are(browser: Browser) -> None:
    """They are shown, and each page of such a message can be opened by its link."""
    page = browser.get("/messages?tenant=acme")
    seen = text_of(page)
    assert "<script>alert(1)</script>" in seen
    assert "--{{ 7*7 }}{% raw %}" in seen
    assert "·evil··[31mred·" in seen
    links = [
        it["href"] or ""
        for name, it in tags_of(page)
        if name == "a" and "document=D-h" in (it.get("href") or "")
    ]
    assert len(links) == len(HOSTILE)
    for link in links:
        assert "failed" in text_of(browser.get(link))


def test_a_filter_finds_what_fits_and_nothing_else(browser: Browser) -> None:
    """By each filter alone and together; the address alone tells them."""
    wanted = {
        "state=Aguardando": {"wait-1"},
        "tenant=globex&state=Morta": {"dead-1", "dead-2", "timed-1", "unknown-1"},
        "error=TIME-OUT": {"timed-1"},
        "direction=up": {"up-1", "D-done-acme/reply/1", "D-done-globex/reply/1"},
        "newer=15m": {"pend-none"},
        "id=corr-77": {"pend-1"},
        "id=done-acme&view=history": {"done-acme"},
        f"id={REQUEST}&tenant=acme": {"pend-1", "done-acme", "D-done-acme/reply/1"},
        f"id=+{REQUEST}+&tenant=globex": {"pend-1", "done-globex", "D-done-globex/reply/1"},
        f"request={REQUEST}&state=Pendente": {
            "pend-1",
            "D-done-acme/reply/1",
            "D-done-globex/reply/1",
        },
        f"request={REQUEST}&state=Aguardando": set(),
        f"request={REQUEST}&view=history&tenant=globex": {"done-globex"},
        f"request={REQUEST}&view=history&command=SGDPDataCommand&newer=1d": {
            *("done-acme", "done-globex"),
        },
        "view=history&command=SGDPDataCommand": {"done-acme", "done-globex"},
    }
    known = {it for ids in wanted.values() for it in ids}
    for query, ids in wanted.items():
        seen = text_of(browser.get(f"/messages?{query}"))
        found = {it for it in known if f" {it} " in f" {seen} "}
        assert found == ids - {"pend-none"}, query


def test_a_search_by_id_says_what_it_does_not_search(browser: Browser) -> None:
    """What came to a release of before has no request id: nothing found is no proof that it never
    came."""
    for identity in ("corr-77", "an-id-of-nothing"):
        page = browser.get(f"/messages?id={identity}")
        assert "a partir da versão que o conhece" in text_of(page)
        assert "SGDPDataCommand, SGDPLogsCommand, SGDPMaskCommand" in text_of(page)
        assert 'href="/person"' in page


def test_a_search_shows_each_message_once_and_says_if_there_may_be_more(fresh: Place) -> None:
    """However many of its ids fit: TPD's correlation id is its request id, too."""
    own = [
        recent(samples.dead(f"part-{number}", request_id="r-9", correlation_id="r-9"))
        for number in range(40)
    ]
    fresh.keep("acme", *own[:3])
    browser = browser_of(wired(fresh), Roles(everybody=True))
    seen = text_of(browser.get("/messages?id=r-9"))
    assert [seen.count(f" part-{number} ") for number in range(3)] == [1, 1, 1]
    assert "Pode haver mais" not in seen
    fresh.keep("acme", *own[3:])
    page = browser.get("/messages?id=r-9")
    assert "Pode haver mais" in text_of(page)
    assert 'href="/messages?request=r-9"' in page


def test_a_wrong_filter_is_told_and_not_ignored(browser: Browser) -> None:
    for query in ("state=Errada", "older=5x", "direction=left", "cause=zz", "after=nothing"):
        browser.get(f"/messages?{query}", 400)
    browser.get("/messages?tenant=nobody-here", 404)
    browser.get("/tenants/nobody-here", 404)
    browser.get("/message?tenant=acme&document=D-none", 404)


def test_pages_follow_each_other_to_the_end(browser: Browser) -> None:
    """Each message once, by links alone."""
    for scope in (Scope(), Scope(("acme", "globex"))):
        seen: list[tuple[str, str]] = []
        after = None
        for _ in range(20):
            page = live_page(browser.deployment, scope, Filters(), after, size=7)
            seen += [
                (tenant, item.message.document)
                for tenant, item in page.rows
                if isinstance(item, Listed)
            ]
            after = page.after
            if after is None:
                break
        assert after is None
        assert len(seen) == len(set(seen)) == 24


def test_the_time_line_tells_the_whole_life(browser: Browser) -> None:
    seen = text_of(browser.get(MESSAGE))
    for part in (
        "Recebida do broker",
        "Começa a tentativa 1",
        "Tentativa 1: ",
        "Morta: espera",
    ):
        assert part in seen
    assert '"requestID"' not in seen


def test_both_languages_and_the_choice_is_kept(browser: Browser) -> None:
    assert 'lang="pt-BR"' in browser.get("/")
    browser.post("/language", 303, language="en", back="/tenants")
    assert 'lang="en"' in browser.get("/")
    assert "What needs a person" in browser.get("/")
    answer = browser.post("/language", 303, language="pt-BR", back="//evil.example")
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(
    ("table", "kinds"),
    [
        (words.STATES, (State, Ending)),
        (words.STATUSES, (Status,)),
        (words.REASONS, (DeadReason,)),
        (words.JOBS, (JobState,)),
        (words.RESULTS, (Result,)),
        (words.LOG_TYPES, (LogType,)),
        (words.UNFIT, (Unfit,)),
    ],
)
def test_each_kind_has_its_words(
    table: Mapping[Enum, object], kinds: tuple[type[Enum], ...]
) -> None:
    """A page with a kind that has none would not be drawn."""
    assert set(table) == {it for kind in kinds for it in kind}


def test_each_act_has_its_words() -> None:
    assert set(words.ACTS) == set(ACTIONS)


def in_english(place: Place) -> Browser:
    browser = browser_of(wired(place), Roles(everybody=True))
    browser.post("/language", 303, language="en", back="/")
    return browser


def test_a_check_that_does_not_hold_is_drawn_with_its_fix(fresh: Place) -> None:
    wired(fresh).jobs.create(replace(PLAIN, id="broken", state=JobState.FAILED, due=None))
    seen = text_of(in_english(fresh).get("/health?run=yes"))
    assert "0 stand still, 1 failed: broken" in seen
    assert f"→ {ADVICE[Fix.RUN_JOB].page}" in seen


def test_a_dead_message_is_drawn_whatever_it_died_of(fresh: Place) -> None:
    dead = {f"end-{number}": reason for number, reason in enumerate(DeadReason)}
    for name, reason in dead.items():
        fresh.keep("acme", recent(replace(samples.dead(name), dead_reason=reason)))
    browser = in_english(fresh)
    for name, reason in dead.items():
        page = browser.get(f"/message?tenant=acme&document=D-{name}")
        assert words.REASONS[reason] in text_of(page)
