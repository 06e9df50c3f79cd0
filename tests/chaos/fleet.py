"""The functions' processes: killed at any instant, and started again."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from infra.local.child import Child
from infra.local.errors import NotReadyError
from infra.local.program import Program

_READY_SECONDS = 60.0
_PROBE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Kill:
    """Processes that were killed, and when: what they did last may not have been settled."""

    at: float  # of the monotonic clock
    pids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Freeze:
    """A process that stood still: what it ran meanwhile may be another's by then."""

    begin: float
    end: float
    pid: int


class Fleet:
    """Starts and kills from the main thread only: the kernel ends a child with its thread."""

    def __init__(self, programs: Sequence[Program], logs: Path) -> None:
        self.kills: list[Kill] = []
        self.freezes: list[Freeze] = []
        self._programs = {program.name: program for program in programs}
        self._logs = logs
        self._births = dict.fromkeys(self._programs, 0)
        self._running: dict[str, Child] = {}

    def start(self, name: str) -> None:
        """Start a function; each of its lives has a log of its own."""
        self._births[name] += 1
        program = replace(self._programs[name], name=f"{name}.{self._births[name]}")
        self._running[name] = Child(program, self._logs)

    def start_missing(self) -> None:
        """Start what was killed and is not up again."""
        for name in self._programs.keys() - self._running.keys():
            self.start(name)

    def kill(self, name: str) -> bool:
        """Kill a function with all its processes, as the end of its machine does."""
        child = self._running.pop(name, None)
        if child is None:
            return False
        pids = frozenset({child.pid, *_children(child.pid)})
        self.kills.append(Kill(time.monotonic(), pids))
        child.make_sure(0)
        return True

    def kill_worker(self, name: str, choice: int) -> bool:
        """Kill one of the processes that serve the calls, as the memory limit does."""
        pid = self._worker(name, choice)
        if pid is None:
            return False
        self.kills.append(Kill(time.monotonic(), frozenset({pid})))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return True

    def freeze_worker(self, name: str, choice: int) -> Callable[[], None] | None:
        """Freeze one of them; answer what lets it go on."""
        pid = self._worker(name, choice)
        if pid is None:
            return None
        began = time.monotonic()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)

        def thaw() -> None:
            self.freezes.append(Freeze(began, time.monotonic(), pid))
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

        return thaw

    def _worker(self, name: str, choice: int) -> int | None:
        child = self._running.get(name)
        workers = sorted(_children(child.pid)) if child else []
        return workers[choice % len(workers)] if workers else None

    def wait_ready(self) -> None:
        """Return when all of them listen."""
        deadline = time.monotonic() + _READY_SECONDS
        while waiting := [child for child in self._running.values() if not child.ready()]:
            self.check()
            if time.monotonic() > deadline:
                message = f"{waiting[0].program.name} was not ready: see {waiting[0].log}"
                raise NotReadyError(message)
            time.sleep(_PROBE_SECONDS)

    def check(self) -> None:
        """Raise if a function ended that nobody killed. A worker's own end is its master's care."""
        for child in self._running.values():
            if not child.running:
                raise NotReadyError(child.explain_death())

    def stop(self) -> None:
        """Stop all of them."""
        for child in self._running.values():
            child.ask_to_stop()
        for child in self._running.values():
            child.make_sure(1)
        self._running.clear()


def _children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    pairs = (line.split() for line in listed.stdout.splitlines())
    return [int(child) for child, parent in pairs if int(parent) == pid]


@contextmanager
def fleet(programs: Sequence[Program], logs: Path) -> Iterator[Fleet]:
    """Start every function; stop what is left of them at the end."""
    started = Fleet(programs, logs)
    try:
        started.start_missing()
        yield started
    finally:
        started.stop()
