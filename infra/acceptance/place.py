"""Where the probes ask: one deployment, one run, and all that the run must remove."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from infra.acceptance.calls import Answer, Calls
from infra.acceptance.errors import DiffersError, UnansweredError
from smartlink.settings import Settings

if TYPE_CHECKING:
    from infra.acceptance.flow.observed import Observed

_PAGE = "1000"


@dataclass
class Place:
    """A deployment and a run. Everything that a probe makes has the run's id in its name."""

    settings: Settings
    calls: Calls
    local: bool
    run: str  # random: lower-case letters and digits
    indexes: Mapping[str, Any]  # infra/firestore.json
    wait: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    flow: "Observed | None" = None  # what became of the hundred messages, if they were sent
    left: list[str] = field(default_factory=list)
    """What could not be removed, and why."""
    _undo: list[tuple[str, Callable[[], None]]] = field(default_factory=list)
    _named: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The name of what a probe makes, and of its tenant."""
        return f"smartlink-accept-{self.run}"

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: object = None,
        **query: str,
    ) -> Answer:
        """Call a service's REST API."""
        return self.calls.call(service, method, path, body, query=query)

    def listed(self, service: str, path: str, items: str, **query: str) -> list[Any]:
        """Read every page of a list."""
        found: list[Any] = []
        token = ""
        while True:
            page = {"pageToken": token} if token else {}
            answer = self.call(service, "GET", path, **query, **page)
            body = answer.needed(f"list {path.rpartition('/')[2]}")
            found += body.get(items, ())
            token = body.get("nextPageToken", "")
            if not token:
                return found

    def later(self, what: str, undo: Callable[[], None]) -> None:
        """Remember, before a thing is made, how it is removed."""
        if what not in self._named:
            self._named.add(what)
            self._undo.append((what, undo))

    def delete_later(self, service: str, path: str) -> None:
        """Remember to delete a thing by its path."""

        def undo() -> None:
            answer = self.call(service, "DELETE", path)
            if not answer.missing:  # it was never made, or an earlier try deleted it
                answer.needed(f"delete {path}")

        self.later(path, undo)

    @contextmanager
    def cleaning(self) -> Iterator[None]:
        """Remove everything when the block ends, however it ends."""
        try:
            yield
        finally:
            while self._undo:
                what, undo = self._undo.pop()
                try:
                    undo()
                except (UnansweredError, DiffersError) as error:
                    self.left.append(f"{what} ({error})")
                except KeyboardInterrupt:  # what else there is must still go
                    self.left.append(f"{what} (interrupted)")

    @cached_property
    def functions(self) -> Mapping[str, Any]:
        """The deployed functions, by target; a consumer's by `consume-` and its command."""
        path = f"/v2/projects/{self.settings.project}/locations/-/functions"
        found = {}
        for function in self.listed("cloudfunctions", path, "functions"):
            name = function["name"].rpartition("/")[2]
            config = function.get("serviceConfig", {})
            command = config.get("environmentVariables", {}).get("SMARTLINK_COMMAND")
            if name.startswith("smartlink-"):
                target = function["buildConfig"]["entryPoint"]
                found[f"consume-{command}" if command else target] = function
        if "poll" not in found:
            message = f"smartlink-poll is not deployed to {self.settings.project}"
            raise DiffersError(message)
        return found

    @property
    def region(self) -> str:
        """Where the functions run."""
        return str(self.functions["poll"]["name"].split("/")[3])

    @cached_property
    def pushed(self) -> Mapping[str, str]:
        """The topic of each function that Pub/Sub calls; its subscription has the same name."""
        catalog = self.settings.catalog
        topics = {f"consume-{name}": it.topic for name, it in catalog.commands.items()}
        return {**{name: str(it.topic) for name, it in catalog.pushed.items()}, **topics}

    @cached_property
    def number(self) -> str:
        """The project's number, which stands in the names of Google's agents."""
        path = f"/v3/projects/{self.settings.project}"
        body = self.call("cloudresourcemanager", "GET", path).needed("read the project")
        return str(body["name"]).rpartition("/")[2]

    def members(self, service: str, path: str, role: str, method: str = "GET") -> set[str]:
        """Return who has a role on a thing."""
        body = self.call(service, method, f"{path}:getIamPolicy").needed(f"read who may {path}")
        return {
            member
            for binding in body.get("bindings", ())
            if binding["role"] == role
            for member in binding["members"]
        }

    def function(self, key: str) -> Any:  # noqa: ANN401  (JSON)
        """Return a deployed function. Raises DiffersError if it is not deployed."""
        found = self.functions.get(key)
        if found is None:
            message = f"the function {key} is not deployed"
            raise DiffersError(message)
        return found
