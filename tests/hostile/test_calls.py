"""What is pushed and posted to the functions, driven through the real targets."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smartlink.services.dispatch import DispatchError, decode_dispatch
from smartlink.services.polling.shard import ShardError, decode_shard
from smartlink.services.publishing.publish import PublishError, parse_request
from tests.entrypoints.deployment import Deployment, push, recorded
from tests.hostile.corpus import BODIES, BOUNDED, JSON_TEXTS, bomb
from tests.support.world import COMMAND, World
from tests.unit.runtime.log_lines import loggers_restored

DISPATCH = json.loads(base64.b64decode(recorded("dispatch")["message"]["data"]))
SHARD = json.loads(base64.b64decode(recorded("shard")["message"]["data"]))
ODD: st.SearchStrategy[object] = st.sampled_from(
    [None, True, -1, 0, 1e999, 2**80, "", "NaN", "9" * 400, "x", [], {}, [[]], "2026-01-01T00:00"]
)
SHARED = settings(BOUNDED, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    deployment = Deployment(World(), monkeypatch)
    with loggers_restored():
        yield deployment.start()
    deployment.forget()


def pushed(kind: str, data: bytes) -> dict[str, Any]:
    event = recorded(kind)
    event["message"]["data"] = base64.b64encode(data).decode()
    return event


@pytest.mark.parametrize("target", ["consume", "poll_shard"])
def test_a_delivery_that_makes_no_sense_is_not_acknowledged(
    deployment: Deployment, target: str
) -> None:
    """As the data of a push and as its whole body: an error status, so it is delivered again
    and dead-lettered. The good delivery behind it is executed."""
    world = deployment.world
    good = world.broker.offer("acme", COMMAND)
    world.tick()
    ((_, envelope),) = world.publisher.take()
    kind = "dispatch" if target == "consume" else "shard"
    client = deployment.client(target)
    headers = {"Content-Type": "application/json"}
    for name, body in BODIES.items():
        assert client.post("/", json=pushed(kind, body)).status_code >= 400, name
        assert client.post("/", data=body, headers=headers).status_code >= 400, name
    assert world.ran == []
    assert deployment.call("consume", json=push(envelope)).status_code == 200
    assert world.ended().keys() == {good}


@given(st.sampled_from(sorted(DISPATCH["messages"][0])), ODD, st.sampled_from(sorted(DISPATCH)))
@SHARED
def test_any_dispatch_is_one_or_a_known_error(field: str, odd: object, other: str) -> None:
    """A field of a message, of the policy, or of the whole is something else."""
    for changed in (
        DISPATCH | {"messages": [DISPATCH["messages"][0] | {field: odd}]},
        DISPATCH | {other: odd},
        *(DISPATCH | {"policy": DISPATCH["policy"] | {name: odd}} for name in DISPATCH["policy"]),
    ):
        try:
            dispatch = decode_dispatch(json.dumps(changed).encode())
        except DispatchError:
            continue
        assert dispatch.policy.delay(1).total_seconds() >= 0
        assert all(isinstance(it.message.content.sha256, str) for it in dispatch.messages)
        assert all(it.message.received.tzinfo for it in dispatch.messages)


@given(st.sampled_from(sorted(SHARD)), ODD)
@SHARED
def test_any_shard_is_one_or_a_known_error(field: str, odd: object) -> None:
    """A field of it is something else."""
    try:
        shard = decode_shard(json.dumps(SHARD | {field: odd}).encode())
    except ShardError:
        return
    assert shard.tick.tzinfo is not None
    assert shard.ends > shard.tick


def test_a_hostile_body_is_a_400_that_names_the_field(deployment: Deployment) -> None:
    """Never a 500, nothing is stored; the good request behind it is accepted."""
    client = deployment.client("publish")
    for name, body in BODIES.items():
        answer = client.post("/", data=body)
        assert answer.status_code == 400, name
        assert answer.get_json()["error"]["field"], name
    assert deployment.world.live() == {}
    good = {"tenant": "acme", "type": "T", "content": {"n": 1}}
    assert deployment.call("publish", json=good).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "nonsense"])
def test_a_body_is_never_unpacked(deployment: Deployment, encoding: str) -> None:
    """What is declared compressed is read as it is, bombs included: it is no JSON."""
    headers = {"Content-Encoding": encoding}
    answer = deployment.call("publish", data=bomb(50_000_000), headers=headers)
    assert answer.status_code == 400


@given(st.dictionaries(st.text(max_size=5), st.recursive(ODD, st.lists, max_leaves=3)))
@SHARED
def test_any_request_is_one_or_names_its_field(fields: dict[str, object]) -> None:
    """Whatever is in it."""
    for document in (fields, {"tenant": "acme", "type": "T", "content": ""} | fields):
        try:
            request = parse_request(json.dumps(document).encode())
        except PublishError as error:
            assert error.field or "" in fields  # noqa: PT017  (both ends are fine)
        else:
            assert (request.tenant, request.type) == (document["tenant"], document["type"])


@pytest.mark.parametrize("name", JSON_TEXTS)
def test_a_published_content_is_sent_as_it_is(name: str) -> None:
    """Or refused, where UTF-8 cannot carry it; never changed."""
    world = World()
    text = JSON_TEXTS[name]
    body = json.dumps({"tenant": "acme", "type": "T", "content": text}).encode()
    if any("\ud800" <= char <= "\udfff" for char in text):
        with pytest.raises(PublishError, match="surrogate"):
            parse_request(body)
        return
    request = parse_request(body)
    world.publish(**request.model_dump())
    world.minute()
    assert world.replies_to("acme") == [text]
