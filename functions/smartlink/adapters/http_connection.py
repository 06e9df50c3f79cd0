"""A connection: one libcurl handle, which keeps its connections to servers open between calls.

Why libcurl: urllib3, beneath requests, takes almost three times as much CPU for a call, with
Python's lock held; libcurl works without the lock. What its handle holds (the authorities'
certificates alone take 0.8 MiB) is why callers share connections and do not keep one for each
tenant.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

import pycurl

from smartlink.ports import Refused

_ALWAYS = (
    b"User-Agent: smartlink-gcp/0.1",
    # What is not compressed is cheaper to bound. What comes compressed all the same is decoded.
    b"Accept-Encoding: identity",
    b"Expect:",  # libcurl would ask before it sends a large body, and wait for an answer
)
_UNTYPED = b"Content-Type:"  # libcurl would call it a form
_REFUSAL = 400  # and above: statuses of refusals and faults
_LOST = frozenset(
    {
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_SSL_CONNECT_ERROR,
        pycurl.E_SEND_ERROR,
        pycurl.E_RECV_ERROR,
        pycurl.E_GOT_NOTHING,
    }
)

_WORDS = {
    pycurl.E_COULDNT_RESOLVE_HOST: "its name is unknown",
    pycurl.E_COULDNT_CONNECT: "nobody answers at its address",
    pycurl.E_PEER_FAILED_VERIFICATION: "its certificate is not to be trusted",
    pycurl.E_GOT_NOTHING: "it hung up without an answer",
    pycurl.E_PARTIAL_FILE: "its answer was cut off",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a call may take."""

    connect_seconds: float
    read_seconds: float  # from the connection to the answer's last byte
    response_limit: int  # bytes, decoded
    retry_seconds: float = 10  # of a call: the time in which a retry may still start
    retry_after_seconds: int = 5  # the longest wait that a server may ask for
    backoff_seconds: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request. `name` tells in errors what was called; `answered` are statuses to hand over."""

    name: str
    verb: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    answered: Container[int] = ()
    refusal_body: bool = False  # whether to read what comes with a status of 400 and more


class Failure(Enum):
    """How an exchange failed."""

    PASSING = auto()  # the connection, before anything of an answer had come
    LASTING = auto()
    TOO_LARGE = auto()  # the body, decoded


@dataclass(frozen=True, slots=True)
class Exchange:
    """What came of a request: an answer, or a failure and what is known of it."""

    status: int  # 0: none came
    retry_after: int  # seconds, as the server asks; 0: it does not
    body: bytes = field(default=b"", repr=False)
    failure: Failure | None = None
    problem: str = ""  # in words


class Connection:
    """Exchanges with servers, one at a time. It holds the cookies of one session at a time."""

    def __init__(self, bounds: Bounds, ca_file: str) -> None:
        self._bounds = bounds
        self._chunks: list[bytes] = []
        self._size = 0
        self._asked: dict[int, object] = {}  # options that a request may change
        self._curl = pycurl.Curl()
        for option, value in (
            (pycurl.NOSIGNAL, 1),  # signals would reach whatever thread they like
            (pycurl.CAINFO, ca_file),
            (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
            (pycurl.PROXY, ""),  # none, whatever the environment says
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),  # for one call at a time
            (pycurl.PATH_AS_IS, 1),
            (pycurl.ACCEPT_ENCODING, "gzip, deflate"),  # that it decodes; `_ALWAYS` tells less
            (pycurl.CONNECTTIMEOUT_MS, _milliseconds(bounds.connect_seconds)),
            (pycurl.TIMEOUT_MS, _milliseconds(bounds.connect_seconds + bounds.read_seconds)),
            (pycurl.COOKIEFILE, ""),  # none to begin with, but keep cookies
            (pycurl.WRITEFUNCTION, self._take),
        ):
            self._curl.setopt(option, value)
        self.cookies = []

    @property
    def cookies(self) -> list[bytes]:
        """The session's cookies, as libcurl writes them; those of another session take their
        place."""
        return list(self._curl.getinfo_raw(pycurl.INFO_COOKIELIST))

    @cookies.setter
    def cookies(self, cookies: list[bytes]) -> None:
        self._curl.setopt(pycurl.COOKIELIST, "ALL")  # forget all
        for cookie in cookies:
            self._curl.setopt(pycurl.COOKIELIST, cookie)

    def exchange(self, origin: str, call: Call) -> Exchange:
        """Sends a request and takes its answer. No redirect is followed: it could carry the token
        to another host. Raises Refused for a header that would break out of its line."""
        self._chunks.clear()
        self._size = 0
        self._ask(origin, call)
        failure, problem = None, ""
        try:
            self._curl.perform()
        except pycurl.error as error:
            failure, problem = self._failure(int(error.args[0]))
        status = self._curl.getinfo(pycurl.RESPONSE_CODE)
        after = self._curl.getinfo(pycurl.RETRY_AFTER) if status >= _REFUSAL else 0
        body = b"" if failure else b"".join(self._chunks)
        self._chunks.clear()
        return Exchange(status, after, body, failure, problem)

    def close(self) -> None:
        """Closes the connections."""
        self._curl.close()

    def _ask(self, origin: str, call: Call) -> None:
        headers = list(_ALWAYS)
        for name, value in call.headers.items():
            if not (value.isascii() and value.isprintable()):
                message = f"{call.name} would carry a header {name} that no header can be"
                raise Refused(message)
            headers.append(f"{name}: {value}".encode())
        if call.body is None:
            self._set(pycurl.HTTPGET, 1)
        else:
            self._curl.setopt(pycurl.POSTFIELDS, call.body)
            self._asked.pop(pycurl.HTTPGET, None)
            if "Content-Type" not in call.headers:
                headers.append(_UNTYPED)
        self._set(pycurl.URL, (origin + call.path).encode())
        self._set(pycurl.CUSTOMREQUEST, call.verb)
        self._set(pycurl.HTTPHEADER, headers)
        self._set(pycurl.FAILONERROR, not call.refusal_body)

    def _set(self, option: int, value: object) -> None:
        """Nothing to do where the request before asked for the same: most do."""
        if self._asked.get(option) != value:
            self._curl.setopt(option, value)
            self._asked[option] = value

    def _take(self, chunk: bytes) -> int | None:
        self._size += len(chunk)
        if self._size > self._bounds.response_limit:
            return -1  # ends the exchange
        self._chunks.append(chunk)
        return None

    def _failure(self, code: int) -> tuple[Failure | None, str]:
        bounds, answered = self._bounds, self._curl.getinfo(pycurl.RESPONSE_CODE) > 0
        if code == pycurl.E_HTTP_RETURNED_ERROR:
            return None, ""
        if code == pycurl.E_WRITE_ERROR and self._size > bounds.response_limit:
            return Failure.TOO_LARGE, f"answered more than {bounds.response_limit} bytes"
        if code == pycurl.E_OPERATION_TIMEDOUT:
            if not self._curl.getinfo(pycurl.CONNECT_TIME):
                text = f"no connection within {bounds.connect_seconds:g} s"
                return Failure.PASSING, text
            what = "the answer" if answered else "an answer"
            text = f"{what} took more than {bounds.read_seconds:g} s"
            return Failure.LASTING, text
        passing = code in _LOST and not answered
        return Failure.PASSING if passing else Failure.LASTING, _in_words(code)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1_000))


def _in_words(code: int) -> str:
    """And the name that libcurl has for it. Its own text may quote what the server sent."""
    names = [name for name, value in vars(pycurl).items() if name[:2] == "E_" and value == code]
    name = min(names, default=f"libcurl's error {code}")
    return f"{_WORDS[code]} ({name})" if code in _WORDS else name
