"""Whom a message is about: keyed hashes that the settlement writes, and no identifier ever."""

import json
from collections.abc import Mapping

import pytest

from smartlink.consumer import Context, FatalError, RetryableError, UnknownOutcomeError
from smartlink.domain.message import Ending, State
from smartlink.domain.titular import parse_titular_keys
from smartlink.services.dispatch import decode_dispatch
from tests.support.world import COMMAND, World, catalog

KEYS = ["k" * 32, "older" * 8]
CPF = "52998224725"


def world(**commands: Mapping[str, object]) -> World:
    made = World(catalog_json=catalog(**commands))
    made.secrets.put_titular("acme", json.dumps({"keys": KEYS}).encode())
    return made


def concern(context: Context) -> list[str]:
    keys = context.titular_keys()
    hashed = [it for it in [keys.written("CPF", CPF)] if it]
    context.concerns(hashed)
    return hashed


def test_it_stands_in_the_history() -> None:
    """By the newest key; with the cost of any other message."""
    told: list[str] = []
    here = world()
    here.behave = lambda _, context: told.extend(concern(context))
    here.minutes(2)
    before = here.store.operations.copy()
    for number in range(20):
        here.broker.offer("acme", COMMAND, message_id=f"m{number}")
    here.minute()
    assert len(set(told)) == 1
    ended = here.ended()
    assert {it.ending for it in ended.values()} == {Ending.DONE}
    assert {it.message.titular for it in ended.values()} == {(told[0],)}
    assert here.store.operations["write"] - before["write"] <= 80
    assert CPF not in repr(here.store.__dict__)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (RetryableError("later"), State.WAITING),
        (FatalError("never"), State.DEAD),
        (UnknownOutcomeError("perhaps"), State.DEAD),
        (ValueError("odd"), State.DEAD),
    ],
)
def test_what_fails_says_whom_it_is_about_too(error: Exception, state: State) -> None:
    """So that an operator finds what a person still waits for."""
    here = world(**{COMMAND: {"unknownOutcome": "hold"}})

    def fail(_: str, context: Context) -> None:
        concern(context)
        raise error

    here.behave = fail
    here.broker.offer("acme", COMMAND, message_id="m")
    here.minute()
    live = here.live()["m"]
    assert (live.state, len(live.titular)) == (state, 1)


def test_it_outlives_the_attempts_that_do_not_get_so_far() -> None:
    """A retry that fails before it knows whom it is about takes nothing away."""
    here = world()

    def fail(_: str, context: Context) -> None:
        if context.attempt == 1:
            concern(context)
        raise RetryableError("later")

    here.behave = fail
    here.broker.offer("acme", COMMAND, message_id="m")
    here.minutes(60)
    live = here.live()["m"]
    assert live.attempt > 1
    assert len(live.titular) == 1


@pytest.mark.parametrize("given", [CPF, "", "x" * 64, "A" * 64, None])
def test_nothing_but_a_hash_is_taken(given: str | None) -> None:
    """An author's slip must not store an identifier in the open."""
    here = world()
    here.behave = lambda _, context: context.concerns([given])  # type: ignore[list-item]
    here.broker.offer("acme", COMMAND, message_id="m")
    here.minute()
    live = here.live()["m"]
    assert "concerns: it takes what the titular_keys hash" in str(live.error)
    assert live.titular == ()


def test_a_tenant_without_the_secret_has_no_hashes() -> None:
    """And its messages are executed as ever."""
    here = World()
    here.behave = lambda _, context: context.concerns(concern(context))
    here.broker.offer("acme", COMMAND, message_id="m")
    here.minute()
    assert here.ended()["m"].message.titular == ()


@pytest.mark.parametrize(
    "payload", [b"", b"\xff", b"[]", b'{"keys": []}', b'{"keys": ["short"]}', b'{"keys": [1]}']
)
def test_keys_that_are_none_fail_loudly(payload: bytes) -> None:
    """The error names the secret, and quotes nothing of it."""
    here = world()
    here.secrets.put_titular("acme", payload)
    here.behave = lambda _, context: context.concerns(concern(context))
    here.broker.offer("acme", COMMAND, message_id="m")
    here.minute()
    error = str(here.live()["m"].error)
    assert "smartlink-titular-acme cannot be used" in error
    assert "short" not in error


def test_keys_are_kept_for_an_hour() -> None:
    """A process asks Secret Manager once an hour, not once a message."""
    here = world()
    here.behave = lambda _, context: context.concerns(concern(context))
    consume = here.consume()
    before = here.secrets.operations["access"]
    for number in range(30):
        here.broker.offer("acme", COMMAND, message_id=f"m{number}")
    here.tick()
    for _, envelope in here.publisher.take():
        consume(decode_dispatch(envelope.data))
    assert len(here.ended()) == 30
    tenants_own = 1
    assert here.secrets.operations["access"] - before == 1 + tenants_own


def test_many_hashes_are_cut_at_what_came_first() -> None:
    """A message that would grow without an end keeps those that its consumer named first."""
    here = world()
    here.behave = lambda _, context: context.concerns(
        [*concern(context), *(f"{number:064x}" for number in range(1_000))]
    )
    here.broker.offer("acme", COMMAND, message_id="m")
    here.minute()
    titular = here.ended()["m"].message.titular
    first = parse_titular_keys(json.dumps({"keys": KEYS}).encode()).written("CPF", CPF)
    assert len(titular) == 500
    assert first in titular
    assert f"{498:064x}" in titular
    assert f"{499:064x}" not in titular
