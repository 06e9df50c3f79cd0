"""A deployment with one tenant, for each test its own."""

from collections.abc import Iterator

import pytest

from tests.entrypoints.deployment import Deployment
from tests.support.world import World
from tests.unit.runtime.log_lines import loggers_restored


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    deployment = Deployment(World(), monkeypatch)
    with loggers_restored():
        yield deployment.start()
    deployment.forget()
