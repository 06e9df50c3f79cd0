"""Twenty thousand tenants, simulated: do ticks keep up on as many instances as `sizing` says?

`cloud.py` simulates, in virtual time: `poll` with one instance, `poll_shard` and `consume` with as
many as they may have. What the relay computes takes as much CPU as was measured.

One poll instance less than sized has to fall behind, or the claim could not fail.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from smartlink.adapters.http.rac import KEPT
from tests.bench.cloud import UNASKED, Deployment, Form, Kept
from tests.bench.sizing import (
    Assumed,
    IncompleteError,
    Measured,
    consume_instances,
    consumer_seconds,
    latest,
    measured,
    poll_instances,
)

Say = Callable[[str], None]

WHOLE = Form(20_000, 52.0, 200, 32, 512, KEPT)
SHORT = Form(1_250, 4.0, 25, 4, 64, KEPT // 8)
"""Half as many shards, which take as long with an eighth of the tenants on an eighth of the
threads."""
BUSY = Form(250, 25.0, 25, 4, 64, KEPT // 8)
"""The same, with a message of each tenant every ten seconds."""

UNMEASURED = Measured(
    operations={},
    poll_cpu=0.0008,
    consume_cpu=0.0003,
    idle_cpu=0.0013,
    cold_cpu=0.0035,
    poll_memory=110,
    consume_memory=106,
    dollars={},
)
"""Where no run of `growth` stands in `.bench/`: the rounded figures of one."""


def simulate(
    form: Form, unit: Measured, assumed: Assumed, say: Say = lambda _: None
) -> tuple[Kept, Kept]:
    """The ticks on as many instances as sized, and on one less."""
    load = (form.tenants, form.rate)
    sized = poll_instances(unit, assumed, load, form.settings)
    consumers = consume_instances(unit, assumed, load)
    with _quiet():
        found = []
        for instances in (sized, sized - 1):
            say(f"deployment: {form.tenants:,} tenants on {instances} instances")
            found.append(Deployment(form, unit, assumed).run(form.ticks, instances - 1, consumers))
    return found[0], found[1]


@contextmanager
def _quiet() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _costs() -> tuple[Measured, str]:
    """What the relay computes, and who says so: a whole run of `growth`, if there is one."""
    try:
        results = latest()
        about = results.get("measured", {}).get("growth", {})
        if not about.get("quick", True):
            # Operations cost dollars, and no time here.
            nothing: dict[str, Any] = {"counted": defaultdict(dict), "dollars": {}}
            unit = measured({"growth": results["growth"], "operations": nothing})
            return unit, f"the run of growth of {about['at'][:10]}"
    except IncompleteError:
        pass
    return UNMEASURED, "rounded figures of an earlier run"


def measure(say: Say, *, quick: bool) -> dict[str, Any]:
    """Simulate the whole form, or the short one."""
    unit, of = _costs()
    form, assumed = SHORT if quick else WHOLE, Assumed(consumer=consumer_seconds())
    sized, less = simulate(form, unit, assumed, say)
    costs = ("poll_cpu", "consume_cpu", "idle_cpu", "cold_cpu")
    return {
        "costs": {"of": of, **{name: getattr(unit, name) for name in costs}},
        "assumed": asdict(assumed),
        "form": asdict(form),
        "unaskedAtMost": UNASKED,
        "sized": sized.json(),
        "oneLess": less.json(),
        "met": sized.keeps_up and not less.keeps_up,
    }


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print it for people."""
    form = found["form"]
    title = f"{form['tenants']:,} tenants, {form['rate']:g} messages a second, simulated"
    shown = Table(box=SIMPLE_HEAD, title=title)
    columns = ("instances", "keeps up", "a tick's s", "asked", "refused", "late", "unasked s")
    for column in columns:
        shown.add_column(column, justify="right")
    for key, wanted in (("sized", True), ("oneLess", False)):
        it = found[key]
        keeps = Text("yes" if it["keepsUp"] else "no")
        keeps.stylize("green" if it["keepsUp"] is wanted else "red")
        figures = (max(it["seconds"]), f"{min(it['asked']):,}", it["refused"], it["expired"])
        shown.add_row(
            str(it["instances"]), keeps, *map(str, figures), f"{it['unaskedSeconds']:.0f}"
        )
    console.print(shown)
