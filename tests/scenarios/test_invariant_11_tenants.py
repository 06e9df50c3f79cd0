"""Invariant 11: tenants stay apart; a secret of another environment is refused loudly."""

from dataclasses import replace
from datetime import timedelta

import pytest

from smartlink.consumer import Context, Reply, RetryableError, Returned
from smartlink.domain.identity import Direction
from smartlink.ports import Refused, Unavailable
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, World, secret


def answering(content: str, context: Context) -> Returned:
    return Reply("ProbeResponse", f"{context.tenant}: {content}")


def failing(_: str, __: Context) -> Returned:
    text = "down"
    raise RetryableError(text)


def test_the_same_id_of_two_tenants_is_two_messages() -> None:
    """Documents, logs and replies are each tenant's own."""
    world = World(tenants=("acme", "other"), behave=answering)
    world.broker.offer("acme", COMMAND, "a", message_id="one")
    world.broker.offer("other", COMMAND, "b", message_id="one")
    world.minutes(2)
    assert sorted(world.ran) == [("acme", "one"), ("other", "one")]
    assert world.replies_to("acme") == ["acme: a"]
    assert world.replies_to("other") == ["other: b"]
    assert world.ended("acme")["one"].message.content.text == "a"
    assert world.ended("other")["one"].message.content.text == "b"
    assert len(world.logs("acme")) == len(world.logs("other")) == 1


def test_a_dispatch_holds_one_tenants_messages() -> None:
    """Each batch, and each consumer's context and ERP secret."""
    world = World(tenants=("acme", "other"))
    seen: list[tuple[str, bytes]] = []
    for tenant in world.tenants:
        world.secrets.put_erp(tenant, tenant.encode())
        world.broker.offer(tenant, COMMAND)
    world.behave = lambda _, context: seen.append((context.tenant, context.erp_secret()))
    world.tick()
    attributes = [envelope.attributes["tenant"] for _, envelope in world.publisher.published]
    assert sorted(attributes) == ["acme", "other"]
    world.deliver()
    assert sorted(seen) == [("acme", b"acme"), ("other", b"other")]


@pytest.mark.parametrize("error", [Unavailable("down"), Refused("403"), ZeroDivisionError()])
@pytest.mark.parametrize("call", ["session", "tenant_id", "setup", "get", "ack", "send"])
def test_one_tenants_broker_is_not_anothers_trouble(call: str, error: Exception) -> None:
    """Whatever fails for the one, and however, the other is served in the same tick."""
    world = World(tenants=("acme", "other"))
    for tenant in world.tenants:
        world.broker.offer(tenant, COMMAND)
        world.publish(tenant=tenant, content=tenant)
    world.broker.faults.fail(call, error, times=99, when=lambda tenant: tenant == "acme")
    world.minute()
    served = {"acme", "other"} if call == "send" else {"other"}
    assert {tenant for tenant, _ in world.ran} == served
    assert world.replies_to("other") == ["other"]
    assert world.replies_to("acme") == (["acme"] if call in {"get", "ack"} else [])


@pytest.mark.parametrize("call", ["due", "create", "history", "log", "save_state"])
def test_one_tenants_documents_are_not_anothers_trouble(call: str) -> None:
    """A database that fails for the one."""
    world = World(tenants=("acme", "other"))
    for tenant in world.tenants:
        world.broker.offer(tenant, COMMAND)
    world.store.faults.fail(call, Unavailable("x"), times=99, when=lambda it: it == "acme")
    world.minute()
    assert ("other", "message-2") in world.ran


@pytest.mark.parametrize(
    ("port", "call"),
    [
        ("secrets", "payload"),
        ("store", "due"),
        ("store", "pin"),
        ("store", "save_state"),
        ("store", "create"),
        ("store", "history"),
        ("contents", "put"),
    ],
)
def test_a_surprise_in_one_tenants_turn_is_logged_and_contained(
    port: str, call: str, logged: Logged
) -> None:
    """Even what nobody foresaw, at whatever call."""
    world = World(tenants=("acme", "other"))
    for tenant in world.tenants:
        world.broker.offer(tenant, COMMAND, "x" * 300_000)
    faults = getattr(world, port).faults
    faults.fail(call, ZeroDivisionError(), when=lambda tenant: tenant == "acme")
    world.minute()
    assert [tenant for tenant, _ in world.ran] == ["other"]
    (line,) = logged("turn_failed")
    assert (line["tenant"], line["error"].split()[0]) == ("acme", "ZeroDivisionError")


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_a_secret_of_another_environment_is_refused_each_minute(
    environment: str, logged: Logged
) -> None:
    """A test base with production's credentials takes none of production's messages."""
    world = World(tenants=("acme", "other"))
    world.secrets.put("acme", secret(environment))
    world.broker.offer("acme", COMMAND)
    world.minutes(3)
    assert [call for call, tenant in world.broker.calls if tenant == "acme"] == []
    assert world.broker.waiting("acme") == 1
    lines = logged("tenant_refused")
    assert len(lines) == 3
    assert {line["tenant"] for line in lines} == {"acme"}
    assert world.calls("get", "other") == 3


