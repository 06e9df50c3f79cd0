"""Runs a child process in its own process group, with its output in a log, and stops it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from infra.local.errors import NotReadyError
from infra.local.processes import end_group
from infra.local.program import Program

TAIL_LINES = 15
_ERROR = re.compile(r'"severity": ?"(ERROR|CRITICAL)"|^[A-Za-z.]*(Error|Exception)\b')


@cache
def _dies_with_parent() -> tuple[str, ...]:
    """Return the beginning of a command whose process ends when this process gets SIGKILL.

    It works on Linux with util-linux only. Elsewhere such children stay, and `.local/stack.json`
    names them. (`preexec_fn` is no choice, because it forks this process with its threads.) The
    kernel watches the *thread* that starts the child, so start children from the main thread.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None:
        return ()
    helps = subprocess.run([setpriv, "--help"], capture_output=True, text=True, check=False)
    return (setpriv, "--pdeathsig", "KILL", "--") if "--pdeathsig" in helps.stdout else ()


class Child:
    """A running program. Its process id is also the id of its process group."""

    def __init__(self, program: Program, logs: Path, *, again: bool = False) -> None:
        """Start the program with an empty log, or `again` with the log that it has. Raises
        NotReadyError."""
        self.program = program
        self.log = logs / f"{program.name}.log"
        logs.mkdir(parents=True, exist_ok=True)
        if shutil.which(program.command[0]) is None:  # otherwise setpriv tells it later, in the log
            message = f"{program.name} could not be started: there is no {program.command[0]}."
            raise NotReadyError(message)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **program.environment}
        try:
            with self.log.open("ab" if again else "wb") as output:
                self._process = subprocess.Popen(
                    [*_dies_with_parent(), *program.command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    cwd=program.folder,
                    # Only the parent gets Ctrl-C, and stops all in order.
                    start_new_session=True,
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )
        except OSError as error:
            message = f"{program.name} could not be started: {error}"
            raise NotReadyError(message) from error

    @property
    def pid(self) -> int:
        """The id of the process and of its group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def ready(self) -> bool:
        """Tell whether the program is ready."""
        return self.program.ready(self.log)

    def ask_to_stop(self) -> None:
        """Ask the whole group to end."""
        end_group(self.pid)

    def make_sure(self, seconds: float) -> None:
        """Wait for the process's end, at most so many seconds, then kill the rest of its group."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        end_group(self.pid, at_once=True)
        self._process.wait()

    def tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-TAIL_LINES:]) or "(nothing)"

    def complaints(self, most: int = 3) -> list[str]:
        """Return the newest errors of the log, in lines of JSON or tracebacks."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if _ERROR.search(line)][-most:]

    def explain_death(self) -> str:
        """Say how the process ended, with the end of its log."""
        code = self._process.returncode
        how = (
            f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        )
        return f"{self.program.name} {how}. The end of {self.log}:\n{self.tail()}"
