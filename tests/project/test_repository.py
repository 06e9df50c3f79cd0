"""The repository is anybody's: no machine's paths, links that lead somewhere."""

import re
from pathlib import Path

from tests.project.checkout import ROOT, tracked

MACHINE = re.compile(r"(?<![\w.<}])/(?:work|root|Users|home/[a-z]\w*|mnt|workspace)/(?!\$)")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
FENCED = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
INDEX = re.compile(r"--(?:extra-)?index-url|--find-links|--trusted-host|(?:PIP|UV)_INDEX")


def texts() -> dict[str, str]:
    """Every tracked text, but for this file, by its path in the checkout."""
    found: dict[str, str] = {}
    for path in tracked():
        data = path.read_bytes()
        name = str(path.relative_to(ROOT))
        if b"\x00" not in data and path.name != "test_repository.py":
            found[name] = data.decode()
    return found


def test_no_path_of_a_machine() -> None:
    """What works here works in another folder, for another user."""
    found = {
        f"{name}: {match.group()}"
        for name, text in texts().items()
        for match in MACHINE.finditer(text)
    }
    assert found == set()


def test_no_package_index() -> None:
    """No file says where packages come from; `make lock` keeps it out of the lock files."""
    assert {name for name, text in texts().items() if INDEX.search(text)} == set()


def test_every_link_leads_somewhere() -> None:
    """What a page links to in the repository is there, its headings too."""
    broken = set()
    for name, text in texts().items():
        if not name.endswith(".md"):
            continue
        for place, heading in LINK.findall(FENCED.sub("", text)):
            target = (ROOT / name).parent / place if place else ROOT / name
            if not target.exists() or (heading and heading not in anchors(target.read_text())):
                broken.add(f"{name}: {place}#{heading}")
    assert broken == set()


def test_a_number_said_in_portuguese_is_said_in_english() -> None:
    """In the same section: limits, defaults, times. The Portuguese may say less."""
    pages = [path for path in tracked() if path.name == "README.pt-BR.md"]
    assert pages
    others = set()
    for page in pages:
        own, english = sections(page), sections(page.with_name("README.md"))
        for ours, theirs in zip(own, english, strict=False):  # a page may have more of its own
            for number in numbers(ours) - numbers(theirs):
                others.add(f"{page.relative_to(ROOT)}, {ours.splitlines()[0]}: {number}")
    assert others == set()


def sections(page: Path) -> list[str]:
    return re.split(r"^## ", page.read_text(), flags=re.MULTILINE)


def numbers(text: str) -> set[str]:
    """Without what only separates digits, and without the numbers of a list and of links."""
    prose = re.sub(r"\]\([^)]*\)|^ *\d+\. ", "", text, flags=re.MULTILINE)
    return {re.sub(r"\D", "", it) for it in re.findall(r"\d(?:[\d.,]*\d)?", prose)}


def anchors(page: str) -> set[str]:
    """The headings of a page, as GitHub makes anchors of them, and the places it names itself."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", it.lower()) for it in headings)
    named = re.findall(r'<a id="([\w-]+)">', page)
    return {it.replace(" ", "-") for it in plain} | set(named)
