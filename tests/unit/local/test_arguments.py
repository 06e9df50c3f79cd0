"""Arguments that nobody knows, behind `make demo ARGS=…` and its like."""

from collections.abc import Callable
from functools import partial

import pytest

from infra.authors import command_line as authors
from infra.deploy import command_line as deploy
from infra.local import command_line as local

stack = partial(local.run, environ={})
deployment = partial(deploy.run, environ={})


@pytest.mark.parametrize(
    ("run", "given", "known"),
    [
        (stack, ["demo", "--jsn"], "--json"),
        (stack, ["up", "--keep"], "infra.local up [-h]"),
        (authors.run, ["consumer", "XyzCommand", "--personel"], "--personal"),
        (authors.run, ["schemas", "--acept"], "--accept-breaking"),
        (deployment, ["deploy", "development", "--yess"], "--yes"),
    ],
)
def test_an_unknown_option_is_told_with_those_that_there_are(
    run: Callable[[list[str]], int],
    given: list[str],
    known: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each beside the options of its own subcommand."""
    with pytest.raises(SystemExit, match="2"):
        run(given)
    usage, _, said = capsys.readouterr().err.partition("error:")
    assert f"unrecognized arguments: {given[-1]}" in said
    assert known in usage
