"""The errors of the command line. Each is one sentence for the operator, with an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused or not permitted, 130 stopped by
Ctrl-C.
"""

from typing import ClassVar


class CliError(Exception):
    """The command failed. The text names the thing, the place and the fix."""

    exit_code: ClassVar[int] = 1

    def __init__(self, text: str) -> None:
        super().__init__(text)


class UsageError(CliError):
    """An option or argument is wrong, or one is missing."""

    exit_code = 2


class MissingError(CliError):
    """The thing that was named does not exist."""

    exit_code = 3


class ForbiddenError(CliError):
    """The command was refused, because a right is missing or a rule forbids it."""

    exit_code = 4


class StoppedError(CliError):
    """The operator stopped the command by Ctrl-C. What was done stays done."""

    exit_code = 130
