"""Whatever a document holds, reading it ends in a value or in DocumentError, nothing else."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud.firestore_v1 import types

from smartlink.adapters.firestore import documents
from smartlink.adapters.firestore.documents import Tick
from smartlink.adapters.firestore.effects import get_effect, put_effect
from smartlink.adapters.firestore.values import DocumentError, get_time, put_time
from smartlink.domain.message import Ended, Ending
from smartlink.domain.order import Intake
from smartlink.domain.pin import Pin, fingerprint
from smartlink.domain.tenant import TenantState
from smartlink.ports import ConfigFile
from tests.support.samples import BEGUN, LATER, NOW, everything_set, line

STATE = TenantState(
    setup="0f",
    commands=("A", "B"),
    failures=4,
    paused_until=LATER,
    last_error="down",
    last_error_at=NOW,
    last_success=NOW,
    orphaned=True,
    counted=NOW,
    send_failed=NOW,
    sent=LATER,
    pin=Pin("t-1", ("c-1",), NOW),
    halted=NOW,
    adopted="who, when and why",
    ordered=True,
)
WHOLE: dict[str, tuple[Callable[[Any, Any], None], object, Callable[[Any], object]]] = {
    "live": (documents.put_live, everything_set(), lambda it: documents.get_live("D-m-1", it)),
    "listed": (documents.put_live, everything_set(), lambda it: documents.get_listed("D-m-1", it)),
    "history": (
        documents.put_history,
        Ended(everything_set(), Ending.DONE, NOW, LATER),
        lambda it: documents.get_history("D-m-1", it),
    ),
    "listed history": (
        documents.put_history,
        Ended(everything_set(), Ending.DONE, NOW, LATER),
        lambda it: documents.get_listed_history("D-m-1", it),
    ),
    "log": (documents.put_log, ("id", line(debug="x")), documents.get_log),
    "tenant": (documents.put_tenant, STATE, documents.get_tenant),
    "tick": (documents.put_tick, Tick(NOW, 3, "caller"), documents.get_tick),
    "intake": (
        documents.put_intake,
        Intake("me", LATER, "0001", {"SGDPDataCommand": "/key"}),
        documents.get_intake,
    ),
    "config": (documents.put_config, ConfigFile("7", b"{}"), documents.get_config),
    "effect": (
        put_effect,
        replace(BEGUN, ended=LATER, result="{}"),
        lambda it: get_effect("e", it),
    ),
}


def values() -> Iterator[Any]:
    """What a person, or another version, may have put in a field's place."""

    def value() -> Any:  # noqa: ANN401
        return types.Value.pb()()

    yield value()
    null = value()
    null.null_value = 0
    yield null
    for number in (-1, 0, 5, 2**62):
        integer = value()
        integer.integer_value = number
        yield integer
    double = value()
    double.double_value = float("nan")
    yield double
    for year in (1, 1969, 9999):
        at = value()
        put_time(at, datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC))
        yield at
    beyond = value()
    beyond.timestamp_value.seconds = 2**55
    yield beyond
    text = value()
    text.string_value = "Suspensa"
    yield text
    data = value()
    data.bytes_value = b"\xff\xfe"
    yield data
    array = value()
    array.array_value.values.add().string_value = "x"
    yield array
    in_array = value()
    in_array.array_value.values.add().bytes_value = b"\xff\xfe"
    yield in_array
    fields = value()
    fields.map_value.fields["x"].boolean_value = True
    yield fields
    in_map = value()
    in_map.map_value.fields["x"].bytes_value = b"\xff\xfe"
    yield in_map
    flag = value()
    flag.boolean_value = True
    yield flag
    place = value()
    place.geo_point_value.latitude = 1.0
    yield place


