"""The errors of a deployment. They are printed without a stack trace."""

from collections.abc import Sequence
from typing import ClassVar


class DeployError(Exception):
    """An error that the operator can fix."""

    exit_code: ClassVar[int] = 1


class NotReadyError(DeployError):
    """A check before Terraform failed, so nothing was changed."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        """`problems` name each problem and its fix."""
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"Nothing was touched. Fix this first:\n{lines}")
        self.problems = tuple(problems)


class TerraformError(DeployError):
    """Terraform failed. The terminal shows Terraform's own message."""

    def __init__(self, command: str, said: str) -> None:
        """`said` is the end of Terraform's own message."""
        super().__init__(f"terraform {command} failed: its own words stand above.")
        self.said = said


class CancelledError(DeployError):
    """The operator did not agree."""

    exit_code = 130
