"""The guide for authors of consumers does what it says, in both languages."""

import json
import re
import shutil
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from infra.cli.app import built
from smartlink.consumer import Context
from smartlink.domain.catalog import Command, parse_catalog
from smartlink.testing import Around, Examined
from smartlink.testing.conformance import CHECKS
from tests.guide.blocks import Block, Guide, read
from tests.guide.reader import Reader, smartlink_of, targets_of
from tests.project.checkout import ROOT

PAGES = (ROOT / "functions" / "README.md", ROOT / "functions" / "README.pt-BR.md")
GUIDE = read(PAGES[0])
TARGETS = set(re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))
EXCERPTS = "functions/consumers/excerpts.py"
# A whole file's docstring and imports, and asserts outside tests/: of these an excerpt has none.
OF_A_WHOLE_FILE = "D100,E402,I001,S101"
CATALOG = json.loads((ROOT / "infra" / "catalog.json").read_text())


def of(language: str) -> list[Block]:
    return [block for block in GUIDE.blocks if block.language == language]


def lines(block: Block) -> list[str]:
    return block.text.splitlines()


def content(guide: Guide) -> list[tuple[str, str, str | None]]:
    return [(block.language, block.text, block.file) for block in guide.blocks]


def test_both_languages_have_the_same_code() -> None:
    """So what is executed of one page is executed of the other; and no section is missing."""
    other = read(PAGES[1])
    assert content(other) == content(GUIDE)
    assert [level for level, _ in other.headings] == [level for level, _ in GUIDE.headings]


def test_every_block_says_what_it_is() -> None:
    """Python, JSON and shell are executed or checked; `text` is what is only shown."""
    assert {block.language for block in GUIDE.blocks} == {"python", "json", "sh", "text"}


@pytest.mark.parametrize("block", of("json"), ids=lambda block: f"line {block.line}")
def test_json_is_a_payload_or_an_entry_of_the_catalogue(block: Block) -> None:
    """An entry is one that the relay takes, beside those that there are."""
    document = json.loads(block.text)
    if block.file is None:
        commands = {**CATALOG["commands"], **document}
        parse_catalog(json.dumps({**CATALOG, "commands": commands}))


@pytest.mark.parametrize("line", [line for block in of("sh") for line in lines(block)])
def test_every_command_line_can_be_typed(line: str) -> None:
    """Its target is the Makefile's; or smartlink has the command, and takes these options."""
    assert set(targets_of(line)) <= TARGETS
    if not (arguments := smartlink_of(line)):
        return
    command = built(arguments)
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(str(command.name), arguments)  # raises for what it does not take


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_it_works_for_whoever_follows_it(tmp_path: Path) -> None:
    """From `make consumer` to the last block: files are written, commands and Python run.

    What is written passes the checks of `make check`, as the excerpts do.
    """
    reader = Reader(tmp_path)
    reader.settle_in()
    printed = ""
    for block in GUIDE.blocks:
        if block.file is not None:
            reader.write(block.file, block.text)
        elif block.language == "sh":
            printed += "".join(map(reader.type, lines(block)))
    assert shown() <= set(timeless(printed).splitlines())
    reader.run([sys.executable, "-m", "tests.guide.walk", str(PAGES[0])])
    written = [block.file for block in of("python") if block.file]
    excerpts = "\n\n".join(block.text for block in of("python") if not block.file)
    reader.write(EXCERPTS, excerpts)
    ruff = [sys.executable, "-m", "ruff"]
    reader.run([*ruff, "check", "--quiet", *written])
    reader.run([*ruff, "check", "--quiet", f"--extend-ignore={OF_A_WHOLE_FILE}", EXCERPTS])
    reader.run([*ruff, "format", "--check", "--quiet", *written, EXCERPTS])
    reader.run([sys.executable, "-m", "mypy", *written, EXCERPTS])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_complete(page: Path) -> None:
    """Each field of an entry, of the context and of a test's surroundings, and each check."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    said = re.findall(r"`([^`]+)`", prose)
    entry = {it.alias or name for name, it in Command.model_fields.items()}
    context = {it.name.removeprefix("_") for it in fields(Context)}
    around = {f"{name}=" for name in (*Examined.__annotations__, *Around.__annotations__)}
    wanted = entry | context | around | set(CHECKS)
    assert {it for it in wanted if not any(text.startswith(it) for text in said)} == set()


def timeless(text: str) -> str:
    return re.sub(r"\d+\.\d+ s", "… s", text)


def shown() -> set[str]:
    """What the guide says that `make try` prints."""
    (block,) = [block for block in of("text") if block.text.startswith("Outcome")]
    return set(timeless(block.text).splitlines())
