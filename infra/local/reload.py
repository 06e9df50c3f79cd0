"""Restarts functions of a running stack when an author saves a file, which watchfiles notices.

A change of a command's own module restarts the command's function. A change of another file in
`consumers/` restarts the functions of all commands. Any other change, also of the catalogue,
restarts every function.
"""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

from watchfiles import Change, DefaultFilter, watch

from infra.local.errors import NotReadyError, ProvisioningError, SettingError
from infra.local.functions import (
    consumer,
    function_environment,
    function_names,
    function_programs,
    function_urls,
    load_catalog,
)
from infra.local.ports import free_ports
from infra.local.provision import create_topics
from infra.local.rest import Rest
from infra.local.stack import RunningStack
from smartlink.domain.catalog import Catalog

# Code, and files that consumers read.
SUFFIXES = frozenset({".py", ".json", ".toml", ".yaml", ".yml", ".csv", ".sql"})
REST_MILLISECONDS = 300  # editors write a file in several steps, and a new command is several files
LOAD_SECONDS = 60.0
_SHOWN = 2
_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+)', re.MULTILINE)

# It can import only from the folder of the functions, as in the cloud.
_LOAD = """
import importlib, json, sys
commands, modules = json.loads(sys.argv[1])
for module in ("main", *modules):
    importlib.import_module(module)
from smartlink.bootstrap import load_consumer
for command, module in commands.items():
    load_consumer(command, module)
"""


