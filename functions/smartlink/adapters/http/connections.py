"""Calls Smart Link and RAC over HTTP: sessions of `requests` with time limits and our own errors.

One receiver at a time uses a session. A session has its own cookies and one connection, so an ack
goes over the connection that received the message. Silence ends a call, and size does not: a body
may take as long as its bytes keep moving, until the end that the caller sets.

A call is retried at most twice, and only in its first seconds: after a lost connection, after a 429
(for as long as Retry-After asks, within a limit), and after a 502, 503 or 504. It is never retried
after it has waited in vain for an answer. So a call may reach the server more than once.

An error names only the call, the host, and the status or the kind of failure, because a library's
text may quote what the server sent.
"""

import math
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from io import BufferedReader, BytesIO, RawIOBase
from threading import Lock
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL, InvalidSchema
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies
from urllib3 import Retry
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    LocationParseError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
)

from smartlink.adapters.http.allocator import return_large_blocks
from smartlink.ports import Busy, Refused, Unavailable
from smartlink.services.in_flight import Held, InFlight
from smartlink.settings import Settings

_HEADERS = {
    "User-Agent": "smartlink-gcp/0.1",
    # An answer that is not compressed is cheaper to limit. One that is compressed is decoded.
    "Accept-Encoding": "identity",
}
_DONE = range(200, 300)
_KNOWN = frozenset(HTTPStatus)
_RETRIED = frozenset({429, 502, 503, 504})
_REDIRECTS = range(300, 400)  # to whatever stands before the server: it is out of reach
_MAY_WORK_LATER = frozenset({407, 408, 425, 429})  # 407 is a proxy's
_LONGEST_RETRY_AFTER = 3_600  # seconds, as told to the caller
_CHUNK = 65_536  # bytes
_NO_SILENCE = 1_024  # bytes
_COOKIES = 50  # cookies that a session keeps at most
_SOCKET = [
    *HTTPConnection.default_socket_options,
    # The sender's buffer is small, so that a server which takes nothing shows as silence.
    (socket.SOL_SOCKET, socket.SO_SNDBUF, 131_072),
]
_IDLE_SECONDS = 100  # after that a NAT or a load balancer may have forgotten the connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The limits of a call."""

    connect_seconds: float
    read_seconds: float  # from the sent request to the end of the answer's headers
    silence_seconds: float = 10  # within which a body must move by 1 KiB
    response_limit: int  # bytes, decoded
    retry_seconds: float = 10  # from the call's start: a retry starts no later
    retry_after_seconds: int = 5  # the longest wait that a server may ask for
    backoff_seconds: float = 0.2

    @classmethod
    def of(cls, settings: Settings) -> "Bounds":
        """Takes the limits from the settings."""
        return cls(
            connect_seconds=settings.connect_seconds,
            read_seconds=settings.read_seconds,
            silence_seconds=settings.silence_seconds,
            response_limit=settings.response_limit,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request. Errors tell its `name`. The statuses in `answered` are returned, not raised."""

    name: str
    verb: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    answered: Container[int] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, 2xx or one of `answered`, and the body; of a refusal only the body's beginning."""

    status: int
    body: bytes = field(repr=False)


class _LostError(Exception):
    """The connection was lost before an answer came: another try may help."""


class _FailedError(Exception):
    """The exchange failed in a way that is not tried again."""


_NO_PROXY = "the proxy that the environment names (HTTPS_PROXY) is no URL that can be used"
_TOLD: tuple[tuple[type[Exception], type[_LostError | _FailedError], str], ...] = (
    (ssl.SSLCertVerificationError, _FailedError, "its certificate is not to be trusted"),
    (DecodeError, _FailedError, "its answer cannot be decoded"),
    (ProxyError, _LostError, "the proxy that the environment names does not reach it"),
    (InvalidSchema, _FailedError, _NO_PROXY),
    (InvalidProxyURL, _FailedError, _NO_PROXY),
    (LocationParseError, _FailedError, _NO_PROXY),  # its own URL was checked
    (NameResolutionError, _LostError, "its name is unknown"),
    (NewConnectionError, _LostError, "nobody answers at its address"),
)
"""Our own words for a failed exchange: the first entry whose type is among the error's causes."""
_LOST = (ConnectionError, ssl.SSLError)


class Http:
    """What all sessions share: the limits, and the certificate authorities, loaded once.

    `ca_file` replaces the authorities that requests trusts. `clock`, in seconds, tells how long a
    connection was idle. `in_flight` limits the memory of all sessions' answers together.
    """

    def __init__(
        self,
        bounds: Bounds,
        ca_file: str | None = None,
        clock: Callable[[], float] = monotonic,
        in_flight: InFlight | None = None,
    ) -> None:
        self.bounds = bounds
        self.in_flight = in_flight or InFlight()
        return_large_blocks()
        self.clock = clock
        self.tls = ssl.create_default_context(cafile=ca_file or DEFAULT_CA_BUNDLE_PATH)
        self.retry = Retry(
            total=2,
            backoff_factor=bounds.backoff_seconds,
            backoff_jitter=bounds.backoff_seconds,
            retry_after_max=bounds.retry_after_seconds,
        )


class HttpSession:
    """The cookies of one server and one connection to it, for one caller at a time.

    `clean` is False after a failed call, because nobody knows what the server then holds of the
    session. `ends` is the instant, by `monotonic`, at which every call is cut off.
    """

    def __init__(self, http: Http, origin: str, *, cookies: bool) -> None:
        self.clean = True
        self.ends = math.inf
        self._http = http
        self._origin = origin
        self._used = http.clock()
        self._limits = _Limits(http.bounds)
        self._held = Held(http.in_flight)  # its answers' bytes, until the lease of the session ends
        self._waited = False  # whether the present call waited for room
        self._requests = _session(origin, _Adapter(http.tls, self._limits))
        self._base = requests.PreparedRequest()  # the verb and the URL of the last call
        self._place = ("", "")
        if not cookies:
            self._requests.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def call(self, call: Call) -> Answer:
        """Calls the server and returns its answer. Raises Unavailable, Busy or Refused."""
        clean, self.clean, self._waited = self.clean, False, False
        place = f"{call.name} at {self._origin}"
        if self._http.clock() - self._used > _IDLE_SECONDS:
            self.close()
        try:
            with self._response(call) as response:
                status = response.status_code
                if status not in _DONE and status not in call.answered:
                    raise _refusal(place, response)
                answer = Answer(status, self._body(place, response))
        except (_LostError, _FailedError) as error:
            message = f"{place}: {error}"
            # While we waited for room, the server may have given up: then the failure is ours.
            raise (Busy if self._waited else Unavailable)(message) from None
        self._used = self._http.clock()
        self.clean = clean and len(self._requests.cookies) <= _COOKIES
        return answer

    def close(self) -> None:
        """Closes the connection, but keeps the cookies."""
        self._requests.close()

    def release(self) -> None:
        """Gives back the memory of the answers, which the caller no longer needs."""
        self._held.release()

    def _response(self, call: Call) -> requests.Response:
        """Returns the answer's status and headers, after retries; its body is not read yet."""
        retries = _Retries(self._http, self.ends)
        while True:
            try:
                response = self._exchange(call)
            except _LostError:
                if not retries.again():
                    raise
            else:
                if response.status_code not in _RETRIED or not retries.again(response):
                    return response

    def _exchange(self, call: Call) -> requests.Response:
        """Sends the request once. It follows no redirect, which could carry the token to another
        host."""
        headers = _headers(call)
        self._limits.begin(self.ends)
        try:
            prepared = self._prepared(call, headers)
            timeout = (self._limits.connect(), self._http.bounds.read_seconds)
            return self._requests.send(
                prepared, stream=True, allow_redirects=False, timeout=timeout
            )
        except (requests.RequestException, HTTPError, HTTPException, OSError) as error:
            raise self._limits.failure(error) from None

    def _prepared(self, call: Call, headers: Mapping[str, str]) -> requests.PreparedRequest:
        """Prepares the request, as `Session.prepare_request` would.

        That prepares the same URL anew for each call, and merges settings that no call has: a sixth
        of a call's CPU.
        """
        if (call.verb, call.path) != self._place:
            base = requests.PreparedRequest()
            base.prepare_method(call.verb)
            base.prepare_url(self._origin + call.path, None)  # a path that is none raises
            self._base, self._place = base, (call.verb, call.path)
        prepared = self._base.copy()
        prepared.prepare_headers({**_HEADERS, **headers})
        prepared.prepare_cookies(self._requests.cookies)
        # As a file the body is sent in blocks, each with its own time limit.
        prepared.prepare_body(BytesIO(call.body) if call.body else None, None)
        return prepared

    def _body(self, place: str, response: requests.Response) -> bytes:
        """Returns the whole body of a 2xx, and the beginning of any other body."""
        limit, read = self._http.bounds.response_limit, response.raw.read
        taken = BytesIO()
        try:
            if response.status_code not in _DONE:
                return bytes(read(_CHUNK, decode_content=True))
            while chunk := read(_CHUNK, decode_content=True):
                self._hold(len(chunk))
                taken.write(chunk)
                if taken.tell() > limit:
                    message = f"{place}: answered more than {limit} bytes"
                    raise Refused(message)
        except (HTTPError, HTTPException, OSError) as error:
            raise self._limits.failure(error) from None
        return taken.getvalue()

    def _hold(self, size: int) -> None:
        """Takes room for more bytes of an answer; after a wait, the limit on silence restarts."""
        if self._held.take(size, self.ends - monotonic()):
            self._waited = True
            self._limits.read()


class SessionPool:
    """Keeps idle sessions by key. A lease uses its session alone, and may get one used before."""

    def __init__(self, make: Callable[[], HttpSession], idle: int) -> None:
        self._make = make
        self._limit = idle
        self._idle: OrderedDict[str, list[HttpSession]] = OrderedDict()
        self._count = 0
        self._lock = Lock()

    @contextmanager
    def lease(self, key: str, seconds: float) -> Iterator[HttpSession]:
        """Gives a session with this key, whose calls together take at most `seconds`.

        At the end the session is kept, or closed if a call or the caller failed.
        """
        session = self._take(key) or self._make()
        session.ends = monotonic() + seconds
        kept = False
        try:
            yield session
            kept = session.clean
        finally:
            session.release()
            if kept:
                self._put(key, session)
            else:
                session.close()

    def _take(self, key: str) -> HttpSession | None:
        with self._lock:
            sessions = self._idle.get(key)
            if sessions is None:
                return None
            session = sessions.pop()
            self._count -= 1
            if not sessions:
                del self._idle[key]
            return session

    def _put(self, key: str, session: HttpSession) -> None:
        """Keeps the session; if there are too many, closes the one that has been idle for
        longest."""
        oldest = None
        with self._lock:
            self._idle.setdefault(key, []).append(session)
            self._idle.move_to_end(key)
            self._count += 1
            if self._count > self._limit:
                first = next(iter(self._idle))
                oldest = self._idle[first].pop(0)
                self._count -= 1
                if not self._idle[first]:
                    del self._idle[first]
        if oldest is not None:
            oldest.close()


class _Retries:
    """Counts and spaces the further tries of one call."""

    def __init__(self, http: Http, ends: float) -> None:
        longest = http.bounds.retry_after_seconds
        self._retry = http.retry
        self._until = min(monotonic() + http.bounds.retry_seconds, ends - longest)

    def again(self, response: requests.Response | None = None) -> bool:
        """Waits for the next try, as long as the answer asks; returns False if there is none."""
        after = _retry_after(response) if response is not None else 0
        told = urllib3.HTTPResponse(headers={"Retry-After": str(after)} if after else {})
        try:
            self._retry = self._retry.increment(response=told)
        except MaxRetryError:
            return False
        if monotonic() > self._until:
            return False
        if response is not None:
            response.close()  # its body may have no end
        self._retry.sleep(told)
        return True


class _Phase(Enum):
    CONNECTING = auto()
    SENDING = auto()
    WAITING = auto()  # for the answer's headers
    READING = auto()


class _Limits:
    """How long a session's present call may wait in its present phase."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._ends = math.inf
        self._until = math.inf  # something must have happened by then
        self._read = 0  # bytes that came since `_until` was set
        self._phase = _Phase.CONNECTING

    def begin(self, ends: float) -> None:
        """Notes that a call begins, which is cut off at `ends`."""
        self._ends = ends
        self._phase = _Phase.CONNECTING

    def send(self) -> None:
        """Notes that the connection stands."""
        self._phase = _Phase.SENDING

    def wait(self) -> None:
        """Notes that the request is sent."""
        self._phase = _Phase.WAITING
        self._until = monotonic() + self._bounds.read_seconds

    def read(self) -> None:
        """Notes that the answer's headers have come."""
        self._phase = _Phase.READING
        self._read = _NO_SILENCE

    def came(self, size: int) -> None:
        """Notes that so many bytes of the answer have come."""
        self._read += size

    def connect(self) -> float:
        """Returns the seconds that connecting may take. Raises TimeoutError if none are left."""
        return self._bounded(self._bounds.connect_seconds)

    def left(self) -> float:
        """Returns the seconds that the next bytes may take. Raises TimeoutError if none are
        left."""
        if self._phase is _Phase.SENDING:
            return self._bounded(self._bounds.silence_seconds)
        if self._phase is _Phase.READING and self._read >= _NO_SILENCE:
            self._read = 0
            self._until = monotonic() + self._bounds.silence_seconds
        return self._bounded(self._until - monotonic())

    def _bounded(self, seconds: float) -> float:
        left = min(seconds, self._ends - monotonic())
        if left <= 0:
            raise TimeoutError
        return left

    def failure(self, error: Exception) -> _LostError | _FailedError:
        """Returns our own error for a failed exchange. Its text quotes nothing of the exchange."""
        causes = tuple(_causes(error))
        for kinds, failure, text in _TOLD:
            if any(isinstance(it, kinds) for it in causes):
                return failure(text)
        if any(isinstance(it, TimeoutError | ConnectTimeoutError) for it in causes):
            return self._overdue()
        if self._phase is _Phase.READING:
            return _FailedError("its answer was cut off")
        if any(isinstance(it, _LOST) for it in causes):
            return _LostError("it hung up without an answer")
        return _FailedError(f"what it answered is no HTTP ({type(causes[-1]).__name__})")

    def _overdue(self) -> _LostError | _FailedError:
        bounds = self._bounds
        if monotonic() >= self._ends:
            return _FailedError("it took more than the time that was left")
        match self._phase:
            case _Phase.CONNECTING:
                return _LostError(f"no connection within {bounds.connect_seconds:g} s")
            case _Phase.WAITING:
                return _FailedError(f"an answer took more than {bounds.read_seconds:g} s")
            case _Phase.SENDING:
                return _FailedError(f"it took no byte for {bounds.silence_seconds:g} s")
            case _Phase.READING:
                return _FailedError(f"its answer paused for {bounds.silence_seconds:g} s")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields the error and its causes: requests wraps urllib3's error, which wraps the socket's."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
        error = next((it for it in inner if isinstance(it, BaseException)), None)


class _Connection(HTTPConnection):
    """A connection whose every wait has the limits of the session's present call."""

    def __init__(self, *args: Any, limits: _Limits, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **options)
        self._limits = limits

    def send(self, data: Any) -> None:  # noqa: ANN401  (a block of bytes; http.client's own type)
        if self.sock is not None:
            self._limits.send()
            self.sock.settimeout(self._limits.left())
        super().send(data)

    def getresponse(self) -> Any:  # noqa: ANN401
        self._limits.wait()
        response = super().getresponse()
        self._limits.read()
        return response

    def response_class(  # type: ignore[override]
        self,
        sock: socket.socket,
        **options: Any,  # noqa: ANN401
    ) -> HTTPResponse:
        """Makes the response of http.client, with a file that sets a time limit before each
        read."""
        return HTTPResponse(_Readable(sock, self._limits), **options)  # type: ignore[arg-type]


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Readable(RawIOBase):
    """Reads the answer from a socket. Each read has the time that the call has left."""

    def __init__(self, sock: socket.socket, limits: _Limits) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._limits = limits

    def makefile(self, _mode: str) -> BufferedReader:
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401  (any buffer)
        self._sock.settimeout(self._limits.left())
        size = self._file.readinto(buffer)
        self._limits.came(size or 0)
        return size

    def close(self) -> None:
        self._file.close()
        super().close()


class _Adapter(HTTPAdapter):
    """Makes one connection, over TLS with the shared context.

    requests would load the certificate authorities for each connection, which takes 30 ms of CPU.
    """

    def __init__(self, tls: ssl.SSLContext, limits: _Limits) -> None:
        self._tls = tls
        self._limits = limits
        self._pool: Any = None  # of the session's one server, once it was found
        super().__init__(pool_connections=1, pool_maxsize=1)

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Does nothing: the shared TLS context verifies the certificate."""

    def build_connection_pool_key_attributes(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        host, _ = super().build_connection_pool_key_attributes(*args, **options)
        return host, {"ssl_context": self._tls}

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        if self._pool is None:
            pool: Any = super().get_connection_with_tls_context(*args, **options)
            pool.ConnectionCls = _TlsConnection if pool.scheme == "https" else _Connection
            pool.conn_kw |= {"limits": self._limits, "socket_options": _SOCKET}
            self._pool = pool
        return self._pool

    def close(self) -> None:
        """Closes the connection. The next call gets another pool."""
        self._pool = None
        super().close()


def _session(origin: str, adapter: HTTPAdapter) -> requests.Session:
    session = _Session()
    session.trust_env = (
        False  # a .netrc would replace the token, REQUESTS_CA_BUNDLE the authorities
    )
    session.proxies = get_environ_proxies(origin)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Finds no redirect, because requests would first read its body, however large."""


def _headers(call: Call) -> Mapping[str, str]:
    for name, value in call.headers.items():
        if not (value.isascii() and value.isprintable()):
            message = f"{call.name} would carry a header {name} that no header can be"
            raise Refused(message)
    return call.headers


def _retry_after(response: requests.Response) -> float:
    """Returns the seconds in Retry-After; 0 if there is none, or none that is readable."""
    try:
        return Retry().get_retry_after(response.raw) or 0
    except (HTTPError, ValueError, OverflowError):
        return 0


def _refusal(place: str, response: requests.Response) -> Unavailable | Refused:
    status = response.status_code
    phrase = HTTPStatus(status).phrase if status in _KNOWN else "an unknown status"
    message = f"{place} answered {status} ({phrase})"
    elsewhere = status in _REDIRECTS or status in _MAY_WORK_LATER
    if elsewhere or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unavailable(message, min(_retry_after(response), _LONGEST_RETRY_AFTER) or None)
    return Refused(message)


def split_url(url: str) -> tuple[str, str]:
    """Splits a URL into its origin (scheme, host and port) and its path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path.removesuffix("/")
