"""`consume`, as Pub/Sub pushes to it."""

import base64
import json
from typing import Any

import pytest

from smartlink.consumer import (
    BatchContext,
    Context,
    Continue,
    FatalError,
    Item,
    Reply,
    RetryableError,
    Returned,
    batch_consumer,
)
from smartlink.domain.message import State
from smartlink.ports import Unavailable
from tests.entrypoints.deployment import CANARY, SPAN, TRACE, Behave, Deployment, push, recorded
from tests.support.world import COMMAND, OTHER, catalog, secret

RECORDED_ID = "0b1f22d4-5a7e-4c53-9a10-2f6f3c1f9d11"
CONTENT = '{"header":{"type":"ProbeCommand","correlationId":"c-1"},"content":{"requestID":"r-1"}}'


def offered(deployment: Deployment, content: str = CONTENT, command: str = COMMAND) -> Any:  # noqa: ANN401
    """A message, stored and dispatched: its push."""
    deployment.world.broker.offer("acme", command, content, message_id=RECORDED_ID)
    deployment.world.tick()
    ((_, envelope),) = deployment.world.publisher.take()
    return push(envelope)


def test_a_recorded_dispatch_is_executed_and_settled(deployment: Deployment) -> None:
    """A push that Pub/Sub sent: claim, run, settle, and the reply waits for the next poll."""
    offered(deployment)
    got: list[tuple[str, str | None]] = []

    def answer(content: str, context: Context) -> Returned:
        got.append((content, context.correlation_id))
        return Reply("ProbeResponse", {"ok": True}, audience="APP")

    deployment.behave = answer
    assert deployment.call("consume", json=recorded("dispatch")).status_code == 200
    assert got == [(CONTENT, "c-1")]
    world = deployment.world
    assert world.ended()[RECORDED_ID].ending == "Concluida"
    (reply,) = world.live().values()
    assert (reply.type, reply.audience, reply.content.text) == (
        "ProbeResponse",
        "APP",
        '{"ok":true}',
    )


def test_a_cloud_event_does_too(deployment: Deployment) -> None:
    """As Eventarc would send it, in CloudEvents' binary mode."""
    offered(deployment)
    headers = {
        "ce-id": "11320461733283517",
        "ce-source": "//pubsub.googleapis.com/projects/project/topics/topic-probecommand",
        "ce-specversion": "1.0",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
    }
    answer = deployment.call("consume", json=recorded("dispatch"), headers=headers)
    assert answer.status_code == 200
    assert deployment.world.ran == [("acme", RECORDED_ID)]


def test_a_second_delivery_is_dropped(deployment: Deployment) -> None:
    """Invariant 12: Pub/Sub delivers twice; the message runs once, and both are acknowledged."""
    event = offered(deployment)
    for _ in range(2):
        assert deployment.call("consume", json=event).status_code == 200
    assert deployment.world.ran == [("acme", RECORDED_ID)]
    assert deployment.logs.of("dispatch_dropped")["dropped"] == 1


def test_a_work_goes_on_by_a_push_to_its_own_topic(deployment: Deployment) -> None:
    """What the first call publishes is the second one's push."""

    def step(content: str, context: Context) -> Returned:  # noqa: ARG001
        return Continue("the rest", Reply("A", "1")) if context.step == 1 else Reply("A", "2")

    deployment.behave = step
    assert deployment.call("consume", json=offered(deployment)).status_code == 200
    world = deployment.world
    [(topic, envelope)] = world.publisher.take()
    assert topic == "topic-probecommand"
    assert deployment.call("consume", json=push(envelope)).status_code == 200
    second = world.ended()[f"D-{RECORDED_ID}/step/2"]
    assert (second.message.content.text, second.ending) == ("the rest", "Concluida")
    told = [line for line in deployment.logs.all if line["action"] == "consume_done"]
    assert [line.get("continued") for line in told] == [1, None]
    assert world.publisher.take() == []
    world.tick()
    assert sorted(world.replies_to()) == ["1", "2"]


