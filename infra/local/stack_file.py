"""`stack.json`: what runs where, for other programs; and one stack for each folder."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.local.errors import AlreadyRunningError
from infra.local.processes import alive, lock


class StackFile:
    """The file, while this process has the folder for itself."""

    def __init__(self, folder: Path) -> None:
        """Name the file; the folder is locked by `sole_stack`."""
        self.path = folder / "stack.json"
        self.leftovers = _leftovers(self.path)

    def write(self, addresses: Mapping[str, Any], pids: Mapping[str, int]) -> None:
        """Show a stack that is up; readers see the old file or the new one, never half of it."""
        text = json.dumps({**addresses, "pids": {"stack": os.getpid(), **pids}}, indent=2)
        draft = self.path.with_suffix(".draft")
        draft.write_text(text + "\n", encoding="utf-8")
        draft.replace(self.path)

    def remove(self) -> None:
        """Say that nothing runs any more."""
        self.path.unlink(missing_ok=True)


@contextmanager
def sole_stack(folder: Path) -> Iterator[StackFile]:
    """Take the folder, or raise AlreadyRunningError; its lock ends with its process."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
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
    """List what may still run of a stack that was killed here; on Linux the kernel ends it."""
    try:
        return [pid for pid in json.loads(path.read_bytes())["pids"].values() if alive(pid)]
    except (OSError, ValueError, KeyError, AttributeError):
        return []


def _owner(path: Path) -> str:
    try:
        return f"process {json.loads(path.read_bytes())['pids']['stack']}"
    except (OSError, ValueError, KeyError):
        return "it is just starting or stopping"
