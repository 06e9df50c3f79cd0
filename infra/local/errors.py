"""The errors of the local stack. Each is one sentence for the user, with an exit code.

Exit codes of ``python -m infra.local``: 0 done; 1 something did not start, or a request was not
processed; 2 a setting or an argument is wrong; 3 a part of this machine is missing; 130 and 143
stopped by Ctrl-C and SIGTERM.
"""

from typing import ClassVar


class LocalStackError(Exception):
    """An error that the user can fix. It is printed without a stack trace."""

    exit_code: ClassVar[int] = 1


class SettingError(LocalStackError):
    """A setting, a file of settings or an argument is wrong."""

    exit_code = 2


class MissingPartError(LocalStackError):
    """This machine lacks a part that the stack needs."""

    exit_code = 3

    def __init__(self, part: str, *, looked: str, fix: str) -> None:
        """`looked` tells where the part was looked for, and `fix` how to get it."""
        super().__init__(f"{part} was not found ({looked}). {fix}")
        self.part = part


class PortInUseError(LocalStackError):
    """Another process uses a port that was asked for."""


class AlreadyRunningError(LocalStackError):
    """A local stack runs already in this folder."""


class NotReadyError(LocalStackError):
    """A process of the stack died, or did not become ready in time."""


class ProvisioningError(LocalStackError):
    """An emulator refused what the stack asked it to create."""


class TickError(LocalStackError):
    """A call of poll failed."""
