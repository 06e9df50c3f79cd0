"""What every call to Firestore carries; where it and Pub/Sub's go without an emulator."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
import pytest
from google.api_core.exceptions import DeadlineExceeded
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from smartlink.adapters.firestore.calls import FirestoreCalls
from smartlink.adapters.google.failures import PATIENCE
from smartlink.adapters.google.grpc_channel import connect
from smartlink.adapters.google.pubsub import PubSubPublisher
from smartlink.domain.message import Stored
from smartlink.domain.settlement import Settlement
from tests.contract.backends import FirestoreStore
from tests.support.samples import LATER, NOW, pending, under_claim


class Listening(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
):
    """Notes the metadata of each call, by its method."""

    def __init__(self) -> None:
        self.heard: dict[str, dict[str, str]] = {}

    def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        details: grpc.ClientCallDetails,
        request: object,
    ) -> Any:  # noqa: ANN401
        self.heard[details.method.rpartition("/")[2]] = dict(details.metadata)
        return continuation(details, request)

    intercept_unary_stream = intercept_unary_unary


def test_every_call_names_its_database_and_its_client(
    firestore: Callable[..., FirestoreStore],
) -> None:
    """By the one Google's front end finds the database, by the other its support finds the call."""
    listening = Listening()
    store = firestore(listening)
    [version] = store.create("acme", [pending()])
    assert version is not None
    [claimed] = store.swap("acme", [Stored(under_claim(pending()), version)])
    store.read("acme", ["D-m-1"])
    store.due("acme", LATER, 5)
    store.commit("acme", [Settlement(document="D-m-1", fence=claimed)])
    store.known_tenants()
    assert store.advance(0, NOW, 0)
    methods = {"BatchWrite", "BatchGetDocuments", "RunQuery", "Commit", "ListDocuments"}
    assert set(listening.heard) == methods
    for method, metadata in listening.heard.items():
        routing = unquote(metadata["x-goog-request-params"])
        assert "/databases/(default)" in routing, method
        assert "gapic/" in metadata["x-goog-api-client"], method


@dataclass(frozen=True)
class Opened:
    target: str
    credentials: grpc.ChannelCredentials
    options: Mapping[str, Any]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Opened]:
    """The channels over TLS that were opened, with the credentials that the environment names."""
    credentials = tmp_path / "credentials.json"
    kind = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    credentials.write_text(json.dumps(kind))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(credentials))
    made: list[Opened] = []
    secure = grpc.secure_channel

    def secure_channel(target: str, credentials: grpc.ChannelCredentials, **more: Any) -> Any:  # noqa: ANN401
        made.append(Opened(target, credentials, dict(more["options"])))
        return secure(target, credentials, **more)

    monkeypatch.setattr(grpc, "secure_channel", secure_channel)
    return made


CLIENTS = {"firestore": FirestoreCalls, "pubsub": PubSubPublisher}


@pytest.mark.parametrize("service", CLIENTS)
def test_without_an_emulator_it_goes_to_google_over_tls(service: str, opened: list[Opened]) -> None:
    """Messages are as large as there are; connections are looked after, and end when idle."""
    CLIENTS[service]("some-project")
    [channel] = opened
    assert channel.target == f"{service}.googleapis.com:443"
    assert isinstance(channel.credentials, grpc.ChannelCredentials)
    wanted = {
        "grpc.max_send_message_length": -1,
        "grpc.max_receive_message_length": -1,
        "grpc.keepalive_time_ms": 30_000,
        "grpc.client_idle_timeout_ms": 120_000,
        "grpc.use_local_subchannel_pool": 1,
    }
    assert wanted.items() <= channel.options.items()
    # Less than a try of a call may take: it can be made again.
    assert channel.options["grpc.keepalive_timeout_ms"] < PATIENCE.timeout * 1_000


@pytest.mark.parametrize("service", CLIENTS)
@pytest.mark.parametrize(
    ("variable", "value", "host"),
    [
        ("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "example.com", "{}.example.com:443"),
        ("GOOGLE_API_USE_MTLS_ENDPOINT", "always", "{}.mtls.googleapis.com:443"),
    ],
)
def test_where_it_goes_is_for_google_s_client_to_say(
    service: str,
    variable: str,
    value: str,
    host: str,
    opened: list[Opened],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other universes and endpoints for client certificates are its own."""
    monkeypatch.setenv(variable, value)
    CLIENTS[service]("some-project")
    [channel] = opened
    assert channel.target == host.format(service)


def test_a_client_that_follows_another_asks_for_no_credentials(
    opened: list[Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody might answer: the network just failed."""
    connected = connect(FirestoreClient, FirestoreGrpcTransport)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    with pytest.raises(DeadlineExceeded), connected.client() as first:
        raise DeadlineExceeded("")
    with connected.client() as second:
        assert second is not first
    assert [it.target for it in opened] == ["firestore.googleapis.com:443"] * 2
