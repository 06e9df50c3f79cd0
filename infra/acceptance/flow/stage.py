"""What a run needs of a deployment: a simulator for its time, and calls as others make them."""

from collections.abc import Mapping
from typing import Any, Protocol

from smartlink.operations.ports import Deployment

Json = Mapping[str, Any]


class Stage(Protocol):
    """A deployment on which a simulator can be put up."""

    @property
    def how_to_strike(self) -> str:
        """The command by which a person takes the simulator away."""
        ...

    @property
    def database(self) -> str:
        """The URL of an empty database, for the tenant's ERP."""
        ...

    def check(self) -> None:
        """Raise DeployError unless a run may begin: deployed, not production, no other run."""
        ...

    def put_up(self, digest: str) -> str:
        """Put the simulator up for the key of this SHA-256, and lead the acceptance's tenant to it.

        Returns its URL. Raises DeployError.
        """
        ...

    def strike(self) -> None:
        """Take it away. Raises DeployError."""
        ...

    def operated(self, url: str) -> Deployment:
        """Return the deployment as operators reach it, while the simulator is at the URL."""
        ...

    def publish(self, request: Json) -> int:
        """Call the function `publish`; return the status. Raises UnansweredError."""
        ...
