"""One catalogue: what it promises is in the code, and nothing of the code is missing in it."""

import importlib
import pkgutil

import consumers
from smartlink.consumer import Consumer
from smartlink.domain.catalog import parse_catalog
from tests.project.checkout import ROOT

CATALOG = parse_catalog((ROOT / "infra" / "catalog.json").read_bytes())


def test_every_consumer_is_in_the_catalogue() -> None:
    """A new command is one file and one entry: a forgotten entry is found here."""
    stamped: set[tuple[str, str]] = set()
    for found in pkgutil.walk_packages(consumers.__path__, "consumers."):
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            if isinstance(value, Consumer) and value.function.__module__ == found.name:
                stamped.add((value.command, found.name))
    assert stamped == {(name, command.module) for name, command in CATALOG.commands.items()}


def test_a_poll_ends_within_its_minute() -> None:
    """Scheduler never runs two at once: a poll's time-out is within a tick."""
    assert CATALOG.functions.poll.timeout <= 60
    assert CATALOG.functions.poll.schedule == "* * * * *"
