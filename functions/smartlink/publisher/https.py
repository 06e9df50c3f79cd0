"""Publishing over HTTPS, to the function `publish`: bounded tries, all under the same id."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, Unpack

from smartlink.publisher.answers import Accepted, Answer, accepted, read_json
from smartlink.publisher.errors import PublishRefused, PublishUnavailable
from smartlink.publisher.identity_token import IdentityToken
from smartlink.publisher.outgoing import Outgoing, parsed

if TYPE_CHECKING:
    from requests import PreparedRequest

_TRIED_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_UNAUTHORIZED = 401
_ANSWER_LIMIT = 65_536  # bytes; the function's answers are short
_LONGEST_WAIT = 20.0  # seconds, whatever Retry-After says


class Token(Protocol):
    """What Publisher calls before each try."""

    def __call__(self, refused: str | None = None) -> str | None:
        """A bearer token, never the one just refused; None for a function without IAM."""
        ...


class Publisher:
    """A connection to the function `publish`. Use it in one thread at a time."""

    def __init__(
        self,
        url: str,
        *,
        token: Token | None = None,
        timeout: tuple[float, float] = (5.0, 30.0),
        waits: Sequence[float] = (0.5, 2.0, 5.0),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`url` is the function's, and the audience of the token (default: the caller's own).

        `timeout`: seconds to connect and to wait for the answer of each try. `waits`: seconds
        before each further try, after 429, 5xx or no answer; a longer Retry-After is kept to.
        """
        import requests  # noqa: PLC0415  (with the first publisher, not with the module)
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        self._url = url
        self._token = token or IdentityToken(url)
        self._timeout = timeout
        self._waits = tuple(waits)
        self._sleep = sleep
        self._failed = (requests.RequestException, HTTPError, OSError)
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def publish(self, **message: Unpack[Outgoing]) -> Accepted:
        """Put the message into the outbox; the next poll sends it.

        Raises PublishRefused, mostly before any call, and PublishUnavailable after the last try.
        """
        body, request = parsed(message)
        identity = str(request.id)
        problem = ""
        for wait in (*self._waits, None):
            answer, problem = self._try(body, identity)
            if answer is not None and answer.status not in _TRIED_AGAIN:
                return accepted(answer)
            if wait is not None:
                after = answer.retry_after if answer else 0.0
                self._sleep(max(wait, min(after, _LONGEST_WAIT)))
        raise PublishUnavailable(problem, identity)

    def _try(self, body: bytes, identity: str) -> tuple[Answer | None, str]:
        """An answer, if there was one, and what is wrong, if it is to be tried again."""
        token = self._fresh_token(identity)
        try:
            answer = self._call(body, token)
            if answer.status == _UNAUTHORIZED:  # it expired early, or a key was rotated
                answer = self._call(body, self._fresh_token(identity, token))
        except self._failed as error:
            return None, f"the function did not answer ({type(error).__name__})"
        return answer, f"the function answered {answer.status}"

    def _fresh_token(self, identity: str, refused: str | None = None) -> str | None:
        from google.auth.exceptions import (  # noqa: PLC0415
            DefaultCredentialsError,
            GoogleAuthError,
        )

        try:
            return self._token(refused)
        except DefaultCredentialsError:
            problem = "no credentials here: run as a service account"
            raise PublishRefused("authorization", problem) from None
        except GoogleAuthError as error:
            problem = f"no identity token ({type(error).__name__})"
            raise PublishUnavailable(problem, identity) from None

    def _call(self, body: bytes, token: str | None) -> Answer:
        with self._session.post(
            self._url,
            data=body,
            headers={"Content-Type": "application/json"},
            auth=_Bearer(token),
            timeout=self._timeout,
            allow_redirects=False,  # one could carry the token to another host
            stream=True,
        ) as response:
            text = response.raw.read(_ANSWER_LIMIT, decode_content=True)
            after = response.headers.get("Retry-After", "")
            seconds = float(after) if after.isdecimal() else 0.0
            return Answer(response.status_code, read_json(text), seconds)


@dataclass(frozen=True, slots=True)
class _Bearer:
    """As `auth`, so that a `.netrc` cannot put other credentials in its place."""

    token: str | None

    def __call__(self, request: "PreparedRequest") -> "PreparedRequest":
        if self.token is not None:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request
