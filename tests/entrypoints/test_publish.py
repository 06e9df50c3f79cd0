"""`publish`, as a segment's service calls it."""

import io
import tracemalloc
from typing import Any

import pytest

from smartlink.domain.message import State
from smartlink.ports import Unavailable
from smartlink.services.publishing.publish import BODY_LIMIT
from tests.entrypoints.deployment import CANARY, TRACE, Deployment

GOOD: dict[str, Any] = {"tenant": "acme", "type": "Probe", "content": {"a": CANARY}}


def test_a_message_is_accepted(deployment: Deployment) -> None:
    """200 with its id: it is stored in the outbox, due at once."""
    body = GOOD | {"audience": "APP", "correlationId": "c-1", "id": "order/7"}
    answer = deployment.call("publish", json=body)
    assert (answer.status_code, answer.get_json()) == (200, {"id": "order/7", "repeated": False})
    message = deployment.world.live()["order/7"]
    assert (message.state, message.type, message.audience) == (State.PENDING, "Probe", "APP")
    assert (message.correlation_id, message.published) == ("c-1", True)
    assert message.content.text == f'{{"a":"{CANARY}"}}'


def test_a_message_without_an_id_gets_one(deployment: Deployment) -> None:
    """Each call another: two calls are two messages."""
    ids = {deployment.call("publish", json=GOOD).get_json()["id"] for _ in range(2)}
    assert ids == deployment.world.live().keys()
    assert len(ids) == 2


def test_a_repeated_id_is_accepted_once(deployment: Deployment) -> None:
    """The same answer, marked; also after the message was sent."""
    body = GOOD | {"id": "7"}
    deployment.call("publish", json=body)
    again = deployment.call("publish", json=body)
    assert (again.status_code, again.get_json()) == (200, {"id": "7", "repeated": True})
    deployment.world.minute()
    assert deployment.world.live() == {}
    again = deployment.call("publish", json=body)
    assert (again.status_code, again.get_json()) == (200, {"id": "7", "repeated": True})
    assert len(deployment.world.replies_to()) == 1


