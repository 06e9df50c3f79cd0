"""Shows how the demo goes, with a line for each step, and a bar in a terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class ConsoleNarrator:
    """Shows the steps on a console."""

    def __init__(self, console: Console, bar: Progress) -> None:
        """Start to count the seconds."""
        self._console = console
        self._bar = bar
        self._began = time.monotonic()
        self._task = bar.add_task("starting", total=None)

    def say(self, step: str) -> None:
        """See Narrator."""
        seconds = time.monotonic() - self._began
        self._console.print(f"[dim]{seconds:5.1f} s[/dim]  {step}", highlight=False)

    def progress(self, done: int, total: int) -> None:
        """See Narrator."""
        self._bar.update(self._task, description="processed", completed=done, total=total)


@contextmanager
def narrated(console: Console) -> Iterator[ConsoleNarrator]:
    """Show a progress bar while the block runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    with bar:
        yield ConsoleNarrator(console, bar)
