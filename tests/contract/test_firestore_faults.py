"""Firestore when the network fails it: what was applied but not answered, what never arrives."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.cloud.firestore_v1 import types

from smartlink.adapters.firestore import documents
from smartlink.adapters.firestore.writes import put
from smartlink.domain.message import Past, Stored
from smartlink.domain.settlement import Settlement
from smartlink.ports import Conflict, Refused, Unavailable
from tests.contract.backends import FirestoreStore
from tests.support.firestore_counter import FirestoreCounter
from tests.support.samples import LATER, NOW, ended, line, pending, under_claim

TENANT = "acme"
Make = Callable[..., FirestoreStore]
_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


class _LostError(grpc.RpcError):  # type: ignore[misc]
    def __init__(self, status: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self._status, self._text = status, text

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return self._text

    def trailing_metadata(self) -> None:
        return None

    def result(self) -> None:
        raise self


class Trouble(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
):
    """Fails the next `times` calls; `applied`: writes alone, once Firestore has done them."""

    def __init__(
        self, times: int, *, applied: bool = False, status: grpc.StatusCode = _UNAVAILABLE
    ) -> None:
        self.times = times
        self._applied = applied
        self._status = status

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], details: object, request: object
    ) -> Any:  # noqa: ANN401
        return self._met(continuation, details, request)

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], details: object, request: object
    ) -> Any:  # noqa: ANN401
        return self._met(continuation, details, request)

    def _met(self, continuation: Callable[..., Any], details: object, request: object) -> Any:  # noqa: ANN401
        if self.times == 0:
            return continuation(details, request)
        if self._applied:
            call = continuation(details, request)
            if not hasattr(request, "writes"):
                return call
            call.result()
        self.times -= 1
        raise _LostError(self._status, "the connection was reset")


class SomeWritesFail(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Lets the second write of the next `times` batches fail, and keeps it from Firestore."""

    def __init__(self, times: int, code: int) -> None:
        self._times = times
        self._code = code

    def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        details: object,
        request: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if self._times == 0:
            return continuation(details, request)
        self._times -= 1
        kept = type(request)(database=request.database, writes=list(request.writes))
        failing = min(1, len(kept.writes) - 1)
        del kept.writes[failing]
        return _Spoilt(continuation(details, kept), failing, self._code)


class _Spoilt:
    def __init__(self, call: Any, failing: int, code: int) -> None:  # noqa: ANN401
        self._call, self._failing, self._code = call, failing, code

    def result(self) -> object:
        answer = self._call.result()
        statuses, results = list(answer.status), list(answer.write_results)
        blank = types.BatchWriteResponse.pb()()
        statuses.insert(self._failing, blank.status.add(code=self._code, message="not now"))
        results.insert(self._failing, types.WriteResult())
        return types.BatchWriteResponse(status=statuses, write_results=results)

    def __getattr__(self, name: str) -> object:
        return getattr(self._call, name)


def test_what_passes_is_tried_again(firestore: Make) -> None:
    """Two failures and a success are a success, for every kind of call."""
    trouble = Trouble(0)
    store = firestore(trouble)

    def twice(call: Callable[[], Any]) -> Any:  # noqa: ANN401
        trouble.times = 2
        return call()

    [version] = twice(lambda: store.create(TENANT, [pending()]))
    [version] = twice(lambda: store.swap(TENANT, [Stored(under_claim(pending()), version)]))
    stored = twice(lambda: store.read(TENANT, ["D-m-1"]))["D-m-1"]
    assert stored.version == version
    assert twice(lambda: store.due(TENANT, LATER, 5)) == [stored]
    twice(lambda: store.commit(TENANT, [Settlement(document="D-m-1", fence=version)]))
    assert twice(lambda: store.read(TENANT, ["D-m-1"])) == {}
    assert twice(store.known_tenants) == []
    assert twice(lambda: store.advance(0, NOW, 0))


def test_what_does_not_pass_is_unavailable(firestore: Make) -> None:
    trouble = Trouble(3)
    store = firestore(trouble)
    with pytest.raises(Unavailable, match="create messages of acme: ServiceUnavailable"):
        store.create(TENANT, [pending()])
    assert trouble.times == 0
    assert store.read(TENANT, ["D-m-1"]) == {}


