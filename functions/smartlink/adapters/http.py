"""What the calls to Smart Link and RAC share: bounded sessions, and errors translated once.

A call is retried at most twice, by urllib3, on a failed connection, a 429 (Retry-After honoured,
clamped) and a 502, 503 or 504, and only in its first seconds; never after a read time-out.
So a call may reach the server more than once.

Of a failed call only its name, the host and the status or the kind of failure are told: the
exceptions of requests quote the URL, and those of urllib3 may quote what the server sent. So
none of them is chained, and urllib3's own warnings are silenced.
"""

import logging
import ssl
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from time import monotonic
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, Retry
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool
from urllib3.exceptions import HTTPError, InvalidHeader, MaxRetryError, ReadTimeoutError

from smartlink.ports import Refused, Unavailable

_HEADERS = {
    "User-Agent": "smartlink-gcp/0.1",
    # What is not compressed is cheaper to bound. What comes compressed all the same is decoded.
    "Accept-Encoding": "identity",
}
_DONE = range(200, 300)
_KNOWN = frozenset(HTTPStatus)
_RETRIED = frozenset({429, 502, 503, 504})
_MAY_WORK_LATER = frozenset({408, 425, 429})
_LONGEST_RETRY_AFTER = 3_600  # seconds, as told to the caller
_CHUNK = 262_144  # bytes
_PREPARED = 16  # requests that a session keeps prepared


class _Retry(Retry):
    """urllib3's, with an end in time, and tolerant of what servers write."""

    RETRY_AFTER_STATUS_CODES = frozenset()  # only those of `_RETRIED`
    until = 0.0  # of the monotonic clock

    def new(self, **kw: object) -> Self:
        fresh = super().new(**kw)
        fresh.until = self.until
        return fresh

    def from_now(self, seconds: float) -> Self:
        """The retries of a call that starts now."""
        fresh = self.new()
        fresh.until = monotonic() + seconds
        return fresh

    def parse_retry_after(self, retry_after: str) -> float:
        try:
            return super().parse_retry_after(retry_after)
        except (InvalidHeader, ValueError, OverflowError):
            return 0.0

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if isinstance(error, ReadTimeoutError):
            raise error
        if monotonic() > self.until:
            raise error or MaxRetryError(_pool, url)  # type: ignore[arg-type]
        fresh = super().increment(method, url, response, error, _pool, _stacktrace)
        if response is not None:
            response.close()  # urllib3 would read it to its end, which may never come
        return fresh


