"""Arrows point inward: the import fences stand, and they hold what they should."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.checkout import ROOT

LINT = (
    "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
)


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{folder / 'functions'}:{folder}"}
    command = [sys.executable, "-c", LINT]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_no_arrow_points_outward() -> None:
    """Domain, ports, services, adapters and entry points import inward alone."""
    linted = lint(ROOT)
    assert linted.returncode == 0, linted.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages alone, to break their rules in."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in ("functions", "infra"):
        pattern = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=pattern)
    return folder


def test_a_wrong_arrow_is_found(copy: Path) -> None:
    """Each fence holds: with one import too many in each room, every contract is broken."""
    for module, line in (
        ("functions/smartlink/domain/retry.py", "import time"),
        ("functions/smartlink/ports.py", "import smartlink.adapters.threads"),
        ("functions/smartlink/services/polling/poll.py", "import requests"),
        ("functions/smartlink/operations/act.py", "import rich"),
        ("functions/smartlink/services/publishing/publish.py", "import smartlink.operations.act"),
        ("functions/consumers/sgdp_data.py", "import smartlink.services.polling.poll"),
        ("functions/smartlink/bootstrap.py", "import infra.people"),
        ("functions/smartlink/entrypoints/targets.py", "import smartlink.testing"),
        ("functions/console/here.py", "import smartlink.adapters.threads"),
        ("functions/smartlink/operations/board.py", "import console.app"),
    ):
        path = copy / module
        path.write_text(f"{path.read_text()}\n{line}\n")
    linted = lint(copy)
    assert linted.returncode != 0
    assert "0 kept, 10 broken" in linted.stdout
