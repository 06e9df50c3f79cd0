"""What every call to Firestore carries, and where it goes without an emulator."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
import pytest

from smartlink.adapters.firestore_calls import FirestoreCalls
from smartlink.domain.message import Stored
from smartlink.domain.settlement import Settlement
from tests.contract.backends import FirestoreStore
from tests.contract.samples import LATER, NOW, message, running


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
    [version] = store.create("acme", [message()])
    assert version is not None
    [claimed] = store.swap("acme", [Stored(running(message()), version)])
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


def test_without_an_emulator_it_goes_to_google_over_tls(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the credentials that the environment names, and messages as large as there are."""
    credentials = tmp_path / "credentials.json"
    kind = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    credentials.write_text(json.dumps(kind))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(credentials))
    made: list[tuple[str, dict[str, Any]]] = []
    secure = grpc.secure_channel

    def secure_channel(target: str, credentials: grpc.ChannelCredentials, **more: Any) -> Any:  # noqa: ANN401
        assert isinstance(credentials, grpc.ChannelCredentials)
        made.append((target, more))
        return secure(target, credentials, **more)

    monkeypatch.setattr(grpc, "secure_channel", secure_channel)
    FirestoreCalls("some-project")
    [(target, more)] = made
    assert target == "firestore.googleapis.com:443"
    assert ("grpc.max_receive_message_length", -1) in more["options"]
