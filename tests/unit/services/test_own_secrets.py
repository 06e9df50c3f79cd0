"""A consumer's own secrets: declared, kept for a while, and never in a text."""

from datetime import timedelta

import pytest
from pydantic import BaseModel, SecretStr

from smartlink.adapters.in_memory import InMemorySecrets
from smartlink.adapters.in_memory.faults import Faults
from smartlink.consumer import Context, FatalError, Reply, RetryableError
from smartlink.ports import Refused, Unavailable
from smartlink.services.consuming.own_secrets import OwnSecrets
from tests.support.world import COMMAND, Clock, World, catalog

CANARY = "canary-529"


class Away(Faults):
    """Secret Manager fails at each read."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def before(self, call: str, subject: str) -> None:
        super().before(call, subject)
        raise self.error


def made(store: InMemorySecrets, clock: Clock, *names: str) -> OwnSecrets:
    return OwnSecrets(COMMAND, names, store, clock, timedelta(minutes=5))


def test_what_is_not_declared_is_refused_and_not_read() -> None:
    """Although it exists: the error names the entry and the fix."""
    store = InMemorySecrets()
    store.put_own("acme", "post", b"p")
    with pytest.raises(FatalError, match=r"ProbeCommand does not declare 'post'.*bank.*\["):
        made(store, Clock(), "bank")("acme", "post", fresh=False)
    assert not store.operations


def test_a_payload_is_kept_for_five_minutes_or_until_it_is_refused() -> None:
    """So a new version is in use soon, and at once where the other side refuses the old one."""
    store, clock = InMemorySecrets(), Clock()
    own = made(store, clock, "bank")
    store.put_own("acme", "bank", b"old")
    assert own("acme", "bank", fresh=False) == b"old"
    store.put_own("acme", "bank", b"new")
    clock.forward(minutes=4)
    assert own("acme", "bank", fresh=False) == b"old"
    assert own("acme", "bank", fresh=True) == b"new"
    store.put_own("acme", "bank", b"newer")
    clock.forward(minutes=5)
    assert own("acme", "bank", fresh=False) == b"newer"


def test_each_tenant_has_its_own() -> None:
    store = InMemorySecrets()
    own = made(store, Clock(), "bank")
    store.put_own("acme", "bank", b"acme's")
    store.put_own("globex", "bank", b"globex's")
    for _ in range(2):
        assert own("acme", "bank", fresh=False) == b"acme's"
        assert own("globex", "bank", fresh=False) == b"globex's"


def test_while_secret_manager_is_away_the_last_payload_stays() -> None:
    """One that was never read, or that was taken away, is not there: nothing was done."""
    store, clock = InMemorySecrets(), Clock()
    own = made(store, clock, "bank")
    store.faults = Away(Unavailable("away"))
    with pytest.raises(RetryableError, match="smartlink-bank-acme cannot be read: away"):
        own("acme", "bank", fresh=False)
    store.faults = Faults()
    store.put_own("acme", "bank", b"key")
    assert own("acme", "bank", fresh=False) == b"key"
    store.faults = Away(Unavailable("away"))
    assert own("acme", "bank", fresh=True) == b"key"
    store.faults = Away(Refused("denied"))
    with pytest.raises(RetryableError, match="denied"):
        own("acme", "bank", fresh=True)
    store.faults = Away(Unavailable("away"))
    with pytest.raises(RetryableError, match="away"):
        own("acme", "bank", fresh=False)


class Bank(BaseModel):
    key: SecretStr
    account: int


def asking(payload: bytes) -> World:
    """A world whose consumer asks for its secret as a model."""
    world = World(catalog_json=catalog(**{COMMAND: {"secrets": ["bank"]}}))
    world.secrets.put_own("acme", "bank", payload)

    def ask(content: str, context: Context) -> Reply:
        return Reply("R", {"account": context.secret(content or "bank", Bank).account})

    world.behave = ask
    world.minute()
    return world


def test_a_secret_as_a_model() -> None:
    """Through the whole relay; also where PowerShell wrote a byte order mark before it."""
    world = asking(b'\xef\xbb\xbf{"key": "k", "account": 7}')
    world.broker.offer("acme", COMMAND, "", message_id="1")
    world.minutes(2)
    assert world.replies_to() == ['{"account":7}']


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (f'{{"key": "{CANARY}", "account": "{CANARY}"}}', "account: int_parsing"),
        (f'{{"account": 1, "x": "{CANARY}"}}', "key: missing"),
        (CANARY, "the payload: json_invalid"),
    ],
)
def test_a_secret_that_does_not_fit_is_told_without_its_values(payload: str, why: str) -> None:
    """It waits for its next attempt: an operator mends the secret meanwhile."""
    world = asking(payload.encode())
    world.broker.offer("acme", COMMAND, "", message_id="1")
    world.minute()
    message = world.live()["1"]
    assert message.error is not None
    assert why in message.error
    assert "smartlink-bank-acme" in message.error
    assert CANARY not in f"{message} {world.logs()}"


def test_an_undeclared_name_is_dead_at_once_through_the_relay() -> None:
    """The operator reads what to add."""
    world = asking(b"{}")
    world.secrets.put_own("acme", "post", b"{}")
    world.broker.offer("acme", COMMAND, "post", message_id="1")
    world.minute()
    assert "does not declare 'post'" in str(world.live()["1"].error)
