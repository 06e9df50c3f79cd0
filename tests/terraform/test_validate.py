"""`terraform validate` and checkov over the configuration."""

import os
import shutil
import subprocess

import pytest

from tests.terraform.runs import REPO, Copy


def test_the_configuration_is_valid(base: Copy) -> None:
    """Every block and argument is one that the provider's schema knows."""
    assert "The configuration is valid" in base.run("validate").stdout


def test_checkov_finds_nothing() -> None:
    """Every finding is fixed, or skipped in place with its reason."""
    checkov = shutil.which(os.environ.get("CHECKOV") or str(REPO / ".venv/checkov/bin/checkov"))
    if checkov is None:
        pytest.skip("checkov is not installed: `make test` does that")
    options = ("--framework", "terraform", "--quiet", "--compact", "--skip-download")
    done = subprocess.run(
        (checkov, "--directory", str(REPO / "terraform"), *options),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Failed checks: 0" in done.stdout
