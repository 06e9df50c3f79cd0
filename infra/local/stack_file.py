"""Writes `stack.json`, which tells other programs what runs where, and locks its folder."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.local.errors import AlreadyRunningError, SettingError
from infra.local.processes import alive, lock


class StackFile:
    """The file of a stack, whose process has locked the folder."""

    def __init__(self, folder: Path) -> None:
        """`sole_stack` has locked the folder."""
        self.path = folder / "stack.json"
        self.leftovers = _leftovers(self.path)

    def write(self, addresses: Mapping[str, Any], pids: Mapping[str, int]) -> None:
        """Write the file. Readers see the old file or the new one, and never a half of it."""
        text = json.dumps({**addresses, "pids": {"stack": os.getpid(), **pids}}, indent=2)
        draft = self.path.with_suffix(".draft")
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(self.path)

    def remove(self) -> None:
        """Remove the file, because nothing runs any more."""
        self.path.unlink(missing_ok=True)


@contextmanager
def sole_stack(folder: Path) -> Iterator[StackFile]:
    """Lock the folder while the block runs. Raises AlreadyRunningError and SettingError.

    The lock also ends when the process ends.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / "lock").open("w")
    except OSError as error:
        message = (
            f"The folder {folder} cannot be written: {error.strerror}. Name another in "
            f"SMARTLINK_LOCAL_DIR."
        )
        raise SettingError(message) from error
    with opened as file:
        try:
            lock(file)
        except OSError as error:
            path = folder / "stack.json"
            message = (
                f"A local stack is running already: see {path} ({_owner(path)}). "
                f"Stop it first, or give this one a folder of its own in SMARTLINK_LOCAL_DIR."
            )
            raise AlreadyRunningError(message) from error
        stack = StackFile(folder)
        try:
            yield stack
        finally:
            stack.remove()


def _leftovers(path: Path) -> list[int]:
    """List the processes of a killed stack that may still run; on Linux the kernel ends them."""
    try:
        return [pid for pid in json.loads(path.read_bytes())["pids"].values() if alive(pid)]
    except (OSError, ValueError, KeyError, AttributeError):
        return []


def _owner(path: Path) -> str:
    try:
        return f"process {json.loads(path.read_bytes())['pids']['stack']}"
    except (OSError, ValueError, KeyError):
        return "it is just starting or stopping"