@pytest.mark.parametrize("change", [{"content": "x"}, {"type": "Other"}, {"audience": "B"}])
@pytest.mark.parametrize("sent", [False, True])
def test_an_id_cannot_be_reused(
    deployment: Deployment, change: dict[str, object], *, sent: bool
) -> None:
    """409 on the id: what is stored under it says something else, and stays."""
    deployment.call("publish", json=GOOD | {"id": "7"})
    if sent:
        deployment.world.minute()
    answer = deployment.call("publish", json=GOOD | {"id": "7"} | change)
    assert answer.status_code == 409
    assert answer.get_json()["error"]["field"] == "id"
    deployment.world.minute()
    assert deployment.world.replies_to() == [f'{{"a":"{CANARY}"}}']


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tenant": ...}, "tenant"),
        ({"tenant": "nobody"}, "tenant"),
        ({"tenant": "../acme"}, "tenant"),
        ({"tenant": "ACME"}, "tenant"),
        ({"tenant": "acme\x00"}, "tenant"),
        ({"tenant": "\ud800"}, "tenant"),
        ({"tenant": ["acme"]}, "tenant"),
        ({"type": ...}, "type"),
        ({"type": ""}, "type"),
        ({"type": 7}, "type"),
        ({"type": "a\x00"}, "type"),
        ({"type": ".."}, "type"),
        ({"audience": "\ud800"}, "audience"),
        ({"correlationId": "x" * 513}, "correlationId"),
        ({"id": "x" * 513}, "id"),
        ({"id": "\x00"}, "id"),
        ({"id": "\udfff"}, "id"),
        ({"content": ...}, "content"),
        ({"content": 7}, "content"),
        ({"content": "\ud800"}, "content"),
        ({"content": "x" * 8_388_609}, "content"),
        ({"contnet": "x"}, "contnet"),
    ],
)
def test_bad_input_is_named(deployment: Deployment, changes: dict[str, object], field: str) -> None:
    """400 with the field as the caller wrote it, and what is wrong with it; nothing is stored."""
    body = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    answer = deployment.call("publish", json=body)
    assert answer.status_code == 400
    error = answer.get_json()["error"]
    assert error["field"] == field
    assert error["message"]
    assert deployment.world.live() == {}
    line = deployment.logs.of("publish_refused")
    assert (line["field"], line["severity"]) == (field, "WARNING")
    assert CANARY not in answer.text + deployment.logs.text


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"a=1", b"\xff", b"[" * 100_000], ids=repr
)
def test_a_body_that_is_no_object_is_named(deployment: Deployment, body: bytes) -> None:
    """400 on the body, whatever its content type says."""
    answer = deployment.call("publish", data=body, content_type="text/plain")
    assert (answer.status_code, answer.get_json()["error"]["field"]) == (400, "body")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_only_post(deployment: Deployment, method: str) -> None:
    """405 that names what to use."""
    answer = deployment.call("publish", method, json=GOOD)
    assert answer.status_code == 405
    assert method == "HEAD" or answer.get_json()["error"]["field"] == "method"
    assert deployment.world.live() == {}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_huge_body_is_refused(deployment: Deployment, *, chunked: bool) -> None:
    """413, whether its length was declared or not; no more of it is held than is accepted, not
    even by the framework, which reads each body to its end."""
    body = b'{"content": "' + b"x" * 4 * BODY_LIMIT
    terminated = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    stream = io.BytesIO(body)
    tracemalloc.start()
    answer = deployment.call(
        "publish",
        input_stream=stream,
        content_length=None if chunked else len(body),
        environ_overrides=terminated if chunked else {},
    )
    assert (answer.status_code, answer.get_json()["error"]["field"]) == (413, "body")
    assert tracemalloc.get_traced_memory()[1] < 2.1 * BODY_LIMIT
    tracemalloc.stop()
    assert deployment.world.live() == {}


def test_a_large_content_is_accepted(deployment: Deployment) -> None:
    """5 MB lie in the bucket until they are sent, whole."""
    content = "x" * 5_000_000 + "ação"
    answer = deployment.call("publish", json=GOOD | {"content": content})
    assert answer.status_code == 200
    assert len(deployment.world.contents.objects) == 1
    deployment.world.minute()
    assert deployment.world.replies_to() == [content]


@pytest.mark.parametrize("call", ["create", "history"])
def test_a_database_that_is_down_is_told(deployment: Deployment, call: str) -> None:
    """503: the caller tries again, with the same id, and the message is stored once."""
    body = GOOD | {"id": "7"}
    deployment.world.store.faults.fail(call, Unavailable("Firestore is down"))
    assert deployment.call("publish", json=body).status_code == 503
    assert deployment.call("publish", json=body).status_code == 200
    assert list(deployment.world.live()) == ["7"]


def test_the_lines_of_a_call(deployment: Deployment) -> None:
    """JSON with action, tenant, message id and trace; the content is in none."""
    deployment.call("publish", json=GOOD | {"id": "7"})
    line = deployment.logs.of("message_published")
    assert (line["tenant"], line["messageId"], line["type"]) == ("acme", "7", "Probe")
    assert line["logging.googleapis.com/trace"] == f"projects/project/traces/{TRACE}"
    assert CANARY not in deployment.logs.text


def test_the_other_trace_header(deployment: Deployment) -> None:
    """`X-Cloud-Trace-Context`, where `traceparent` is missing."""
    headers = {"traceparent": "", "X-Cloud-Trace-Context": f"{TRACE}/7;o=1"}
    deployment.call("publish", json=GOOD, headers=headers)
    line = deployment.logs.of("message_published")
    assert line["logging.googleapis.com/trace"] == f"projects/project/traces/{TRACE}"
