"""Calls Smart Link Server over REST.

Here, and only here, stands what we assume because no public source says it:

- The host of production, the verbs and the path of a `send` without audience: see `settings`,
  where SMARTLINK_PATHS corrects the paths and verbs.
- Every call takes a bearer token of RAC; a 401 means that it has ended.
- `get` answers one message, a list of messages, or nothing: 204, no body, blanks, `null`, `[]`,
  `{}`, a message of zeros, or one of these in an object, under a name such as `messages`. An id of
  zeros is none. A message's fields are named as in the gRPC client (`MsgId`, `MsgType`,
  `MsgContent`, `MsgAud`, `MsgDeliveryTag`) or `id`, `type`, `content`, `audience`, `deliveryTag`,
  in any casing. A content that is an object or a list stands for its own JSON text.
- `ack` takes `{"deliveryTag": n, "ack": true}`. A tag is valid only in the session that received
  it. So each receiver has its own cookies and its own connection, and a session with messages
  that are not acked is closed and not used again.
- Whether `{"deliveryTag": n, "ack": false}` hands a delivery to a dead-letter queue is not assumed:
  `smartlink broker discover` finds it out, and until then nothing is nacked.
- `send` takes the content, unchanged, as the body. The header `traceparent` (W3C) does no harm.
- A 2xx means that the call was done if its body is empty, JSON, or one word such as `OK`. Anything
  else is a page of a proxy or a gateway, which answers even if the server never got the call.
- A repeated call does no harm.

A body that is not UTF-8 is read with `surrogateescape`, which keeps its bytes.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from time import monotonic
from urllib.parse import quote

from smartlink.adapters.http.connections import (
    Answer,
    Call,
    Http,
    HttpSession,
    SessionPool,
    split_url,
)
from smartlink.adapters.http.envelope import deliveries
from smartlink.domain.json_bytes import unmarked
from smartlink.domain.tenant import Tenant
from smartlink.domain.token import claimed_tenant
from smartlink.ports import (
    CALL_SECONDS,
    Broker,
    BrokerSession,
    CredentialsRefused,
    Delivery,
    Refused,
    Tokens,
    Unavailable,
)
from smartlink.settings import Paths

_UNAUTHORIZED = (HTTPStatus.UNAUTHORIZED,)
_RECEIPT = 65_536  # bytes: an answer that only says "done" is never larger
_CALLS = ("setup", "get", "ack", "nack", "send", "send_audience")
_PLACE = re.compile(r"\{(?:content|text|type|audience)\}")
_PEEK = 64  # bytes in which the content's first character must be


class SmartLinkBroker:
    """Opens sessions with the broker, and keeps them for the tenant's next caller."""

    def __init__(
        self, http: Http, url: str, paths: Paths, tokens: Tokens, *, idle_sessions: int = 512
    ) -> None:
        origin, prefix = split_url(url)
        given = {name: getattr(paths, name) for name in _CALLS}
        self._calls = {name: _call(prefix, value) for name, value in given.items() if value}
        self._paths = paths
        self._tokens = tokens
        self._sessions = SessionPool(lambda: HttpSession(http, origin, cookies=True), idle_sessions)

    @contextmanager
    def session(self, tenant: Tenant) -> Iterator[BrokerSession]:
        """Gives a session for one thread, with its own cookies and its own connection."""
        key = f"{tenant.name}/{tenant.credentials.client_id}"
        with self._sessions.lease(key, CALL_SECONDS) as http:
            session = _Session(http, tenant, self._tokens, self._calls, self._paths)
            yield session
            if session.unacked:
                http.clean = False


