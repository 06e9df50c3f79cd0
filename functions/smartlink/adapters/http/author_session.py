"""The session of `requests` that `Context.http` gives to an author.

each wait        at most `timeout`, and at most half of what is left of the run
GET, HEAD,       tried again after a lost connection, a time-out, 429, 502, 503 and 504,
OPTIONS          while there is time
all others       sent once, unless no connection came about; with an idempotency key; a redirect
                 is an error, because a POST that follows it becomes a GET
errors           name the method, the host and what happened: a path, a query and a body may
                 hold a secret or a person's data
"""

import hashlib
import logging
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import DecodeError, HTTPError, MaxRetryError, ReadTimeoutError

from smartlink.services.consuming.calls import CallsOf, MakeSession

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
IDEMPOTENCY_KEY = "Idempotency-Key"
_BACKOFF = 0.5  # seconds; doubled at each further try
_BUSY = frozenset({429, 502, 503, 504})
_RESERVE = 2.0  # seconds of the run that are kept for what follows a call
_LEAST = 0.1  # seconds: with less there is no sense in calling
_PIECE = 65_536  # bytes


def author_session(
    calls: CallsOf, key: str = "", *, timeout: float = 10, retries: int = 2
) -> requests.Session:
    """See Context.http."""
    return _Session(calls, key, timeout, retries)


class _Answer(requests.Response):
    """A response whose error names no path."""

    def raise_for_status(self) -> None:
        if self.status_code < HTTPStatus.BAD_REQUEST:
            return
        text = f"{_place(self.request)}: answered {self.status_code}"
        raise requests.HTTPError(text, response=self)


class _Retry(Retry):
    """Tries again only while there is time for the wait and the try."""

    calls: CallsOf
    each = 0.0  # seconds that a wait of the next try may take

    @classmethod
    def of(cls, calls: CallsOf, retries: int) -> Self:
        made = cls(
            total=retries,
            other=0,
            allowed_methods=SAFE,
            status_forcelist=_BUSY,
            backoff_factor=_BACKOFF,
            backoff_jitter=_BACKOFF,
            raise_on_status=False,
        )
        made.calls = calls
        return made

    def new(self, **changes: Any) -> Self:  # noqa: ANN401  (urllib3's own)
        made = super().new(**changes)
        made.calls, made.each = self.calls, self.each
        return made

    def increment(self, *args: Any, **options: Any) -> Self:  # noqa: ANN401  (urllib3's own)
        following = super().increment(*args, **options)
        response = options.get("response")
        asked = following.get_retry_after(response) if response is not None else None
        if (asked or following.get_backoff_time()) + self.each > _left(self.calls):
            raise MaxRetryError(options["_pool"], "", options.get("error"))
        return following


class _Adapter(HTTPAdapter):
    def build_response(self, *args: Any, **options: Any) -> requests.Response:  # noqa: ANN401
        built = super().build_response(*args, **options)
        built.__class__ = _Answer  # requests has no other place to say it
        return built


class _Session(requests.Session):
    def __init__(self, calls: CallsOf, key: str, timeout: float, retries: int) -> None:
        super().__init__()
        # The pool's warnings quote the path and the query of what it tries again.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        self._calls = calls
        self._key = key
        self._timeout = timeout
        self._retry = _Retry.of(calls, retries)
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(max_retries=self._retry))
        self.headers["traceparent"] = calls.traceparent

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        try:
            return super().prepare_request(request)
        except requests.RequestException as error:
            kind = type(error)
        text = f"{request.method}: its URL or its headers cannot be used"
        raise kind(text)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401
        """Sends the request within what is left of the run. Raises RequestException."""
        self._retry.each = each = self._wait(request, options.get("timeout"))
        stream = bool(options.get("stream"))
        options |= {"timeout": each, "stream": True}
        if request.method not in SAFE:
            options["allow_redirects"] = False
            self._set_idempotency_key(request)
        try:
            response = super().send(request, **options)
            self._check(request, response)
            if not stream:
                self._read(response, each)
        except requests.RequestException as error:
            kind, what = type(error), type(error).__name__
        except DecodeError:
            kind, what = requests.exceptions.ContentDecodingError, "its body cannot be decoded"
        except ReadTimeoutError:
            kind, what = requests.ReadTimeout, "its body came too slowly"
        except HTTPError as error:
            kind, what = requests.ConnectionError, type(error).__name__
        else:
            return response
        text = f"{_place(request)}: {what}"
        raise kind(text, request=request)  # outside: no traceback may lead to what was quoted

    def _wait(self, request: requests.PreparedRequest, given: Any) -> float:  # noqa: ANN401
        """Returns how long one wait may take. Raises ConnectTimeout if the run is nearly over."""
        wanted = [it for it in (given if isinstance(given, tuple) else (given,)) if it is not None]
        wait = min(self._timeout, _left(self._calls) / 2, *wanted)
        if wait < _LEAST:
            text = f"{_place(request)}: not called, the run has no time left for it"
            raise requests.ConnectTimeout(text)
        return float(wait)

    def _set_idempotency_key(self, request: requests.PreparedRequest) -> None:
        """Gives the same key to the same call in each run of the message.

        Raises ValueError for another body under the same key: the other side would answer for the
        first one.
        """
        if IDEMPOTENCY_KEY in request.headers:
            return
        place, calls = urlsplit(request.url or ""), self._calls
        where = f"{place.hostname}:{place.port or ''}{place.path}"
        parts = (calls.tenant, calls.document, self._key, request.method or "", where)
        key = str(uuid5(NAMESPACE_URL, "\n".join(parts)))
        body = _hash(request.body)
        if calls.sent.setdefault(key, body) != body:
            text = (
                f"{_place(request)}: a second call with another body has the same idempotency key: "
                f'give each a session of its own, context.http("the name of the effect")'
            )
            raise ValueError(text)
        request.headers[IDEMPOTENCY_KEY] = key

    def _check(self, request: requests.PreparedRequest, response: requests.Response) -> None:
        if request.method in SAFE or not response.is_redirect:
            return
        response.close()
        raise requests.TooManyRedirects

    def _read(self, response: requests.Response, each: float) -> None:
        """Reads the body, as it comes, while there is time for one more wait."""
        body = bytearray()
        with response:
            while piece := response.raw.read1(_PIECE, decode_content=True):
                body += piece
                if _left(self._calls) < each:
                    raise requests.ReadTimeout
        response._content = bytes(body)  # noqa: SLF001  (as requests itself does)
        response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001


def _left(calls: CallsOf) -> float:
    return max(calls.time_left() - _RESERVE, 0)


def _place(request: requests.PreparedRequest) -> str:
    place = urlsplit(request.url or "")
    known = place.scheme in {"http", "https"}
    return f"{request.method} {f'{place.scheme}://{place.hostname}' if known else 'no URL'}"


def _hash(body: object) -> str:
    if isinstance(body, str):
        body = body.encode()
    return hashlib.sha256(body).hexdigest() if isinstance(body, bytes) else str(id(body))


_: MakeSession = author_session
