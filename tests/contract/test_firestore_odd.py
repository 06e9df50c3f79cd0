"""Odd documents beside the messages: what another version or a person wrote stops nobody."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from smartlink.adapters.firestore.calls import Fill
from smartlink.adapters.firestore.values import Raw
from smartlink.domain.pin import Pin
from smartlink.domain.tenant import TenantState
from smartlink.ports import ConfigFile, ContentSweep
from tests.contract.backends import FirestoreStore
from tests.contract.test_relay_state import FULL, MINUTE
from tests.support.samples import NOW

Make = Callable[..., FirestoreStore]


def write(store: FirestoreStore, path: str, fields: Mapping[str, object]) -> None:
    """Set fields, texts and numbers, as in the console."""

    def fill(raw: Raw) -> None:
        raw.update.name = f"{store.calls.root}/{path}"
        for name, value in fields.items():
            if isinstance(value, int):
                raw.update.fields[name].integer_value = value
            else:
                raw.update.fields[name].string_value = str(value)
        raw.update_mask.field_paths.extend(fields)

    fills: list[Fill] = [fill]
    store.calls.write_each("write by hand", fills)


def test_a_tenants_state_loses_only_what_is_odd(firestore: Make) -> None:
    """And the other tenants of the batch lose nothing."""
    store = firestore()
    store.save_state("acme", FULL)
    store.save_state("globex", FULL)
    write(store, "tenants/acme", {"PausadoAte": "tomorrow", "FalhasSeguidas": -4})
    states = store.states(["acme", "globex"])
    assert states["globex"] == FULL
    assert states["acme"] == replace(FULL, paused_until=None, failures=0)
    assert set(states["acme"].unreadable) == {"PausadoAte", "FalhasSeguidas"}


def test_saving_a_state_keeps_what_another_version_keeps(firestore: Make) -> None:
    """A partial read must not be written back: unknown fields stay, ours are replaced."""
    store = firestore()
    store.save_state("acme", FULL)
    write(store, "tenants/acme", {"DeOutraVersao": "kept"})
    store.save_state("acme", TenantState())
    [found] = store.calls.get("look", [f"{store.calls.root}/tenants/acme"])
    assert set(found.fields) == {"DeOutraVersao"}


def test_a_pin_that_cannot_be_read_is_not_free(firestore: Make) -> None:
    """Only who has seen that it is there, an operator, writes another over it."""
    store = firestore()
    store.save_state("acme", replace(FULL, pin=Pin("t-one", ("a",))))
    write(store, "tenants/acme", {"TenantIdRac": 7, "ClientesRac": "a"})
    other = Pin("t-two", ("b",))
    assert not store.pin("acme", other, None)
    assert store.states(["acme"])["acme"].pin == Pin(None, ())
    assert store.pin("acme", other, Pin(None, ()))
    assert store.states(["acme"])["acme"] == replace(FULL, pin=other)


@pytest.mark.parametrize("fields", [{"Instante": "now"}, {"Sequencia": "first"}, {"Chamada": 7}])
def test_a_tick_that_cannot_be_read_is_begun_anew_once(
    firestore: Make, fields: Mapping[str, object]
) -> None:
    """The first caller after it advances, and no other at that place."""
    store = firestore()
    assert store.advance(0, NOW, 0)
    write(store, "relay/shard-0", fields)
    assert store.advance(0, NOW + MINUTE, 0)
    assert not store.advance(0, NOW + MINUTE, 0)


@pytest.mark.parametrize("fields", [{"Geracao": 7}, {"Conteudo": "{}"}])
def test_a_configuration_that_cannot_be_read_is_none(
    firestore: Make, fields: Mapping[str, object]
) -> None:
    """The next good one is kept again."""
    store = firestore()
    store.save(ConfigFile("1", b"{}"))
    write(store, "relay/config", fields)
    assert store.load() is None
    store.save(ConfigFile("2", b"{}"))
    assert store.load() == ConfigFile("2", b"{}")


@pytest.mark.parametrize("fields", [{"Inicio": "today"}, {"Posicao": 7}])
def test_a_content_sweep_that_cannot_be_read_begins_anew(
    firestore: Make, fields: Mapping[str, object]
) -> None:
    """Else the bucket would never be looked through again."""
    store = firestore()
    store.save_content_sweep(ContentSweep(NOW, "acme/D-m/00"))
    write(store, "relay/contents", fields)
    assert store.content_sweep() is None
    store.save_content_sweep(ContentSweep(NOW, ""))
    assert store.content_sweep() == ContentSweep(NOW, "")


def test_commands_that_cannot_be_read_are_noted_anew(firestore: Make) -> None:
    """Else no poll of any tenant would go on."""
    store = firestore()
    store.note_commands(["A"], NOW, MINUTE)
    write(store, "relay/comandos", {"Comandos": "none"})
    assert store.commands() == {}
    assert list(store.note_commands(["A"], NOW, MINUTE)) == ["A"]
    assert list(store.commands()) == ["A"]
