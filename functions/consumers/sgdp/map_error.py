"""What is wrong with a personal data map, and where."""

from typing import NoReturn


class MapError(ValueError):
    """A map that cannot be used: the place in it, and what is wrong there; never data."""


NO_TABLES = (
    "it names no table, so nobody's data can be found or masked: name each table that holds "
    "personal data"
)


def refuse(place: str, problem: str) -> NoReturn:
    """Raise MapError."""
    message = f"{place}: {problem}"
    raise MapError(message)
