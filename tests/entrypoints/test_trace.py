"""One message's whole way is one trace in Cloud Logging, whatever call each step is a part of."""

import json
from typing import Any

from smartlink.consumer import Context, Reply, Returned
from tests.entrypoints.deployment import SPAN, TRACE, Deployment, push
from tests.support.world import COMMAND

OTHER = "1" * 32
PUSHED = {"traceparent": f"00-{OTHER}-{'2' * 16}-01"}  # what Google's front end gives a push
SENDERS = f"00-{'a' * 32}-{'b' * 16}-01"


def name(trace: str) -> str:
    return f"projects/project/traces/{trace}"


def lines_of(deployment: Deployment, message_id: str) -> list[dict[str, Any]]:
    """Those of a message and of its replies."""
    return [it for it in deployment.logs.all if message_id in str(it.get("messageId", ""))]


def answering(deployment: Deployment, seen: list[str | None]) -> None:
    def answer(_content: str, context: Context) -> Returned:
        context.log.info("Seen")
        seen.append(context.traceparent)
        return Reply("ProbeResponse", {"ok": True})

    deployment.behave = answer


def way(deployment: Deployment, content: str = "{}") -> str:
    """Received by one call of poll, consumed in a push, its reply sent by another poll."""
    world = deployment.world
    message_id = world.broker.offer("acme", COMMAND, content, message_id="m-1")
    assert deployment.call("poll").status_code == 200
    ((_, envelope),) = world.publisher.take()
    assert deployment.call("consume", json=push(envelope), headers=PUSHED).status_code == 200
    assert deployment.call("poll", headers=PUSHED).status_code == 200
    return message_id


def test_the_trace_of_the_poll_goes_with_its_message(deployment: Deployment) -> None:
    """To the push, the consumer, the reply and its send, though each of these calls has its own;
    that one stays in `callTrace`."""
    seen: list[str | None] = []
    answering(deployment, seen)
    message_id = way(deployment)
    lines = lines_of(deployment, message_id)
    actions = {"message_received", "consumer_log", "message_done", "message_sent"}
    assert actions <= {line["action"] for line in lines}
    spans = {line["logging.googleapis.com/spanId"] for line in lines}
    assert {line["logging.googleapis.com/trace"] for line in lines} == {name(TRACE)}
    assert len(spans) == 1
    assert spans != {SPAN}
    [sent] = deployment.world.broker.sent
    assert [sent.traceparent] == seen == [f"00-{TRACE}-{spans.pop()}-01"]
    assert deployment.logs.of("message_sent")["callTrace"] == name(OTHER)
    assert deployment.logs.of("consume_done")["logging.googleapis.com/trace"] == name(OTHER)


def test_messages_of_one_poll_are_told_apart_by_their_spans(deployment: Deployment) -> None:
    """Its trace shows them all."""
    for number in range(3):
        deployment.world.broker.offer("acme", COMMAND, message_id=f"m-{number}")
    deployment.call("poll")
    traces = [it.trace for it in deployment.world.live().values()]
    assert len(set(traces)) == 3
    assert {trace and trace[:36] for trace in traces} == {f"00-{TRACE}-"}


def test_the_trace_in_a_content_is_the_messages_own(deployment: Deployment) -> None:
    """CloudEvents has an attribute for it: the sender's own trace goes on here."""
    seen: list[str | None] = []
    answering(deployment, seen)
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "traceparent": SENDERS}
    message_id = way(deployment, json.dumps(event | {"data": {}}))
    traces = {it["logging.googleapis.com/trace"] for it in lines_of(deployment, message_id)}
    assert traces == {name("a" * 32)}
    assert seen == [SENDERS] == [sent.traceparent for sent in deployment.world.broker.sent]


def test_what_is_published_is_sent_under_its_callers_trace(deployment: Deployment) -> None:
    """That of the call of `publish`, which the segment's own code may have begun."""
    body = {"tenant": "acme", "type": "T", "content": "{}", "id": "p-1"}
    assert deployment.call("publish", json=body).status_code == 200
    assert deployment.call("poll", headers=PUSHED).status_code == 200
    [sent] = deployment.world.broker.sent
    assert sent.traceparent == f"00-{TRACE}-{SPAN}-01"
    traces = {it["logging.googleapis.com/trace"] for it in lines_of(deployment, "p-1")}
    assert traces == {name(TRACE)}


def test_without_any_trace_a_message_has_one_of_its_own(deployment: Deployment) -> None:
    """As on the local stack, whose calls carry none: the same at each step."""
    seen: list[str | None] = []
    answering(deployment, seen)
    world, none = deployment.world, {"traceparent": ""}
    world.broker.offer("acme", COMMAND, message_id="m-1")
    deployment.call("poll", headers=none)
    ((_, envelope),) = world.publisher.take()
    deployment.call("consume", json=push(envelope), headers=none)
    deployment.call("poll", headers=none)
    [sent] = world.broker.sent
    assert seen == [sent.traceparent]
    traces = {it["logging.googleapis.com/trace"] for it in lines_of(deployment, "m-1")}
    assert traces == {name(str(sent.traceparent)[3:35])}
    assert world.ended()["m-1"].message.trace is None
