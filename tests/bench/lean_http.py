"""HTTP as plain as it gets, for the limit and the peers: requests, as in the relay, and no more.

With another library a contestant would be fast or slow for its HTTP: that is not compared here.
"""

from collections.abc import Mapping

import requests

TIMEOUT_SECONDS = 30


class LeanHttp:
    """Keep-alive connections and cookies, for one caller at a time."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._session = requests.Session()
        self._session.trust_env = False  # nobody looks for a proxy or a .netrc at each call

    def call(
        self, verb: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]:
        """The status and the body."""
        answer = self._session.request(
            verb, self._origin + path, headers=dict(headers), data=body, timeout=TIMEOUT_SECONDS
        )
        return answer.status_code, answer.content
