"""Counts what this process sends to Google's services, to the broker and to RAC, at the wire.

Between the vendors' clients and their connections: each try counts, as it is billed, and nothing
that a client makes up by itself is missed.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import grpc
from urllib3.connectionpool import HTTPConnectionPool

from tests.support.firestore_counter import FirestoreCounter

_ADMIN = "/simulator/"  # the bench's own calls


class WireCounter(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """`hosts` names the service at each `host:port`; of these `firestore` and `pubsub` are gRPC.

    Keys of `counts()`: firestoreRead, firestoreWrite, firestoreDelete, pubsubMessages,
    pubsubRequests, pubsubBytes; and for HTTP the service and the call, `broker get`, `rac token`,
    `secretManager access`, `secretManager list`, `storage GET`, `storage GET content`,
    `storage GET bucket`.
    """

    def __init__(self, hosts: Mapping[str, str]) -> None:
        self._hosts = hosts
        self._firestore = FirestoreCounter()
        self._others: Counter[str] = Counter()
        self._lock = Lock()

    def counts(self) -> Counter[str]:
        """All that was counted so far."""
        names = {"read": "firestoreRead", "write": "firestoreWrite", "delete": "firestoreDelete"}
        firestore = {
            names[kind]: n for kind, n in self._firestore.operations.items() if kind in names
        }
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
        """Count the clients that are made, and the HTTP that is sent, while the block runs."""
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
            self._request(f"{pool.host}:{pool.port}", method, url)
            return send(pool, method, url, *args, **options)

        grpc.insecure_channel, HTTPConnectionPool.urlopen = counted_channel, counted_send  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            grpc.insecure_channel, HTTPConnectionPool.urlopen = connect, send  # type: ignore[method-assign]

    def _request(self, host: str, method: str, url: str) -> None:
        path, query = urlsplit(url).path, urlsplit(url).query
        service = self._hosts.get(host, host)
        if service == "simulator":
            if path.startswith(_ADMIN):
                return
            words = path.split("/")
            name = (
                "rac token" if "totvs.rac" in path else f"broker {words[words.index('link') + 1]}"
            )
        elif service == "secretManager":
            name = f"{service} {'access' if path.endswith(':access') else 'list'}"
        else:
            kind = " content" if "alt=media" in query else "" if "/o" in path else " bucket"
            name = f"{service} {method}{kind}"
        self._add(name, 1)

    def _add(self, name: str, count: int) -> None:
        with self._lock:
            self._others[name] += count
