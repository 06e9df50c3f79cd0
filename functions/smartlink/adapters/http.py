"""What the calls to Smart Link and RAC share: bounded sessions, and errors translated once.

A call is retried at most twice, by urllib3, on a failed connection, a 429 (Retry-After honoured,
clamped) and a 502, 503 or 504, and only in its first seconds; never after a read time-out.
So a call may reach the server more than once.

Of a failed call only its name, the host and the status or the kind of failure are told:
urllib3's exceptions quote the URL, and may quote what the server sent. So none of them is
chained, and its own warnings are silenced.
"""

import logging
import ssl
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from time import monotonic
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar, get_cookie_header
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, PoolManager, Retry, Timeout
from urllib3.connectionpool import ConnectionPool
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
_PATHS = 16  # whose cookies a session keeps written


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
        self._timeout = Timeout(http.bounds.connect_seconds, http.bounds.read_seconds)
        self._retry = http.retry
        self._origin = origin
        manager = PoolManager(1, maxsize=1, ssl_context=http.tls)
        self._connection: HTTPConnectionPool = manager.connection_from_url(origin)
        self._jar = RequestsCookieJar() if cookies else None
        self._cookies: dict[str, str | None] = {}  # as they are sent, by path

    def call(self, call: Call) -> Answer:
        """The answer. Raises Unavailable and Refused."""
        clean, self.clean = self.clean, False
        place = f"{call.name} at {self._origin}"
        try:
            response = self._response(call)
            try:
                if response.status not in _DONE and response.status not in call.answered:
                    raise _failure(place, response.status, response.headers)
                answer = Answer(response.status, self._body(place, response))
            finally:
                response.close()  # the connection too, if anything of the body is left
        except (HTTPError, OSError) as error:
            message = f"{place}: {_kind(error)}"
            raise Unavailable(message) from None
        self.clean = clean
        return answer

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _response(self, call: Call) -> BaseHTTPResponse:
        """By urllib3, beneath requests: that takes as long again, mostly for what is not used."""
        headers = {**_HEADERS, **call.headers}
        cookies = self._cookie_header(call)
        if cookies is not None:
            headers["Cookie"] = cookies
        response = self._connection.urlopen(
            call.verb,
            call.path,
            body=call.body,
            headers=headers,
            retries=self._retry.from_now(self._bounds.retry_seconds),
            redirect=False,  # it could carry the token to another host
            assert_same_host=False,
            timeout=self._timeout,
            preload_content=False,
        )
        if self._jar is not None and "Set-Cookie" in response.headers:
            extract_cookies_to_jar(self._jar, self._blank(call), response)
            self._cookies.clear()
        return response

    def _cookie_header(self, call: Call) -> str | None:
        """As the jar has it for this path, until the server sets another cookie."""
        if not self._jar:
            return None
        if call.path not in self._cookies:
            if len(self._cookies) >= _PATHS:
                self._cookies.clear()
            self._cookies[call.path] = get_cookie_header(self._jar, self._blank(call))
        return self._cookies[call.path]

    def _blank(self, call: Call) -> requests.PreparedRequest:
        return requests.Request(call.verb, self._origin + call.path).prepare()

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
