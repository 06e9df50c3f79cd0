"""HTTP as lean as it gets, for the limit and the peers: libcurl, as in the relay, and no more.

Without it a contestant would be slow for its HTTP, which is not what the bench compares.
"""

from collections.abc import Mapping

import pycurl

TIMEOUT_SECONDS = 30


class LeanHttp:
    """Keep-alive connections and cookies, for one caller at a time."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._chunks: list[bytes] = []
        self._curl = pycurl.Curl()
        self._curl.setopt(pycurl.NOSIGNAL, 1)
        self._curl.setopt(pycurl.TIMEOUT, TIMEOUT_SECONDS)
        self._curl.setopt(pycurl.COOKIEFILE, "")
        self._curl.setopt(pycurl.WRITEFUNCTION, self._chunks.append)

    def call(
        self, verb: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]:
        """The status and the body."""
        self._chunks.clear()
        self._curl.setopt(pycurl.URL, self._origin + path)
        if body is None:
            self._curl.setopt(pycurl.HTTPGET, 1)
        else:
            self._curl.setopt(pycurl.POSTFIELDS, body)
        self._curl.setopt(pycurl.CUSTOMREQUEST, verb)
        self._curl.setopt(pycurl.HTTPHEADER, [f"{name}: {its}" for name, its in headers.items()])
        self._curl.perform()
        return self._curl.getinfo(pycurl.RESPONSE_CODE), b"".join(self._chunks)
