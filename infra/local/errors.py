"""What can go wrong for the person at the keyboard: one sentence each, and an exit code.

Exit codes of ``python -m infra.local``: 0 all is well, 1 something did not start or a request was
not processed, 2 a setting or an argument is wrong, 3 a part of this machine is missing, 130 and 143
stopped by Ctrl-C and SIGTERM before the end.
"""

from typing import ClassVar


class LocalStackError(Exception):
    """Something a person can fix; it is printed as it is, without a stack trace."""

    exit_code: ClassVar[int] = 1


class SettingError(LocalStackError):
    """A setting, a file of settings or an argument is wrong."""

    exit_code = 2


class MissingPartError(LocalStackError):
    """This machine lacks a part that the stack needs."""

    exit_code = 3

    def __init__(self, part: str, *, looked: str, fix: str) -> None:
        """Name the part, where it was looked for, and how to get it."""
        super().__init__(f"{part} was not found ({looked}). {fix}")
        self.part = part


class PortInUseError(LocalStackError):
    """A port that was asked for belongs to another process."""


class AlreadyRunningError(LocalStackError):
    """A local stack is up already in this folder."""


class NotReadyError(LocalStackError):
    """A process of the stack died, or did not become ready in time."""


class ProvisioningError(LocalStackError):
    """An emulator refused what the stack asked it to create."""


class TickError(LocalStackError):
    """A call of poll failed."""