NOT_NOW = [
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAUTHENTICATED,
]


@pytest.mark.parametrize("status", NOT_NOW)
def test_a_commit_that_the_database_does_not_take_now_is_no_conflict(
    firestore: Make, status: grpc.StatusCode
) -> None:
    """Nothing was applied and nothing is decided: it is tried again, and Unavailable at last."""
    trouble = Trouble(0, status=status)
    store = firestore(trouble)
    [version] = store.create(TENANT, [pending()])
    settlement = Settlement(document="D-m-1", fence=version, history=ended(pending()))
    trouble.times = 3
    with pytest.raises(Unavailable):
        store.commit(TENANT, [settlement])
    assert trouble.times == 0
    assert set(store.read(TENANT, ["D-m-1"])) == {"D-m-1"}
    trouble.times = 2
    store.commit(TENANT, [settlement])
    assert set(store.history(TENANT, ["D-m-1"])) == {"D-m-1"}


@pytest.mark.parametrize("status", [grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.INVALID_ARGUMENT])
def test_what_can_never_work_is_not_tried_again(firestore: Make, status: grpc.StatusCode) -> None:
    trouble = Trouble(2, status=status)
    store = firestore(trouble)
    with pytest.raises(Refused):
        store.create(TENANT, [pending()])
    assert trouble.times == 1


def test_a_create_whose_answer_was_lost_meets_itself(firestore: Make) -> None:
    """It answers None as for any message that exists; reading shows that it is one's own."""
    store = firestore(Trouble(1, applied=True))
    assert store.create(TENANT, [pending()]) == [None]
    assert store.read(TENANT, ["D-m-1"])["D-m-1"].message == pending()


def test_a_swap_whose_answer_was_lost_meets_itself(firestore: Make) -> None:
    """It answers None; the claim's own id, read back, tells that it holds."""
    [version] = firestore().create(TENANT, [pending()])
    assert version
    store = firestore(Trouble(1, applied=True))
    assert store.swap(TENANT, [Stored(under_claim(pending()), version)]) == [None]
    assert store.read(TENANT, ["D-m-1"])["D-m-1"].message == under_claim(pending())


def test_a_commit_whose_answer_was_lost_meets_itself(firestore: Make) -> None:
    """It is a Conflict, but applied, and once: the history tells."""
    [version] = firestore().create(TENANT, [pending()])
    settlement = Settlement(
        document="D-m-1", fence=version, history=ended(pending()), logs=(line(),)
    )
    store = firestore(Trouble(1, applied=True))
    with pytest.raises(Conflict):
        store.commit(TENANT, [settlement])
    assert set(store.history(TENANT, ["D-m-1"])) == {"D-m-1"}
    assert store.logs(TENANT) == [line()]


def test_log_lines_whose_answer_was_lost_are_written_once(firestore: Make) -> None:
    store = firestore(Trouble(1, applied=True))
    store.log(TENANT, [line("one"), line("two")])
    assert sorted(log.text for log in store.logs(TENANT)) == ["one", "two"]


def test_a_tick_whose_answer_was_lost_is_still_the_callers(firestore: Make) -> None:
    store = firestore(Trouble(1, applied=True))
    assert store.advance(0, NOW, 0)
    assert not firestore().advance(0, NOW, 0)


@pytest.mark.parametrize("status", NOT_NOW)
def test_a_write_that_passes_at_the_next_try_has_its_version(
    firestore: Make, status: grpc.StatusCode
) -> None:
    """Only the one that failed goes out again."""
    counter = FirestoreCounter()
    store = firestore(counter, SomeWritesFail(1, code=status.value[0]))
    messages = [pending(identity) for identity in "abc"]
    versions = store.create(TENANT, messages)
    found = store.read(TENANT, [item.document for item in messages])
    assert [found[item.document].version for item in messages] == versions
    assert counter.operations["write"] == 4


def test_a_write_that_keeps_failing_is_neither_conflict_nor_success(firestore: Make) -> None:
    """The call is Unavailable; what was written is there, for the sweep to find."""
    store = firestore(SomeWritesFail(3, code=14))
    with pytest.raises(Unavailable, match="1 of 3 writes"):
        store.create(TENANT, [pending(identity) for identity in "abc"])
    assert set(store.read(TENANT, ["D-a", "D-b", "D-c"])) == {"D-a", "D-c"}


