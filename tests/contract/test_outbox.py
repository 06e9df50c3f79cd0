"""A message in a caller's own transaction is what `publish` would have stored, or is not there."""

from collections.abc import Callable
from typing import Any

import pytest
from google.api_core.exceptions import AlreadyExists
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore as high_level

from smartlink.adapters.firestore import documents
from smartlink.publisher import outbox_write
from smartlink.services.publishing.publish import parse_request
from tests.contract.backends import FirestoreStore
from tests.support.world import START, World

MESSAGES: dict[str, dict[str, Any]] = {
    "plain": {"content": "opaque"},
    "json": {"content": {"a": [1, None, 1.5, "ação 😀"], "b": {}}},
    "surrogate in json": {"content": ["\ud83d"]},
    "empty": {"content": ""},
    "all of it": {"content": [], "audience": "APP", "correlation_id": "c/1"},
    "odd id": {"content": "x", "id": "a/b~%2F😀"},
    "long id": {"content": "x", "id": "ç" * 512},
    "nul": {"content": "a\0b"},
    "large": {"content": "x" * 262_144},
}


class RuinError(Exception):
    """What the caller's transaction meets."""


class Caller:
    """Code of a segment team, with its own collection in the relay's database."""

    def __init__(self, store: FirestoreStore, host: str, patch: pytest.MonkeyPatch) -> None:
        patch.setenv("FIRESTORE_EMULATOR_HOST", host)
        project = store.calls.root.split("/")[1]
        self.client = high_level.Client(project, credentials=AnonymousCredentials())
        self.order = self.client.document("orders", "7")

    def place(self, *, ruin: bool = False, **message: Any) -> str:  # noqa: ANN401
        """An order and its message, in one transaction."""

        @high_level.transactional
        def run(transaction: high_level.Transaction) -> str:
            transaction.set(self.order, {"number": 7})
            whole: Any = {"tenant": "acme", "type": "OrderPlaced", **message}
            identity = outbox_write(transaction, self.client, now=START, **whole)
            if ruin:
                raise RuinError
            return identity

        placed: str = run(self.client.transaction())
        return placed


@pytest.fixture
def store(firestore: Callable[..., FirestoreStore]) -> FirestoreStore:
    return firestore()


@pytest.fixture
def caller(store: FirestoreStore, firestore_host: str, monkeypatch: pytest.MonkeyPatch) -> Caller:
    return Caller(store, firestore_host, monkeypatch)


def world(store: FirestoreStore) -> World:
    return World(store=store)  # type: ignore[arg-type]


def raw(caller: Caller) -> list[tuple[str, Any]]:
    """Every live document, as the database holds it."""
    query = caller.client.collection(f"tenants/acme/{documents.LIVE}")
    return [(it.id, it.to_dict()) for it in query.stream()]


@pytest.mark.parametrize("name", MESSAGES)
def test_it_is_what_the_function_stores(store: FirestoreStore, caller: Caller, name: str) -> None:
    """Field for field, type for type; and the relay reads it as it reads its own."""
    message = {"id": "m-1", **MESSAGES[name]}
    identity = caller.place(**message)
    [(document, mine)] = raw(caller)
    read = store.read("acme", [document])[document].message
    caller.client.document("tenants", "acme", documents.LIVE, document).delete()
    if "correlation_id" in message:
        message["correlationId"] = message.pop("correlation_id")
    world(store).publish(type="OrderPlaced", **message)
    [(own, theirs)] = raw(caller)
    assert (document, identity) == (own, message["id"])
    assert mine == theirs
    assert {name: type(value) for name, value in mine.items()} == {
        name: type(value) for name, value in theirs.items()
    }
    assert store.read("acme", [own])[own].message == read


def test_an_aborted_transaction_writes_nothing(caller: Caller) -> None:
    """Neither the order nor the message."""
    with pytest.raises(RuinError):
        caller.place(ruin=True, content="x")
    assert raw(caller) == []
    assert not caller.order.get().exists


def test_the_next_poll_sends_it(store: FirestoreStore, caller: Caller) -> None:
    """Once, and then it is history; the order is there."""
    place = world(store)
    identity = caller.place(content={"order": 7}, audience="APP")
    place.minutes(2)
    assert place.replies_to() == ['{"order":7}']
    assert raw(caller) == []
    assert caller.order.get().to_dict() == {"number": 7}
    assert store.history("acme", [f"U-{identity}"])


def test_a_repeated_id_is_sent_once(store: FirestoreStore, caller: Caller) -> None:
    """While it waits the second transaction fails; when it was sent, nothing is sent again."""
    place = world(store)
    caller.place(id="7", content="x")
    with pytest.raises(AlreadyExists):
        caller.place(id="7", content="x")
    place.minute()
    caller.place(id="7", content="x")
    place.minutes(2)
    assert place.replies_to() == ["x"]
    assert raw(caller) == []


def test_the_function_knows_it(store: FirestoreStore, caller: Caller) -> None:
    """Published again through the function it is a repeat."""
    caller.place(id="7", content={"a": 1})
    body = b'{"tenant":"acme","type":"OrderPlaced","id":"7","content":{"a":1}}'
    request = parse_request(body).model_dump(exclude_none=True, by_alias=True)
    assert world(store).publish(**request).repeated
