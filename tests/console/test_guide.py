"""The operators' guide says what stands on the screen, and both languages say the same."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tests.console.browser import Browser
from tests.console.test_alerts import ALERTS, LABEL, PAGES, shape
from tests.guide.blocks import Guide, read
from tests.project.checkout import ROOT

GUIDES = {
    "en": ROOT / "infra" / "README.md",
    "pt_BR": ROOT / "infra" / "README.pt-BR.md",
}
OF_ONE_LANGUAGE = ["O que ainda aparece em inglês", "Glossário"]
CATALOGUES = ROOT / "functions" / "smartlink" / "i18n" / "catalogues"
SCREENS = ("functions/console/", "functions/smartlink/operations/")
TARGETS = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
every = pytest.mark.parametrize("language", GUIDES)


def prose(language: str) -> str:
    """The guide without its blocks, each paragraph on one line."""
    text = GUIDES[language].read_text(encoding="utf-8")
    plain = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"[ \n]+", " ", plain)


def guide(language: str) -> Guide:
    return read(GUIDES[language])


def addresses(language: str) -> list[str]:
    return re.findall(r"`(/[^`]*)`", prose(language))


def commands(language: str) -> Iterator[tuple[str, ...]]:
    """What each command line does: its command, and the options that it takes."""
    blocks = [it.text for it in guide(language).blocks if it.language == "sh"]
    lines = [line for text in blocks for line in text.splitlines()]
    lines += re.findall(r"`(smartlink [a-z][^`]+)`", prose(language))
    for line in lines:
        arguments = shlex.split(line.replace("…", "why"), comments=True)
        if arguments[0] == "make":
            assert arguments[1] in TARGETS
            yield tuple(arguments)
            continue
        assert arguments[0] == "smartlink"
        cut = next((at for at, it in enumerate(arguments) if it in "<>"), len(arguments))
        yield shape(arguments[1:cut])


def test_both_languages_have_the_same_sections_and_commands() -> None:
    """But for what is in one language for good reason."""
    own, other = guide("en").headings, guide("pt_BR").headings
    more = [text for _level, text in other[len(own) :]]
    assert more == OF_ONE_LANGUAGE
    assert [level for level, _ in own] == [level for level, _ in other[: len(own)]]
    assert list(commands("en")) == list(commands("pt_BR"))
    there = [it.replace("TAREFA", "JOB") for it in addresses("pt_BR")]
    assert addresses("en") == there


@every
def test_what_is_bold_stands_on_the_screen(language: str) -> None:
    """In the guide's language, with the same words."""
    path = CATALOGUES / language / "LC_MESSAGES" / "smartlink.po"
    with path.open("rb") as file:
        known = {
            str(it.string or it.id)
            for it in read_po(file)
            if it.id and any(place.startswith(SCREENS) for place, _line in it.locations)
        }
    bold = re.findall(r"\*\*(.+?)\*\*", prose(language))
    assert len(bold) > 60
    assert {it for it in bold if it not in known} == set()


@every
def test_each_address_opens_a_page(language: str, troubled: tuple[Browser, str]) -> None:
    browser, job = troubled
    found = addresses(language)
    assert len(found) > 20
    for address in found:
        there = re.sub("JOB|TAREFA", job, address).replace("D-req-1", "D-dead-1")
        assert "<h1" in browser.get(there)


@every
def test_each_page_of_the_menu_is_in_the_guide(
    language: str, troubled: tuple[Browser, str]
) -> None:
    menu = re.search(r"<nav.*?</nav>", troubled[0].get("/"), re.DOTALL)
    assert menu
    pages = re.findall(r'href="([^"]+)"', menu[0])
    assert len(pages) > 8
    assert set(pages) <= set(addresses(language))


@every
def test_its_links_lead_to_its_own_sections(language: str) -> None:
    """As GitHub names them."""
    named = {
        re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        for _level, text in guide(language).headings
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", prose(language))) <= named


@every
def test_each_alert_has_its_row(language: str) -> None:
    """With the page that its link opens."""
    rows = [
        line.split(" | ")
        for line in GUIDES[language].read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    pages = {row[0].removeprefix("| "): row[1] for row in rows}
    titles = dict(re.findall(r'^    (\w+) = \{\n      title += "([^"]+)"', ALERTS, re.MULTILINE))
    titles |= re.findall(r'policy" "(\w+)" \{\n  display_name += "Smart Link: ([^"$]+)"', ALERTS)
    assert titles.keys() == PAGES.keys()
    for alert, title in titles.items():
        (own,) = [page for name, page in pages.items() if name.startswith(title)]
        wanted = LABEL.sub(lambda found: {"tenant": "acme", "job": "JOB"}[found[1]], PAGES[alert])
        assert own.replace("TAREFA", "JOB") == f"`{wanted}`"


@every
def test_a_picture_is_there(language: str) -> None:
    (picture,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", prose(language))
    assert (Path(GUIDES[language]).parent / picture).read_bytes().startswith(b"\x89PNG")
