"""The errors of the authors' tools. Each names the thing, the place and the fix.

Exit codes of ``python -m infra.authors``: 0 done; 1 failed, because a message was not executed or a
contract would break; 2 a name, a file or an option is wrong.
"""

from typing import ClassVar


class AuthorError(Exception):
    """An error that the author can fix. It is printed without a stack trace."""

    exit_code: ClassVar[int] = 2


class BreakingError(AuthorError):
    """A payload model no longer accepts what its committed contract allows."""

    exit_code = 1