class Reload:
    """Watches the folder of the functions and the catalogue's file in its own thread."""

    def __init__(self, stack: RunningStack, say: Callable[[str], None]) -> None:
        """Start to watch. `say` gets a line for each change."""
        self._stack = stack
        self._say = say
        self._folder = stack.plan.source.parent.resolve()
        self._catalog = stack.plan.catalog.resolve()
        self._saved: SimpleQueue[set[Path]] = SimpleQueue()
        self._files: set[Path] = set()  # saved files that are not in use yet
        watching = threading.Event()
        threading.Thread(target=self._watch, args=(watching,), name="watch", daemon=True).start()
        watching.wait()

    def look(self) -> None:
        """Restart the functions whose files were saved. Call it in the main thread (see
        `child`)."""
        if self._saved.empty():
            return
        while not self._saved.empty():
            self._files |= self._saved.get()
        began = time.monotonic()
        named = _named(self._files)
        try:
            catalog = load_catalog(self._catalog)
        except SettingError as error:
            self._say(f"{named} changed: {error} The functions stay as they were.")
            return
        touched = self._touched(catalog)
        if problem := self._problem(touched, catalog):
            self._say(f"{named} changed: {problem}. The functions stay as they were.")
            return
        self._files.clear()
        before = function_names(self._stack.catalog)
        try:
            self._restart(touched, catalog)
        except (NotReadyError, ProvisioningError) as error:
            down = set(function_names(catalog)) - self._stack.pids.keys()
            names = ", ".join(sorted(down)) or "nothing"
            self._say(f"{named} changed, but: {error} Down until the next change: {names}.")
            return
        said = _said(before, touched, function_names(catalog))
        self._say(f"{named} changed: {said} ({time.monotonic() - began:.1f} s).")

    def _watch(self, watching: threading.Event) -> None:
        try:
            # The catalogue's folder is watched, because an editor replaces the file by a new one.
            for changes in watch(
                self._folder,
                self._catalog.parent,
                watch_filter=self._matters,
                step=REST_MILLISECONDS,
                rust_timeout=500,
                yield_on_timeout=True,
            ):
                watching.set()
                if changes:
                    self._saved.put({Path(path) for _, path in changes})
        finally:
            watching.set()

    def _matters(self, change: Change, path: str) -> bool:
        file = Path(path)
        if file == self._catalog:
            return True
        ours = file.is_relative_to(self._folder) and file.suffix in SUFFIXES
        return ours and _not_an_editors(change, path)

    def _touched(self, catalog: Catalog) -> list[str]:
        """Name the functions to restart, with those that are down."""
        names = function_names(catalog)
        consumers = {consumer(name): entry.module for name, entry in catalog.commands.items()}
        touched = set(names) - self._stack.pids.keys()
        if catalog != self._stack.catalog:
            return names
        for module in map(self._module, self._files - {self._catalog}):
            if not module.startswith("consumers"):
                return names
            own = {name for name, its in consumers.items() if its == module}
            touched |= own or consumers.keys()
        return [name for name in names if name in touched]

    def _module(self, file: Path) -> str:
        return ".".join(file.relative_to(self._folder).with_suffix("").parts)

    def _problem(self, touched: list[str], catalog: Catalog) -> str | None:
        """Load the functions to restart in a new process; return in one line why that fails, or
        None."""
        commands = {
            name: entry.module
            for name, entry in catalog.commands.items()
            if consumer(name) in touched
        }
        inside = [it for it in self._files if it.is_relative_to(self._folder) and it.is_file()]
        modules = [
            self._module(it).removesuffix(".__init__") for it in inside if it.suffix == ".py"
        ]
        # A consumer's files are loaded with it; a file that no command needs is not checked.
        own = [module for module in sorted(modules) if not module.startswith("consumers")]
        try:
            ran = subprocess.run(
                [sys.executable, "-c", _LOAD, json.dumps([commands, own])],
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": ""},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LOAD_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"the functions could not be loaded within {LOAD_SECONDS:.0f} s"
        return None if ran.returncode == 0 else self._explained(ran.stderr)

    def _explained(self, traceback: str) -> str:
        """Return the error of a traceback, and the last place in an author's own file."""
        error = (traceback.strip().splitlines() or ["a module ended the process"])[-1]
        for frame in reversed(list(_FRAME.finditer(traceback))):
            file = Path(frame["file"])
            if file.is_relative_to(self._folder):
                return f"{file.relative_to(self._folder.parent)}, line {frame['line']}: {error}"
        return error

    def _restart(self, names: list[str], catalog: Catalog) -> None:
        """Stop these functions and start them on the same ports. One that does not start is
        down."""
        stack = self._stack
        supervisor = stack.supervisor
        removed = set(function_names(stack.catalog)) - set(function_names(catalog))
        with stack.between_ticks if "poll" in names else nullcontext():
            if catalog != stack.catalog:
                self._provision(catalog)
            supervisor.end([*removed, *names])
            environment = function_environment(stack.addresses, catalog)
            environment |= stack.plan.environment
            source = stack.plan.source
            programs = function_programs(catalog, stack.ports, environment, source)
            children = supervisor.start(*(it for it in programs if it.name in names))
            try:
                supervisor.wait_ready(children)
            except NotReadyError:
                dead = [it.program.name for it in children if not (it.running and it.ready())]
                supervisor.end(dead)
                raise
            finally:
                stack.show()

    def _provision(self, catalog: Catalog) -> None:
        """Give new functions a port, and make every topic and subscription again."""
        stack = self._stack
        fresh = [name for name in function_names(catalog) if name not in stack.ports]
        ports = free_ports(len(fresh), avoid=stack.ports.values())
        stack.ports |= dict(zip(fresh, ports, strict=True))
        before, stack.catalog = stack.catalog, catalog
        stack.addresses = replace(stack.addresses, functions=function_urls(catalog, stack.ports))
        rest = Rest()
        parent = f"http://{stack.addresses.pubsub}/v1/projects/{stack.addresses.project}"
        # The ack deadline of a subscription, which is a function's time-out, cannot be changed.
        for topic in set(_topics(before)):
            rest.call("DELETE", f"{parent}/subscriptions/{topic}")
        for topic in set(_topics(before)) - set(_topics(catalog)):
            rest.call("DELETE", f"{parent}/topics/{topic}")
        create_topics(rest, stack.addresses, catalog)


_not_an_editors = DefaultFilter()


def _topics(catalog: Catalog) -> Iterator[str]:
    yield from (str(function.topic) for function in catalog.pushed.values())
    yield from (command.topic for command in catalog.commands.values())


def _said(before: list[str], touched: list[str], after: list[str]) -> str:
    parts = {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "restarted": [name for name in touched if name in before],
    }
    done = "; ".join(f"{verb} {', '.join(names)}" for verb, names in parts.items() if names)
    return done or "no function has it"


def _named(files: set[Path]) -> str:
    names = sorted(
        str(it.relative_to(Path.cwd()) if it.is_relative_to(Path.cwd()) else it) for it in files
    )
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
