"""`poll`, as Cloud Scheduler calls it, and `poll_shard`, as Pub/Sub pushes to it."""

import pytest

from smartlink.domain.message import State
from smartlink.ports import Refused, Unavailable
from tests.entrypoints.deployment import CANARY, TRACE, Deployment, push, recorded
from tests.support.world import COMMAND, World, catalog, secret


def test_a_poll_answers_with_its_report(deployment: Deployment) -> None:
    """200 and numbers: what the tenants' brokers held is stored and dispatched."""
    request = deployment.world.broker.offer("acme", COMMAND)
    answer = deployment.call("poll", json={})
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    report = answer.get_json()
    assert (report["tenants"], report["received"], report["dispatched"]) == (1, 1, 1)
    assert deployment.world.live()[request].state is State.PENDING


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_any_call_is_a_tick(deployment: Deployment, method: str) -> None:
    """What Scheduler's job sends does not matter."""
    assert deployment.call("poll", method, data=b"\xff").status_code == 200


def test_shards_that_were_lost_are_told(deployment: Deployment) -> None:
    """503, so that Scheduler's own alert sees it; the first shard was polled all the same."""
    world = World(tenants=("acme", "globex"), variables={"SMARTLINK_SHARD_TENANTS": "1"})
    deployment.world = world
    deployment.start()
    world.publisher.faults.fail("publish", Unavailable("Pub/Sub is down"))
    answer = deployment.call("poll")
    assert answer.status_code == 503
    assert answer.get_json()["shardsLost"] == 1
    assert deployment.logs.of("shard_publish_failed")["severity"] == "ERROR"
    line = deployment.logs.of("poll_done")  # the metric of good polls counts where this is 0
    assert (line["shardsLost"], line["severity"]) == (1, "ERROR")


@pytest.mark.parametrize("call", ["advance", "publish"])
def test_a_continuation_that_was_lost_is_told(deployment: Deployment, call: str) -> None:
    """The tenants that are left wait for the next tick: their work was lost for this one."""
    world = World(tenants=("acme", "globex"))
    deployment.world = world
    deployment.start()
    world.turns.budget = 1
    faults = world.publisher.faults if call == "publish" else world.store.faults
    faults.fail(call, Unavailable("down"))
    answer = deployment.call("poll")
    assert (answer.status_code, answer.get_json()["shardsLost"]) == (503, 1)
    assert deployment.logs.of("poll_done")["shardsLost"] == 1


def test_a_poll_that_lost_nothing_says_so(deployment: Deployment) -> None:
    """In its line, from which the metric and its alert are made."""
    deployment.call("poll")
    assert deployment.logs.of("poll_done")["shardsLost"] == 0


@pytest.mark.parametrize("error", [Unavailable("Secret Manager is down"), Refused("no permission")])
def test_a_poll_that_failed_is_told(deployment: Deployment, error: Exception) -> None:
    """503 and the reason, in the answer and in the log."""
    deployment.world.secrets.faults.fail("entries", error)
    answer = deployment.call("poll")
    assert answer.status_code == 503
    assert answer.get_json()["error"]["message"] == str(error)
    line = deployment.logs.of("call_failed")
    assert (line["severity"], line["message"]) == ("ERROR", str(error))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SMARTLINK_ENVIRONMENT", "prod"),
        ("GOOGLE_CLOUD_PROJECT", ""),
        ("SMARTLINK_CATALOG", "{}"),
        ("SMARTLINK_PATHS", "{"),
    ],
)
def test_broken_settings_are_named(deployment: Deployment, variable: str, value: str) -> None:
    """500 with the variable's name: whoever deployed it sees at once what to fix."""
    deployment.start(**{variable: value})
    answer = deployment.call("publish", json={"tenant": "acme", "type": "T", "content": ""})
    assert answer.status_code == 500
    assert variable in answer.get_json()["error"]["message"]
    assert variable in deployment.logs.of("settings_invalid")["message"]


@pytest.mark.parametrize(
    ("port", "call"),
    [
        ("secrets", "entries"),
        ("secrets", "payload"),
        ("config", "read"),
        *(
            ("store", call)
            for call in (
                *("states", "known_tenants", "commands", "note_commands", "pin", "save_state"),
                *("due", "swap", "create", "history", "read", "commit"),
                *("content_sweep", "save_content_sweep", "load", "save"),
            )
        ),
        *(("broker", call) for call in ("session", "tenant_id", "setup", "get", "ack", "send")),
        *(("contents", call) for call in ("put", "get", "lasting")),
        ("publisher", "publish"),
    ],
)
def test_a_surprise_anywhere_shows_nothing(deployment: Deployment, port: str, call: str) -> None:
    """Be it a tenant's own or the poll's: what it says stays out of answer and log."""
    world = deployment.world
    if call == "load":
        world.config.put(b"{")
    world.broker.offer("acme", COMMAND, "x" * 300_000)
    world.broker.offer("acme", COMMAND, "same", message_id="one")
    world.broker.offer("acme", COMMAND, "other", message_id="one")
    world.publish(content="x" * 300_000)
    faults = getattr(deployment.world, port).faults
    faults.fail(call, ValueError(CANARY), times=3)
    answer = deployment.call("poll")
    assert CANARY not in answer.text + deployment.logs.text
    assert "ValueError" in deployment.logs.text