def test_a_secret_that_changes_its_environment_stops_all_its_work() -> None:
    """What is stored waits; nothing is received, sent or swept."""
    world = World(behave=answering)
    world.broker.offer("acme", COMMAND, "a")
    world.minute()
    world.broker.offer("acme", COMMAND, "b")
    world.tick()
    world.publisher.take()  # lost
    world.broker.offer("acme", COMMAND, "c")
    world.publish(content="up")
    world.activate(environment="production")
    world.cold_start()
    calls, published = len(world.broker.calls), len(world.publisher.published)
    waiting = world.live()
    world.minutes(60)
    assert len(world.broker.calls) == calls
    assert len(world.publisher.published) == published
    assert world.live() == waiting
    assert {it.direction for it in waiting.values()} == set(Direction)
    assert world.broker.waiting("acme") == 1


def test_a_disabled_tenant_rests_until_it_is_enabled(logged: Logged) -> None:
    """Nothing received, sent or swept, no age alert; afterwards all goes on as if nothing was."""
    world = World(behave=answering)
    world.broker.offer("acme", COMMAND, "first")
    world.tick()
    world.publisher.take()  # lost: the sweep would find it
    world.publish(content="published")
    world.activate(enabled=False)
    world.minutes(5)  # the list of secrets is five minutes old at most
    calls = len(world.broker.calls)
    world.broker.offer("acme", COMMAND, "second")
    alerts = len(logged("messages_due"))
    world.minutes(29)
    assert world.minute().counts["disabledTenants"] == 1
    assert len(world.broker.calls) == calls
    assert len(logged("messages_due")) == alerts
    assert world.publisher.published == []
    waiting = world.broker.waiting("acme")
    assert waiting == 1

    world.activate(enabled=True)
    world.minutes(9)
    assert sorted(world.replies_to("acme")) == ["acme: first", "acme: second", "published"]
    assert world.live() == {}


def test_a_deleted_secret_with_live_messages_shows_as_orphaned(logged: Logged) -> None:
    """Within the hour; and no more once the tenant is back."""
    world = World(tenants=("acme", "other"), behave=failing)
    world.broker.offer("acme", COMMAND)
    world.minute()
    world.behave = answering
    world.secrets.remove("acme")
    world.minutes(66)
    assert world.store.states(["acme"])["acme"].orphaned
    assert not world.store.states(["other"])["other"].orphaned
    assert {line["tenant"] for line in logged("tenant_orphaned")} == {"acme"}
    assert len(world.live("acme")) == 1

    world.activate()
    world.minutes(8)
    assert not world.store.states(["acme"])["acme"].orphaned
    assert len(world.replies_to("acme")) == 1


def test_a_deleted_secret_without_live_messages_is_no_orphan(logged: Logged) -> None:
    """The tenant has left; there is nothing to be done."""
    world = World(tenants=("acme", "other"))
    world.minute()
    world.secrets.remove("acme")
    world.clock.forward(hours=2)
    world.minutes(2)
    assert logged("tenant_orphaned") == []


def test_a_new_secret_is_taken_up_by_itself() -> None:
    """No deployment, no restart: within five minutes."""
    world = World()
    world.minute()
    world.activate("newcomer")
    world.broker.offer("newcomer", COMMAND)
    world.minutes(5)
    assert [tenant for tenant, _ in world.ran] == ["newcomer"]
    assert world.clock() - world.ended("newcomer")["message-1"].ended <= timedelta(minutes=5)


def test_a_poll_waits_for_what_it_began_beside() -> None:
    """The look for orphans runs beside the tenants' turns; a poll that answers first may be
    stopped with it."""
    world = World(tenants=("acme", "other"), behave=failing)
    world.broker.offer("acme", COMMAND)
    world.minute()
    world.secrets.remove("acme")
    world.cold_start()
    replace(world.poll, beside=lambda work: work).tick()
    assert world.store.states(["acme"])["acme"].orphaned
