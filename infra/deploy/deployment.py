"""Plans, deploys and destroys: checks, runs Terraform, and says what is next."""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from rich.console import Console

from infra.deploy.agents import make_agents
from infra.deploy.cloud import Cloud
from infra.deploy.errors import CancelledError, DeployError, NotReadyError, TerraformError
from infra.deploy.passing import SECONDS, TRIES, passing
from infra.deploy.preflight import check_cloud
from infra.deploy.quota import check_quota
from infra.deploy.report import deployed, removed, to_be_removed
from infra.deploy.target import Target
from infra.deploy.terraform import REMOVAL, RETIREMENT, Terraform

_PLAN = "smartlink.tfplan"
_PROTECTED = (
    "-target=google_firestore_database.messages",
    "-target=google_firestore_database.audit",
    "-target=google_storage_bucket.config",
    "-target=google_storage_bucket.contents",
)


@dataclass(frozen=True, slots=True)
class Deployment:
    """The deployment of one environment.

    `ask` asks the operator a question and returns the answer. `wait` takes seconds.
    """

    target: Target
    terraform: Terraform
    cloud: Cloud
    environ: Mapping[str, str]
    console: Console
    ask: Callable[[str], str]
    wait: Callable[[float], None] = time.sleep

    def plan(self) -> None:
        """Show what a deployment would change."""
        self._ready()
        self.terraform.run("plan", "-input=false", *self.target.variables)

    def deploy(
        self,
        *,
        sure: bool,
        retire: bool = False,
        applying: Callable[[], None] = lambda: None,
        tell: bool = True,
    ) -> None:
        """Show the plan, and apply it if the operator agrees.

        `applying` is called before anything is changed. `tell`: say what was made and what is next.
        """
        self._ready()
        target = self.target
        with self.terraform.overriding(RETIREMENT) if retire else nullcontext():
            self._plan()
            check_quota(target, self.cloud, self.terraform.planned(_PLAN), self._say)
            question = f"Apply this to {target.project} ({target.environment})? Type yes: "
            if not sure and self.ask(question) != "yes":
                message = "Nothing was changed."
                raise CancelledError(message)
            applying()
            make_agents(self.cloud, target.project, self.wait, self._say)
            self._apply()
        if tell:
            self.console.print(deployed(target, self.terraform.output()), soft_wrap=True)

    def ready_to_accept(self) -> None:
        """Raise NotReadyError unless an acceptance may begin here."""
        target = self.target
        if target.environment == "production":
            problem = f"{target.project} is production, where no simulator may serve."
            raise NotReadyError([problem])
        self._ready()
        outputs = self.terraform.output()
        again = f"make deploy ENV={target.environment}{target.given}"
        if "project" not in outputs:
            raise NotReadyError([f"Nothing is deployed to {target.project}: {again}."])
        if outputs.get("acceptance"):
            problem = (
                f"An acceptance is on in {target.project}: another run is going, or one was "
                f"killed. If none is going, `{again}` takes its simulator away."
            )
            raise NotReadyError([problem])

    def destroy(self, *, sure: str | None) -> None:
        """Remove everything that Terraform made, if the operator types the project's id."""
        self._ready()
        target = self.target
        self.console.print(to_be_removed(target), soft_wrap=True)
        if (sure or self.ask("Type the project's id to delete all this: ")) != target.project:
            message = "Nothing was changed."
            raise CancelledError(message)
        with self.terraform.overriding(RETIREMENT, REMOVAL):
            arguments = ("-input=false", "-auto-approve", *target.variables)
            # The cloud's own protection is removed first, because Google keeps what is protected.
            self.terraform.run("apply", *_PROTECTED, *arguments)
            self.terraform.run("destroy", *arguments)
        self.console.print(removed(target), soft_wrap=True)

    def _plan(self) -> None:
        self.terraform.run("plan", "-input=false", f"-out={_PLAN}", *self.target.variables)

    def _apply(self) -> None:
        """Apply the plan. After an error that passes by itself, plan and apply the rest, a few
        times."""
        for number in range(1, TRIES + 1):
            try:
                self.terraform.run("apply", "-input=false", _PLAN)
            except TerraformError as error:
                why = passing(error.said)
                if why is None or number == TRIES:
                    message = (
                        f"{error}\nWhat was made is recorded: the same command goes on where this "
                        "one stopped."
                    )
                    raise DeployError(message) from None
                seconds = SECONDS[number - 1]
                self._say(
                    f"This error passes by itself ({why}). What is left is applied again in "
                    f"{seconds:.0f} s, try {number + 1} of {TRIES}."
                )
                self.wait(seconds)
                self._plan()  # a plan that was applied in part cannot be used again
            else:
                return

    def _say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True)

    def _ready(self) -> None:
        """Check everything before anything is changed."""
        check_cloud(self.target, self.cloud, self.environ)
        bucket = f"-backend-config=bucket={self.target.state_bucket}"
        self.terraform.run("init", "-input=false", "-reconfigure", bucket)
        found = self.terraform.output().get("project", {}).get("environment")
        if found not in (None, self.target.environment):
            problem = (
                f"{self.target.project} holds the environment {found}, not "
                f"{self.target.environment}: this is the wrong project or the wrong ENV."
            )
            raise NotReadyError([problem])
