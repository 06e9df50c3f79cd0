"""Derives all other names from a command's name."""

import keyword
import re
from dataclasses import dataclass

from infra.authors.errors import AuthorError

MOST_CHARACTERS = 40  # its function's name and its lines of code stay within their limits
_COMMAND = re.compile(r"([A-Z][A-Za-z0-9]*)Command", re.ASCII)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Names:
    """A command's names: `SGDPDataCommand` has `sgdp_data` and `smartlink-sgdp-data-command`,
    say."""

    command: str
    snake: str
    request: str
    response: str
    topic: str

    @property
    def module(self) -> str:
        """Name the module as the catalogue does."""
        return f"consumers.{self.snake}"


def names_of(command: str) -> Names:
    """Derive every name. Raises AuthorError for a name that is not like `XyzCommand`."""
    match = _COMMAND.fullmatch(command)
    if match is None:
        message = (
            f"COMMAND={command} is no name of a command: write letters and digits that begin with "
            f"a capital and end with Command, as in COMMAND=SalaryRequestCommand."
        )
        raise AuthorError(message)
    if len(command) > MOST_CHARACTERS:
        message = (
            f"COMMAND={command} has {len(command)} characters, of which its function's name would "
            f"lose some: choose a name of at most {MOST_CHARACTERS}."
        )
        raise AuthorError(message)
    stem = match[1]
    snake = _WORDS.sub("_", stem).lower()
    if keyword.iskeyword(snake):
        message = (
            f"COMMAND={command} would be the module consumers.{snake}, and {snake} is a keyword of "
            f"Python: choose another name, as in COMMAND={stem}RequestCommand."
        )
        raise AuthorError(message)
    topic = f"smartlink-{snake.replace('_', '-')}-command"
    return Names(command, snake, f"{stem}Request", f"{stem}Response", topic)
