"""Processes and files, on a system with signals and locks and on one without."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.processes import alive, end_group, lock

ROOT = Path(__file__).parents[3]
WINDOWS = """
import os, signal, sys
for name in ("fcntl", "pwd", "grp", "resource", "termios"):
    sys.modules[name] = None
for name in ("killpg", "getpgid", "setsid", "fork", "getuid", "uname"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGALRM", "SIGQUIT", "SIGCHLD"):
    delattr(signal, name)
import infra.local.__main__, infra.authors.__main__, infra.cli.app, infra.deploy.__main__
import infra.simulator.__main__, main
from infra.cli.commands import COMMANDS
infra.cli.app.built([])
"""


def test_it_tells_who_runs() -> None:
    """This process does; one that has ended does not."""
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    assert alive(os.getpid())
    assert not alive(ended.pid)


def test_a_file_is_one_holders_until_it_closes_it(tmp_path: Path) -> None:
    """Also within one process."""
    path = tmp_path / "lock"
    with path.open("w") as mine:
        lock(mine)
        with path.open("w") as theirs, pytest.raises(OSError, match="unavailable"):
            lock(theirs)
    with path.open("w") as theirs:
        lock(theirs)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_group_is_ended(at_once: bool) -> None:  # noqa: FBT001
    """One that has ended already is no error."""
    code = "import time; time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-S", "-c", code], start_new_session=True)
    end_group(process.pid, at_once=at_once)
    assert process.wait(20) < 0
    end_group(process.pid, at_once=at_once)


def test_every_command_loads_with_what_windows_has() -> None:
    """Its Python lacks modules, signals and calls; nothing may ask for them on import."""
    ran = subprocess.run(
        [sys.executable, "-c", WINDOWS],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"functions{os.pathsep}."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_a_console_of_an_old_code_page_gets_every_text() -> None:
    """What it has no sign for is written as another; nothing is left half said."""
    code = "from infra.console import print_any_text; print_any_text(); print('→ ção ─')"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONPATH": "."},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout.decode("cp1252").strip()) == (0, "? ção ?")
