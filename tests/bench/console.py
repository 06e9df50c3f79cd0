"""What a page of the console costs on a large deployment: reads, and the console's own time.

Firestore's emulator is filled; reads are counted at the wire. The time is the CPU of the console's
process, so the emulator's scans of whole collections are not in it.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from infra.local.emulators import firestore_emulator, storage_emulator
from infra.local.secret_manager import secret_manager
from infra.simulator.running import running_simulator
from tests.cli.place import Hosts, Place
from tests.console.large import MOST_READS, MOST_SECONDS, PATHS, Large, cost, reads

TENANTS, LIVE, BUSY = 1_000, 5_000, 200
FIRST, HISTORY = 10_000, 100_000
QUICK = 10  # times less of everything
_BLOCK = 10_000


def measure(say: Callable[[str], None], *, quick: bool) -> Any:  # noqa: ANN401  (JSON)
    """Fills a project, and looks at each page over a tenth of the history and over all of it."""
    by = QUICK if quick else 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        hosts = Hosts(
            stack.enter_context(firestore_emulator()),
            stack.enter_context(storage_emulator()),
            stack.enter_context(secret_manager()),
            stack.enter_context(running_simulator()),
        )
        large = Large(Place(hosts, folder), TENANTS // by)
        begun = time.monotonic()
        large.furnish(LIVE // by)
        large.history(0, FIRST // by)
        unkept = reads(large.place, ["/"])["/"]
        large.hours(BUSY // by)
        say(f"filled a tenth of the history: {time.monotonic() - begun:.0f} s")
        small = reads(large.place)
        begun = time.monotonic()
        for start in range(FIRST // by, HISTORY // by, _BLOCK):
            large.history(start, min(start + _BLOCK, HISTORY // by))
        filled = time.monotonic() - begun
        say(f"filled the rest: {filled:.0f} s")
        found = {path: cost(large.place, path) for path in PATHS}
    return {
        "tenants": TENANTS // by,
        "live": LIVE // by,
        "history": [FIRST // by, HISTORY // by],
        "overviewWithoutHours": unkept,
        "pages": {
            path: {"reads": [small[path], its.reads], "seconds": round(its.seconds, 4)}
            for path, its in found.items()
        },
        "exceeded": [
            path
            for path, its in found.items()
            if its.reads > MOST_READS or its.seconds > MOST_SECONDS
        ],
    }


def show(found: Any, console: Console) -> None:  # noqa: ANN401  (JSON)
    """Draws a line for each page."""
    small, large = found["history"]
    title = f"Console: {found['tenants']} tenants, {found['live']} live messages"
    table = Table(box=SIMPLE_HEAD, title=title)
    table.add_column("page")
    for name in (f"reads, {small} of history", f"reads, {large}", "its own CPU, ms"):
        table.add_column(name, justify="right")
    for path, its in found["pages"].items():
        row = [*its["reads"], round(its["seconds"] * 1_000)]
        table.add_row(path, *map(str, row))
    console.print(table)
    text = "before any poll has kept an hour, the overview takes"
    console.print(f"{text} {found['overviewWithoutHours']} reads")
    if found["exceeded"]:
        console.print(f"beyond the bound: {', '.join(found['exceeded'])}", style="bold red")
