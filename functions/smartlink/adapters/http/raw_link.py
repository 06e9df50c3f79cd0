"""Smart Link's calls as they are: any verb, path and body, and what the server says to them.

For finding out what the server wants. The relay itself calls `smart_link`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from smartlink.adapters.http.connections import Call, Http, HttpSession, split_url
from smartlink.adapters.http.envelope import deliveries
from smartlink.adapters.http.smart_link import is_receipt
from smartlink.domain.tenant import Tenant
from smartlink.ports import CALL_SECONDS, Delivery, Tokens


class RawLink:
    """Sessions in which every status is an answer. None is kept for the next caller."""

    def __init__(self, http: Http, url: str, tokens: Tokens) -> None:
        self._http = http
        self._origin, self._prefix = split_url(url)
        self._tokens = tokens

    @contextmanager
    def session(self, tenant: Tenant) -> Iterator["RawSession"]:
        """A session of its own. At its end the server takes back what it had leased to it."""
        session = HttpSession(self._http, self._origin, cookies=True)
        try:
            yield RawSession(session, self._prefix, tenant, self._tokens)
        finally:
            session.release()
            session.close()

    def confirms(self, body: bytes) -> bool:
        """Tell whether the relay believes such an answer to `setup`, `send` or `ack`."""
        return is_receipt(body)

    def read(self, body: bytes) -> list[Delivery]:
        """The messages in an answer of `get`, as the relay reads them. Raises PortError."""
        return deliveries(body)


class RawSession:
    """One session: cookies, and a connection."""

    def __init__(self, http: HttpSession, prefix: str, tenant: Tenant, tokens: Tokens) -> None:
        self._http = http
        self._prefix = prefix
        self._tenant = tenant
        self._tokens = tokens

    def call(self, name: str, verb: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """The status and the body, whatever they are. Raises PortError without an answer."""
        token = self._tokens.token(self._tenant, None, CALL_SECONDS)
        headers = {"Authorization": f"Bearer {token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._http.ends = monotonic() + CALL_SECONDS
        answer = self._http.call(
            Call(
                name=f"Smart Link's {name}, for tenant {self._tenant.name},",
                verb=verb,
                path=self._prefix + path,
                headers=headers,
                body=body,
                answered=range(100, 600),
            )
        )
        return answer.status, answer.body