class _Adapter(HTTPAdapter):
    """The connection to one server, under a TLS context that many share.

    Requests would look its pool up by URL, proxy and certificates at every call.
    """

    def __init__(self, tls: ssl.SSLContext, origin: str) -> None:
        super().__init__()
        self.init_poolmanager(1, 1, ssl_context=tls)
        self._pool: HTTPConnectionPool = self.poolmanager.connection_from_url(origin)

    def get_connection_with_tls_context(self, *_: object, **__: object) -> HTTPConnectionPool:
        """The server's pool; the context verifies its certificate."""
        return self._pool

    def cert_verify(self, *_: object) -> None:
        """Nothing to set: requests would have the CA files loaded once more."""

    def request_url(self, request: requests.PreparedRequest, _: object) -> str:
        """Never that of a proxy."""
        return str(request.path_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request. `name` tells in errors what was called; `answered` are statuses to hand over."""

    name: str
    verb: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    answered: Container[int] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, 2xx or one of the call's `answered`, and the body."""

    status: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a call may take."""

    connect_seconds: float
    read_seconds: float  # for the next bytes, and for the whole body once it has begun
    response_limit: int  # bytes, decoded
    retry_seconds: float = 10  # of a call: the time in which a retry may still start
    retry_after_seconds: int = 5  # the longest wait that a server may ask for
    backoff_seconds: float = 0.2


class Http:
    """What sessions share: the bounds, and a TLS context.

    `ca_file` replaces the certificate authorities that requests trusts.
    """

    def __init__(self, bounds: Bounds, ca_file: str | None = None) -> None:
        self.bounds = bounds
        self.tls = ssl.create_default_context(cafile=ca_file or DEFAULT_CA_BUNDLE_PATH)
        self.retry = _Retry(
            total=2,
            status_forcelist=_RETRIED,
            allowed_methods=None,
            raise_on_status=False,
            backoff_factor=bounds.backoff_seconds,
            backoff_jitter=bounds.backoff_seconds,
            retry_after_max=bounds.retry_after_seconds,
        )
        logging.getLogger("urllib3").setLevel(logging.ERROR)


class HttpSession:
    """A connection to one server, and its cookies, for one caller at a time.

    `clean` is False once a call failed: what the server then holds of the session is unknown.
    """

    def __init__(self, http: Http, origin: str, *, cookies: bool) -> None:
        self.clean = True
        self._bounds = http.bounds
        self._timeout = (http.bounds.connect_seconds, http.bounds.read_seconds)
        self._retry = http.retry
        self._origin = origin
        self._adapter = _Adapter(http.tls, origin)
        self._prepared: dict[tuple[str, str, bool], requests.PreparedRequest] = {}
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount(origin, self._adapter)
        self._session.headers = CaseInsensitiveDict(_HEADERS)
        if not cookies:
            self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def call(self, call: Call) -> Answer:
        """The answer. Raises Unavailable and Refused."""
        clean, self.clean = self.clean, False
        place = f"{call.name} at {self._origin}"
        request = self._request(call)
        self._adapter.max_retries = self._retry.from_now(self._bounds.retry_seconds)
        try:
            # The adapter's `send`, not the session's, which would also follow redirects (one could
            # carry the token to another host), and takes half as long again.
            response = self._adapter.send(request, stream=True, timeout=self._timeout)
            self._keep_cookies(response)
            with response:  # closes the connection if anything of the body is left
                status = response.status_code
                if status not in _DONE and status not in call.answered:
                    raise _failure(place, status, response.headers)
                answer = Answer(status, self._body(place, response.raw))
        except (requests.RequestException, HTTPError, OSError) as error:
            message = f"{place}: {_kind(error)}"
            raise Unavailable(message) from None
        finally:
            request.body = None  # it may be large, or a secret
        self.clean = clean
        return answer

    def close(self) -> None:
        """Closes the connection."""
        self._session.close()

    def _request(self, call: Call) -> requests.PreparedRequest:
        """Preparing takes as long as half a call: it is done once for each verb and path."""
        key = (call.verb, call.path, call.body is None)
        request = self._prepared.get(key)
        if request is None:
            if len(self._prepared) >= _PREPARED:
                self._prepared.clear()
            blank = requests.Request(call.verb, self._origin + call.path)
            request = self._prepared[key] = self._session.prepare_request(blank)
        request.headers.update(call.headers)
        if call.body is not None:
            request.body = call.body
            request.headers["Content-Length"] = str(len(call.body))
        return request

    def _keep_cookies(self, response: requests.Response) -> None:
        """Prepared requests carry the cookies: they are prepared anew when the server sets one."""
        if "Set-Cookie" in response.headers:
            extract_cookies_to_jar(self._session.cookies, response.request, response.raw)
            self._prepared.clear()

    def _body(self, place: str, raw: BaseHTTPResponse) -> bytes:
        """The decoded body: bounded in size, and in time against one that drips."""
        chunks, size, until = [], 0, monotonic() + self._bounds.read_seconds
        while chunk := raw.read1(_CHUNK, decode_content=True):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._bounds.response_limit:
                message = f"{place} answered more than {self._bounds.response_limit} bytes"
                raise Refused(message)
            if monotonic() > until:
                message = f"{place}: the answer took more than {self._bounds.read_seconds:g} s"
                raise Unavailable(message)
        return b"".join(chunks)


def _kind(error: Exception) -> str:
    """What failed, by the name of the innermost error."""
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    return type(getattr(error, "reason", None) or error).__name__


def _failure(place: str, status: int, headers: Mapping[str, str]) -> Unavailable | Refused:
    phrase = HTTPStatus(status).phrase if status in _KNOWN else "an unknown status"
    message = f"{place} answered {status} ({phrase})"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _MAY_WORK_LATER:
        after = headers.get("Retry-After")
        parse = _Retry(retry_after_max=_LONGEST_RETRY_AFTER).parse_retry_after
        return Unavailable(message, None if after is None else parse(after))
    return Refused(message)


def split_url(url: str) -> tuple[str, str]:
    """The origin (scheme, host and port) and the path of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path.removesuffix("/")
