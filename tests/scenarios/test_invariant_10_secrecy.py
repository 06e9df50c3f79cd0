"""Invariant 10: no secret in any log, document, error or repr; no content in Cloud Logging."""

import json
import logging
from collections.abc import Callable, Mapping

import pytest

from smartlink.consumer import (
    Context,
    FatalError,
    Reply,
    RetryableError,
    Returned,
    UnknownOutcomeError,
)
from smartlink.domain.tenant import TenantError, parse_credentials
from smartlink.observability import JsonFormatter
from smartlink.ports import CredentialsRefused, Delivery, Unavailable
from smartlink.services.publishing.publish import PublishError, parse_request
from tests.support.world import COMMAND, OTHER, SECRET_ONE, World, config_file, secret

SECRET = "kanarie-geheim"
CONTENT = "kanarienvogel"


def with_canary() -> World:
    world = World()
    world.activate(clientSecret=SECRET)
    world.secrets.put_erp("acme", SECRET.encode())
    return world


@pytest.fixture
def printed(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """All that Cloud Logging would get."""
    caplog.set_level(logging.DEBUG)

    def text() -> str:
        lines = [JsonFormatter().format(record) for record in caplog.records]
        return "\n".join([*lines, caplog.text])

    return text


def stored(world: World, tenant: str = "acme") -> str:
    """Every document of a tenant but for its contents."""
    documents = [*world.store.live(tenant).values(), *world.store.ended(tenant).values()]
    states = world.store.states([tenant])
    return repr([documents, world.logs(tenant), states])


def fatal(content: str) -> Returned:
    raise FatalError(content)


LAST: Mapping[str, Callable[[str], Returned]] = {
    "a fatal error": fatal,
    "a type that is too long": lambda content: Reply("T" * 600, content),
    "no reply": lambda content: [Reply("ProbeResponse", content), 7],  # type: ignore[list-item]
}


def misbehave(last: Callable[[str], Returned]) -> Callable[[str, Context], Returned]:
    """Each attempt goes wrong in another way, and quotes the content if it can."""

    def behave(content: str, context: Context) -> Returned:
        context.log.info("Found %s", content, debug=content)
        match context.attempt:
            case 1:
                raise RetryableError(content)
            case 2:
                raise ValueError(content)
            case 3:
                raise UnknownOutcomeError(content)
            case 4:
                raise RuntimeError(content) from ValueError(content)
        return last(content)

    return behave


@pytest.mark.parametrize("last", LAST)
@pytest.mark.parametrize("command", [COMMAND, OTHER, SECRET_ONE])
def test_no_content_reaches_cloud_logging(
    command: str, last: str, printed: Callable[[], str]
) -> None:
    """Whatever the consumer does with it, and whatever becomes of the message."""
    world = with_canary()
    world.behave = misbehave(LAST[last])
    world.broker.offer("acme", command, CONTENT, message_id="one")
    world.minutes(160)
    world.broker.offer("acme", command, f"{CONTENT} other", message_id="one")
    world.broker.offer("acme", "NobodysCommand", CONTENT)
    world.broker.offer("acme", "T" * 600, CONTENT)
    world.broker.deliver("acme", Delivery(None, None, "", CONTENT, problem="it has no type"))
    world.publish(content=CONTENT, id="two")
    world.minutes(2)
    assert len(world.ran) == 5
    assert len(world.store.live("acme")) == 5
    assert CONTENT not in printed()
    assert '"action":"consumer_failed"' in printed(), "it looked at what is logged"


@pytest.mark.parametrize("failure", [RetryableError(CONTENT), ValueError(CONTENT)])
def test_no_content_reaches_cloud_logging_when_the_limit_is_lowered(
    failure: Exception, printed: Callable[[], str]
) -> None:
    """The sweep declares it dead: the last error is the operator's, in the document."""
    world = World()

    def fail(_: str, __: Context) -> Returned:
        raise failure

    world.behave = fail
    request = world.broker.offer("acme", COMMAND)
    world.minute()
    world.config.put(config_file(attempts=1))
    world.minutes(20)
    assert CONTENT in (world.live()[request].error or "")
    assert CONTENT not in printed()


def test_no_content_shows_in_a_repr() -> None:
    """A message that an exception or a debugger prints tells its hash and size."""
    world = World(behave=lambda content, _: Reply("ProbeResponse", content))
    world.broker.offer("acme", COMMAND, CONTENT)
    world.minute()
    (reply,) = world.live().values()
    assert reply.content.text == CONTENT
    assert CONTENT not in repr([world.store.live("acme"), world.store.ended("acme")])
    assert CONTENT not in repr(Reply("T", CONTENT))
    request = parse_request(json.dumps({"tenant": "a", "type": "T", "content": CONTENT}).encode())
    assert CONTENT not in repr(request)


def test_no_secret_shows_anywhere(printed: Callable[[], str]) -> None:
    """Neither while all is well nor when RAC refuses it, the broker fails, a consumer raises."""
    world = with_canary()

    def need(_: str, context: Context) -> Returned:
        assert context.erp_secret() == SECRET.encode()
        assert SECRET not in repr(context)
        if context.attempt == 1:
            raise KeyError(context.message_id)
        return Reply("ProbeResponse", "fine")

    world.behave = need
    world.broker.offer("acme", COMMAND)
    world.minute()
    for error in (CredentialsRefused("401"), Unavailable("down")):
        world.broker.faults.fail("get", error, times=2)
        world.minutes(10)
    world.minutes(30)
    assert world.replies_to("acme") == ["fine"]
    assert SECRET not in printed()
    assert SECRET not in stored(world)
    assert SECRET not in repr([world.poll, world.settings, world.store.__dict__])


@pytest.mark.parametrize(
    "payload",
    [
        SECRET.encode(),
        json.dumps(SECRET).encode(),
        json.dumps({"clientSecret": SECRET}).encode(),
        secret(clientSecret=[SECRET]),
        secret(clientSecret=SECRET, environment="moon"),
        secret("production", clientSecret=SECRET),
        secret(clientSecret=SECRET * 1_000),
        secret(clientSecret=SECRET, extra=SECRET),
        secret(clientSecret=SECRET, enabled=SECRET),
    ],
)
def test_a_secret_that_cannot_be_used_is_not_quoted(
    payload: bytes, printed: Callable[[], str]
) -> None:
    """The line names the secret and the field, never a value."""
    with pytest.raises(TenantError) as caught:
        parse_credentials("acme", payload, "development")
    assert SECRET not in str(caught.value) + repr(caught.value)
    world = World()
    world.secrets.put("acme", payload)
    world.minute()
    assert "smartlink-tenant-acme" in printed()
    assert SECRET not in printed()


def test_credentials_hide_themselves() -> None:
    """In their own repr and in that of all that holds them."""
    tenant = parse_credentials("acme", secret(clientSecret=SECRET), "development")
    assert SECRET not in f"{tenant!r} {tenant.credentials!r} {tenant.credentials}"
    assert tenant.credentials.client_secret.get_secret_value() == SECRET


def test_the_history_of_a_personal_command_keeps_hash_and_size_only() -> None:
    """Of the request and of its reply; of other commands it keeps the content."""
    world = World(behave=lambda content, _: Reply("ProbeResponse", f"re: {content}"))
    world.broker.offer("acme", SECRET_ONE, CONTENT, message_id="personal")
    world.broker.offer("acme", COMMAND, CONTENT, message_id="other")
    world.minutes(2)
    ended = {it.message.document: it.message.content for it in world.ended().values()}
    assert len(ended) == 4
    for document, content in ended.items():
        assert len(content.sha256) == 64
        assert content.size >= len(CONTENT)
        assert (content.text is None) is ("personal" in document)
    assert world.live() == {}


def test_what_an_unexpected_error_says_about_personal_data_is_stored_nowhere() -> None:
    """Only its type and where it was raised."""
    world = World()

    def fail(content: str, _: Context) -> Returned:
        raise ValueError(content)

    world.behave = fail
    request = world.broker.offer("acme", SECRET_ONE, CONTENT)
    world.minute()
    assert world.live()[request].error
    assert CONTENT not in stored(world)


def test_a_bad_request_to_publish_is_not_quoted() -> None:
    """The answer names the field and what is wrong with it."""
    body = json.dumps({"tenant": "acme", "type": "", "content": CONTENT, "id": SECRET}).encode()
    with pytest.raises(PublishError) as caught:
        parse_request(body)
    assert caught.value.field == "type"
    assert CONTENT not in str(caught.value)