def test_a_batch_is_one_call(deployment: Deployment) -> None:
    """In a thread of its own, as one message is; a secret of the consumer's own is read."""
    calls: list[list[str]] = []

    @batch_consumer(COMMAND, at_most=9)
    def many(items: list[Item[str]], context: BatchContext) -> None:
        calls.append(sorted(item.payload for item in items))
        assert context.secret("bank") == b"key"
        for item in items:
            item.done(Reply("A", item.payload)) if item.payload != "b" else item.fatal("no")

    world = deployment.world
    world.secrets.put_own("acme", "bank", b"key")
    deployment.stamped = many
    deployment.start(SMARTLINK_CATALOG=catalog(**{COMMAND: {"secrets": ["bank"]}}))
    for content in "abc":
        world.broker.offer("acme", COMMAND, content, message_id=content)
    world.tick()
    [(_, envelope)] = world.publisher.take()
    assert deployment.call("consume", json=push(envelope)).status_code == 200
    assert calls == [["a", "b", "c"]]
    assert {"a", "c"} <= world.ended().keys()
    assert world.live()["b"].dead_reason == "rejected"


def fail(content: str, context: Context) -> Returned:  # noqa: ARG001
    raise RetryableError(content)


def reject(content: str, context: Context) -> Returned:  # noqa: ARG001
    raise FatalError(content)


def leave(content: str, context: Context) -> Returned:  # noqa: ARG001
    raise SystemExit(content)


@pytest.mark.parametrize(
    ("behave", "state", "action"),
    [
        (fail, State.WAITING, "message_retried"),
        (leave, State.WAITING, "message_retried"),
        (reject, State.DEAD, "message_dead"),
    ],
)
def test_a_message_that_failed_is_settled(
    deployment: Deployment,
    behave: Behave,
    state: State,
    action: str,
) -> None:
    """It is no failure of the delivery: Pub/Sub is done with it, the relay goes on."""
    deployment.behave = behave
    assert deployment.call("consume", json=offered(deployment)).status_code == 200
    assert deployment.world.live()[RECORDED_ID].state is state
    assert deployment.logs.of(action)["messageId"] == RECORDED_ID


def changed(**message: object) -> dict[str, Any]:
    """The recorded push with another message in it; `...` removes."""
    event = recorded("dispatch")
    event["message"].update(message)
    event["message"] = {k: v for k, v in event["message"].items() if v is not ...}
    return event


def data(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


DISPATCH = json.loads(base64.b64decode(recorded("dispatch")["message"]["data"]))


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (changed(data="%%%"), "EnvelopeError"),
        (changed(data="e30"), "EnvelopeError"),  # padding is missing
        (changed(data=""), "DispatchError"),
        (changed(data=7), "EnvelopeError"),
        (changed(data=None), "EnvelopeError"),
        (changed(data=data(CANARY)), "DispatchError"),
        (changed(data=data("{}")), "DispatchError"),
        (changed(data=data("[1]")), "DispatchError"),
        (changed(data=data("[" * 100_000)), "DispatchError"),
        (changed(data=recorded("shard")["message"]["data"]), "DispatchError"),
        (changed(data=data(json.dumps(DISPATCH | {"messages": [7]}))), "DispatchError"),
        (changed(data=data(json.dumps(DISPATCH | {"policy": {}}))), "DispatchError"),
        (changed(data=data(json.dumps(DISPATCH | {"command": OTHER}))), "WrongCommandError"),
    ],
)
def test_a_broken_delivery_is_not_acknowledged(
    deployment: Deployment, event: dict[str, Any], kind: str
) -> None:
    """An error status: Pub/Sub delivers it again and then dead-letters it; the log names the
    fault and the delivery, and quotes nothing."""
    answer = deployment.call("consume", json=event)
    assert answer.status_code == 500
    line = deployment.logs.of("delivery_invalid")
    assert (line["severity"], line["kind"]) == ("ERROR", kind)
    assert line["pubsubId"] == "11320461733283517"
    assert line["logging.googleapis.com/trace"] == f"projects/project/traces/{TRACE}"
    assert CANARY not in answer.text + deployment.logs.text
    assert deployment.world.ran == []


