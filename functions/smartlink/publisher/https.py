"""Publishes over HTTPS by the function `publish`, with a few tries, all under the same id."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self, Unpack

from smartlink.publisher.answers import Accepted, Answer, accepted, read_json
from smartlink.publisher.errors import PublishRefused, PublishUnavailable
from smartlink.publisher.outgoing import Outgoing, parsed

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.auth.transport.requests import AuthorizedSession
    from requests import PreparedRequest

_TRIED_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
_ANSWER_LIMIT = 65_536  # bytes; the function's answers are short
_LONGEST_WAIT = 20.0  # seconds, whatever Retry-After says


class Publisher:
    """A connection to the function `publish`. Use it in one thread at a time."""

    def __init__(
        self,
        url: str,
        *,
        credentials: "Credentials | None" = None,
        timeout: tuple[float, float] = (5.0, 30.0),
        waits: Sequence[float] = (0.5, 2.0, 5.0),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`url` is the function's URL, and the audience of the identity token that each call
        carries.

        `credentials` give that token. By default google-auth finds them: in the service account's
        file of GOOGLE_APPLICATION_CREDENTIALS, or at the metadata server. For a function without
        IAM, give google.auth.credentials.AnonymousCredentials(). `timeout` is the seconds to
        connect and the seconds to wait for each answer. `waits` are the seconds before each further
        try, after a 429, a 5xx or no answer. If Retry-After asks for longer, the wait is longer,
        but at most 20 s.
        """
        self._url = url
        self._credentials = credentials
        self._timeout = timeout
        self._waits = tuple(waits)
        self._sleep = sleep
        self._opened: AuthorizedSession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        if self._opened is not None:
            self._opened.close()

    def publish(self, **message: Unpack[Outgoing]) -> Accepted:
        """Puts the message into the outbox. The next poll sends it.

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
        """Calls once; returns the answer or None, and the problem to tell if this was the last
        try."""
        from google.auth.exceptions import (  # noqa: PLC0415  (with the first call)
            DefaultCredentialsError,
            GoogleAuthError,
        )
        from requests import RequestException  # noqa: PLC0415
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        try:
            answer = self._call(body)
        except DefaultCredentialsError:
            refused = "no credentials here: run as a service account"
            raise PublishRefused("authorization", refused) from None
        except GoogleAuthError as error:
            unavailable = f"no identity token ({type(error).__name__})"
            raise PublishUnavailable(unavailable, identity) from None
        except (RequestException, HTTPError, OSError) as error:
            return None, f"the function did not answer ({type(error).__name__})"
        return answer, f"the function answered {answer.status}"

    def _call(self, body: bytes) -> Answer:
        with self._session().post(
            self._url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=self._timeout,
            allow_redirects=False,  # a redirect could carry the token to another host
            stream=True,
        ) as response:
            text = response.raw.read(_ANSWER_LIMIT, decode_content=True)
            after = response.headers.get("Retry-After", "")
            seconds = float(after) if after.isdecimal() else 0.0
            return Answer(response.status_code, read_json(text), seconds)

    def _session(self) -> "AuthorizedSession":
        """Returns a session that keeps its token while it is valid, and fetches a new one after a
        401."""
        if self._opened is None:
            from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415
            from google.oauth2.id_token import fetch_id_token_credentials  # noqa: PLC0415

            credentials = self._credentials or fetch_id_token_credentials(self._url)
            self._opened = AuthorizedSession(credentials, max_refresh_attempts=1)
            self._opened.auth = _as_it_is
        return self._opened


def _as_it_is(request: "PreparedRequest") -> "PreparedRequest":
    """Changes nothing. As the session's `auth` it keeps a `.netrc` from replacing the token."""
    return request
