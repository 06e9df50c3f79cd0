"""Calls the emulators with JSON over HTTP, because Google's five clients take long to import."""

from typing import Any

import requests

from infra.local.errors import ProvisioningError

Json = dict[str, Any]

TIMEOUT_SECONDS = 30
CONFLICT = 409
OK_BELOW = 300


class Rest:
    """A session that uses no proxy, because everything that it calls is on this machine."""

    def __init__(self, timeout: float = TIMEOUT_SECONDS) -> None:
        """Open the session. Each answer must begin within `timeout` seconds."""
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False

    def call(self, method: str, url: str, body: object = None, *, exists_ok: bool = False) -> Any:  # noqa: ANN401 - JSON
        """Send JSON and return the answer's JSON. Raises ProvisioningError.

        With `exists_ok` a conflict returns None: the thing exists already.
        """
        return self._send(method, url, exists_ok=exists_ok, json=body)

    def upload(self, url: str, data: bytes) -> None:
        """Upload bytes. Raises ProvisioningError."""
        self._send("POST", url, data=data, headers={"Content-Type": "application/octet-stream"})

    def _send(self, method: str, url: str, *, exists_ok: bool = False, **content: Any) -> Any:  # noqa: ANN401 - JSON
        try:
            answer = self._session.request(method, url, timeout=self._timeout, **content)
        except requests.RequestException as error:
            message = f"{method} {url} got no answer: {error}."
            raise ProvisioningError(message) from error
        if exists_ok and answer.status_code == CONFLICT:
            return None
        if answer.status_code >= OK_BELOW:
            message = f"{method} {url} was answered {answer.status_code}: {answer.text[:500]}"
            raise ProvisioningError(message)
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else None
