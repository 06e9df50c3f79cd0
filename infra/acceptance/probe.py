"""A probe: one assumption about Google, and the question that tells whether it holds."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from infra.acceptance.errors import DiffersError, UnansweredError

if TYPE_CHECKING:
    from infra.acceptance.place import Place

Ask = Callable[["Place"], str]
"""Asks Google and returns what was seen, if the assumption holds.

Raises DiffersError with what was seen if it does not hold, and UnansweredError with the reason if
nobody here can tell.
"""


class Verdict(StrEnum):
    """What an answer says about an assumption."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNKNOWN = "not known here"


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to one probe."""

    probe: "Probe"
    seen: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Probe:
    """One assumption about Google."""

    name: str  # begins with the service
    assumes: str  # one sentence about Google
    relied: str  # what depends on it, and where
    expected: str
    ask: Ask
    cloud_only: str = ""  # why no emulator can tell; empty: the emulator can

    def result(self, place: "Place") -> Result:
        """Ask, and turn the answer into a verdict."""
        if place.local and self.cloud_only:
            return Result(self, self.cloud_only, Verdict.UNKNOWN)
        try:
            return Result(self, self.ask(place), Verdict.HOLDS)
        except UnansweredError as error:
            return Result(self, str(error), Verdict.UNKNOWN)
        except DiffersError as error:
            return Result(self, str(error), Verdict.FAILS)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # An answer without what Google documents does not confirm the assumption.
            text = f"an answer of an unknown form ({type(error).__name__}: {error})"
            return Result(self, text, Verdict.FAILS)


def probe(
    name: str, *, assumes: str, relied: str, expected: str, cloud_only: str = ""
) -> Callable[[Ask], Probe]:
    """Make a probe of the function that asks."""
    return lambda ask: Probe(name, assumes, relied, expected, ask, cloud_only)


def need(seen: str, *, holds: bool) -> None:
    """Raise DiffersError with what was seen unless it is as assumed."""
    if not holds:
        raise DiffersError(seen)
