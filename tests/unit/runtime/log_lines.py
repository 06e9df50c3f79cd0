"""The log lines of a block, as Cloud Logging would get them."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

_FOUND_OUT = ("logThreads", "logProcesses", "logMultiprocessing")


@dataclass(frozen=True, slots=True)
class LogLines:
    """What went to stdout; each line must be JSON."""

    stream: io.StringIO = field(default_factory=io.StringIO)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def one(self) -> dict[str, Any]:
        (line,) = self.all
        return line

    def of(self, action: str) -> dict[str, Any]:
        """The only line with this action."""
        found = [line for line in self.all if line["action"] == action]
        assert len(found) == 1, [line["action"] for line in self.all]
        return found[0]


@contextmanager
def loggers_restored() -> Iterator[None]:
    """Undoes whatever is done to the loggers inside."""
    root, own = logging.getLogger(), logging.getLogger("smartlink")
    before = root.handlers[:], root.level, own.level
    found = {name: getattr(logging, name) for name in _FOUND_OUT}
    try:
        yield
    finally:
        root.handlers[:], root.level, own.level = before
        vars(logging).update(found)


@contextmanager
def log_lines() -> Iterator[LogLines]:
    """Collects what a process logs that configures its logs inside."""
    lines = LogLines()
    with loggers_restored(), redirect_stdout(lines.stream):
        yield lines
