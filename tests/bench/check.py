"""`make bench-check`: the bench's short form, of numbers that a busy machine does not change.

Operations at the wire must be what the bill reckons with (operations.py); calls, parses and memory
for a message must not grow beyond baseline.json by more than its tolerances (work.py). `make test`
checks the same, in tests/contract/test_wire_cost.py. `ARGS=--renew` writes what was measured as the
new baseline: for a change that is meant to cost more, and after one that costs less.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.local.errors import LocalStackError
from tests.bench import operations
from tests.bench.services import Services, services
from tests.bench.work import MESSAGES

BASELINE = Path(__file__).parent / "baseline.json"
RENEW = "make bench-check ARGS=--renew"

Work = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Checked:
    """What one run found."""

    counted: operations.Counted
    work: Work

    def problems(self) -> list[str]:
        """What differs from the bill, and what has grown, in words."""
        wire = operations.differences(self.counted, operations.written())
        return [*wire, *grown(self.work, baseline())]


def measure(running: Services) -> Checked:
    """Measure on emulators that are up and hold nothing yet."""
    running.add_tenants([operations.ALONE])
    messages = operations.in_process(running, "messages", operations.BATCH)
    work = operations.in_process(running, "work", MESSAGES)
    return Checked({**messages, **operations.idle(running)}, work)


def baseline() -> dict[str, Any]:
    """Read what is allowed."""
    found: dict[str, Any] = json.loads(BASELINE.read_text())
    return found


def limit(name: str, number: float, tolerances: Mapping[str, Mapping[str, float]]) -> float:
    """The most that a figure may be: its baseline, a share more and a number more."""
    tolerance = tolerances.get(name, tolerances["else"])
    return number * (1 + tolerance["share"]) + tolerance["number"]


def grown(work: Work, stored: Mapping[str, Any]) -> list[str]:
    """What is above its limit, or not in the baseline at all, or not counted any more, in words."""
    found = [
        f"{stage}: {name} {before:g} -> nothing: is it still counted?"
        for stage, its in stored["work"].items()
        for name, before in its.items()
        if before > limit(name, 0.0, stored["tolerances"]) and not work.get(stage, {}).get(name)
    ]
    for stage, its in work.items():
        for name, number in its.items():
            before = stored["work"].get(stage, {}).get(name, 0.0)
            most = limit(name, before, stored["tolerances"])
            if number > most:
                found.append(
                    f"{stage}: {name} {before:g} -> {number:g} a message, at most {most:g}"
                )
    return found


def renew(work: Work) -> None:
    """Write a new baseline; the tolerances stay."""
    BASELINE.write_text(json.dumps({**baseline(), "work": work}, indent=2) + "\n")


def show(found: Checked, console: Console) -> None:
    """Print it for people."""
    operations.show(found.counted, console)
    stored = baseline()
    shown = Table(box=SIMPLE_HEAD, title="Work for a message, of the interpreter")
    for column in ("stage", "of what", "baseline", "now", "at most"):
        shown.add_column(column, justify="left" if column in {"stage", "of what"} else "right")
    for stage, its in found.work.items():
        for name, number in its.items():
            before = stored["work"].get(stage, {}).get(name, 0.0)
            most = limit(name, before, stored["tolerances"])
            now = Text(f"{number:g}", style="red" if number > most else "green")
            shown.add_row(stage, name, f"{before:g}", now, f"{most:g}")
    console.print(shown)


def main(arguments: Sequence[str]) -> int:
    """Read the command line; answer 1 when something has grown."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.check", description=__doc__)
    parser.add_argument("--renew", action="store_true", help="make this the new baseline")
    asked = parser.parse_args(arguments)
    console = Console()
    try:
        with services(quick=True) as running:
            found = measure(running)
    except LocalStackError as error:
        console.print(f"[red]bench-check:[/red] {error}", soft_wrap=True)
        return 1
    show(found, console)
    if asked.renew:
        renew(found.work)
        console.print(f"Written: {BASELINE.name}. What the bill reckons with, write by hand.")
    problems = found.problems()
    for problem in problems:
        console.print(Text(problem, style="red"), soft_wrap=True)
    if problems:
        console.print(
            "If it should be so: write the new numbers of the wire to `counted` in "
            f"terraform/prices.json, and those of the work by {RENEW}.",
            soft_wrap=True,
        )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
