"""Smart Link for the peers: one keep-alive connection and one cookie a session."""

import json
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.bench.lean_http import LeanHttp
from tests.bench.peers.settings import Settings

_LINK = "/api/v1/link"
_EARLY_SECONDS = 90  # a token is renewed before it ends


class LinkError(Exception):
    """Smart Link or RAC refused a call."""


class Session:
    """For one thread at a time: a delivery tag is good in the session that received it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http = LeanHttp(settings.base_url.rstrip("/"))
        self._headers: dict[str, str] = {}
        self._expires = 0.0

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
        if time.monotonic() > self._expires:
            self._headers["Authorization"] = f"Bearer {self._token()}"
        status, answer = self._http.call(verb, _LINK + path, self._headers, body)
        if status >= HTTPStatus.BAD_REQUEST:
            message = f"{verb} {path} was answered {status}"
            raise LinkError(message)
        return answer

    def _token(self) -> str:
        url = urlsplit(self._settings.token_url)
        form = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret,
            "grant_type": "client_credentials",
            "scope": "authorization_api",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        http = LeanHttp(f"{url.scheme}://{url.netloc}")
        status, answer = http.call("POST", url.path, headers, urlencode(form).encode())
        if status != HTTPStatus.OK:
            message = f"RAC answered {status}"
            raise LinkError(message)
        grant = json.loads(answer)
        self._expires = time.monotonic() + grant["expires_in"] - _EARLY_SECONDS
        return str(grant["access_token"])
