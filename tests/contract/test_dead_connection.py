"""A connection dies without a word, as behind a NAT that forgot it: that costs a call one try.

What is sent on it is swallowed; a new connection works.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.api_core.exceptions import DeadlineExceeded
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from infra.local.ports import HOST, free_ports
from smartlink.adapters.firestore.calls import FirestoreCalls
from smartlink.adapters.firestore.store import Firestore
from smartlink.adapters.google.failures import Patience
from smartlink.adapters.google.grpc_channel import connect
from smartlink.adapters.google.pubsub import PubSubPublisher
from smartlink.adapters.google.secret_manager import SecretManager
from smartlink.adapters.google.storage import BucketContents
from smartlink.ports import Envelope, Unavailable
from tests.chaos.proxy import Mode, Proxy, proxies

ONE_TRY = Patience(timeout=1, deadline=5, delays=())
THREE_TRIES = Patience(timeout=1, deadline=10, delays=(0.0, 0.0))
SURELY = 30  # seconds: for calls that get an answer
CONTENT = b"content"
NAME = f"acme/D-1/{hashlib.sha256(CONTENT).hexdigest()}"
AT_ONCE = 4  # requests: one connection more than there are tries


@contextmanager
def behind_nat(host: str) -> Iterator[tuple[str, Proxy]]:
    [port] = free_ports(1)
    with proxies({"it": (port, int(host.rpartition(":")[2]))}) as made:
        yield f"{HOST}:{port}", made["it"]


@pytest.fixture
def firestore_nat(firestore_host: str) -> Iterator[tuple[str, Proxy]]:
    reads(Firestore(FirestoreCalls("contract-dead", emulator=firestore_host)))  # wakes it up
    with behind_nat(firestore_host) as nat:
        yield nat


@pytest.fixture
def pubsub_nat(pubsub_host: str) -> Iterator[tuple[str, Proxy]]:
    with connect(PublisherClient, PublisherGrpcTransport, pubsub_host).client() as client:
        client.create_topic(name="projects/contract-dead/topics/orders")
    with behind_nat(pubsub_host) as nat:
        yield nat


def reads(store: Firestore) -> None:
    store.read("acme", ["D-m-1"])


def queries(store: Firestore) -> None:
    store.known_tenants()


def test_firestore_s_next_call_goes_through(firestore_nat: tuple[str, Proxy]) -> None:
    """Even where the first one had no second try."""
    host, proxy = firestore_nat
    store = Firestore(FirestoreCalls("contract-dead", emulator=host, patience=ONE_TRY))
    reads(store)
    proxy.set(Mode.BLACKHOLE)
    with pytest.raises(Unavailable, match="DeadlineExceeded"):
        reads(store)
    reads(store)
    assert proxy.counts[Mode.BLACKHOLE]


@pytest.mark.parametrize("call", [reads, queries])
def test_firestore_s_call_goes_through_at_its_next_try(
    firestore_nat: tuple[str, Proxy], call: Callable[[Firestore], None]
) -> None:
    """Streams and single answers alike."""
    host, proxy = firestore_nat
    store = Firestore(FirestoreCalls("contract-dead", emulator=host, patience=THREE_TRIES))
    call(store)
    proxy.set(Mode.BLACKHOLE)
    call(store)
    assert proxy.counts[Mode.BLACKHOLE]


def test_pubsub_s_call_goes_through_at_its_next_try(pubsub_nat: tuple[str, Proxy]) -> None:
    host, proxy = pubsub_nat
    publisher = PubSubPublisher("contract-dead", emulator=host, patience=THREE_TRIES)
    publisher.publish("orders", [Envelope(b"before", {})])
    proxy.set(Mode.BLACKHOLE)
    publisher.publish("orders", [Envelope(b"after", {})])
    assert proxy.counts[Mode.BLACKHOLE]


def test_a_new_client_does_not_share_the_dead_connection(
    firestore_nat: tuple[str, Proxy],
) -> None:
    """While a call still waits on it, gRPC would: same server, same options, one connection."""
    host, proxy = firestore_nat
    reconnecting = connect(FirestoreClient, FirestoreGrpcTransport, host)

    def ask(timeout: float) -> None:
        name = "projects/contract-dead/databases/(default)/documents/a/b"
        owner = (("authorization", "Bearer owner"),)
        with reconnecting.client() as client:
            client.delete_document(name=name, retry=None, timeout=timeout, metadata=owner)

    ask(SURELY)
    with reconnecting.client():  # another thread's call
        proxy.set(Mode.BLACKHOLE)
        with pytest.raises(DeadlineExceeded):
            ask(0.5)
        ask(SURELY)
    assert proxy.connections == 2


@pytest.fixture
def rest_nat() -> Iterator[tuple[str, Proxy]]:
    """Before a server that keeps its connections, and answers nobody until so many have asked."""
    payload = {"payload": {"data": base64.b64encode(CONTENT).decode()}}
    together = threading.Barrier(AT_ONCE)
    met = threading.Event()

    def answer(path: str) -> tuple[int, bytes]:
        if path.startswith("/storage/v1/b/bucket?"):
            return 403, b"{}"  # the client asks, once and beside its work, for its own traces
        if not met.is_set():
            together.wait(SURELY)
            met.set()
        return 200, json.dumps(payload).encode() if ":access" in path else CONTENT

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ExitStack() as stack:
        server = stack.enter_context(ThreadingHTTPServer((HOST, 0), Handler))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield stack.enter_context(behind_nat(f"{HOST}:{server.server_port}"))


def secret(host: str) -> Callable[[], object]:
    secrets = SecretManager("p", emulator=host, patience=THREE_TRIES)
    return lambda: secrets.payload("acme")


def content(host: str) -> Callable[[], object]:
    contents = BucketContents("bucket", "p", f"http://{host}", patience=THREE_TRIES)
    return lambda: contents.get(NAME)


@pytest.mark.parametrize("made", [secret, content])
def test_over_rest_a_call_goes_through_however_many_connections_died(
    rest_nat: tuple[str, Proxy], made: Callable[[str], Callable[[], object]]
) -> None:
    """A time-out ends its connection, and the next try does not take one that lies idle."""
    host, proxy = rest_nat
    call = made(host)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert list(pool.map(lambda _: call(), range(AT_ONCE))) == [CONTENT] * AT_ONCE
    assert proxy.connections >= AT_ONCE
    proxy.set(Mode.BLACKHOLE)
    assert call() == CONTENT
    assert proxy.counts[Mode.BLACKHOLE]
