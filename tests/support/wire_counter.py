"""Counts what this process sends to Google's services, to the broker and to RAC, at the wire.

Between the vendors' clients and their connections: each try counts, as it is billed, and nothing
that a client makes up by itself is missed. What the process writes to its log is counted too.
"""

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import grpc
from urllib3.connectionpool import HTTPConnectionPool

from tests.support.firestore_counter import FirestoreCounter, raw
from tests.support.firestore_size import expires, stored_bytes

_ADMIN = "/simulator/"  # the bench's own calls
_FIRESTORE = {
    "read": "firestoreRead",
    "write": "firestoreWrite",
    "delete": "firestoreDelete",
    "expiring": "firestoreExpiring",
    "stored": "firestoreStoredBytes",
}


class _Lasting(FirestoreCounter):
    """Counts also the documents that stay until their TTL, and what they occupy until then."""

    def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        details: grpc.ClientCallDetails,
        request: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        for write in getattr(raw(request), "writes", ()):
            if expires(write.update):
                self._add("expiring", 1)
                self._add("stored", stored_bytes(write.update))
        return super().intercept_unary_unary(continuation, details, request)


class WireCounter(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """`hosts` names the service at each `host:port`; of these `firestore` and `pubsub` are gRPC.

    Keys of `counts()`: firestoreRead, firestoreWrite, firestoreDelete; firestoreExpiring and
    firestoreStoredBytes, of documents with a TTL; pubsubMessages, pubsubRequests, pubsubBytes;
    logLines, logBytes; and for HTTP the service and the call, `broker get`, `rac token`,
    `secretManager access`, `secretManager list`, `storage GET`, `storage GET content`,
    `storage GET bucket`; brokerBytes, which its requests take before they are encrypted.
    """

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self._hosts = hosts
        self._firestore = _Lasting()
        self._others: Counter[str] = Counter()
        self._lock = Lock()

    def counts(self) -> Counter[str]:
        """All that was counted so far."""
        operations = self._firestore.operations.items()
        firestore = {_FIRESTORE[kind]: n for kind, n in operations if kind in _FIRESTORE}
        with self._lock:
            return Counter(firestore) + self._others

    def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        details: grpc.ClientCallDetails,
        request: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Count a call to Pub/Sub."""
        pushed = getattr(request, "messages", ())
        self._add("pubsubRequests", 1)
        self._add("pubsubMessages", len(pushed))
        self._add("pubsubBytes", sum(type(it).pb(it).ByteSize() for it in pushed))
        return continuation(details, request)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the clients that are made, the HTTP that is sent and what is logged meanwhile."""
        connect, send = grpc.insecure_channel, HTTPConnectionPool.urlopen

        def counted_channel(target: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401
            counter = self._firestore if self._hosts.get(target) == "firestore" else self
            return grpc.intercept_channel(connect(target, *args, **options), counter)

        def counted_send(
            pool: HTTPConnectionPool,
            method: str,
            url: str,
            *args: Any,  # noqa: ANN401
            **options: Any,  # noqa: ANN401
        ) -> Any:  # noqa: ANN401
            self._request(f"{pool.host}:{pool.port}", method, url, options)
            return send(pool, method, url, *args, **options)

        grpc.insecure_channel, HTTPConnectionPool.urlopen = counted_channel, counted_send  # type: ignore[method-assign, assignment]
        try:
            with redirect_stdout(_Log(self._add)):
                yield
        finally:
            grpc.insecure_channel, HTTPConnectionPool.urlopen = connect, send  # type: ignore[method-assign]

    def _request(self, host: str, method: str, url: str, options: Mapping[str, Any]) -> None:
        path, query = urlsplit(url).path, urlsplit(url).query
        service = self._hosts.get(host, host)
        if service == "simulator":
            if path.startswith(_ADMIN):
                return
            words = path.split("/")
            name = (
                "rac token" if "totvs.rac" in path else f"broker {words[words.index('link') + 1]}"
            )
            if name != "rac token":
                self._add("brokerBytes", _bytes_of(host, method, url, options))
        elif service == "secretManager":
            name = f"{service} {'access' if path.endswith(':access') else 'list'}"
        else:
            kind = " content" if "alt=media" in query else "" if "/o" in path else " bucket"
            name = f"{service} {method}{kind}"
        self._add(name, 1)

    def _add(self, name: str, count: int) -> None:
        with self._lock:
            self._others[name] += count


def _bytes_of(host: str, method: str, url: str, options: Mapping[str, Any]) -> int:
    """What a request takes: its first line, its headers and its body."""
    headers = {"Host": host, **(options.get("headers") or {})}
    head = f"{method} {url} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    return len(head.encode()) + 2 + int(headers.get("Content-Length", 0))


class _Log(io.TextIOBase):
    """Counts what is logged, and prints nothing."""

    def __init__(self, add: Callable[[str, int], None]) -> None:
        super().__init__()
        self._add = add

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def write(self, text: str) -> int:
        """Count a line, or a part of one."""
        self._add("logLines", text.count("\n"))
        self._add("logBytes", len(text.encode()))
        return len(text)
