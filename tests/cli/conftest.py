"""The emulators that the command line's tests share."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from infra.local.emulators import firestore_emulator, storage_emulator
from infra.local.secret_manager import secret_manager
from infra.simulator.running import running_simulator
from tests.cli.place import COMMAND, Hosts, Place
from tests.contract.backends import started


@pytest.fixture(scope="session")
def hosts() -> Iterator[Hosts]:
    assert COMMAND.is_file(), f"there is no {COMMAND}: run `make check`"
    with ExitStack() as stack:
        yield Hosts(
            started(firestore_emulator(), stack),
            started(storage_emulator(), stack),
            stack.enter_context(secret_manager()),
            stack.enter_context(running_simulator()),
        )


@pytest.fixture
def place(hosts: Hosts, tmp_path: Path) -> Place:
    """A project of this test's own."""
    return Place(hosts, tmp_path / "local")
