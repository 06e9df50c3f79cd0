"""Pages of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, of so many items."""

    number: int  # the first is 1
    size: int

    @property
    def begin(self) -> int:
        """The index of its first item."""
        return (self.number - 1) * self.size

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """Its items."""
        return items[self.begin : self.begin + self.size]
