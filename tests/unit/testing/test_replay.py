"""`replay`: effects that `once` guards happen only if somebody says so."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from smartlink.adapters.in_memory import InMemorySecrets
from smartlink.consumer import Consumer, Context, Reply, consumer
from smartlink.operations.export import FORMAT, Exported
from smartlink.testing.replay import Replayed, replay

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
paid: list[str] = []


@consumer("PayCommand")
def pays(order: str, context: Context) -> Reply:
    context.log.info("Paying")

    def effect() -> str:
        paid.append(order)
        return "receipt"

    return Reply("PayResponse", str(context.once(order, effect)))


@consumer("PayCommand")
def pays_and_yields(order: str, context: Context) -> Iterator[Reply]:
    yield Reply("Begun", "x")
    context.once(order, lambda: paid.append(order))


@consumer("PayCommand")
def pays_and_hides_it(order: str, context: Context) -> None:
    with suppress(BaseException):
        context.once(order, lambda: paid.append(order))


@consumer("PayCommand")
def looks(order: str, context: Context) -> Reply:
    return Reply("LookResponse", order, audience=context.audience)


def again(pay: Consumer, *, effects: bool) -> Replayed:
    paid.clear()
    exported = Exported.model_validate(
        {
            "format": FORMAT,
            "tenant": "acme",
            "id": "m-1",
            "command": "PayCommand",
            "direction": "Downstream",
            "received": NOON,
            "text": "order-7",
        }
    )
    return replay(exported, pay, InMemorySecrets(), lambda: NOON, effects=effects)


@pytest.mark.parametrize("pay", [pays, pays_and_yields, pays_and_hides_it])
def test_it_ends_where_it_asks_for_an_effect(pay: Consumer) -> None:
    """Whatever the consumer makes of it: nothing is paid, and it is no success."""
    replayed = again(pay, effects=False)
    assert (replayed.stopped, paid) == (True, [])


def test_what_came_before_is_seen() -> None:
    """The log lines until there."""
    assert again(pays, effects=False).delivered.logged("Paying")


def test_effects_happen_if_told() -> None:
    """As the consumer's next attempt would do them."""
    replayed = again(pays, effects=True)
    assert (replayed.stopped, paid) == (False, ["order-7"])
    assert replayed.delivered.replied("PayResponse") == "receipt"


def test_a_consumer_without_once_runs_through() -> None:
    """There is nothing to hold back."""
    replayed = again(looks, effects=False)
    assert not replayed.stopped
    assert replayed.delivered.replied("LookResponse") == "order-7"
