"""What an operating system says of processes and files; Windows has neither signals nor `flock`."""

import importlib
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import IO, Any

_WAITED_IN_VAIN = 0x102  # Windows' WAIT_TIMEOUT: the process has not ended
_SYNCHRONIZE = 0x100000


def alive(pid: int) -> bool:
    """Tell whether a process with this id runs."""
    if sys.platform == "win32":  # there signal 0 is Ctrl-C
        return _alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _alive_on_windows(pid: int) -> bool:
    ctypes: Any = importlib.import_module("ctypes")  # of which other systems lack a part
    kernel = ctypes.windll.kernel32
    handle = kernel.OpenProcess(_SYNCHRONIZE, False, pid)  # noqa: FBT003  (Windows' own order)
    if not handle:
        return False
    try:
        return bool(kernel.WaitForSingleObject(handle, 0) == _WAITED_IN_VAIN)
    finally:
        kernel.CloseHandle(handle)


def lock(file: IO[Any]) -> None:
    """Take the file for this process until it is closed. Raises OSError if another one has it.

    A Python that has the locks of neither system takes it as well.
    """
    with suppress(ModuleNotFoundError):
        import fcntl  # noqa: PLC0415  (Windows has none)

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with suppress(ModuleNotFoundError):
        msvcrt: Any = importlib.import_module("msvcrt")  # only Windows has it
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)


def end_group(pid: int, *, at_once: bool = False) -> None:
    """Ask a process and its children to end, or end them at once. Windows knows the latter only."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
            os.killpg(pid, signal.SIGKILL if at_once else signal.SIGTERM)
        return
    subprocess.run(
        ["taskkill", "/PID", str(pid), "/T", "/F"],  # noqa: S607  (where Windows has it)
        capture_output=True,
        check=False,
    )