def test_a_write_that_is_refused_does_not_hold_back_the_others(firestore: Make) -> None:
    store = firestore(SomeWritesFail(1, code=3))
    with pytest.raises(Refused, match="not now"):
        store.create(TENANT, [pending(identity) for identity in "abc"])
    assert set(store.read(TENANT, ["D-a", "D-b", "D-c"])) == {"D-a", "D-c"}


def test_a_request_that_is_too_large_is_refused_at_once(firestore: Make) -> None:
    """Its code is RESOURCE_EXHAUSTED, but waiting makes no request smaller."""
    counter = FirestoreCounter()
    store = firestore(counter)
    with pytest.raises(Refused):
        store.create(TENANT, [pending("huge", "x" * 5_000_000)])
    assert counter.operations["calls"] == 1


def test_a_document_broken_by_hand_does_not_stop_the_others(
    firestore: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told apart, with why, and no content; a look at it by name is an error in the log."""
    store = firestore()
    [version] = store.create(TENANT, [pending("broken", "secret content")])
    store.create(TENANT, [pending("whole")])
    broken = replace(pending("broken"), state="Perdida")  # type: ignore[arg-type]
    assert version
    store.swap(TENANT, [Stored(broken, version)])
    due = store.due(TENANT, NOW, 10)
    assert [item.message.id for item in due] == ["whole"]
    [odd] = due.unreadable
    assert (odd.document, odd.type, due.returned) == ("D-broken", pending().type, 2)
    assert "Perdida" in odd.why
    assert list(store.read(TENANT, ["D-broken", "D-whole"])) == ["D-whole"]
    [record] = caplog.records
    assert "D-broken" in record.getMessage()
    assert "Perdida" in record.getMessage()
    assert "secret content" not in caplog.text
    assert "secret content" not in repr(due)


Fields = Callable[[Any], None]


def without(*names: str) -> Fields:
    def edit(fields: Any) -> None:  # noqa: ANN401
        for name in names:
            del fields[name]

    return edit


def numbers(*names: str) -> Fields:
    def edit(fields: Any) -> None:  # noqa: ANN401
        for name in names:
            fields[name].integer_value = 7

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        without("DataExpiracao"),
        without("Situacao", "DataFim"),
        without("Comando", "ConteudoHash", "DataRecebimento", "Execucao"),
        numbers("Comando", "ConteudoHash", "DataRecebimento", "Execucao", "Audiencia"),
        lambda fields: fields.clear(),
    ],
)
def test_a_history_broken_by_hand_is_one_all_the_same(firestore: Make, edit: Fields) -> None:
    """That it exists is known, whatever is left in it; what can be read of it is told."""
    store = firestore()
    done = ended(under_claim(pending()))

    def fill(fields: Any, _: None) -> None:  # noqa: ANN401
        documents.put_history(fields, done)
        edit(fields)

    name = f"{store.calls.root}/tenants/{TENANT}/{documents.HISTORY}/D-m-1"
    store.calls.commit("edit", [put(name, fill, None)])
    [(document, past)] = store.past(TENANT, ["D-m-1"]).items()
    assert document == "D-m-1"
    known = Past.of(done.message)
    assert past.type in {known.type, None, ""}
    assert past.sha256 in {known.sha256, None, ""}
    assert past.received in {known.received, None}
    assert past.claim in {known.claim, None}


def test_a_document_broken_by_hand_still_tells_what_it_refers_to(firestore: Make) -> None:
    """Its content must not be taken for one that nobody needs."""
    store = firestore()
    plain = pending("broken")
    far = replace(plain, content=replace(plain.content, text=None, object="acme/D-broken/0"))
    [version] = store.create(TENANT, [far])
    assert version
    broken = replace(far, state="Perdida")  # type: ignore[arg-type]
    store.swap(TENANT, [Stored(broken, version)])
    assert store.read(TENANT, ["D-broken"]) == {}
    assert store.references(TENANT, ["D-broken"]) == {"D-broken": {"acme/D-broken/0"}}
