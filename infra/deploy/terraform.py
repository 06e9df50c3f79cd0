"""Runs Terraform in its folder."""

import json
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.deploy.errors import NotReadyError, TerraformError

REMOVAL = Path(__file__).with_name("removal.tf")
RETIREMENT = Path(__file__).with_name("retirement.tf")
_LAST_LINES = 400  # of Terraform's errors that are kept
_STDERR = 2  # the file's number


class Terraform:
    """Runs one program in one folder. Its output goes to the terminal."""

    def __init__(
        self, program: str, folder: Path, environ: Mapping[str, str], *, aside: bool = False
    ) -> None:
        """`aside`: what it says goes to stderr, because stdout has a document."""
        found = shutil.which(program)
        if found is None:
            fix = "install it (https://developer.hashicorp.com/terraform/install)"
            raise NotReadyError([f"There is no {program}: {fix}, or set TERRAFORM."])
        # Paths are relative to where `make` runs, not to the folder.
        self._program = str(Path(found).resolve()) if "/" in program else found
        self._folder = folder
        self._environ = {**environ, "TF_IN_AUTOMATION": "true"}
        self._stdout = _STDERR if aside else None

    def run(self, command: str, *arguments: str) -> None:
        """Run a command. Raises TerraformError, with the end of its errors, if it fails."""
        with subprocess.Popen(
            self._words(command, arguments),
            env=self._environ,
            stdout=self._stdout,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            last: deque[str] = deque(maxlen=_LAST_LINES)
            for line in process.stderr or ():
                sys.stderr.write(line)
                last.append(line)
        if process.returncode:
            raise TerraformError(command, "".join(last))

    def output(self) -> dict[str, Any]:
        """Return the outputs that the state holds."""
        found = self._read("output", "-json")
        return {name: item["value"] for name, item in found.items()}

    def planned(self, plan: str) -> dict[str, Any]:
        """Return the resources that a plan would make, by address."""
        root = self._read("show", "-json", plan).get("planned_values", {}).get("root_module", {})
        return {it["address"]: it["values"] for it in root.get("resources", ())}

    def _read(self, command: str, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            self._words(command, arguments),
            env=self._environ,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise TerraformError(command, "")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _words(self, command: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
        return (self._program, f"-chdir={self._folder}", command, *arguments)

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
