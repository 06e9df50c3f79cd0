"""Loads consumers as their functions would, and says what is wrong before a function does.

``python -m infra.local.loading FOLDER '{"commands": {"XyzCommand": "consumers.xyz"}, "modules":
[]}'`` does it in a process of its own, with nothing of this checkout but the folder of the
functions to import from; it prints the problem.
"""

import importlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path

from infra.local.checkout import ROOT

SECONDS = 60.0
_FAILED = 1


def problem_in(
    folder: Path, commands: Mapping[str, str], modules: Sequence[str] = ()
) -> str | None:
    """Load commands' modules and others from the folder, in a fresh process.

    Returns one line if that fails, else None.
    """
    asked = json.dumps({"commands": dict(commands), "modules": list(modules)})
    command = [sys.executable, "-m", "infra.local.loading", str(folder), asked]
    environment = {**os.environ, "PYTHONPATH": ""}
    try:
        ran = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the functions in {folder} could not be loaded within {SECONDS:.0f} s"
    if ran.returncode == 0:
        return None
    return (ran.stdout.strip() or ran.stderr.strip() or "a module ended the process")[-2_000:]


def load(commands: Mapping[str, str], modules: Sequence[str]) -> None:
    """Load the targets, modules, and commands' consumers, by `sys.path`. Raises what they raise."""
    for module in ("main", *modules):
        importlib.import_module(module)
    if not commands:
        return
    load_consumer = importlib.import_module("smartlink.bootstrap").load_consumer
    for command, module in commands.items():
        load_consumer(command, module)


def explain(error: BaseException, folder: Path) -> str:
    """Say in one line what was raised, and where in the folder."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename, folder)}, line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
    text = f"{type(error).__name__}: {error}"
    # A refusal by the relay itself names the thing; its line in the relay would mislead.
    if not ours or "smartlink" in Path(ours[-1].filename).relative_to(folder).parts:
        return text if type(error).__name__ != "SettingsError" else str(error)
    return f"{_short(ours[-1].filename, folder)}, line {ours[-1].lineno}: {text}"


def _short(name: str, folder: Path) -> str:
    path = Path(name)
    return str(path.relative_to(folder.parent) if path.is_relative_to(folder) else path)


def _main(folder: Path, commands: Mapping[str, str], modules: Sequence[str]) -> int:
    # A consumer finds what it finds when it is deployed, and nothing else of the checkout.
    sys.path[0] = str(folder)
    for name in [it for it in sys.modules if it.partition(".")[0] == "infra"]:
        del sys.modules[name]
    try:
        with redirect_stdout(sys.stderr):  # what a module prints is not the problem
            load(commands, modules)
    except BaseException as error:  # noqa: BLE001 - an author's module may raise anything
        sys.stdout.write(explain(error, folder) + "\n")
        return _FAILED
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), **json.loads(sys.argv[2])))
