"""The caller's identity token for the function, fetched where the code runs and kept."""

import base64
import json
import time
from collections.abc import Callable
from functools import partial
from threading import Lock

_EARLY = 300  # seconds before it expires that a token is fetched anew
_ANSWER = 10  # seconds that the metadata server may take


class IdentityToken:
    """A token for one audience; safe for threads. What fetching it raises, a call raises."""

    def __init__(
        self,
        audience: str,
        *,
        fetch: Callable[[str], str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`fetch` gets the audience; `clock` answers seconds of the epoch."""
        self._audience = audience
        self._fetch = fetch or fetch_from_google
        self._clock = clock
        self._lock = Lock()
        self._token = ""
        self._until = 0.0

    def __call__(self, refused: str | None = None) -> str:
        """A token that stays valid for some minutes; never the one that was just refused."""
        with self._lock:
            if self._clock() >= self._until or self._token == refused:
                self._token = self._fetch(self._audience)
                self._until = _expiry(self._token) - _EARLY
            return self._token


def fetch_from_google(audience: str) -> str:
    """From the metadata server, or the service account in GOOGLE_APPLICATION_CREDENTIALS."""
    from google.auth.transport.requests import Request  # noqa: PLC0415  (with the first call)
    from google.oauth2.id_token import fetch_id_token  # noqa: PLC0415

    token: str = fetch_id_token(partial(Request(), timeout=_ANSWER), audience)
    return token


def _expiry(token: str) -> float:
    """Of a JWT, which Google made and the function will verify; 0 of what is none."""
    try:
        claims = token.split(".")[1]
        padded = claims + "=" * (-len(claims) % 4)
        return float(json.loads(base64.urlsafe_b64decode(padded))["exp"])
    except (IndexError, KeyError, TypeError, ValueError):
        return 0.0
