"""Calls Google's REST APIs: those of the cloud, or those that the emulators serve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests
from google.auth import default
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2 import id_token

from infra.acceptance.errors import DiffersError, UnansweredError
from smartlink.settings import Settings

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_SECONDS = 90
_OK_BELOW = 300
_NOT_FOUND = 404
_NO_ANSWER = frozenset({401, 403, 408, 429})  # and every 5xx: they say nothing about the question
_SERVER_ERROR = 500
_QUOTED = 300  # characters of Google's own words

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON document."""

    status: int
    body: Any = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether the call was done."""
        return self.status < _OK_BELOW

    @property
    def missing(self) -> bool:
        """Whether the thing does not exist."""
        return self.status == _NOT_FOUND

    @property
    def reason(self) -> str:
        """Google's canonical code, such as ALREADY_EXISTS; empty if there is none."""
        return str(self._error.get("status", ""))

    @property
    def said(self) -> str:
        """The status and Google's own words."""
        words = f"{self.status} {self.reason} {self._error.get('message', '')}"
        return " ".join(words.split())[:_QUOTED]

    @property
    def _error(self) -> Json:
        found = self.body.get("error", {}) if isinstance(self.body, dict) else {}
        return found if isinstance(found, dict) else {}

    def told(self, what: str) -> "Answer":
        """Return the answer, unless it says nothing about the question. Raises UnansweredError."""
        if self.status in _NO_ANSWER or self.status >= _SERVER_ERROR:
            message = f"{what}: {self.said}"
            raise UnansweredError(message)
        return self

    def needed(self, what: str) -> Any:  # noqa: ANN401  (JSON)
        """Return the document of a call that must work. Raises UnansweredError, DiffersError."""
        if not self.told(what).ok:
            message = f"{what}: {self.said}"
            raise DiffersError(message)
        return self.body


class Calls(Protocol):
    """The calls that probes make. A service that cannot be reached raises UnansweredError."""

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call a service's REST API. Bytes as the body are sent as they are."""
        ...

    def knock(self, url: str, token: str | None, body: object = None) -> int:
        """Post to a function as anybody would, `{}` unless there is a body; return the status."""
        ...

    def identity_token(self, audience: str) -> str:
        """Return an identity token of the account in use."""
        ...


class GoogleCalls:
    """Google Cloud, with application default credentials."""

    local = False

    def __init__(self) -> None:
        """Find the credentials. Raises GoogleAuthError if there are none."""
        credentials, _ = default(scopes=[_SCOPE])
        self._session = AuthorizedSession(credentials)

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call with the operator's credentials."""
        host = f"https://{service.removesuffix('-admin')}.googleapis.com"
        return _send(self._session, method, f"{host}{path}", body, query, {})

    def knock(self, url: str, token: str | None, body: object = None) -> int:
        """Call without credentials, but for the token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with requests.Session() as session:
            session.trust_env = False  # a .netrc would replace the token
            return _send(session, "POST", url, body or {}, None, headers).status

    def identity_token(self, audience: str) -> str:
        """Ask the account for a token. People's accounts give none."""
        try:
            return str(id_token.fetch_id_token(Request(), audience))
        except GoogleAuthError as error:
            message = (
                f"these credentials give no identity token ({type(error).__name__}): use a service "
                "account of publish.invokers"
            )
            raise UnansweredError(message) from None


class EmulatorCalls:
    """The emulators of the local stack. They answer for four services."""

    local = True

    def __init__(self, settings: Settings) -> None:
        """Read the emulators' addresses."""
        self._hosts = {
            "firestore": settings.firestore_emulator,
            "pubsub": settings.pubsub_emulator,
            "storage": settings.storage_emulator,
            "secretmanager": settings.secret_manager_emulator,
        }
        self._session = requests.Session()
        self._session.trust_env = False

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call an emulator, as its owner."""
        host = self._hosts.get(service)
        if not host:
            message = f"there is no emulator of {service}"
            raise UnansweredError(message)
        url = host if "://" in host else f"http://{host}"
        # The Firestore emulator lets its owner past the security rules, as IAM does in the cloud.
        headers = {"Authorization": "Bearer owner"}
        return _send(self._session, method, f"{url}{path}", body, query, headers)

    def knock(
        self,
        url: str,  # noqa: ARG002  (the protocol's)
        token: str | None,  # noqa: ARG002
        body: object = None,  # noqa: ARG002
    ) -> int:
        """No front end of Google's stands before a function on this machine."""
        message = "no front end of Google's stands before the local functions"
        raise UnansweredError(message)

    def identity_token(self, audience: str) -> str:  # noqa: ARG002  (the protocol's)
        """Nobody signs tokens on this machine."""
        message = "nobody signs identity tokens here"
        raise UnansweredError(message)


def _send(
    session: requests.Session,
    method: str,
    url: str,
    body: object,
    query: Mapping[str, str] | None,
    headers: Mapping[str, str],
) -> Answer:
    content: Any = {"data": body} if isinstance(body, bytes) else {"json": body}
    try:
        answer = session.request(
            method,
            url,
            params=query,
            headers=headers,
            timeout=_SECONDS,
            allow_redirects=False,
            **content,
        )
    except (requests.RequestException, GoogleAuthError) as error:
        message = f"{url.split('/')[2]} gives no answer ({type(error).__name__})"
        raise UnansweredError(message) from None
    try:
        document = answer.json()
    except ValueError:
        document = {}
    return Answer(answer.status_code, document)


_: tuple[type[Calls], ...] = (GoogleCalls, EmulatorCalls)
