"""What scenarios look at besides the world: the lines that go to Cloud Logging."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

Logged = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    """The fields of every line with this action."""
    caplog.set_level(logging.DEBUG, logger="smartlink")

    def lines(action: str) -> list[dict[str, Any]]:
        fields = [getattr(record, "fields", {}) for record in caplog.records]
        return [its for its in fields if its.get("action") == action]

    return lines
