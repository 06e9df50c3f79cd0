"""The report of an examination: a verdict for each check, and advice for each failure."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The result of one check."""

    PASSED = "passed"
    FAILED = "FAILED"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what it found, and how to fix it if it failed."""

    name: str
    verdict: Verdict
    detail: str
    advice: str = ""

    def __str__(self) -> str:
        line = f"  {self.verdict:<7}  {self.name}: {self.detail}"
        return f"{line}\n           Advice: {self.advice}" if self.advice else line


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of a consumer. `str` writes it for people."""

    command: str
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.verdict is Verdict.FAILED)

    def check(self, name: str) -> Check:
        """Returns the check of that name. Raises KeyError, which lists the names."""
        for check in self.checks:
            if check.name == name:
                return check
        message = f"no check {name!r}: there are {', '.join(it.name for it in self.checks)}"
        raise KeyError(message)

    def __str__(self) -> str:
        counts = [(v, sum(check.verdict is v for check in self.checks)) for v in Verdict]
        summary = ", ".join(f"{number} {verdict}" for verdict, number in counts if number)
        lines = [f"The consumer of {self.command}: {summary}", *map(str, self.checks)]
        return "\n".join([*lines, *(f"  note     {note}" for note in self.notes)])
