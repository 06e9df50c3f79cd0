"""What can go wrong for an author: the thing, the place and the fix, and an exit code.

Exit codes of ``python -m infra.authors``: 0 done, 1 it failed (a message that was not executed, a
contract that breaks), 2 a name, a file or an option is wrong.
"""

from typing import ClassVar


class AuthorError(Exception):
    """Something the author can fix; it is printed as it is, without a stack trace."""

    exit_code: ClassVar[int] = 2


class BreakingError(AuthorError):
    """A payload model no longer takes what its committed contract allows."""

    exit_code = 1
