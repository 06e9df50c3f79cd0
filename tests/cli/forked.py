"""The command in a fork of a process that has loaded its libraries.

A process of its own loads them for longer than most commands run. Here each command has its own
process too, with its own environment, standard input, output and exit code; only what the launcher
does before `main` is left out, which `Place.started` runs.
"""

import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["__main__", "tests.cli.loaded"])


def call(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    streams: Sequence[Path],
    patience: float,
) -> int:
    """Run the command to its end; return its exit code. `streams` are the files of its standard
    input, output and errors. Raises TimeoutError once patience, in seconds, is over."""
    process = _PROCESSES.Process(target=_command, args=(arguments, dict(environment), streams))
    process.start()
    process.join(patience)
    if process.exitcode is None:
        process.kill()
        message = f"smartlink {' '.join(arguments)} did not end within {patience} s"
        raise TimeoutError(message)
    return process.exitcode


def _command(
    arguments: Sequence[str], environment: dict[str, str], streams: Sequence[Path]
) -> None:
    for number, (path, flags) in enumerate(
        zip(streams, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)
    ):
        os.dup2(os.open(path, flags), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  (multiprocessing had replaced it)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    gc.disable()  # as the launcher does
    from infra.cli.app import main  # noqa: PLC0415  (loaded where this process was forked from)

    main(list(arguments))
