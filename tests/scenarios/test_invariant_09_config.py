"""Invariant 9: the configuration has a last known good."""

import json

import pytest

from smartlink.adapters.in_memory import InMemoryConfig
from smartlink.consumer import Context, RetryableError, Returned
from smartlink.domain.retry import RetryPolicy
from smartlink.ports import ConfigFile, Refused, Unavailable
from smartlink.services.dispatch import decode_dispatch
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, World, config_file


def in_force(world: World) -> tuple[str, int]:
    """The generation and the limit in the dispatch of a new message."""
    world.broker.offer("acme", COMMAND)
    world.tick(minutes=1)
    (_, envelope) = world.publisher.published[-1]
    policy = decode_dispatch(envelope.data).policy
    world.deliver()
    return policy.generation, policy.attempts


def spoiled(**change: object) -> bytes:
    document = json.loads(config_file(attempts=7))
    document["TotvsAppGlobalConfig"]["IntegrationSmartLinkInfo"].update(change)
    return json.dumps(document).encode()


BAD = [
    b"",
    b"{",
    b"[]",
    b"\xff\xfe",
    b"{}",
    spoiled(QtdeTentativasExec=0),
    spoiled(QtdeTentativasExec=-1),
    spoiled(QtdeTentativasExec="many"),
    spoiled(QtdeTentativasExec=None),
    spoiled(FatorTempoExecucao=0),
    spoiled(MinutesInterval="NaN"),
    spoiled(MinutesInterval=1e300),
    spoiled(MinutesInterval=900_000),  # a retry in some years is a mistake
    b" " * 2_000_000,
]


def test_a_new_generation_holds_from_the_next_poll() -> None:
    """Generation and policy ride in each dispatch: the consumer reads no file."""
    world = World()
    assert in_force(world) == ("1", 5)
    world.config.put(config_file(attempts=7))
    assert in_force(world) == ("2", 7)


def test_a_dispatch_keeps_the_policy_it_was_sent_with() -> None:
    """The file changed while it was in Pub/Sub."""
    world = World()

    def fail(_: str, context: Context) -> Returned:
        text = f"of {context.attempts}"
        raise RetryableError(text)

    world.behave = fail
    world.config.put(config_file(attempts=4))
    request = world.broker.offer("acme", COMMAND)
    world.tick()
    world.config.put(config_file(attempts=1))
    world.deliver()
    assert world.live()[request].error == "of 4"
    assert world.live()[request].due is not None


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
def test_an_invalid_file_changes_nothing_and_is_an_error_each_minute(
    bad: bytes, logged: Logged
) -> None:
    """The last good generation stays, for a cold start too."""
    world = World()
    world.config.put(config_file(attempts=4))
    assert in_force(world) == ("2", 4)
    world.config.put(bad)
    assert in_force(world) == ("2", 4)
    assert in_force(world) == ("2", 4)
    world.cold_start()
    assert in_force(world) == ("2", 4)
    errors = logged("config_invalid")
    assert [line["generation"] for line in errors] == ["2"] * 3
    world.config.put(config_file(attempts=6))
    assert in_force(world) == ("4", 6)
    assert len(logged("config_invalid")) == 3


def test_a_file_that_is_deleted_changes_nothing(logged: Logged) -> None:
    """Not in this process, not after a cold start."""
    world = World()
    world.config.put(config_file(attempts=4))
    in_force(world)
    world.config.put(None)
    assert in_force(world) == ("2", 4)
    world.cold_start()
    assert in_force(world) == ("2", 4)
    assert len(logged("config_invalid")) == 2


@pytest.mark.parametrize("error", [Unavailable("503"), Refused("403")])
def test_a_bucket_that_does_not_answer_changes_nothing(error: Exception, logged: Logged) -> None:
    """Down, or forbidden."""
    world = World()
    world.config.put(config_file(attempts=4))
    in_force(world)
    for number in (1, 2):
        world.config.faults.fail("read", error)
        assert in_force(world) == ("2", 4)
        world.cold_start()
        world.config.faults.fail("read", error)
        assert in_force(world) == ("2", 4)
        assert len(logged("config_invalid")) == 2 * number


@pytest.mark.parametrize("data", [None, b"{}"])
def test_with_no_good_file_ever_the_defaults_hold(data: bytes | None, logged: Logged) -> None:
    """Five attempts, factor 1, interval 3; and an error says so."""
    world = World(config=InMemoryConfig(data))
    assert in_force(world) == ("default", RetryPolicy().attempts)
    assert logged("config_invalid")[0]["generation"] == "default"


def test_a_good_file_is_kept_though_the_database_was_down_when_it_came() -> None:
    """The next poll saves it: a cold start after the file went bad still has it."""
    world = World()
    world.config.put(config_file(attempts=4))
    world.store.faults.fail("save", Unavailable("down"))
    in_force(world)
    in_force(world)
    world.config.put(b"{broken")
    world.cold_start()
    assert in_force(world) == ("2", 4)


def test_an_unchanged_file_is_neither_read_nor_saved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it is known, a poll costs a look at its generation."""
    world = World()
    world.minutes(2)
    before = world.store.operations.copy()
    answers: list[ConfigFile | None] = []
    read = world.config.read

    def noting(known: str | None) -> ConfigFile | None:
        answers.append(read(known))
        return answers[-1]

    monkeypatch.setattr(world.config, "read", noting)
    world.minutes(3)
    assert answers == [None] * 3
    assert world.store.operations["write"] == before["write"]


def test_what_we_do_not_know_in_the_file_is_ignored() -> None:
    """RM's file holds much else; Windows puts a byte order mark before it."""
    world = World()
    document = json.loads(config_file(attempts=9))
    document["Other"] = {"TotvsAppGlobalConfig": 1}
    document["TotvsAppGlobalConfig"]["IntegrationSmartLinkInfo"]["Novo"] = [1]
    world.config.put(b"\xef\xbb\xbf" + json.dumps(document).encode())
    assert in_force(world) == ("2", 9)
