"""What can go wrong for the operator: printed as it is, without a stack trace."""

from collections.abc import Sequence
from typing import ClassVar


class DeployError(Exception):
    """Something the operator can fix."""

    exit_code: ClassVar[int] = 1


class NotReadyError(DeployError):
    """A check before Terraform failed: nothing was touched."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        """Say each problem with its fix."""
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"Nothing was touched. Fix this first:\n{lines}")
        self.problems = tuple(problems)


class TerraformError(DeployError):
    """Terraform failed; the terminal shows its own words."""

    def __init__(self, command: str, said: str) -> None:
        """Keep what it said last."""
        super().__init__(f"terraform {command} failed: its own words stand above.")
        self.said = said


class CancelledError(DeployError):
    """The operator said no."""

    exit_code = 130
