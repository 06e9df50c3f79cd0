"""Shows results to the operator: tables and sentences for people, JSON for programs."""

import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from textwrap import wrap

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text as Styled

from infra.cli.zone import instant
from smartlink.i18n import Text, _, told
from smartlink.operations.visible import clean

_NOTHING = "-"
_KEPT_WIDE = 20  # characters of a column that must not shrink below them
_NOT_PLAIN = re.compile(r"[^\n\x20-\x7e]")
_UNBOUNDED = 1_000  # columns, where no terminal wraps them


class Kind(Enum):
    """What a column holds."""

    TEXT = auto()
    NUMBERS = auto()  # they stand at the right
    FOLDS = auto()  # long texts, which may wrap
    IDS = auto()  # they stay whole


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: Text
    kind: Kind = Kind.TEXT

    @property
    def head(self) -> str:
        """Its name in the reader's language."""
        return told(self.name)


def numbers(name: Text) -> Column:
    """Make a column of numbers."""
    return Column(name, Kind.NUMBERS)


def folds(name: Text) -> Column:
    """Make a column of long texts, which may wrap."""
    return Column(name, Kind.FOLDS)


def ids(name: Text) -> Column:
    """Make a column of ids, which stay whole."""
    return Column(name, Kind.IDS)


@dataclass(slots=True)
class Screen:
    """Writes results to stdout and everything else to stderr, so that a pipe gets only results."""

    as_json: bool = False
    out: Console = field(
        default_factory=lambda: Console(highlight=False, markup=False, emoji=False, width=_width())
    )
    err: Console = field(
        default_factory=lambda: Console(stderr=True, highlight=False, markup=False, emoji=False)
    )

    def json(self, document: object) -> None:
        """Write the one document that `--json` promises."""
        # In ASCII: a program reads it through whatever encoding the console has.
        sys.stdout.write(f"{json.dumps(document, indent=2, default=str)}\n")

    def line(self, document: object) -> None:
        """Write one JSON document of many, on a line of its own."""
        sys.stdout.write(f"{_escaped(json.dumps(document, default=str))}\n")
        sys.stdout.flush()

    def say(self, text: Text, style: str | None = None) -> None:
        """Write a sentence of the result; nothing with `--json`."""
        if not self.as_json:
            self.out.print(clean(told(text)), style=style, soft_wrap=False)

    def whole(self, text: Text, style: str | None = None) -> None:
        """Write a line that is not broken, for it holds an id; nothing with `--json`."""
        if not self.as_json:
            self.out.print(clean(told(text)), style=style, soft_wrap=True)

    def block(self, text: str) -> None:
        """Write a text of several lines, each indented: none of them is a line of ours."""
        if not self.as_json:
            for line in text.splitlines():
                self.out.print(f"    {clean(line)}", soft_wrap=True)

    def note(self, text: Text, style: str | None = None) -> None:
        """Tell what happens besides the result."""
        self.err.print(clean(told(text)), style=style, soft_wrap=True)

    def table(
        self,
        columns: Sequence[Column | Text],
        rows: Iterable[Sequence[object]],
        title: Text | None = None,
    ) -> None:
        """Draw a table. A column of ids stays whole: where the screen is too narrow, ids get lines
        of their own.
        """
        own = [it if isinstance(it, Column) else Column(it) for it in columns]
        cells = [[shown(cell) for cell in row] for row in rows]
        if title:
            self.out.print(f"\n{told(title)}", style="bold")
        ids = [number for number, it in enumerate(own) if it.kind is Kind.IDS]
        if ids and _least_width(own, cells) > self.out.width:
            self._stack(own, cells, ids[0])
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, expand=False)
        for number, it in enumerate(own):
            folds = it.kind is Kind.FOLDS
            widest = max((cell_len(row[number]) for row in cells), default=0)
            least = widest if it.kind is Kind.IDS else min(widest, _KEPT_WIDE)
            table.add_column(
                it.head,
                justify="right" if it.kind is Kind.NUMBERS else "left",
                no_wrap=not folds,
                overflow="fold" if folds else "ellipsis",
                min_width=None if folds else max(least, min(len(it.head), _KEPT_WIDE)),
            )
        for row in cells:
            table.add_row(*row)
        self.out.print(table)

    def _stack(self, columns: Sequence[Column], cells: Sequence[Sequence[str]], id_at: int) -> None:
        """Write each id on a line of its own, and the rest below it."""
        others = [number for number in range(len(columns)) if number != id_at]
        heads = [columns[number].head for number in others]
        widths = [
            max([len(head), *(cell_len(row[number]) for row in cells)])
            for head, number in zip(heads, others, strict=True)
        ]

        def line(texts: Sequence[str]) -> str:
            padded = (
                f"{' ' * (width - cell_len(text))}{text}"
                if columns[number].kind is Kind.NUMBERS
                else f"{text}{' ' * (width - cell_len(text))}"
                for text, width, number in zip(texts, widths, others, strict=True)
            )
            return "   " + "  ".join(padded).rstrip()

        self.out.print(f" {columns[id_at].head}", style="bold", soft_wrap=True)
        self.out.print(line(heads), style="bold", soft_wrap=True)
        for row in cells:
            self.out.print(f" {row[id_at]}", soft_wrap=True)
            self.out.print(line([row[number] for number in others]), soft_wrap=True)

    def facts(self, pairs: Iterable[tuple[Text, object]]) -> None:
        """Write names and values, one a line; what there is not is left out.

        A long value goes on below itself; no word of it is broken, for it may be an id.
        """
        own = [(told(name), value) for name, value in pairs if value not in (None, "", ())]
        wide = max((cell_len(name) for name, _value in own), default=0) + 2
        for name, value in own:
            head = name
            for line in shown(value, several=True).split("\n"):
                for part in _folded(line, self.out.width - wide):
                    indent = " " * (wide - cell_len(head))
                    self.out.print(Styled.assemble((head, "bold"), indent, part), soft_wrap=True)
                    head = ""

    def progress(self) -> Progress:
        """A bar on stderr, where that is a terminal."""
        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(), MofNCompleteColumn())
        hidden = self.as_json or not self.err.is_terminal
        return Progress(*columns, console=self.err, transient=True, disable=hidden)


def _width() -> int | None:
    """Return a large width for a pipe, so that no line is folded; None to use the terminal's."""
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS") else _UNBOUNDED


def _least_width(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> int:
    """How wide a table is if nothing in it is cut."""
    width = 1
    for number, it in enumerate(columns):
        widest = max([len(it.head), *(cell_len(row[number]) for row in cells)])
        width += (min(widest, _KEPT_WIDE) if it.kind is Kind.FOLDS else widest) + 2
    return width


def shown(value: object, *, several: bool = False) -> str:
    """Write a value for people, on one line unless it may have `several`."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, bool):
        return told(_("yes") if value else _("no"))
    text = told(instant(value) if isinstance(value, datetime) else value)
    return "\n".join(map(clean, text.splitlines())) if several else clean(text)


def _folded(line: str, width: int) -> list[str]:
    folded = wrap(line, max(width, 20), break_long_words=False, break_on_hyphens=False)
    return folded or [""]


def _escaped(text: str) -> str:
    """JSON text whose strings hold no character that steers a terminal, or that UTF-8 has not."""
    return _NOT_PLAIN.sub(lambda found: _as_json(found[0]), text)


def _as_json(char: str) -> str:
    if char.isprintable() and not "\ud800" <= char <= "\udfff":
        return char
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
