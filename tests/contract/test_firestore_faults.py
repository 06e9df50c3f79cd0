"""Firestore when the network fails it: what was applied but not answered, what never arrives."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.cloud.firestore_v1 import types

from smartlink.adapters.firestore import documents
from smartlink.adapters.firestore.effects import FirestoreEffects
from smartlink.adapters.firestore.jobs import FirestoreJobs
from smartlink.adapters.firestore.store import Firestore
from smartlink.adapters.firestore.writes import put
from smartlink.domain.hourly import HourFigures, hour_of
from smartlink.domain.message import Past, Stored, Version
from smartlink.domain.order import Intake, Order
from smartlink.domain.pin import Pin
from smartlink.domain.settlement import Settlement
from smartlink.domain.tenant import TenantState
from smartlink.operations.job import OddJob
from smartlink.ports import ConfigFile, Conflict, ContentSweep, Refused, Unavailable
from tests.contract.backends import FirestoreStore
from tests.contract.test_jobs import FULL, PLAIN
from tests.support.firestore_counter import FirestoreCounter
from tests.support.samples import BEGUN, LATER, MINUTE, NOW, ended, line, pending, under_claim

TENANT = "acme"
Make = Callable[..., FirestoreStore]
_UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


NOT_NOW = [
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAUTHENTICATED,
]
PASSES = [
    *NOT_NOW,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
]


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


PIN = Pin("t-one", ())
Call = Callable[[FirestoreStore, Version], object]
CALLS: dict[str, Call] = {
    "create": lambda store, _: store.create(TENANT, [pending("new")]),
    "swap": lambda store, v: store.swap(TENANT, [Stored(under_claim(pending()), v)]),
    "commit": lambda store, v: store.commit(TENANT, [Settlement(document="D-m-1", fence=v)]),
    "read": lambda store, _: store.read(TENANT, ["D-m-1"]),
    "unreadable": lambda store, _: store.unreadable(TENANT, ["D-m-1"]),
    "alive": lambda store, _: store.alive(TENANT, ["D-m-1"]),
    "history": lambda store, _: store.history(TENANT, ["D-ended"]),
    "past": lambda store, _: store.past(TENANT, ["D-ended"]),
    "references": lambda store, _: store.references(TENANT, ["D-m-1", "D-ended"]),
    "reused": lambda store, _: store.reused(TENANT, "D-m-1"),
    "undated": lambda store, _: store.undated(TENANT),
    "due": lambda store, _: store.due(TENANT, LATER, 5),
    "in_order": lambda store, _: store.in_order(TENANT, ["key"], 5),
    "intake": lambda store, _: store.intake(TENANT),
    "take_in": lambda store, _: store.take_in("other", Intake("me", NOW), None),
    "log": lambda store, _: store.log(TENANT, [line()]),
    "happened": lambda store, _: store.happened(TENANT, NOW, LATER + MINUTE),
    "count_hour": lambda store, _: store.count_hour(TENANT, hour_of(LATER)),
    "keep_hours": lambda store, _: store.keep_hours(TENANT, [HourFigures(hour_of(NOW), 1)]),
    "states": lambda store, _: store.states([TENANT]),
    "save_state": lambda store, _: store.save_state(TENANT, TenantState(failures=1)),
    "pin": lambda store, _: store.pin(TENANT, PIN, None),
    "has_live": lambda store, _: store.has_live(TENANT),
    "known_tenants": lambda store, _: store.known_tenants(),
    "advance": lambda store, _: store.advance(0, NOW, 0),
    "commands": lambda store, _: store.commands(),
    "note_commands": lambda store, _: store.note_commands(["A"], NOW, LATER - NOW),
    "changes": lambda store, _: store.changes(),
    "announce_change": lambda store, _: store.announce_change(),
    "of_command": lambda store, _: list(store.of_command(TENANT, "SGDPDataCommand")),
    "content_sweep": lambda store, _: store.content_sweep(),
    "save_content_sweep": lambda store, _: store.save_content_sweep(ContentSweep(NOW, "")),
    "standing_job": lambda store, _: store.standing_job(LATER),
    "create of jobs": lambda store, _: FirestoreJobs(store.calls).create(FULL),
    "read of jobs": lambda store, _: FirestoreJobs(store.calls).read(PLAIN.id),
    "save of jobs": lambda store, v: FirestoreJobs(store.calls).save(PLAIN, v),
    "fail of jobs": lambda store, v: FirestoreJobs(store.calls).fail(
        OddJob(PLAIN.id, "?"), v, LATER
    ),
    "about of jobs": lambda store, _: list(FirestoreJobs(store.calls).about([TENANT], page=5)),
    "newest of jobs": lambda store, _: FirestoreJobs(store.calls).newest(5),
    "load": lambda store, _: store.load(),
    "save": lambda store, _: store.save(ConfigFile("2", b"{}")),
    "write of effects": lambda store, _: FirestoreEffects(store.calls).write(TENANT, BEGUN, None),
    "read of effects": lambda store, _: FirestoreEffects(store.calls).read(TENANT, "01"),
    "delete of effects": lambda store, v: FirestoreEffects(store.calls).delete(TENANT, "01", v),
}
ONE_OF_EACH_METHOD = ("create", "commit", "read", "due", "known_tenants", "count_hour")
READS = {
    *("read", "unreadable", "alive", "history", "past", "references", "reused", "undated", "due"),
    *("states", "has_live", "known_tenants", "commands", "changes", "of_command"),
    *("content_sweep", "standing_job", "load", "in_order", "intake", "happened", "count_hour"),
    *("read of effects", "read of jobs", "newest of jobs", "about of jobs"),
}


def furnished(store: FirestoreStore) -> Version:
    """Something of all that can be read; the version of a live message."""
    far = replace(pending(), content=replace(pending().content, text=None, object="acme/D-m-1/0"))
    far = replace(far, order=Order("key", "0001", "tenant"))
    reused = replace(pending(), document=f"D-m-1~{'0' * 64}")
    version, *_ = store.create(TENANT, [far, reused])
    assert version
    over = pending("ended")
    store.commit(TENANT, [Settlement(document=over.document, fence=None, history=ended(over))])
    store.save_state(TENANT, TenantState(failures=2))
    store.take_in(TENANT, Intake("me", NOW), None)
    store.note_commands(["Known"], NOW, LATER - NOW)
    store.announce_change()
    store.save_content_sweep(ContentSweep(NOW, "acme/D-m-1/0"))
    store.save(ConfigFile("1", b"{}"))
    FirestoreEffects(store.calls).write(TENANT, replace(BEGUN, document="01"), None)
    FirestoreJobs(store.calls).create(PLAIN)
    return version


def test_every_call_to_the_database_is_tried() -> None:
    """A call that is new takes its place here."""
    for room, of in (
        (Firestore, ""),
        (FirestoreEffects, " of effects"),
        (FirestoreJobs, " of jobs"),
    ):
        public = {f"{name}{of}" for name in vars(room) if name[0] != "_"}
        named = {it for it in CALLS if it.partition(" ")[1:] == of.partition(" ")[1:]}
        assert public == named


@pytest.mark.parametrize(
    ("name", "status"),
    [
        *((name, grpc.StatusCode.UNAVAILABLE) for name in CALLS),
        *((name, grpc.StatusCode.PERMISSION_DENIED) for name in CALLS),
        *(
            (name, status)
            for name in ONE_OF_EACH_METHOD
            for status in PASSES
            if status is not grpc.StatusCode.PERMISSION_DENIED
        ),
    ],
)
def test_what_passes_is_tried_again(firestore: Make, name: str, status: grpc.StatusCode) -> None:
    """Two failures and a success are a success, for every call; with more it is Unavailable."""
    trouble = Trouble(0, status=status)
    store = firestore(trouble)
    version = furnished(store)
    trouble.times = 3
    with pytest.raises(Unavailable):
        CALLS[name](store, version)
    assert trouble.times == 0
    trouble.times = 2
    answer = CALLS[name](store, version)
    assert trouble.times == 0
    if name in READS:
        assert answer == CALLS[name](firestore(), version)
        assert name in {"unreadable", "undated"} or answer, "there is something to be read"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        *((name, grpc.StatusCode.INVALID_ARGUMENT) for name in CALLS),
        *((name, grpc.StatusCode.OUT_OF_RANGE) for name in ONE_OF_EACH_METHOD),
    ],
)
def test_what_can_never_work_is_not_tried_again(
    firestore: Make, name: str, status: grpc.StatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    """By no call: the database said what it thinks of it. A log line and a state that it refuses
    harm no others: they are told in Cloud Logging."""
    trouble = Trouble(0, status=status)
    store = firestore(trouble)
    version = furnished(store)
    trouble.times = 2
    with pytest.raises(Refused) if name not in {"log", "swap"} else nullcontext():
        CALLS[name](store, version)
    assert trouble.times == 1
    if name in {"log", "swap"}:
        assert "The database refuses" in caplog.text


def test_what_does_not_pass_is_unavailable(firestore: Make) -> None:
    trouble = Trouble(3)
    store = firestore(trouble)
    with pytest.raises(Unavailable, match="create messages of acme: ServiceUnavailable"):
        store.create(TENANT, [pending()])
    assert trouble.times == 0
    assert store.read(TENANT, ["D-m-1"]) == {}


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