@pytest.mark.parametrize(
    "body",
    [
        changed(data=...),
        {**recorded("dispatch"), "message": {}},
        {"message": recorded("dispatch")["message"]},
        {},
        [],
        None,
    ],
)
def test_what_is_no_push_is_refused(deployment: Deployment, body: object) -> None:
    """functions-framework refuses it before our code: no success either."""
    assert deployment.call("consume", json=body).status_code >= 400
    assert deployment.world.ran == []


def test_a_function_without_a_command_says_so(deployment: Deployment) -> None:
    """The delivery waits for the fix."""
    event = offered(deployment)
    deployment.start(SMARTLINK_COMMAND="")
    assert deployment.call("consume", json=event).status_code == 500
    line = deployment.logs.of("delivery_invalid")
    assert line["kind"] == "SettingsError"
    assert "SMARTLINK_COMMAND" in line["message"]
    assert line["tenant"] == "acme"


def test_a_database_that_is_down_fails_the_delivery(deployment: Deployment) -> None:
    """Nothing was claimed: Pub/Sub delivers it again."""
    event = offered(deployment)
    deployment.world.store.faults.fail("swap", Unavailable("Firestore is down"), times=20)
    assert deployment.call("consume", json=event).status_code == 500
    line = deployment.logs.of("call_failed")
    assert (line["tenant"], line["kind"]) == ("acme", "Unavailable")
    deployment.world.store.faults.clear()
    assert deployment.call("consume", json=event).status_code == 200
    assert RECORDED_ID in deployment.world.ended()


def test_a_surprise_fails_the_delivery(deployment: Deployment) -> None:
    """Whatever goes wrong, nothing is acknowledged that was not done; its text is in no line."""
    event = offered(deployment)
    deployment.world.store.faults.fail("swap", ValueError(CANARY))
    answer = deployment.call("consume", json=event)
    assert answer.status_code == 500
    line = deployment.logs.of("call_failed")
    assert (line["tenant"], line["severity"]) == ("acme", "ERROR")
    assert str(line["error"]).startswith("ValueError at ")
    assert CANARY not in answer.text + deployment.logs.text


def test_the_lines_of_a_call(deployment: Deployment) -> None:
    """Each is JSON with its action and trace; those of a message name tenant, id and attempt,
    and none quotes content, values or an exception's text."""

    def say(content: str, context: Context) -> Returned:
        context.log.info("Saw %s", content, debug=context.erp_secret().decode())
        raise ValueError(content)

    deployment.behave = say
    deployment.world.secrets.put("acme", secret(clientSecret=CANARY))
    deployment.world.secrets.put_erp("acme", CANARY.encode())
    deployment.call("consume", json=offered(deployment, CANARY))
    assert CANARY not in deployment.logs.text
    for line in deployment.logs.all:
        assert line["action"] != "library"
        assert line["logging.googleapis.com/trace"] == f"projects/project/traces/{TRACE}"
        assert line["logging.googleapis.com/spanId"] == SPAN
        assert (line["tenant"], line["command"]) == ("acme", COMMAND)
    for action in ("consumer_log", "consumer_failed", "message_retried"):
        line = deployment.logs.of(action)
        assert (line["messageId"], line["attempt"]) == (RECORDED_ID, 1)
    assert deployment.logs.of("consumer_log")["message"] == "Saw %s"
    assert CANARY in deployment.world.logs()[0].text, "whole in GTotvsLinkLog"


def test_a_warm_process_forgets_the_last_call(deployment: Deployment) -> None:
    """Nothing that was bound to one call's lines is on the next call's."""
    deployment.call("consume", json=offered(deployment))
    before = len(deployment.logs.all)
    deployment.call("consume", json=changed(data=data("{}")))
    lines = deployment.logs.all[before:]
    assert lines
    assert not any({"tenant", "messageId", "attempt"} & line.keys() for line in lines)
