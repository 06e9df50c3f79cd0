"""Databases of other hands' schemas, made once a session by the packages themselves."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import create_engine

from tests.erp.postgres import PostgresServer
from tests.erp.schemas import oscar, pretalx, protheus, tryton
from tests.erp.schemas.filling import Filling

HERE = Path(__file__).parent
THEIRS = ("tryton", "oscar", "pretalx")  # the slowest first
FILLED: Mapping[str, ModuleType] = {
    "oscar": oscar,
    "pretalx": pretalx,
    "tryton": tryton,
    "protheus": protheus,
}
_PATIENCE = 300


def python_of(name: str) -> Path:
    """Find the interpreter of a package's own environment, which `make test` makes."""
    found = Path(sys.prefix) / "schemas" / name / "bin" / "python"
    if not found.exists():
        message = f"{name} is not installed: make .venv/schemas/{name}.stamp"
        if "CI" in os.environ:
            raise FileNotFoundError(message)
        pytest.skip(message)
    return found


@contextmanager
def made(server: PostgresServer, databases: Mapping[str, str]) -> Iterator[dict[str, Filling]]:
    """Fill an empty database for each schema; those of other hands are made side by side."""
    with ExitStack() as running:
        started = {
            name: running.enter_context(
                subprocess.Popen(
                    [
                        python_of(name),
                        HERE / "theirs" / f"{name}_tables.py",
                        server.folder,
                        databases[name],
                    ],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            for name in THEIRS
        }
        for name, process in started.items():
            said, _ = process.communicate(timeout=_PATIENCE)
            assert process.returncode == 0, f"{name}: {said}"
    filled = {}
    for name, module in FILLED.items():
        engine = create_engine(server.url(databases[name]))
        filled[name] = module.fill(engine)
        engine.dispose()  # a template may have no other user
    yield filled
