"""Reads from the environment's tfvars where a deployment goes."""

import re
from dataclasses import dataclass
from pathlib import Path

from infra.deploy.errors import NotReadyError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Target:
    """An environment and its project."""

    environment: str
    project: str
    region: str
    folder: Path  # Terraform's root
    project_given: bool  # on the command line
    more: tuple[str, ...] = ()  # further arguments that carry variables

    @property
    def state_bucket(self) -> str:
        """The bucket in which Terraform keeps its state."""
        return f"{self.project}-smartlink-state"

    @property
    def given(self) -> str:
        """What else `make` was told, so that a command names the same project."""
        return f" PROJECT={self.project}" if self.project_given else ""

    @property
    def variables(self) -> tuple[str, ...]:
        """Terraform's arguments that carry the variables."""
        file = f"-var-file=environments/{self.environment}.tfvars"
        own = (file, f"-var=project_id={self.project}") if self.project_given else (file,)
        return (*own, *self.more)


def load_target(
    environment: str, project: str | None = None, folder: Path = ROOT / "terraform"
) -> Target:
    """Read the environment's tfvars. Raises NotReadyError."""
    file = folder / "environments" / f"{environment}.tfvars"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in file.parent.glob("*.tfvars")))
        raise NotReadyError([f"There is no environment {environment!r}: ENV is one of {known}."])
    text = file.read_text("utf-8-sig")
    found = {name: _value(text, name) for name in ("project_id", "environment", "region")}
    missing = [name for name, value in found.items() if value is None]
    if missing:
        raise NotReadyError([f"{file.name} does not set {name}." for name in missing])
    if found["environment"] != environment:
        problem = f"{file.name} says environment = {found['environment']!r}: that is another one."
        raise NotReadyError([problem])
    return Target(
        environment,
        project or str(found["project_id"]),
        str(found["region"]),
        folder,
        project_given=bool(project),
    )


def _value(text: str, name: str) -> str | None:
    match = re.search(rf'^{name}\s*=\s*"([^"]*)"', text, re.MULTILINE)
    return match[1] if match else None
