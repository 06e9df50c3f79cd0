"""Runs Terraform in its folder."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.deploy.errors import DeployError, NotReadyError

REMOVAL = Path(__file__).with_name("removal.tf")
RETIREMENT = Path(__file__).with_name("retirement.tf")


class Terraform:
    """Runs one program in one folder. Its output goes to the terminal."""

    def __init__(self, program: str, folder: Path, environ: Mapping[str, str]) -> None:
        found = shutil.which(program)
        if found is None:
            fix = "install it (https://developer.hashicorp.com/terraform/install)"
            raise NotReadyError([f"There is no {program}: {fix}, or set TERRAFORM."])
        # Paths are relative to where `make` runs, not to the folder.
        self._program = str(Path(found).resolve()) if "/" in program else found
        self._folder = folder
        self._environ = {**environ, "TF_IN_AUTOMATION": "true"}

    def run(self, command: str, *arguments: str) -> None:
        """Run a command. Raises DeployError when it fails."""
        self._run(command, arguments, stdout=None)

    def output(self) -> dict[str, Any]:
        """Return the outputs that the state holds."""
        found: dict[str, dict[str, Any]] = json.loads(
            self._run("output", ("-json",), stdout=subprocess.PIPE)
        )
        return {name: item["value"] for name, item in found.items()}

    def _run(self, command: str, arguments: tuple[str, ...], stdout: int | None) -> str:
        words = (self._program, f"-chdir={self._folder}", command, *arguments)
        done = subprocess.run(words, env=self._environ, stdout=stdout, text=True, check=False)
        if done.returncode:
            message = f"terraform {command} failed: its own words stand above."
            raise DeployError(message)
        return done.stdout or ""

    @contextmanager
    def overriding(self, *overrides: Path) -> Iterator[None]:
        """Add override files to the configuration while the block runs.

        `prevent_destroy` accepts no variable, so Terraform needs an override to remove it.
        """
        copies = {self._folder / f"{path.stem}_override.tf": path for path in overrides}
        try:
            for copy, path in copies.items():
                shutil.copyfile(path, copy)
            yield
        finally:
            for copy in copies:
                copy.unlink(missing_ok=True)
