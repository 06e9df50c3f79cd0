"""Chooses where the commands work: the local stack if one runs here, or else a cloud project."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.cli.errors import UsageError
from infra.local.checkout import CATALOG, STATE
from infra.local.processes import alive
from smartlink.i18n import Text, _, joined

ENVIRONMENTS = ("development", "staging", "production")
CHECKOUT = {
    "GOOGLE_CLOUD_PROJECT": "none",
    "SMARTLINK_ENVIRONMENT": "development",
    "SMARTLINK_CONFIG_URI": "gs://none/totvsAppConfig_v2.json",
    "SMARTLINK_CATALOG": CATALOG.read_text(encoding="utf-8"),
}
"""The settings for work that needs only the catalogue and the defaults, and no deployment."""
_NAME_IT = _(
    "no local stack runs here: start one (make local), or say which cloud project: "
    "smartlink --project PROJECT --environment development|staging|production …"
)


@dataclass(frozen=True, slots=True)
class Target:
    """A deployment: the environment variables of its functions, and what else is known of it."""

    project: str
    environment: str
    variables: Mapping[str, str]
    local: bool
    functions: Mapping[str, str] = field(default_factory=dict)  # their URLs, if they are known
    simulator: str | None = None  # the URL of the local stack's own, if it has one

    @property
    def title(self) -> Text:
        """Name the place for people."""
        place = _("local stack") if self.local else _("cloud")
        return joined("", (self.project, " (", self.environment, ", ", place, ")"))


def find_target(project: str | None, environment: str | None, environ: Mapping[str, str]) -> Target:
    """Choose the local stack unless another project is named. Raises UsageError."""
    stack = _running_stack(environ)
    if stack is not None and project in (None, stack["project"]):
        if environment not in (None, "development"):
            message = _(
                "the local stack is development, not {environment}: name a --project",
                environment=environment,
            )
            raise UsageError(message)
        return _local(stack)
    project = project or environ.get("GOOGLE_CLOUD_PROJECT")
    environment = environment or environ.get("SMARTLINK_ENVIRONMENT")
    if not project:
        raise UsageError(_NAME_IT)
    if environment not in ENVIRONMENTS:
        given = (
            _("{environment!r} is no environment", environment=environment)
            if environment
            else _("--environment is missing")
        )
        message = _(
            "{given}: of {project} say --environment {environments}",
            given=given,
            project=project,
            environments="|".join(ENVIRONMENTS),
        )
        raise UsageError(message)
    return _cloud(project, environment, environ)


def _local(stack: Mapping[str, Any]) -> Target:
    variables = {
        **stack["emulators"],
        "GOOGLE_CLOUD_PROJECT": stack["project"],
        "SMARTLINK_ENVIRONMENT": "development",
        "SMARTLINK_CONFIG_URI": stack["configUri"],
        "SMARTLINK_CONTENTS_BUCKET": stack["buckets"]["contents"],
        "SMARTLINK_BASE_URL": stack["baseUrl"],
        "SMARTLINK_RAC_TOKEN_URL": stack["racTokenUrl"],
        "SMARTLINK_CATALOG": CATALOG.read_text(encoding="utf-8"),
    }
    return Target(
        stack["project"],
        "development",
        variables,
        local=True,
        functions=stack.get("functions", {}),
        simulator=stack.get("simulator"),
    )


def _cloud(project: str, environment: str, environ: Mapping[str, str]) -> Target:
    """Use the names that Terraform gives, unless a SMARTLINK_ variable sets another."""
    set_here = {name: value for name, value in environ.items() if name.startswith("SMARTLINK_")}
    variables = {
        "SMARTLINK_CONFIG_URI": f"gs://{project}-smartlink-config/totvsAppConfig_v2.json",
        "SMARTLINK_CATALOG": CATALOG.read_text(encoding="utf-8"),
        **set_here,
        "GOOGLE_CLOUD_PROJECT": project,
        "SMARTLINK_ENVIRONMENT": environment,
        # A command must not use an emulator that the shell still names besides the cloud.
        **dict.fromkeys(
            (
                "FIRESTORE_EMULATOR_HOST",
                "PUBSUB_EMULATOR_HOST",
                "STORAGE_EMULATOR_HOST",
                "SECRET_MANAGER_EMULATOR_HOST",
            ),
            "",
        ),
    }
    return Target(project, environment, variables, local=False)


def _running_stack(environ: Mapping[str, str]) -> dict[str, Any] | None:
    """Read `stack.json`, unless its stack was killed and left it behind."""
    folder = environ.get("SMARTLINK_LOCAL_DIR")
    folders = [Path(folder)] if folder else [Path.cwd() / ".local", STATE]
    demos = [it / "demo" for it in folders]  # what `make demo ARGS=--keep` leaves up
    for candidate in [*folders, *demos]:
        try:
            stack: dict[str, Any] = json.loads((candidate / "stack.json").read_bytes())
            if alive(int(stack["pids"]["stack"])):
                return stack
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None
