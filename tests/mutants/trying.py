"""Runs the fast tests on a mutant: in a process of its own, in a copy of the tree.

The process is forked when pytest and the vendors' packages are imported, and before anything of
the project is: a trial costs what its tests cost. Only the tests that reach the mutant's
function are run, until one fails.
"""

import json
import multiprocessing
import os
import resource
import shutil
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.drawing import ROOT, Mutant

SUITES = (
    "tests/unit/domain",
    "tests/unit/services",
    "tests/unit/adapters",
    "tests/unit/runtime",
    "tests/unit/settings",
    "tests/scenarios",
    "tests/hostile",
    "tests/contract/test_effects.py",
    "tests/contract/test_fidelity.py",
    "tests/contract/test_messages.py",
    "tests/contract/test_relay_state.py",
    "tests/contract/test_google_answers.py",
    "tests/contract/test_local_secret_manager.py",
    "tests/contract/test_secrets.py",
    "tests/contract/test_storage.py",
)
"""Without the official emulators: what needs them is skipped."""
SIMULATION = (
    "tests/simulation/test_simulation.py::test_every_single_fault_is_survived",
    "tests/simulation/test_simulation.py::test_some_schedules_hold",
)
"""For what the relay decides, after all others."""
_WARM = ("hypothesis", "requests", "pydantic", "google.cloud.storage", "google.cloud.firestore_v1")
_COPIED = ("functions", "infra", "tests", "pyproject.toml", "Makefile")
_PATIENCE = 20.0  # seconds without a sign of life
_ALIVE = 20  # ticks of the processor in that time: threads that only look around take fewer
_MEMORY = 8 << 30  # of addresses; a mutant that never stops to gather ends there


@dataclass(frozen=True, slots=True)
class Test:
    """One that passes on the relay as it is."""

    id: str
    seconds: float  # of the processor
    reaches: frozenset[str]  # functions, as `file:line`


@dataclass(frozen=True, slots=True)
class Trial:
    """How a mutant fared."""

    verdict: str  # killed, hung, survived, unreached
    test: str = ""  # that noticed it
    seconds: float = 0.0


class Copy:
    """A copy of the tree, in which nothing but mutants is written."""

    def __init__(self, path: Path, root: Path = ROOT) -> None:
        self.path = path
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        for name in _COPIED:
            if (root / name).is_dir():
                shutil.copytree(root / name, path / name, ignore=ignored)
            else:
                shutil.copy2(root / name, path / name)

    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """While the iterator is open, the mutant stands in its file."""
        file = self.path / mutant.file
        good = file.read_text("utf-8")
        try:
            self._write(file, mutant.applied(good))
            yield
        finally:
            self._write(file, good)

    def _write(self, file: Path, text: str) -> None:
        """Python takes a cached file for its source's if size and second are the same."""
        file.write_text(text, "utf-8")
        Path(cache_from_source(str(file))).unlink(missing_ok=True)


def survey(copy: Copy) -> list[Test]:
    """Runs every test once on the relay as it is, and notes what each one reaches."""
    code, noted = _forked(copy, [*SUITES, *SIMULATION], _Noting(copy.path), seconds=1_800)
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        message = f"the tests cannot be run before anything is mutated: {code}"
        raise RuntimeError(message)
    return [Test(it[0], it[1], frozenset(it[2])) for it in noted]


def try_mutant(copy: Copy, mutant: Mutant, functions: set[str], tests: Sequence[Test]) -> Trial:
    """The verdict on a mutant that stands in one of these functions."""
    chosen = _order(mutant, [it for it in tests if it.reaches & functions])
    if not chosen:
        return Trial("unreached")
    began = time.monotonic()
    for _ in copy.mutated(mutant):
        verdict, test = _noticed(copy, chosen)
    return Trial(verdict, test, round(time.monotonic() - began, 1))


def _noticed(copy: Copy, tests: Sequence[Test]) -> tuple[str, str]:
    """A test that fails has to fail twice: on a busy machine one may for want of time."""
    left = list(tests)
    while left:
        code, failed = _chosen(copy, left)
        if code is None:
            return "hung", ""
        if code == pytest.ExitCode.OK:
            return "survived", ""
        again = [it for it in left if it.id == failed]
        if not again or _chosen(copy, again)[0] != pytest.ExitCode.OK:
            return "killed", failed or "it does not even load"
        left.remove(again[0])
    return "survived", ""


def _chosen(copy: Copy, tests: Sequence[Test]) -> tuple[int | None, str]:
    seconds = 20 + 5 * sum(it.seconds for it in tests)
    files = sorted({it.id.partition("::")[0] for it in tests})
    code, noted = _forked(copy, files, _Choosing(tests), seconds=seconds)
    return code, str(noted or "")


