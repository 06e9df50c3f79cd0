"""Serves the simulator as a Cloud Run function, for one run of an acceptance.

Anybody can reach the function, because the relay's `Authorization` carries RAC's token and not
Google's. So whoever lacks the run's key gets 404, whatever the path. The function knows only the
key's SHA-256: neither Terraform's state nor the function's settings hold the key. No path and no
query holds it either, because Cloud Run logs both. It rides

- in the body of the call for a token, as the client's secret;
- in `Authorization`, on the calls of whoever runs the acceptance;
- on the relay's other calls: as a token that was given for it.

The state is the instance's memory, so the function has one instance at most.
"""

import hashlib
import hmac
import os
import threading
from contextlib import ExitStack
from functools import cache
from http import HTTPStatus
from urllib.parse import quote

import flask
import functions_framework
import urllib3
from urllib3.util import parse_url

from infra.simulator.link_api import TOKEN_PATH
from infra.simulator.running import RunningSimulator, running_simulator

DIGEST = "SMARTLINK_ACCEPTANCE_DIGEST"
"""The environment variable with the SHA-256 of the run's key, in hexadecimal digits."""

_PASSED_ON = ("Authorization", "Content-Type", "Cookie", "traceparent")
_PASSED_BACK = ("Content-Type", "Set-Cookie", "Retry-After", "WWW-Authenticate", "Cache-Control")
_STARTING = threading.Lock()
_RUNNING = ExitStack()


@functions_framework.http
def simulator(request: flask.Request) -> flask.Response:
    """Answer a call of the relay, or of whoever runs the acceptance; to all others: 404."""
    body = request.get_data()  # first, so that the form is read from it
    with _STARTING:
        running = _running()
    query = f"?{request.query_string.decode()}" if request.query_string else ""
    url = parse_url(f"{running.url}{quote(request.path)}{query}")  # resolves . and ..
    if not _knows_the_key(request, url.path or "/", running):
        return flask.Response("Not found", HTTPStatus.NOT_FOUND, content_type="text/plain")
    headers = {name: value for name in _PASSED_ON if (value := request.headers.get(name))}
    answer = _http().request(
        request.method,
        url.url,
        body=body,
        headers=headers,
        redirect=False,
        retries=False,
        decode_content=False,
    )
    back = [(name, value) for name in _PASSED_BACK for value in answer.headers.getlist(name)]
    return flask.Response(answer.data, answer.status, headers=back)


def _knows_the_key(request: flask.Request, path: str, running: RunningSimulator) -> bool:
    """Judge by the path that is called, which may be another one than the caller wrote."""
    if path == TOKEN_PATH:
        return _is_key(request.form.get("client_secret", ""))
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return False
    # `/simulator` gives and takes what a tenant's token does not cover.
    if path.startswith("/simulator/"):
        return _is_key(shown)
    return running.call(lambda it: it.rac.tenant_of(shown, it.clock())) is not None


def _is_key(shown: str) -> bool:
    digest = hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()
    return hmac.compare_digest(digest, os.environ.get(DIGEST, ""))


@cache
def _running() -> RunningSimulator:
    return _RUNNING.enter_context(running_simulator())


@cache
def _http() -> urllib3.PoolManager:
    return urllib3.PoolManager(maxsize=32)
