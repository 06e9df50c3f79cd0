"""What each call costs at the wire, in the units Firestore bills: the twin counts the same."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from smartlink.adapters.in_memory import InMemoryMessages
from smartlink.domain.message import Attempt, Result, Stored, Version
from smartlink.domain.pin import Pin
from smartlink.domain.settlement import Settlement
from smartlink.domain.tenant import TenantState
from smartlink.ports import ConfigFile
from smartlink.settings import LIMITS
from tests.contract.backends import FirestoreStore, Store
from tests.support.firestore_counter import FirestoreCounter
from tests.support.samples import LATER, NOW, SHARED, ended, line, pending, under_claim, upstream

TENANT = "acme"


def a_day(store: Store) -> None:
    """Every call once, with its empty answers."""
    store.due(TENANT, NOW, 10)
    messages = [pending(identity) for identity in "abcd"]
    versions = store.create(TENANT, messages)
    store.create(TENANT, messages[:1])
    store.history(TENANT, [item.document for item in messages])
    changes = [
        Stored(under_claim(item), cast("Version", version))
        for item, version in zip(messages, versions, strict=True)
    ]
    store.swap(TENANT, changes)
    store.due(TENANT, LATER, 3)
    found = store.read(TENANT, ["D-a", "D-b", "D-none"])
    done = [
        Settlement(
            document=name,
            fence=stored.version,
            history=ended(stored.message),
            logs=(line(), line()),
            created=(upstream(f"{name}/reply/1"),),
        )
        for name, stored in found.items()
    ]
    store.commit(TENANT, done)
    store.known_tenants()
    store.states([TENANT, "new"])
    store.save_state(TENANT, TenantState())
    store.known_tenants()
    store.advance(0, NOW, 0)
    store.advance(0, NOW, 0)
    store.load()
    store.save(ConfigFile("1", b"{}"))
    store.log(TENANT, [line()])


def test_the_twin_counts_what_goes_over_the_wire(firestore: Callable[..., FirestoreStore]) -> None:
    counter = FirestoreCounter()
    a_day(firestore(counter))
    counter.operations.pop("calls")
    twin = InMemoryMessages()
    a_day(twin)
    assert twin.operations == counter.operations
    reads = 1 + 4 + 3 + 3 + 1 + 2 + 1 + 2 + 1
    writes = 4 + 1 + 4 + 2 * 4 + 1 + 1 + 1 + 1
    assert counter.operations == {"read": reads, "write": writes, "delete": 2}


def between(store: Store) -> None:
    """What is asked when deployments or tenants meet: now and then, or never."""
    pin = Pin("t-one", ("a",))
    store.has_live(TENANT)
    store.create(TENANT, [pending("a"), pending("b")])
    store.has_live(TENANT)
    for before in (None, pin, None):
        store.pin(TENANT, pin, before)
    store.save_state(TENANT, TenantState(failures=1), TenantState())
    store.save_state(TENANT, TenantState(failures=1), TenantState(failures=1))
    store.commands()
    for _ in range(2):
        store.note_commands(["A", "B"], NOW, LATER - NOW)


def test_the_twin_counts_what_deployments_and_tenants_that_meet_cost(
    firestore: Callable[..., FirestoreStore],
) -> None:
    counter = FirestoreCounter()
    between(firestore(counter))
    counter.operations.pop("calls")
    twin = InMemoryMessages()
    between(twin)
    assert twin.operations == counter.operations == {"read": 2 + 3 + 1 + 2, "write": 2 + 1 + 1 + 1}


def test_no_request_is_larger_than_the_limit(firestore: Callable[..., FirestoreStore]) -> None:
    counter = FirestoreCounter()
    messages = [pending(f"m-{number}", "é" * 131_000) for number in range(32)]
    assert all(firestore(counter).create(TENANT, messages))
    assert LIMITS.request * 0.9 < counter.largest <= LIMITS.request
    assert counter.operations["calls"] == 3


def test_a_settlement_weighs_at_least_what_it_takes(
    firestore: Callable[..., FirestoreStore],
) -> None:
    """Or a shared commit would be refused; nor so much that commits are shared by few."""
    counter = FirestoreCounter()
    store = firestore(counter)
    texts = ("", "x" * 2_000, "é👩" * 1_000, "\ud800" * 1_000)
    for number, text in enumerate(texts):
        full = pending(f"m-{number}", text, error=text, audience=text[:500])
        attempts = tuple(Attempt(n, NOW, LATER, Result.RETRY, text[:500]) for n in range(20))
        full = replace(full, attempts=attempts, claim=SHARED)
        debug = line(text, debug=text)
        reply = upstream(f"m-{number}/reply/1", text)
        settlements = [
            Settlement(document=full.document, fence=None, live=full),
            Settlement(
                document=full.document,
                fence=None,
                history=ended(full),
                logs=(debug, debug),
                created=(reply,),
            ),
        ]
        for settlement in settlements:
            counter.largest = 0
            counter.operations.clear()
            store.commit(TENANT, [settlement])
            weight, writes = settlement.weight
            assert counter.largest <= weight <= 4 * counter.largest + 6_000
            assert counter.operations["write"] == writes