def test_a_surprise_shows_nothing(deployment: Deployment) -> None:
    """500; what an unexpected exception says stays out of answer and log."""
    deployment.world.secrets.faults.fail("entries", ValueError(CANARY))
    answer = deployment.call("poll")
    assert answer.status_code == 500
    assert CANARY not in answer.text + deployment.logs.text
    line = deployment.logs.of("call_failed")
    assert str(line["error"]).startswith("ValueError at ")
    assert line["logging.googleapis.com/trace"] == f"projects/project/traces/{TRACE}"


def test_a_recorded_shard_is_polled(deployment: Deployment) -> None:
    """A push that Pub/Sub sent: the tenants in it are polled, in its tick."""
    deployment.world.broker.offer("acme", COMMAND)
    assert deployment.call("poll_shard", json=recorded("shard")).status_code == 200
    line = deployment.logs.of("poll_done")
    assert (line["shard"], line["tenants"], line["received"]) == (1, 1, 1)
    assert line["pubsubId"] == "11320461733283517"


def test_a_shard_that_poll_published_is_polled(deployment: Deployment) -> None:
    """Sharding, end to end: the second tenant's messages come through `poll_shard`."""
    world = World(tenants=("acme", "globex"), variables={"SMARTLINK_SHARD_TENANTS": "1"})
    deployment.world = world
    deployment.start()
    world.broker.offer("globex", COMMAND)
    deployment.call("poll")
    ((topic, envelope),) = world.publisher.take()
    assert topic == "topic-shards"
    assert world.live("globex") == {}
    assert deployment.call("poll_shard", json=push(envelope)).status_code == 200
    assert len(world.live("globex")) == 1


def test_a_shard_of_another_catalogue_is_refused(deployment: Deployment) -> None:
    """503, so that it comes again, to an instance that has that catalogue; it is no failure of
    this one, but what follows a deployment."""
    world = World(tenants=("acme", "globex"), variables={"SMARTLINK_SHARD_TENANTS": "1"})
    world.tick()
    ((_, envelope),) = world.publisher.take()
    calls = len(world.broker.calls)
    world.catalog_json = catalog(**{COMMAND: {"timeoutSeconds": 30}})
    world.cold_start()
    deployment.world = world
    deployment.start()
    assert deployment.call("poll_shard", json=push(envelope)).status_code == 503
    assert len(world.broker.calls) == calls
    assert deployment.logs.of("shard_refused")["severity"] == "WARNING"


def test_a_late_shard_is_over(deployment: Deployment) -> None:
    """It is taken from the subscription: the next tick has its own."""
    deployment.world.clock.forward(seconds=60)
    deployment.world.broker.offer("acme", COMMAND)
    assert deployment.call("poll_shard", json=recorded("shard")).status_code == 200
    assert deployment.world.broker.calls == []
    assert deployment.logs.of("shard_expired")["severity"] == "WARNING"


def test_what_is_no_shard_is_not_acknowledged(deployment: Deployment) -> None:
    """An error status, so that it reaches the dead-letter topic; the log names the fault."""
    assert deployment.call("poll_shard", json=recorded("dispatch")).status_code == 500
    line = deployment.logs.of("delivery_invalid")
    assert (line["kind"], line["severity"]) == ("ShardError", "ERROR")
    assert line["pubsubId"] == "11320461733283517"


def test_the_lines_of_a_call(deployment: Deployment) -> None:
    """Each is JSON with its action and trace; those of a tenant and a message name them, and none
    quotes a secret or a content."""
    world = deployment.world
    world.secrets.put("acme", secret(clientSecret=CANARY))
    good = world.broker.offer("acme", COMMAND, CANARY)
    world.broker.offer("acme", "UnknownCommand", CANARY)
    world.publish(content=CANARY)
    world.broker.faults.fail("send", Refused("413"))
    assert deployment.call("poll").status_code == 200
    assert len(world.live()) == 3
    assert CANARY not in deployment.logs.text
    for line in deployment.logs.all:
        assert line["logging.googleapis.com/trace"] == f"projects/project/traces/{TRACE}"
    received = deployment.logs.of("message_received")
    assert (received["tenant"], received["messageId"]) == ("acme", good)
    assert deployment.logs.of("message_dead")["reason"] == "unknown-command"
    assert deployment.logs.of("poll_done")["severity"] == "INFO"
