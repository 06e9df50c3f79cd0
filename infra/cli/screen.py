"""Shows results to the operator: tables and sentences for people, JSON for programs."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

_NOTHING = "-"
_KEPT_WIDE = 20  # characters of a column that must not shrink below them
_UNBOUNDED = 1_000  # columns, if no terminal wraps the lines


@dataclass(slots=True)
class Screen:
    """Writes results to stdout and everything else to stderr, so that a pipe gets only results."""

    as_json: bool = False
    out: Console = field(
        default_factory=lambda: Console(highlight=False, markup=False, width=_width())
    )
    err: Console = field(
        default_factory=lambda: Console(stderr=True, highlight=False, markup=False)
    )

    def json(self, document: object) -> None:
        """Write the one document that `--json` promises."""
        text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
        # A text that UTF-8 cannot carry is written as its escape.
        safe = text.encode("utf-8", "backslashreplace").decode()
        sys.stdout.write(f"{safe}\n")

    def line(self, document: object) -> None:
        """Write one JSON document of several, on its own line."""
        sys.stdout.write(f"{json.dumps(document, default=str)}\n")
        sys.stdout.flush()

    def say(self, text: str, style: str | None = None) -> None:
        """Write a sentence of the result; nothing with `--json`."""
        if not self.as_json:
            self.out.print(clean(text), style=style, soft_wrap=False)

    def note(self, text: str, style: str | None = None) -> None:
        """Tell what happens besides the result."""
        self.err.print(clean(text), style=style, soft_wrap=True)

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None
    ) -> None:
        """Draw a table; a column whose name begins with `#` holds numbers, with `~` may wrap."""
        cells = [[shown(cell) for cell in row] for row in rows]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, expand=False)
        for number, name in enumerate(columns):
            right, folds = name.startswith("#"), name.startswith("~")
            widest = max((len(row[number]) for row in cells), default=0)
            table.add_column(
                name.lstrip("#~"),
                justify="right" if right else "left",
                no_wrap=not folds,
                overflow="fold" if folds else "ellipsis",
                min_width=None if folds else min(max(widest, len(name)), _KEPT_WIDE),
            )
        for row in cells:
            table.add_row(*row)
        if title:
            self.out.print(f"\n{title}", style="bold")
        self.out.print(table)

    def facts(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Draw names and values, one on each line; leave out missing values."""
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in pairs:
            if value not in (None, "", ()):
                grid.add_row(name, shown(value))
        self.out.print(grid)

    def progress(self) -> Progress:
        """Make a progress bar on stderr, which is hidden if stderr is not a terminal."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        hidden = self.as_json or not self.err.is_terminal
        return Progress(*columns, console=self.err, transient=True, disable=hidden)


def _width() -> int | None:
    """Return a large width for a pipe, so that no line is folded; None to use the terminal's."""
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS") else _UNBOUNDED


def shown(value: object) -> str:
    """Write a value for people."""
    if value is None or value == "":
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return instant(value)
    return clean(str(value))


def clean(text: str) -> str:
    """Replace control characters, with which a sender could control the operator's terminal."""
    return "".join(
        char if char in "\n\t" or (char.isprintable() and not "\ud800" <= char <= "\udfff") else "·"
        for char in text
    )


def instant(at: datetime) -> str:
    """Write an instant in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
