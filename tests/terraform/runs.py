"""Terraform in temporary copies of what it reads, never in the checkout.

Nothing is ever made in a cloud: there are no credentials here but a token that no API takes. A
provider that asks Google therefore fails, and what needs its answers is skipped, aloud.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("development", "staging", "production")

# Every optional part on; the shared project's name shows in conditions and accounts.
EVERYTHING = """
project_id  = "smartlink-everything"
operators   = ["group:operators@example.com"]
environment = "staging"
region      = "southamerica-east1"
labels      = { team = "integration" }
encryption  = { kms_key = "projects/keys/locations/southamerica-east1/keyRings/r/cryptoKeys/k" }
network     = { vpc = "default", cidr = "10.8.0.0/28" }
publish     = { invokers = ["group:segments@example.com"] }
settings    = { dispatch_batch = "50", poll_seconds = "40" }
smart_link  = {
  base_url      = "https://link.example.com"
  rac_token_url = "https://rac.example.com/token"
  paths         = { ack = "POST /acks" }
}
alerts      = {
  emails   = ["operations@example.com"]
  channels = ["projects/p/notificationChannels/1"]
}
firestore   = { database = "smartlink" }
cpus        = 40
"""

_BACKEND = 'terraform {\n  backend "local" {}\n}\n'
_NO_PROVIDER = re.compile(
    r"Failed to query available provider packages|Failed to install provider|could not connect to "
)
_ASKED_GOOGLE = re.compile(
    r"invalid authentication credentials|ACCESS_TOKEN_TYPE_UNSUPPORTED|Error 401|"
    r"could not find default credentials|dial tcp|no such host"
)
_IGNORED = shutil.ignore_patterns(".*", "__pycache__", "*.tfplan", "*_override.tf*")


class UnavailableError(Exception):
    """Something that this machine does not have; the text says what is skipped without it."""


def environment() -> dict[str, str]:
    """The shell's, without anything that could reach a real project."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GOOGLE_", "CLOUDSDK_", "GCLOUD_", "TF_VAR_"))
    }
    return {
        **kept,
        "GOOGLE_OAUTH_ACCESS_TOKEN": "none-for-tests",
        "TF_IN_AUTOMATION": "true",
        "CHECKPOINT_DISABLE": "true",
    }


def program() -> str:
    """The binary that the Makefile names. Raises UnavailableError."""
    named = os.environ.get("TERRAFORM") or "terraform"
    found = shutil.which(str(REPO / named)) if "/" in named else shutil.which(named)
    if found is None:
        message = f"there is no {named}: format, validation, tests and plans of Terraform"
        raise UnavailableError(message)
    return found


@dataclass(frozen=True)
class Resource:
    """A managed resource of a plan, or of a state."""

    address: str
    type: str
    name: str
    values: Mapping[str, Any]

    @property
    def key(self) -> str:
        """What `for_each` calls it."""
        return self.address.partition('["')[2].removesuffix('"]')


@dataclass(frozen=True)
class Resources:
    """What a plan wants, or what a state holds."""

    document: Mapping[str, Any] = field(repr=False)

    @cached_property
    def all(self) -> list[Resource]:
        """Each managed resource."""
        values = self.document.get("planned_values") or self.document["values"]
        return [
            Resource(item["address"], item["type"], item["name"], item["values"])
            for item in values["root_module"]["resources"]
            if item["mode"] == "managed"
        ]

    def of(self, *types: str) -> list[Resource]:
        """Those of these types."""
        return [resource for resource in self.all if resource.type in types]

    def one(self, address: str) -> Mapping[str, Any]:
        """One's values."""
        (found,) = [resource for resource in self.all if resource.address == address]
        return found.values

    def changes(self, *actions: str) -> set[str]:
        """The addresses of a plan's changes of this kind: create, update, delete."""
        return {
            item["address"]
            for item in self.document["resource_changes"]
            if item["change"]["actions"] == list(actions)
        }

    @property
    def iam(self) -> Iterator[Resource]:
        """Each grant."""
        return (
            resource
            for resource in self.all
            if "_iam_" in resource.type and "role" in resource.values
        )


@dataclass(frozen=True)
class Copy:
    """A temporary copy of the checkout's `terraform`, `infra` and `functions`."""

    folder: Path
    terraform: str

    @property
    def root(self) -> Path:
        """Terraform's own folder."""
        return self.folder / "terraform"

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command. Raises UnavailableError when it asked Google, AssertionError else."""
        command = (self.terraform, f"-chdir={self.root}", arguments[0], "-no-color", *arguments[1:])
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment(), check=False
        )
        if check and done.returncode:
            said = f"{done.stdout}\n{done.stderr}"
            if _NO_PROVIDER.search(said):
                raise UnavailableError("init cannot get the providers: validation, tests and plans")
            if _ASKED_GOOGLE.search(said):
                raise UnavailableError("the provider asks Google itself: plans and applies")
            raise AssertionError(f"terraform {' '.join(arguments)} failed:\n{said}")
        return done

    def copy(self, folder: Path) -> "Copy":
        """One more copy, with the state and the providers of this one."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Copy(folder, self.terraform)

    def plan(self, *variables: str) -> Resources:
        """Plan, and read the plan."""
        self.run("plan", "-input=false", "-lock=false", "-out=test.tfplan", *variables)
        return Resources(json.loads(self.run("show", "-json", "test.tfplan").stdout))

    def console(self, asked: str) -> str:
        """What Terraform makes of an expression."""
        variables = var_file("staging")
        command = (self.terraform, f"-chdir={self.root}", "console", variables)
        done = subprocess.run(
            command, input=asked, capture_output=True, text=True, env=environment(), check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def state(self) -> Resources:
        """Read the state."""
        return Resources(json.loads(self.run("show", "-json").stdout))


def new_copy(folder: Path) -> Copy:
    """A copy of the checkout, initialised. Raises UnavailableError."""
    copy = Copy(folder, program())
    shutil.copytree(REPO / "terraform", folder / "terraform", ignore=_IGNORED)
    shutil.copytree(REPO / "functions", folder / "functions", ignore=_IGNORED)
    (folder / "infra").mkdir()
    for file in (REPO / "infra").glob("*.json"):
        shutil.copy(file, folder / "infra")
    shutil.copy(REPO / "infra" / "__init__.py", folder / "infra")
    shutil.copytree(REPO / "infra" / "simulator", folder / "infra" / "simulator", ignore=_IGNORED)
    (folder / "terraform" / "backend_override.tf").write_text(_BACKEND)
    (folder / "terraform" / "everything.tfvars").write_text(EVERYTHING)
    copy.run("init", "-input=false")
    return copy


def var_file(name: str) -> str:
    """Terraform's argument for an environment, or for everything on."""
    return (
        f"-var-file={name}.tfvars"
        if name == "everything"
        else f"-var-file=environments/{name}.tfvars"
    )


def sources(*patterns: str) -> Sequence[Path]:
    """Files of the checkout's `terraform`."""
    found = [path for pattern in patterns for path in (REPO / "terraform").glob(pattern)]
    return sorted(path for path in found if not path.name.endswith("_override.tf"))
