"""A reader of the guide: writes its files into a copy of the checkout, and runs its commands."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.project.checkout import ROOT

_COPIED = (
    "functions",
    "infra",
    "tests/guide",
    "tests/requirements.txt",
    "Makefile",
    "pyproject.toml",
)
_RUN = {"consumer", "try", "schemas"}  # the targets that are quick and need no emulator
_OUTER = ("ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS", "PYTEST_ADDOPTS")
_SECONDS = 120


def targets_of(line: str) -> list[str]:
    """The targets that a command line of make names."""
    words = shlex.split(line)
    return [it for it in words[1:] if "=" not in it] if words[0] == "make" else []


def smartlink_of(line: str) -> list[str]:
    """The arguments of a command line of smartlink."""
    words = shlex.split(line)
    return words[1:] if words[0] == ".venv/bin/smartlink" else []


@dataclass(frozen=True, slots=True)
class Reader:
    """Works in `checkout`, with the Python that runs the tests."""

    checkout: Path

    def settle_in(self) -> None:
        """Copy what a reader works with."""
        for name in _COPIED:
            source = ROOT / name
            (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, self.checkout / name)
        for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "As cloned"]):
            self.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments])

    def write(self, file: str, text: str) -> None:
        """Save a block under its name."""
        path = self.checkout / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def type(self, line: str) -> str:
        """Run a command line as far as it is quick; what it printed."""
        words = shlex.split(line)
        match words:
            case ["make", target, *_] if target in _RUN:
                python = Path(sys.executable).parent
                # Installed already; this keeps make from doing it again.
                return self.run(
                    ["make", "-s", "--old-file=.venv/test.stamp", f"BIN={python}", *words[1:]]
                )
            case [".venv/bin/python", *arguments]:
                return self.run([sys.executable, *arguments])
            case ["make", _] | ["make", "local", _] | [".venv/bin/smartlink", *_]:
                return ""
        raise AssertionError(f"{line!r}: the guide's test does not know how to run or check this")

    def run(self, command: Sequence[str]) -> str:
        """Run a program there. What it prints is in the error if it fails."""
        environment = {name: it for name, it in os.environ.items() if name not in _OUTER}
        environment |= {"PYTHONPATH": "functions:.", "NO_PROXY": "127.0.0.1"}
        ran = subprocess.run(
            command,
            cwd=self.checkout,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert ran.returncode == 0, f"{shlex.join(command)}\n{ran.stdout}{ran.stderr}"
        return ran.stdout
