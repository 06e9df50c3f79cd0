"""What can go wrong for the operator: one sentence each, and an exit code.

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 not found, 4 refused or not permitted,
130 stopped by Ctrl-C.
"""

from typing import ClassVar


class CliError(Exception):
    """It failed; the text names the thing, the place and the fix."""

    exit_code: ClassVar[int] = 1


class UsageError(CliError):
    """An option or argument is wrong, or one is missing."""

    exit_code = 2


class MissingError(CliError):
    """What was named does not exist."""

    exit_code = 3


class ForbiddenError(CliError):
    """It was refused: a right is missing, or a rule forbids it."""

    exit_code = 4


class StoppedError(CliError):
    """Ctrl-C; what was done stays done."""

    exit_code = 130
