"""What Firestore refuses of a request: one bad write has the whole of it refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.cloud.firestore_v1 import types

from smartlink.adapters.firestore.calls import FirestoreCalls
from smartlink.adapters.firestore.store import Firestore
from smartlink.adapters.google.failures import Patience
from smartlink.domain.message import Message, Stored, Version
from smartlink.ports import PartlyRefused, Refused
from tests.support.samples import line, pending


class _RefusedError(grpc.RpcError):  # type: ignore[misc]
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.INVALID_ARGUMENT

    def details(self) -> str:
        return "a write is malformed"

    def trailing_metadata(self) -> None:
        return None

    def result(self) -> None:
        raise self


@dataclass
class _Answer:
    response: object

    def result(self) -> object:
        return self.response


@dataclass
class Malformed(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Stands for Firestore: refuses each request in which a bad write stands, whole."""

    bad: bytes
    asked: list[int] = field(default_factory=list)  # how many writes each request had
    taken: list[bytes] = field(default_factory=list)

    def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],  # noqa: ARG002  (there is no server)
        details: object,  # noqa: ARG002
        request: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        raw = type(request).pb(request) if hasattr(type(request), "pb") else request
        writes = [write.SerializeToString() for write in raw.writes]
        self.asked.append(len(writes))
        if any(self.bad in write for write in writes):
            raise _RefusedError
        self.taken += writes
        answer = types.BatchWriteResponse.pb()()
        for _ in writes:
            answer.status.add(code=0)
            answer.write_results.add().update_time.seconds = 7
        return _Answer(types.BatchWriteResponse.wrap(answer))


@pytest.fixture
def malformed() -> Malformed:
    return Malformed(b"the-bad-one")


@pytest.fixture
def store(malformed: Malformed) -> Firestore:
    patience = Patience(delays=())
    calls = FirestoreCalls("p", emulator="localhost:1", interceptors=[malformed], patience=patience)
    return Firestore(calls)


def three() -> list[Message]:
    return [pending("one"), pending("the-bad-one"), pending("two")]


def test_a_create_that_is_refused_leaves_the_others_their_versions(
    store: Firestore, malformed: Malformed
) -> None:
    """Each is tried by itself, once, after the whole was refused; which one it was is told."""
    with pytest.raises(PartlyRefused) as raised:
        store.create("acme", three())
    assert [version is not None for version in raised.value.versions] == [True, False, True]
    assert raised.value.refused.keys() == {1}
    assert malformed.asked == [3, 1, 1, 1]
    assert len(malformed.taken) == 2


def test_a_swap_that_is_refused_leaves_the_others_swapped(
    store: Firestore, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged as an error, by its document: a sweep or a claim goes on with the others."""
    changes = [Stored(message, Version("1.000000000")) for message in three()]
    versions = store.swap("acme", changes)
    assert [version is not None for version in versions] == [True, False, True]
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert record.__dict__["fields"]["documents"] == ["D-the-bad-one"]


def test_a_log_line_that_is_refused_leaves_the_others_written(
    store: Firestore, malformed: Malformed, caplog: pytest.LogCaptureFixture
) -> None:
    """What was done and is told of must not fail for it."""
    store.log("acme", [line(text) for text in ("one", "the-bad-one", "two")])
    assert len(malformed.taken) == 2
    assert "refuses 1 log lines" in caplog.text


def test_one_alone_that_is_refused_is_not_tried_twice(
    store: Firestore, malformed: Malformed
) -> None:
    with pytest.raises(Refused):
        store.create("acme", [pending("the-bad-one")])
    assert malformed.asked == [1]