def _order(mutant: Mutant, tests: Sequence[Test]) -> list[Test]:
    """The module's own tests first, then the others, the quick ones first."""
    own = f"test_{Path(mutant.file).stem}"
    rooms = {"tests/unit": 0, "tests/scenarios": 1, "tests/contract": 1, "tests/hostile": 2}

    def rank(test: Test) -> tuple[bool, int, float]:
        room = next((rank for name, rank in rooms.items() if test.id.startswith(name)), 3)
        return own not in test.id, room, test.seconds

    return sorted(tests, key=rank)


def _forked(
    copy: Copy, paths: Sequence[str], plugin: Any, *, seconds: float
) -> tuple[int | None, Any]:
    """Pytest's exit code, None if it had to be ended, and what the plugin noted."""
    for name in _WARM:
        __import__(name)
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(copy.path, paths, plugin, seconds, theirs))
    process.start()
    theirs.close()
    code, noted = None, None
    used, now = -_ALIVE, 0  # of the processor: its limit counts that, not the time
    while not mine.poll(_PATIENCE) and now >= used + _ALIVE:
        used, now = now, _used(process.pid or 0)
    if mine.poll():
        with suppress(EOFError):  # its processor's time was over
            code, noted = mine.recv()
    process.kill()
    process.join()
    return code, noted


def _used(pid: int) -> int:
    """Ticks of the processor; where there is no such file, it never works, and has hung."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _run(root: Path, paths: Sequence[str], plugin: Any, seconds: float, answer: Any) -> None:
    os.setsid()
    limit = int(seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    silence = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(silence, number)
    _move_to(root)
    arguments = [*plugin.options, "-q", "-p", "no:cacheprovider", f"--rootdir={root}", *paths]
    code = int(pytest.main(arguments, plugins=[plugin]))
    answer.send((code, plugin.noted()))
    os._exit(0)  # whatever a mutant left running


def _move_to(root: Path) -> None:
    """Imports come from there; nothing of the project may be here already."""
    os.chdir(root)
    os.environ["PYTHONPATH"] = "functions:."
    os.environ.pop("CI", None)
    os.environ["JAVA_HOME"] = str(root / "none")  # no official emulator is found
    for name in [it for it in sys.modules if it.partition(".")[0] in {"tests", "smartlink"}]:
        del sys.modules[name]
    here = {str(ROOT), str(ROOT / "functions"), "functions", ".", ""}
    sys.path[:] = [str(root / "functions"), str(root), *(it for it in sys.path if it not in here)]


class _Noting:
    """Notes which functions of the relay each test calls, and how long it takes; a test that is
    skipped, or fails on the relay as it is, is of no use."""

    options = ()

    def __init__(self, root: Path) -> None:
        self._prefix = f"{root}/functions/smartlink/"
        self._cut = len(f"{root}/")
        self._reached: defaultdict[str, set[str]] = defaultdict(set)
        self._seconds: dict[str, float] = {}
        self._useless: set[str] = set()
        self._now: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._now = self._reached[item.nodeid]
        began = time.process_time()
        sys.setprofile(self._called)
        threading.setprofile(self._called)
        try:
            return (yield)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
            self._seconds[item.nodeid] = round(time.process_time() - began, 3)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:
            self._useless.add(report.nodeid)

    def _called(self, frame: Any, kind: str, _: object) -> None:
        if kind == "call":
            code = frame.f_code
            if code.co_filename.startswith(self._prefix):
                self._now.add(f"{code.co_filename[self._cut :]}:{code.co_firstlineno}")

    def noted(self) -> Any:
        return [
            (name, took, sorted(self._reached[name]))
            for name, took in self._seconds.items()
            if name not in self._useless
        ]


class _Choosing:
    """Runs these tests alone, in this order, and notes the first that fails."""

    options = ("-x",)

    def __init__(self, tests: Sequence[Test]) -> None:
        self._order = {test.id: number for number, test in enumerate(tests)}
        self._failed = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (it for it in items if it.nodeid in self._order), key=lambda it: self._order[it.nodeid]
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = self._failed or report.nodeid

    def noted(self) -> Any:
        return self._failed


def dumped(tests: Sequence[Test]) -> str:
    """A survey, to be read again by `loaded`."""
    return json.dumps([[it.id, it.seconds, sorted(it.reaches)] for it in tests])


def loaded(text: str) -> list[Test]:
    """The survey that `dumped` wrote."""
    return [Test(it[0], it[1], frozenset(it[2])) for it in json.loads(text)]
