"""The same canaries through the real targets: answers, log lines, what Pub/Sub would see."""

from collections.abc import Iterator

import pytest

from smartlink.consumer import Context, FatalError, RetryableError, Returned
from smartlink.ports import Refused, Unavailable
from tests.entrypoints.deployment import Behave, Deployment, push
from tests.secrets.canaries import CLIENT_SECRET, NAME, PASSWORD, PERSONAL, SECRETS, Places
from tests.support.world import COMMAND, World, secret
from tests.unit.runtime.log_lines import loggers_restored


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    deployment = Deployment(World(), monkeypatch)
    deployment.world.activate(clientSecret=CLIENT_SECRET)
    deployment.world.secrets.put_erp("acme", PASSWORD.encode())
    with loggers_restored():
        yield deployment.start()
    deployment.forget()


def answers(_: str, context: Context) -> Returned:
    context.log.info("Read %s", context.erp_secret().decode())
    return None


def retries(content: str, context: Context) -> Returned:
    raise RetryableError(content + context.erp_secret().decode())


def rejects(content: str, context: Context) -> Returned:
    raise FatalError(content + context.erp_secret().decode())


def surprises(content: str, context: Context) -> Returned:
    raise ValueError(content, context.erp_secret(), context)


def exits(content: str, context: Context) -> Returned:
    raise SystemExit(content + context.erp_secret().decode())


@pytest.mark.parametrize("behave", [answers, retries, rejects, surprises, exits])
def test_consume(deployment: Deployment, behave: Behave) -> None:
    """Whatever the consumer does with them, neither the answer nor a line has one."""
    deployment.behave = behave
    deployment.world.broker.offer("acme", COMMAND, NAME)
    deployment.world.tick()
    ((_, envelope),) = deployment.world.publisher.take()
    answer = deployment.call("consume", json=push(envelope))
    assert answer.status_code == 200
    seen(deployment, answer.text, repr(dict(envelope.attributes)))


@pytest.mark.parametrize("error", [ValueError(NAME + PASSWORD), Unavailable("down"), Refused("no")])
@pytest.mark.parametrize("target", ["poll", "publish", "consume"])
def test_a_call_that_fails(deployment: Deployment, target: str, error: Exception) -> None:
    """What the database raised, with canaries in it if it is no error of a port."""
    world = deployment.world
    world.broker.offer("acme", COMMAND, NAME)
    body: object = {"tenant": "acme", "type": "T", "content": NAME}
    if target == "consume":
        world.tick()
        body = push(world.publisher.take()[0][1])
    for call in ("create", "swap", "states"):
        world.store.faults.fail(call, error, times=9)
    answer = deployment.call(target, json=body)
    assert answer.status_code >= 500
    seen(deployment, answer.text)


@pytest.mark.parametrize("field", ["tenant", "type", "audience", "id", "correlationId", "content"])
def test_publish_refuses_without_quoting(deployment: Deployment, field: str) -> None:
    """A bad value is not repeated in the answer or the log, only its field's name."""
    value = [NAME] if field != "content" else 7
    body = {"tenant": "acme", "type": "T", "content": NAME} | {field: value}
    answer = deployment.call("publish", json=body)
    assert answer.status_code == 400
    seen(deployment, answer.text)


@pytest.mark.parametrize(
    "payload",
    [
        secret("production", clientSecret=CLIENT_SECRET),
        secret(clientSecret=[CLIENT_SECRET]),
        CLIENT_SECRET.encode(),
        b'{"' + CLIENT_SECRET.encode() + b'": 1}',
    ],
    ids=["environment", "list", "no JSON", "as a name"],
)
def test_a_poll_with_a_bad_secret(deployment: Deployment, payload: bytes) -> None:
    """The line names the secret and the field; where a name of a field may be a secret, not it."""
    deployment.world.secrets.put("acme", payload)
    deployment.world.secrets.touch("acme")
    deployment.world.cold_start()
    answer = deployment.call("poll")
    assert answer.status_code == 200
    assert deployment.logs.of("tenant_refused")["tenant"] == "acme"
    seen(deployment, answer.text)


def seen(deployment: Deployment, *texts: str) -> None:
    places = Places()
    places.look("log", deployment.logs.text)
    places.look("answer", *texts)
    places.look("reprs", deployment.world.poll, deployment.world.settings)
    assert places.sightings(*SECRETS, *PERSONAL) == []
