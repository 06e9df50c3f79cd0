"""The tenants' states: what this process writes, and what another has written meanwhile."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from smartlink.adapters.in_memory import InMemoryMessages
from smartlink.domain.pin import Pin
from smartlink.domain.tenant import TenantEntry, TenantState
from smartlink.services.polling.hourly import Hourly
from smartlink.services.polling.states import States
from smartlink.services.polling.tenant_poll import TenantPoll
from tests.support.samples import MINUTE, NOW, POLICY

OURS, THEIRS = Pin("t-1", ("a",)), Pin("t-1", ("a", "b"))


def begun(store: InMemoryMessages) -> tuple[States, TenantPoll]:
    """A tick of a tenant that is in use, and not pinned yet."""
    store.save_state("acme", TenantState(setup="s"))
    states = States(store, store, timedelta(minutes=5), Hourly(store))
    state = states.of(["acme"], NOW)["acme"]
    entry = TenantEntry("acme", "1")
    return states, TenantPoll(entry, state, POLICY, NOW + MINUTE, NOW, Counter())


def test_a_pin_that_another_noted_is_told() -> None:
    store = InMemoryMessages()
    states, tick = begun(store)
    assert store.pin("acme", Pin("t-2", ("x",)), None)
    assert states.pin(tick, OURS) is False
    assert tick.state.pin is None


def test_what_is_saved_later_leaves_the_pin_alone() -> None:
    """An operator has added a client meanwhile: only what changed is written."""
    store = InMemoryMessages()
    states, tick = begun(store)
    assert states.pin(tick, OURS) is True
    assert store.pin("acme", THEIRS, OURS)
    states.set_up(tick, "s2", ["Probe"])
    found = store.states(["acme"])["acme"]
    assert found == replace(TenantState(), setup="s2", commands=("Probe",), pin=THEIRS)
