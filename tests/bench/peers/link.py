"""Smart Link for the peers: a keep-alive connection and a cookie a session, a token a tenant."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

from tests.bench.lean_http import LeanHttp
from tests.bench.peers.settings import Credentials, Settings

_LINK = "/api/v1/link"
_EARLY_SECONDS = 90  # a token is renewed before it ends


class LinkError(Exception):
    """Smart Link or RAC refused a call."""


PASSING = (LinkError, requests.RequestException)
"""What another try may mend."""


class Token:
    """A tenant's token, for all of its sessions."""

    def __init__(self, token_url: str, credentials: Credentials) -> None:
        self._url = urlsplit(token_url)
        self._credentials = credentials
        self._lock = threading.Lock()
        self._header = ""
        self._expires = 0.0

    def header(self) -> str:
        """What a call of Smart Link carries."""
        if time.monotonic() > self._expires:
            with self._lock:
                if time.monotonic() > self._expires:
                    self._renew()
        return self._header

    def _renew(self) -> None:
        form = {
            "client_id": self._credentials.client_id,
            "client_secret": self._credentials.client_secret,
            "grant_type": "client_credentials",
            "scope": "authorization_api",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        http = LeanHttp(f"{self._url.scheme}://{self._url.netloc}")
        status, answer = http.call("POST", self._url.path, headers, urlencode(form).encode())
        if status != HTTPStatus.OK:
            message = f"RAC answered {status}"
            raise LinkError(message)
        grant = json.loads(answer)
        self._header = f"Bearer {grant['access_token']}"
        self._expires = time.monotonic() + grant["expires_in"] - _EARLY_SECONDS


class Session:
    """For one thread at a time: a delivery tag is good in the session that received it."""

    def __init__(self, base_url: str, token: Token) -> None:
        self._http = LeanHttp(base_url.rstrip("/"))
        self._token = token

    def get(self) -> list[dict[str, Any]]:
        """Receive: no message, one, or a list of them."""
        body = self._call("GET", "/get")
        got = json.loads(body) if body else []
        return got if isinstance(got, list) else [got]

    def ack(self, tag: int) -> None:
        """Acknowledge one delivery."""
        self._call("POST", "/ack", b'{"deliveryTag": %d, "ack": true}' % tag)

    def send(self, message_type: str, content: str) -> None:
        """Send one message."""
        self._call("POST", f"/send/{message_type}", content.encode())

    def _call(self, verb: str, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": self._token.header()}
        status, answer = self._http.call(verb, _LINK + path, headers, body)
        if status >= HTTPStatus.BAD_REQUEST:
            message = f"{verb} {path} was answered {status}"
            raise LinkError(message)
        return answer


class Sessions:
    """Every tenant's sessions: an idle one is used again, the last one first."""

    def __init__(self, settings: Settings) -> None:
        self._base_url = settings.base_url
        self._tokens = {
            name: Token(settings.token_url, its) for name, its in settings.tenants.items()
        }
        self._idle: dict[str, list[Session]] = {name: [] for name in settings.tenants}

    @contextmanager
    def of(self, tenant: str) -> Iterator[Session]:
        """Lend one to a thread; after a failed call it is not used again."""
        idle = self._idle[tenant]
        try:
            session = idle.pop()
        except IndexError:
            session = Session(self._base_url, self._tokens[tenant])
        yield session
        idle.append(session)
