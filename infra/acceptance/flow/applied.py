"""The stage of a run on Google Cloud: `make deploy`'s own code, with the simulator and without."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from infra.acceptance import run
from infra.acceptance.errors import UnansweredError
from infra.acceptance.flow.stage import Stage
from infra.acceptance.place import Place
from infra.deploy.deployment import Deployment
from infra.deploy.errors import DeployError
from smartlink.operations import ports

_REFUSED = frozenset({401, 403})


@dataclass
class AppliedStage:
    """Terraform's configuration of one environment, applied with `acceptance` and without."""

    place: Place
    deployment: Deployment
    operate: Callable[[str], ports.Deployment]
    """Makes the operators' deployment whose acceptance tenant has the simulator at the URL."""
    sure: bool  # whether the first apply needs no word of the operator
    _begun: list[bool] = field(default_factory=list)

    @property
    def how_to_strike(self) -> str:
        """A deployment has no simulator unless it is asked for."""
        target = self.deployment.target
        return f"make deploy ENV={target.environment}{target.given}"

    @property
    def database(self) -> str:
        """A file in the memory of the consumer's instance."""
        return "sqlite:////tmp/smartlink-acceptance.sqlite3"

    def check(self) -> None:
        """Look before anything is changed. Raises DeployError."""
        self.deployment.ready_to_accept()

    def put_up(self, digest: str) -> str:
        """Apply, after the operator's word. Raises DeployError."""
        more = ("-var=acceptance=true", f"-var=acceptance_digest={digest}")
        target = replace(self.deployment.target, more=more)
        with_simulator = replace(self.deployment, target=target)
        with_simulator.deploy(sure=self.sure, applying=lambda: self._begun.append(True), tell=False)
        url = str(self.deployment.terraform.output().get("acceptance", ""))
        if not url:
            message = "Terraform tells no URL of the simulator."
            raise DeployError(message)
        return url

    def strike(self) -> None:
        """Apply without the simulator, if an apply with it was begun. Raises DeployError."""
        if self._begun:
            self.deployment.deploy(sure=True, tell=False)

    def operated(self, url: str) -> ports.Deployment:
        """Return the deployment as operators reach it."""
        return self.operate(url)

    def publish(self, request: Mapping[str, Any]) -> int:
        """Call `publish` with an identity token of the account in use. Raises UnansweredError."""
        url = run.reachable(self.place)
        status = self.place.calls.knock(url, self.place.calls.identity_token(url), request)
        if status in _REFUSED:
            message = f"{status}: the account in use is not among publish.invokers"
            raise UnansweredError(message)
        return status


_: type[Stage] = AppliedStage
