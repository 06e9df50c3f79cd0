"""What the calls to Smart Link and RAC share: bounded sessions, and errors translated once.

A call is retried at most twice, on a lost connection, a 429 (Retry-After honoured, clamped) and
a 502, 503 or 504, and only in its first seconds; never after it has waited for an answer in vain.
So a call may reach the server more than once.

Of a failed call only its name, the host and the status or the kind of failure are told: what
libcurl says may quote what the server sent.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from time import monotonic
from typing import Self
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import HTTPResponse, Retry
from urllib3.exceptions import MaxRetryError

from smartlink.adapters.http_connection import Bounds, Call, Connection, Exchange, Failure
from smartlink.ports import Refused, Unavailable

_DONE = range(200, 300)
_KNOWN = frozenset(HTTPStatus)
_RETRIED = frozenset({429, 502, 503, 504})
_MAY_WORK_LATER = frozenset({408, 425, 429})
_LONGEST_RETRY_AFTER = 3_600  # seconds, as told to the caller


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, 2xx or one of the call's `answered`, and the body."""

    status: int
    body: bytes = field(repr=False)


class Http:
    """What sessions share: the bounds, and connections that nobody uses at the moment.

    There are as many connections as sessions in use at once, whatever the number of tenants.
    `ca_file` replaces the certificate authorities that requests trusts.
    """

    def __init__(self, bounds: Bounds, ca_file: str | None = None) -> None:
        self.bounds = bounds
        self.retry = Retry(
            total=2,
            backoff_factor=bounds.backoff_seconds,
            backoff_jitter=bounds.backoff_seconds,
            retry_after_max=bounds.retry_after_seconds,
        )
        self._ca_file = ca_file or DEFAULT_CA_BUNDLE_PATH
        self._idle: list[Connection] = []  # a list's `append` and `pop` are atomic

    def take(self, cookies: list[bytes]) -> Connection:
        """The connection used last, for a session with these cookies."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = Connection(self.bounds, self._ca_file)
        connection.cookies = cookies
        return connection

    def give_back(self, connection: Connection) -> None:
        """For the next session."""
        self._idle.append(connection)


class HttpSession:
    """The cookies of one server, and a connection while it is in use, for one caller at a time.

    From its first call until `rest` or `close` a session has a connection for itself. `clean` is
    False once a call failed: what the server then holds of the session is unknown. As a context
    it rests at exit, or is closed if it is not clean or its caller failed.
    """

    def __init__(self, http: Http, origin: str, *, cookies: bool) -> None:
        self.clean = True
        self._http = http
        self._origin = origin
        self._keeps_cookies = cookies
        self._cookies: list[bytes] = []  # while it rests
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self.clean:
            self.rest()
        else:
            self.close()

    def call(self, call: Call) -> Answer:
        """The answer. Raises Unavailable and Refused."""
        clean, self.clean = self.clean, False
        if self._connection is None:
            self._connection = self._http.take(self._cookies)
        came = self._with_retries(self._connection, call)
        place = f"{call.name} at {self._origin}"
        if came.status and came.status not in _DONE and came.status not in call.answered:
            raise _failure(place, came)
        if came.failure is not None:
            message = f"{place}: {came.problem}"
            raise (Refused if came.failure is Failure.TOO_LARGE else Unavailable)(message)
        self.clean = clean
        return Answer(came.status, came.body)

    def rest(self) -> None:
        """Lets go of the connection, but not of the cookies."""
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._keeps_cookies:
                self._cookies = connection.cookies
            self._http.give_back(connection)

    def close(self) -> None:
        """Closes the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _with_retries(self, connection: Connection, call: Call) -> Exchange:
        retry, until = self._http.retry, monotonic() + self._http.bounds.retry_seconds
        while True:
            came = connection.exchange(self._origin, call)
            if not self._keeps_cookies:
                connection.cookies = []
            if came.failure is not Failure.PASSING and came.status not in _RETRIED:
                return came
            if monotonic() > until:
                return came
            told = HTTPResponse(status=came.status, headers={"Retry-After": str(came.retry_after)})
            try:
                retry = retry.increment(response=told)
            except MaxRetryError:
                return came
            retry.sleep(told)


def _failure(place: str, came: Exchange) -> Unavailable | Refused:
    status = came.status
    phrase = HTTPStatus(status).phrase if status in _KNOWN else "an unknown status"
    message = f"{place} answered {status} ({phrase})"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _MAY_WORK_LATER:
        return Unavailable(message, min(came.retry_after, _LONGEST_RETRY_AFTER) or None)
    return Refused(message)


def split_url(url: str) -> tuple[str, str]:
    """The origin (scheme, host and port) and the path of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}", parts.path.removesuffix("/")
