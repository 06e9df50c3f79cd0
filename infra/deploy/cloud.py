"""Calls Google's REST APIs with the same credentials that Terraform uses."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from infra.deploy.errors import NotReadyError

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT = 30  # seconds

LOG_IN = (
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the "
    "file of a service account"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON document."""

    status: int
    body: Mapping[str, Any]

    @property
    def disabled_api(self) -> bool:
        """Whether the API that was called is not enabled."""
        details = self.body.get("error", {}).get("details", [])
        return any(detail.get("reason") == "SERVICE_DISABLED" for detail in details)

    @property
    def said(self) -> str:
        """The status and Google's own message."""
        message = str(self.body.get("error", {}).get("message", "")).strip().rstrip(".")
        return f"{self.status} {message}".strip()


class Cloud(Protocol):
    """The calls of the checks, and those that make the service agents."""

    def get(self, url: str) -> Answer: ...  # noqa: D102

    def post(self, url: str, document: Mapping[str, Any]) -> Answer: ...  # noqa: D102


class GoogleCloud:
    """Calls with application default credentials. Raises NotReadyError if none of them work."""

    def __init__(self) -> None:
        from google.auth import default  # noqa: PLC0415  (a second that `--help` need not take)
        from google.auth.exceptions import DefaultCredentialsError  # noqa: PLC0415
        from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415

        try:
            credentials, _ = default(scopes=[SCOPE])
        except DefaultCredentialsError:
            raise NotReadyError([f"There are no Google Cloud credentials: {LOG_IN}."]) from None
        self._session = AuthorizedSession(credentials)

    def get(self, url: str) -> Answer:
        """Return the API's answer, whatever its status."""
        return self._call("GET", url, None)

    def post(self, url: str, document: Mapping[str, Any]) -> Answer:
        """Return the API's answer, whatever its status."""
        return self._call("POST", url, document)

    def _call(self, method: str, url: str, document: Mapping[str, Any] | None) -> Answer:
        import requests  # noqa: PLC0415
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415

        try:
            response = self._session.request(method, url, json=document, timeout=_TIMEOUT)
        except GoogleAuthError as error:
            problem = (
                f"The Google Cloud credentials do not work ({type(error).__name__}): {LOG_IN}."
            )
            raise NotReadyError([problem]) from None
        except requests.RequestException as error:
            host = url.split("/")[2]
            raise NotReadyError([f"{host} cannot be reached ({type(error).__name__})."]) from None
        try:
            body = response.json()
        except ValueError:
            body = {}
        return Answer(response.status_code, body if isinstance(body, dict) else {})


_: type[Cloud] = GoogleCloud
