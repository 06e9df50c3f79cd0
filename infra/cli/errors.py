"""The errors of the command line. Each is one sentence for the operator, with an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused or not permitted, 130 stopped by
Ctrl-C.
"""

import errno
from collections.abc import Mapping
from typing import ClassVar

from smartlink.i18n import Text, _, data


class CliError(Exception):
    """The command failed. The text names the thing, the place and the fix."""

    exit_code: ClassVar[int] = 1

    def __init__(self, text: Text) -> None:
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


_OS_WORDS: Mapping[int | None, Text] = {
    errno.ENOENT: _("No such file or directory"),
    errno.EACCES: _("Permission denied"),
    errno.EPERM: _("Operation not permitted"),
    errno.EISDIR: _("Is a directory"),
    errno.ENOTDIR: _("Not a directory"),
    errno.ENOSPC: _("No space left on device"),
    errno.EROFS: _("Read-only file system"),
}


def os_words(error: OSError) -> Text:
    """Tell what the operating system says of a file; a rare answer stays in English."""
    return _OS_WORDS.get(error.errno, data(error.strerror))
