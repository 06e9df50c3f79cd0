"""A running stack takes changes up by itself: of the functions' code, and of the catalogue."""

import time
from collections.abc import Callable, Collection
from pathlib import Path

from infra.local.changes import Change, change_of
from infra.local.errors import NotReadyError, ProvisioningError, SettingError
from infra.local.functions import function_names, load_catalog
from infra.local.loading import problem_in
from infra.local.refit import refit
from infra.local.stack import RunningStack
from infra.local.watch import Watch, stamps
from smartlink.domain.catalog import Catalog

_SHOWN = 2


class Reload:
    """Watches the folder of the functions, and the catalogue's file."""

    def __init__(self, stack: RunningStack, say: Callable[[str], None]) -> None:
        """Begin with what the stack runs now; `say` gets a line for each change."""
        self._stack = stack
        self._say = say
        self._folder = stack.plan.source.parent
        self._down: frozenset[str] = frozenset()
        look = lambda: stamps(self._folder, [stack.plan.catalog])  # noqa: E731 - a Watch's eyes
        self._watch = Watch(look, time.monotonic)

    def look(self) -> None:
        """Take up what has changed and come to rest; mostly nothing. What is broken is told."""
        files = self._watch.changed()
        if not files:
            return
        began = time.monotonic()
        named = _named(files)
        try:
            catalog = load_catalog(self._stack.plan.catalog)
        except SettingError as error:
            self._say(f"{named} changed: {error} The functions stay as they were.")
            return
        change = change_of(files, self._folder, self._stack.catalog, catalog, self._down)
        if change and (problem := self._problem(change, catalog, files)):
            self._say(f"{named} changed: {problem}. The functions stay as they were.")
            return
        self._watch.used()
        if change and self._take_up(change, catalog, named):
            self._say(f"{named} changed: {change} ({time.monotonic() - began:.1f} s).")

    def _problem(self, change: Change, catalog: Catalog, files: Collection[Path]) -> str | None:
        commands = {name: catalog.commands[name].module for name in change.commands}
        inside = [it for it in files if it.is_relative_to(self._folder) and it.is_file()]
        places = sorted(it.relative_to(self._folder) for it in inside if it.suffix == ".py")
        # A consumer's files are loaded with it; one that no command needs may be as it likes.
        modules = [_module(place) for place in places if place.parts[0] != "consumers"]
        return problem_in(self._folder, commands, modules)

    def _take_up(self, change: Change, catalog: Catalog, named: str) -> bool:
        problem = None
        try:
            refit(self._stack, change, catalog)
        except (NotReadyError, ProvisioningError) as error:
            problem = str(error)
        self._down = frozenset(function_names(catalog)) - self._stack.pids.keys()
        if problem:
            down = ", ".join(sorted(self._down)) or "nothing"
            self._say(f"{named} changed, but: {problem} Down until the next change: {down}.")
        return problem is None


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _named(files: Collection[Path]) -> str:
    names = sorted(
        str(it.relative_to(Path.cwd()) if it.is_relative_to(Path.cwd()) else it) for it in files
    )
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
