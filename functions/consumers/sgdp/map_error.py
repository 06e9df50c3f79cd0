"""What is wrong with a personal data map, and where."""

from typing import NoReturn

from smartlink.domain.said import Said, said, said_together


class MapError(ValueError):
    """A map that cannot be used: the place in it, and what is wrong there; never data."""

    def __init__(self, *problems: tuple[str, Said]) -> None:
        told = [said("{place}: {problem}", place=at, problem=it) for at, it in problems]
        super().__init__(said_together("; ", told))
        self.place, self.problem = problems[0]


NO_TABLES = said(
    "it names no table, so nobody's data can be found or masked: name each table that holds "
    "personal data"
)


def refuse(place: str, problem: Said) -> NoReturn:
    """Raise MapError."""
    raise MapError((place, problem))