class _Session:
    def __init__(
        self,
        http: HttpSession,
        tenant: Tenant,
        tokens: Tokens,
        calls: Mapping[str, tuple[str, str]],
        paths: Paths,
    ) -> None:
        self.unacked: set[int] = set()
        self._traceparent: str | None = None
        self._http = http
        self._tenant = tenant
        self._tokens = tokens
        self._calls = calls
        self._paths = paths

    def limit(self, seconds: float) -> None:
        self._http.ends = monotonic() + seconds

    def tenant_id(self) -> str | None:
        return claimed_tenant(self._token(None))

    def trace(self, traceparent: str) -> None:
        self._traceparent = traceparent

    def setup(self, commands: Sequence[str]) -> None:
        body = filled_setup(self._paths, commands)
        self._do("setup", body, "application/json")

    def get(self) -> list[Delivery]:
        received = deliveries(self._call("get").body)
        self.unacked.update(item.tag for item in received if item.tag is not None)
        return received

    def ack(self, tag: int) -> None:
        body = self._paths.ack_body.replace("{tag}", str(tag)).encode()
        self._do("ack", body, "application/json", {"{tag}": str(tag)})
        self.unacked.discard(tag)

    def nack(self, tag: int) -> None:
        if "nack" not in self._calls:
            message = "no call is known that hands a delivery to the broker's dead-letter queue"
            raise Refused(message)
        body = self._paths.nack_body.replace("{tag}", str(tag)).encode()
        self._do("nack", body, "application/json", {"{tag}": str(tag)})
        self.unacked.discard(tag)

    def send(self, message_type: str, audience: str | None, content: bytes) -> None:
        name = "send_audience" if audience else "send"
        filled = {"{type}": _segment("type", message_type)}
        if audience:
            filled["{audience}"] = _segment("audience", audience)
        body = filled_send(self._paths, message_type, audience, content)
        json_like = body[:_PEEK].lstrip()[:1] in (b"{", b"[")
        kind = "application/json" if json_like else "text/plain; charset=utf-8"
        self._do(name, body, kind, filled)

    def _do(
        self,
        name: str,
        body: bytes,
        content_type: str,
        filled: Mapping[str, str] | None = None,
    ) -> None:
        """Makes a call that only the broker itself can confirm.

        Raises Unavailable if somebody else's page came instead.
        """
        answer = self._call(name, body, content_type, filled)
        if not is_receipt(answer.body):
            self._http.clean = False  # whoever answered has the connection
            message = (
                f"Smart Link's {name}, for tenant {self._tenant.name}, was answered "
                f"{answer.status} with a page that is not the broker's: is a proxy or a gateway in "
                f"between?"
            )
            raise Unavailable(message)

    def _call(
        self,
        name: str,
        body: bytes | None = None,
        content_type: str | None = None,
        filled: Mapping[str, str] | None = None,
    ) -> Answer:
        """Calls the broker, and calls again with a new token after a 401. Raises
        CredentialsRefused."""
        verb, path = self._calls[name]
        for field, value in (filled or {}).items():
            path = path.replace(field, value)
        headers = {"Content-Type": content_type} if content_type else {}
        if name.startswith("send") and self._traceparent is not None:
            headers["traceparent"], self._traceparent = self._traceparent, None
        call = Call(
            name=f"Smart Link's {name}, for tenant {self._tenant.name},",
            verb=verb,
            path=path,
            headers=headers,
            body=body,
            answered=_UNAUTHORIZED,
        )
        refused = None
        for _ in range(2):
            token = self._token(refused)
            headers["Authorization"] = f"Bearer {token}"
            answer = self._http.call(call)
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return answer
            refused = token
        message = f"{call.name} answered 401 to a new token too: check the tenant's credentials"
        raise CredentialsRefused(message)

    def _token(self, refused: str | None) -> str:
        """Returns a token. Any refusal raises CredentialsRefused: it does not concern the
        message."""
        try:
            return self._tokens.token(self._tenant, refused, self._http.ends - monotonic())
        except CredentialsRefused:
            raise
        except Refused as error:
            raise CredentialsRefused(*error.args) from None


def filled_setup(paths: Paths, commands: Sequence[str]) -> bytes:
    """The body of `setup`."""
    return paths.setup_body.replace("{commands}", json.dumps(list(commands))).encode()


def filled_send(paths: Paths, message_type: str, audience: str | None, content: bytes) -> bytes:
    """The body of `send`: mostly the content itself."""
    if paths.send_body == "{content}":
        return content
    text = content.decode("utf-8", "surrogateescape")
    values = {
        "{content}": text,
        "{text}": json.dumps(text),
        "{type}": json.dumps(message_type),
        "{audience}": json.dumps(audience),
    }
    # At once: a content may hold what looks like one of the others.
    body = _PLACE.sub(lambda found: values[found[0]], paths.send_body)
    return body.encode("utf-8", "surrogateescape")


def _call(prefix: str, value: str) -> tuple[str, str]:
    verb, _, path = value.partition(" ")
    return verb.upper(), prefix + path


def is_receipt(body: bytes) -> bool:
    """Tells whether the body of a 2xx may be the broker's: it is empty, JSON, or one word."""
    text = unmarked(body).strip()
    if len(text) > _RECEIPT:
        return False
    if text[:1] in (b"{", b"[", b'"'):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return False
        return True
    return len(text.split()) <= 1 and not text.startswith(b"<")


def _segment(name: str, value: str) -> str:
    """Escapes a value as one segment of a path.

    Raises Refused for `.` and `..`: URLs resolve them, and they have no escaped form.
    """
    if value in {"", ".", ".."}:
        message = f"{value!r} cannot be the {name} of a message: no path can hold it"
        raise Refused(message)
    return quote(value, safe="", errors="surrogatepass")


_: type[Broker] = SmartLinkBroker
