"""Smart Link Server, over REST.

What no public source states is assumed here, and here only:

- The host of production, the verbs and the path of a `send` without audience: see `settings`,
  where SMARTLINK_PATHS corrects the paths and verbs.
- Every call takes a bearer token of RAC; a 401 means that it has ended.
- `get` answers one message, a list of messages, or nothing: 204, no body, blanks, `null`, `[]`
  or `{}`. A message's fields are named as in the gRPC client (`MsgId`, `MsgType`, `MsgContent`,
  `MsgAud`, `MsgDeliveryTag`) or `id`, `type`, `content`, `audience`, `deliveryTag`, in any casing.
  A content that is an object or a list stands for its own JSON text.
- `ack` takes `{"deliveryTag": n, "ack": true}`. A tag belongs to the session that received it:
  so each receiver has its own cookies and connection, and a session with unacked messages is
  closed, not used again.
- `send` takes the content as the body, as it is.
- Any 2xx means done. A call that is repeated after a lost answer does no harm.

A body that is not UTF-8 is read with `surrogateescape`, from which the bytes can be had again.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import quote

from smartlink.adapters.http import Answer, Call, Http, HttpSession, SessionPool, split_url
from smartlink.domain.tenant import Tenant
from smartlink.ports import (
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
_NOTHING = frozenset({"", "null", "[]", "{}"})
_TAGS = range(-(2**63), 2**64)
_PEEK = 64  # bytes in which a content's first character is looked for
_JSON = json.JSONDecoder(strict=False)  # control characters in texts do no harm
_TAG = re.compile(r"-?[0-9]{1,20}")
_OPENING, _SEPARATORS, _CLOSING = frozenset("[{"), frozenset(",:"), frozenset("]}")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)


class SmartLinkBroker:
    """Sessions with the broker, kept for the next caller of the same tenant."""

    def __init__(
        self, http: Http, url: str, paths: Paths, tokens: Tokens, *, idle_sessions: int = 512
    ) -> None:
        origin, prefix = split_url(url)
        self._calls = {name: _call(prefix, value) for name, value in paths.model_dump().items()}
        self._tokens = tokens
        self._sessions = SessionPool(lambda: HttpSession(http, origin, cookies=True), idle_sessions)

    @contextmanager
    def session(self, tenant: Tenant) -> Iterator[BrokerSession]:
        """A session for one thread, with cookies and a connection of its own."""
        with self._sessions.lease(f"{tenant.name}/{tenant.credentials.client_id}") as http:
            session = _Session(http, tenant, self._tokens, self._calls)
            yield session
            if session.unacked:
                http.clean = False

    def close(self) -> None:
        """Closes the idle connections."""
        self._sessions.close()


class _Session:
    def __init__(
        self,
        http: HttpSession,
        tenant: Tenant,
        tokens: Tokens,
        calls: Mapping[str, tuple[str, str]],
    ) -> None:
        self.unacked: set[int] = set()
        self._http = http
        self._tenant = tenant
        self._tokens = tokens
        self._calls = calls

    def setup(self, commands: Sequence[str]) -> None:
        body = json.dumps({"subscriptions": list(commands)}).encode()
        self._call("setup", body, "application/json")

    def get(self) -> list[Delivery]:
        received = deliveries(self._call("get").body)
        self.unacked.update(item.tag for item in received if item.tag is not None)
        return received

    def ack(self, tag: int) -> None:
        body = b'{"deliveryTag": %d, "ack": true}' % tag
        self._call("ack", body, "application/json")
        self.unacked.discard(tag)

    def send(self, message_type: str, audience: str | None, content: bytes) -> None:
        name = "send_audience" if audience else "send"
        filled = {"{type}": _segment("type", message_type)}
        if audience:
            filled["{audience}"] = _segment("audience", audience)
        json_like = content[:_PEEK].lstrip()[:1] in (b"{", b"[")
        kind = "application/json" if json_like else "text/plain; charset=utf-8"
        self._call(name, content, kind, filled)

    def _call(
        self,
        name: str,
        body: bytes | None = None,
        content_type: str | None = None,
        filled: Mapping[str, str] | None = None,
    ) -> Answer:
        """Once more with a new token if the broker refuses the one at hand."""
        verb, path = self._calls[name]
        for field, value in (filled or {}).items():
            path = path.replace(field, value)
        headers = {"Content-Type": content_type} if content_type else {}
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
            token = self._tokens.token(self._tenant, refused)
            headers["Authorization"] = f"Bearer {token}"
            answer = self._http.call(call)
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return answer
            refused = token
        message = f"{call.name} answered 401 to a new token too: check the tenant's credentials"
        raise CredentialsRefused(message)


def _call(prefix: str, value: str) -> tuple[str, str]:
    verb, _, path = value.partition(" ")
    return verb.upper(), prefix + path


def _segment(name: str, value: str) -> str:
    """The value as one segment of a path. `.` and `..` have no escaped form: URLs resolve them."""
    if value in {"", ".", ".."}:
        message = f"{value!r} cannot be the {name} of a message: no path can hold it"
        raise Refused(message)
    return quote(value, safe="", errors="surrogatepass")


def deliveries(body: bytes) -> list[Delivery]:
    """The messages in an answer of `get`. Raises Unavailable if it is no JSON of that kind.

    A malformed message becomes one with a `problem`, and does not harm the others.
    """
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff").strip()
    if text in _NOTHING:
        return []
    if text[0] not in "[{":
        message = "Smart Link get answered neither a message nor a list"
        raise Unavailable(message)
    try:
        value = _JSON.decode(text)
        return [_delivery(entry) for entry in (value if isinstance(value, list) else [value])]
    except json.JSONDecodeError as error:
        message = f"Smart Link get answered no JSON: {error.msg} at character {error.pos}"
        raise Unavailable(message) from None
    except (ValueError, RecursionError):
        # One entry is nested too deep, or has too long a number, for Python: the others are good.
        parts = [":".join(part) for part in _split(text)] if text[0] == "[" else [text]
        return [_part(part) for part in parts]


def _delivery(entry: object, raw: str | None = None) -> Delivery:
    """One message. `raw` is its JSON text where that cannot be made again."""
    if not isinstance(entry, dict):
        return Delivery(None, None, "", raw or _dumps(entry), problem="it is no JSON object")
    fields = {name.lower(): value for name, value in entry.items() if value is not None}
    message_type = fields.get("msgtype", fields.get("type", ""))
    content = fields.get("msgcontent", fields.get("content"))
    audience = fields.get("msgaud", fields.get("audience"))
    message_id = fields.get("msgid", fields.get("id", ""))
    tag = _tag(fields.get("msgdeliverytag", fields.get("deliverytag")))
    if isinstance(content, dict | list):
        content = _dumps(content)
    if isinstance(message_id, int | float) and not isinstance(message_id, bool):
        message_id = _dumps(message_id)
    if not isinstance(message_type, str) or not message_type:
        problem, message_type = "it has no type, or one that is no text", ""
    elif not isinstance(content, str):
        problem = "it has no content, or one that is no text"
    elif not isinstance(audience, str | None):
        problem = "its audience is no text"
    elif not isinstance(message_id, str):
        problem = "its id is neither a text nor a number"
    else:
        return Delivery(tag, message_id or None, message_type, content, audience or None)
    known = message_id if isinstance(message_id, str) and message_id else None
    return Delivery(tag, known, message_type, raw or _dumps(entry), problem=problem)


def _tag(value: object) -> int | None:
    if isinstance(value, str) and _TAG.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value in _TAGS:
        return value
    return None


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _part(raw: str) -> Delivery:
    """The message in this JSON text. What Python cannot read of it is kept as it is written."""
    try:
        return _delivery(_JSON.decode(raw), raw)
    except json.JSONDecodeError:
        return Delivery(None, None, "", raw, problem="it is no JSON")
    except (ValueError, RecursionError):
        entry: object = None
    if raw.startswith("{"):
        entry = {str(_value(part[0])): _value(part[-1]) for part in _split(raw)}
    return _delivery(entry, raw)


def _value(raw: str) -> object:
    """A text or a number; the JSON text of anything else."""
    try:
        return raw if raw[:1] in ("{", "[") else _JSON.decode(raw)
    except ValueError:
        return raw


def _split(text: str) -> list[list[str]]:
    """The elements of a JSON list, or the members (name, value) of an object, as their texts."""
    parts: list[list[str]] = []
    part: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in _CLOSING:
            depth -= 1
        if depth == (mark not in _CLOSING) and (mark in _CLOSING or mark in _SEPARATORS):
            part.append(text[start : token.start()].strip())
            start = token.end()
            if mark != ":":
                parts.append(part)
                part = []
        if mark in _OPENING:
            depth += 1
            start = token.end() if depth == 1 else start
    return parts


_: type[Broker] = SmartLinkBroker
