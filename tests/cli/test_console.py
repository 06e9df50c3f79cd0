"""What `smartlink console` keeps of its own failures."""

import json
import logging

import pytest

from infra.cli.commands.console import log_errors
from smartlink.observability import ERROR, WARNING, event, surprise


def test_what_fails_unexpectedly_is_told_where_the_page_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On stderr, without the text of the error; what is no failure is not told."""
    root = logging.getLogger()
    kept = root.handlers[:]
    try:
        log_errors()
        event("console_refused", "a stranger", WARNING)
        surprise("call_failed", "Unexpected", KeyError("a value of somebody's"))
    finally:
        root.handlers[:] = kept
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert (told["severity"], told["action"]) == (logging.getLevelName(ERROR), "call_failed")
    assert told["error"] == "KeyError"
    assert "somebody's" not in line
