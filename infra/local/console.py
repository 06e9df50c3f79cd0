"""The console of a local stack: a child process that serves it, and the address that opens it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.checkout import ROOT


@contextmanager
def local_console(folder: Path) -> Iterator[str]:
    """Runs `smartlink console` for the stack in this folder; gives what to print of it.

    A console that does not begin ends nothing else: the text says where it can be begun.
    """
    paths = os.pathsep.join((str(ROOT / "functions"), str(ROOT)))
    environment = {**os.environ, "SMARTLINK_LOCAL_DIR": str(folder), "PYTHONPATH": paths}
    command = [sys.executable, "-m", "infra.cli.app", "--json", "console"]
    log = folder / "logs" / "console.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # Ctrl-C is for the stack, which ends this process
        ) as process,
    ):
        try:
            yield f"Console (it lets one browser in, once): {_address(process)}"
        finally:
            process.terminate()


def _address(process: "subprocess.Popen[str]") -> str:
    """Reads the JSON document that the command prints first: its last line is a brace."""
    assert process.stdout is not None  # noqa: S101  (it is a pipe)
    text = ""
    for line in process.stdout:
        text += line
        if line.startswith("}"):
            address: str = json.loads(text)["address"]
            return address
    return "it did not begin: logs/console.log, and smartlink console, say why"
