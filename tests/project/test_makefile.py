"""`make` sets a checkout up whole, or says what is missing."""

import subprocess
from pathlib import Path

import pytest

from tests.project.checkout import ROOT


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it on the project's Makefile in another folder."""
    command = ["make", "--no-print-directory", f"--file={ROOT / 'Makefile'}", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_an_environment_that_was_half_made_is_made_anew(tmp_path: Path) -> None:
    """Debian's Python without python3-venv leaves a python without pip, and fails."""
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\ntest "$2" != venv || { mkdir -p "$3/bin"; >"$3/bin/python"; exit 1; }\n'
    )
    python.chmod(0o755)
    made = make(tmp_path, ".venv/bin/python", f"PYTHON={python}")
    assert made.returncode == 2, made
    assert not (tmp_path / ".venv/bin/python").exists()


def test_a_missing_python_is_named(tmp_path: Path) -> None:
    made = make(tmp_path, ".venv/bin/python", "PYTHON=python3.99")
    assert made.returncode == 2, made
    assert "Python 3.11 or newer is needed, and there is no python3.99" in made.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["consumer", "try"])
def test_a_name_with_blanks_arrives_as_one(target: str) -> None:
    """The command refuses it by its rule for names, instead of the shell taking it apart."""
    shown = make(ROOT, "--dry-run", target, "COMMAND=Olá Command", "FILE=a b.json")
    assert "'Olá Command'" in shown.stdout, shown
