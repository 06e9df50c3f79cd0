"""Calls the simulator's function, with the run's key."""

from collections.abc import Mapping, Sequence
from typing import Any

import requests

from infra.acceptance.errors import DiffersError, UnansweredError
from infra.simulator.link_api import TOKEN_PATH

_SECONDS = 60
_OK_BELOW = 300
_OPENS_WITHIN = 300  # seconds: the grant that lets anybody knock takes a while
_LINK = "/api/v1/link"


class Simulated:
    """The simulator of a run. No error holds the key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # a .netrc would replace the key
        self._session.headers["Authorization"] = f"Bearer {key}"

    def opened(self, wait: Any, clock: Any) -> None:  # noqa: ANN401  (the place's)
        """Wait until it answers whoever has the key. Raises UnansweredError."""
        end = clock() + _OPENS_WITHIN
        while True:
            answer = self._send(self._session, "GET", "/simulator/stats")
            if answer is not None and answer.status_code < _OK_BELOW:
                return
            if clock() > end:
                seen = "no answer" if answer is None else f"{answer.status_code}"
                message = (
                    f"the simulator does not open within {_OPENS_WITHIN} s ({seen}): may allUsers "
                    "be granted anything in this organisation?"
                )
                raise UnansweredError(message)
            wait(5)

    def strangers(self) -> Mapping[str, int]:
        """Knock without the key, and with another one; return what each path answers."""
        found: dict[str, int] = {}
        with requests.Session() as session:
            session.trust_env = False
            for shown in (None, "Bearer not-the-key"):
                session.headers.pop("Authorization", None)
                if shown:
                    session.headers["Authorization"] = shown
                for method, path in (
                    ("GET", "/"),
                    ("GET", "/simulator/sent"),
                    ("GET", f"{_LINK}/get"),
                    ("POST", f"{_LINK}/setup"),
                    ("POST", TOKEN_PATH),
                ):
                    answer = self._send(session, method, path)
                    found[f"{path}{' with another key' if shown else ''}"] = (
                        0 if answer is None else answer.status_code
                    )
        return found

    def register(self, tenant: str, client_id: str, secret: str, tenant_id: str) -> None:
        """Let RAC know a tenant."""
        names = {"tenant": tenant, "clientId": client_id, "tenantId": tenant_id}
        self._call("POST", "/simulator/tenants", {**names, "clientSecret": secret})

    def configure(self, **options: object) -> None:
        """Change how it answers."""
        self._call("PUT", "/simulator/options", options)

    def offer(self, tenant: str, messages: Sequence[Mapping[str, Any]]) -> None:
        """Put messages into the tenant's queue."""
        body = {"tenant": tenant, "messages": list(messages), "force": True}
        self._call("POST", "/simulator/offer", body)

    def sent(self, tenant: str) -> list[Any]:
        """Return what the tenant sent."""
        found: list[Any] = self._call("GET", f"/simulator/sent?tenant={tenant}")
        return found

    def queue(self, tenant: str) -> Mapping[str, Any]:
        """Describe the tenant's queue. Raises DiffersError if the simulator forgot it."""
        queues = self._call("GET", "/simulator/queues")
        if tenant not in queues:
            message = "the simulator's one instance was replaced in the run: begin again"
            raise DiffersError(message)
        found: Mapping[str, Any] = queues[tenant]
        return found

    def stats(self) -> Mapping[str, Any]:
        """Return its counts."""
        found: Mapping[str, Any] = self._call("GET", "/simulator/stats")
        return found

    def _call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  (JSON)
        answer = self._send(self._session, method, path, body)
        if answer is None or answer.status_code >= _OK_BELOW:
            seen = "no answer" if answer is None else f"{answer.status_code}"
            message = f"the simulator's {path.partition('?')[0]}: {seen}"
            raise UnansweredError(message)
        return answer.json() if answer.content else None

    def _send(
        self, session: requests.Session, method: str, path: str, body: object = None
    ) -> requests.Response | None:
        try:
            return session.request(
                method, f"{self.url}{path}", json=body, timeout=_SECONDS, allow_redirects=False
            )
        except requests.RequestException:
            return None
