"""Smart Link for the peers: one keep-alive connection and one cookie a session.

The standard library's client, as lean as the limit's, so that no peer is slow for its HTTP.
"""

import json
import time
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.bench.peers.settings import Settings

_LINK = "/api/v1/link"
_TIMEOUT_SECONDS = 30
_EARLY_SECONDS = 90  # a token is renewed before it ends


class LinkError(Exception):
    """Smart Link or RAC refused a call."""


class Session:
    """For one thread at a time: a delivery tag is good in the session that received it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connection = HTTPConnection(
            urlsplit(settings.base_url).netloc, timeout=_TIMEOUT_SECONDS
        )
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
        self._connection.request(verb, _LINK + path, body, self._headers)
        answer = self._connection.getresponse()
        if cookie := answer.headers["Set-Cookie"]:
            self._headers["Cookie"] = cookie.partition(";")[0]
        read = answer.read()
        if answer.status >= HTTPStatus.BAD_REQUEST:
            message = f"{verb} {path} was answered {answer.status}"
            raise LinkError(message)
        return read

    def _token(self) -> str:
        url = urlsplit(self._settings.token_url)
        form = {
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret,
            "grant_type": "client_credentials",
            "scope": "authorization_api",
        }
        connection = HTTPConnection(url.netloc, timeout=_TIMEOUT_SECONDS)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", url.path, urlencode(form), headers)
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK:
            message = f"RAC answered {answer.status}"
            raise LinkError(message)
        grant = json.loads(answer.read())
        connection.close()
        self._expires = time.monotonic() + grant["expires_in"] - _EARLY_SECONDS
        return str(grant["access_token"])
