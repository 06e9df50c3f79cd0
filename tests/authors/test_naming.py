"""The names of a command."""

import pytest

from infra.authors.errors import AuthorError
from infra.authors.naming import names_of


@pytest.mark.parametrize(
    ("command", "snake", "request_", "topic"),
    [
        ("XyzCommand", "xyz", "XyzRequest", "smartlink-xyz-command"),
        ("SGDPDataCommand", "sgdp_data", "SGDPDataRequest", "smartlink-sgdp-data-command"),
        ("Nfe4EmitCommand", "nfe4_emit", "Nfe4EmitRequest", "smartlink-nfe4-emit-command"),
        ("CommandCommand", "command", "CommandRequest", "smartlink-command-command"),
    ],
)
def test_what_follows_from_a_name(command: str, snake: str, request_: str, topic: str) -> None:
    """As the commands that are there are named."""
    names = names_of(command)
    assert (names.snake, names.request, names.topic) == (snake, request_, topic)


@pytest.mark.parametrize(
    "command",
    [
        *("", "Command", "xyzCommand", "Xyz", "XyzCommands", "Xyz-Command", "Xyz_Command"),
        *("1Command", "ÁreaCommand", "XyzCommand\n", "../XyzCommand", "Xyz Command"),
    ],
)
def test_a_bad_name_is_refused(command: str) -> None:
    """With the name, and one that would do."""
    with pytest.raises(AuthorError, match=r"(?s)COMMAND=.* is no name .* as in COMMAND=Salary"):
        names_of(command)


def test_a_keyword_is_refused() -> None:
    """`import consumers.class` is no Python."""
    with pytest.raises(AuthorError, match=r"class is a keyword.* COMMAND=ClassRequestCommand"):
        names_of("ClassCommand")


def test_a_long_name_is_refused() -> None:
    """Its function's name would be cut."""
    with pytest.raises(AuthorError, match=r"has 41 characters.*at most 40"):
        names_of("X" * 34 + "Command")
