"""The backends of the contract suite, as fixtures."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from infra.local.emulators import firestore_emulator, pubsub_emulator
from smartlink.adapters.firestore.calls import FirestoreCalls
from smartlink.adapters.in_memory import InMemoryEffects, InMemoryJobs, InMemoryMessages
from smartlink.ports import RelayState
from tests.contract.backends import (
    AT_ONCE,
    BACKENDS,
    BreakableEffects,
    BreakableJobs,
    FirestoreStore,
    OddEffects,
    OddJobs,
    Store,
    started,
)


@pytest.fixture(scope="session")
def firestore_host() -> Iterator[str]:
    with ExitStack() as stack:
        yield started(firestore_emulator(), stack)


@pytest.fixture(scope="session")
def pubsub_host() -> Iterator[str]:
    with ExitStack() as stack:
        yield started(pubsub_emulator(), stack)


@pytest.fixture
def firestore(firestore_host: str) -> Callable[..., FirestoreStore]:
    """Make stores that share one database of this test; interceptors may count or break calls."""
    project = f"contract-{uuid.uuid4().hex[:12]}"

    def make(*interceptors: object) -> FirestoreStore:
        calls = FirestoreCalls(
            project, emulator=firestore_host, interceptors=interceptors, patience=AT_ONCE
        )
        return FirestoreStore(calls)

    return make


@pytest.fixture(params=BACKENDS)
def effects(request: pytest.FixtureRequest, firestore_host: str) -> OddEffects:
    if request.param == "in-memory":
        return InMemoryEffects()
    project = f"contract-{uuid.uuid4().hex[:12]}"
    return BreakableEffects(FirestoreCalls(project, emulator=firestore_host, patience=AT_ONCE))


@pytest.fixture(params=BACKENDS)
def jobs(request: pytest.FixtureRequest) -> tuple[OddJobs, RelayState]:
    """The jobs, and what a poll sees of them."""
    if request.param == "in-memory":
        messages = InMemoryMessages()
        return InMemoryJobs(messages), messages
    make: Callable[..., FirestoreStore] = request.getfixturevalue("firestore")
    store = make()
    return BreakableJobs(store.calls), store


@pytest.fixture(params=BACKENDS)
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "in-memory":
        return InMemoryMessages()
    make: Callable[..., FirestoreStore] = request.getfixturevalue("firestore")
    return make()
