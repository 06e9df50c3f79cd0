"""What is in a guide: headings, and fenced blocks, each with the file that it is to be."""

import re
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"```(\w*)")
_FILE = re.compile(r"<!-- file: (\S+) -->")
_HEADING = re.compile(r"(#+) (.+)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block; `line` is that of its fence, from 1."""

    language: str
    text: str
    file: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Guide:
    """A page."""

    blocks: tuple[Block, ...]
    headings: tuple[tuple[int, str], ...]  # level and text


def read(page: Path) -> Guide:
    """Take a page apart. A fence that is not closed is an error."""
    blocks: list[Block] = []
    headings: list[tuple[int, str]] = []
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(), start=1))
    file = None
    for number, line in lines:
        if fence := _FENCE.match(line):
            body = []
            for _, inner in lines:
                if inner == "```":
                    break
                body.append(f"{inner}\n")
            else:
                raise ValueError(f"{page}, line {number}: the fence is not closed")
            blocks.append(Block(fence[1], "".join(body), file, number))
        elif heading := _HEADING.match(line):
            headings.append((len(heading[1]), heading[2]))
        file = named[1] if (named := _FILE.fullmatch(line)) else None
    return Guide(tuple(blocks), tuple(headings))