def test_an_instant_is_read_as_long_as_a_year_is_left_at_either_end() -> None:
    """What is reckoned from it must be an instant too."""
    least, most = datetime(2, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
    for at in (least, most):
        assert read_back(at) == at
    for at in (least - timedelta(microseconds=1), most + timedelta(seconds=1)):
        with pytest.raises(DocumentError, match="the field At holds an instant"):
            read_back(at)


def read_back(at: datetime) -> datetime:
    document = types.Document.pb()()
    put_time(document.fields["At"], at)
    return get_time(document.fields, "At")


@pytest.mark.parametrize("kind", WHOLE)
def test_a_field_that_is_odd_or_missing_is_no_surprise(kind: str) -> None:
    """Each field in turn, with each odd value, and gone: it is read, or a DocumentError."""
    put, sample, get = WHOLE[kind]
    for name in stored(put, sample):
        for value in (*values(), None):
            fields = stored(put, sample)
            del fields[name]
            if value is not None:
                fields[name].CopyFrom(value)
            with suppress(DocumentError):
                get(fields)


def test_a_field_that_nobody_knows_is_no_harm() -> None:
    for put, sample, get in WHOLE.values():
        fields = stored(put, sample)
        expected = get(fields)
        fields["DeOutraVersao"].string_value = "x"
        assert get(fields) == expected


@pytest.mark.parametrize("inner", ["ID", "Mensagens", "Inicio"])
def test_what_is_odd_inside_a_map_is_no_surprise(inner: str) -> None:
    """It is read, or a DocumentError."""
    for value in values():
        fields = stored(documents.put_live, everything_set())
        fields["Execucao"].map_value.fields[inner].CopyFrom(value)
        with suppress(DocumentError):
            documents.get_live("D-m-1", fields)


def test_an_effect_that_ended_without_an_instant_is_not_open() -> None:
    """Taken for one that has not ended, it would be done again."""
    for name in ("DataFim", "Resultado"):
        fields = stored(put_effect, replace(BEGUN, ended=LATER, result="{}"))
        fields[name].integer_value = 1
        with pytest.raises(DocumentError):
            get_effect("e", fields)
        del fields[name]
        with pytest.raises(DocumentError):
            get_effect("e", fields)


PARTS = [(part, name) for part, names in documents.TENANT_PARTS.items() for name in names]


@pytest.mark.parametrize(("part", "name"), PARTS)
def test_of_a_tenants_state_only_what_is_odd_is_lost(part: str, name: str) -> None:
    """And named: a slip in one field must neither stop the tenant nor hide the others."""
    fields = stored(documents.put_tenant, STATE)
    fields[name].geo_point_value.latitude = 1.0
    state = documents.get_tenant(fields)
    assert state.unreadable == (name,)
    lost = {it.name for it in dataclasses.fields(STATE) if it.compare}
    lost -= {it for it in lost if getattr(state, it) == getattr(STATE, it)}
    assert lost == {part}


def test_a_save_writes_every_field_of_a_state() -> None:
    """What the mask does not name is not written, whatever the state says."""
    assert set(stored(documents.put_tenant, STATE)) == set(documents.TENANT_FIELDS)
    assert all(getattr(STATE, it.name) for it in dataclasses.fields(STATE) if it.compare)


def test_a_change_writes_every_field_of_a_state() -> None:
    """The same of a message, whose content, origin and id no change touches."""
    full = stored(documents.put_state, everything_set())
    assert set(full) == set(documents.STATE_FIELDS)


def test_a_message_without_its_content_cannot_run() -> None:
    fields = stored(documents.put_live, everything_set())
    del fields["Conteudo"]
    with pytest.raises(DocumentError, match="content is missing"):
        documents.get_live("D-m-1", fields)


def stored(put: Callable[[Any, Any], None], sample: object) -> Any:  # noqa: ANN401
    document = types.Document.pb()()
    put(document.fields, sample)
    return document.fields


def test_of_a_state_all_of_which_is_odd_nothing_is_believed() -> None:
    """The tenant is as one that was never polled, and its odd fields are named."""
    fields = stored(documents.put_tenant, STATE)
    for name in fields:
        fields[name].geo_point_value.latitude = 1.0
    state = documents.get_tenant(fields)
    assert state == TenantState(pin=Pin(None, ()))
    assert set(state.unreadable) == set(fields)


@pytest.mark.parametrize("named", [True, False])
def test_a_pin_of_which_nothing_can_be_read_admits_nobody(*, named: bool) -> None:
    """The name is somebody's, though nobody knows whose: it is not free."""
    pin = Pin("t-one" if named else None, () if named else (fingerprint("a"),))
    fields = stored(documents.put_tenant, TenantState(pin=pin))
    for name in fields:
        fields[name].geo_point_value.latitude = 1.0
    found = documents.get_tenant(fields).pin
    assert found
    assert not found.admits("t-one", "a")
    assert not found.admits(None, "a")
    assert documents.get_tenant({}).pin is None
