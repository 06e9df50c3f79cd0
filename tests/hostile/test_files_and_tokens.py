"""RAC's answers, the configuration file and the secrets: bad ones harm one tenant, or nobody."""

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlink.consumer import Context, Returned
from smartlink.domain.config import ConfigError, parse_config
from smartlink.domain.tenant import Credentials, Tenant, TenantError, parse_credentials
from smartlink.ports import PortError
from tests.hostile.corpus import BODIES, BOUNDED, DEEP, bomb, entry, written
from tests.hostile.wire import TOKEN, wired
from tests.scenarios.conftest import Logged
from tests.support.world import COMMAND, World, config_file, secret
from tests.unit.adapters.http_server import Reply

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
GOOD = entry("{}", 99, MsgId="good")


def jwt(claims: str) -> bytes:
    body = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
    return json.dumps({"access_token": f"e30.{body}.sig", "expires_in": 60}).encode()


CLAIM = '{"http://www.tnf.com/identity/claims/tenantId": '
TOKENS = {
    **BODIES,
    "no expiry": b'{"access_token": "a", "expires_in": "soon"}',
    "a year": b'{"access_token": "a", "expires_in": 1e300}',
    "not a number": b'{"access_token": "a", "expires_in": NaN}',
    "line ends in the token": b'{"access_token": "a\\r\\nX: y"}',
    "token twice": b'{"access_token": 7, "access_token": {"a": 1}}',
    "megabytes of token": json.dumps({"access_token": "a" * 3_000_000}).encode(),
    "deep claim": jwt(CLAIM + "[" * 950 + "]" * 950 + "}"),
    "deeper claim": jwt(CLAIM + "[" * 5_000 + "]" * 5_000 + "}"),
    "huge claim": jwt(CLAIM + "9" * 6_000 + "}"),
    "another's claim": jwt(CLAIM + '"globex"}'),
}


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize("status", [200, 401])
def test_a_hostile_token_answer_harms_its_own_tick_only(
    name: str, status: int, logged: Logged
) -> None:
    """No tick fails as a whole; when RAC answers well again the good message is executed."""
    world = World()
    world.activate(tenantId="guid")
    with wired(world) as wire:
        wire.token = Reply(status, body=TOKENS[name])
        world.minute()
        assert not logged("turn_failed"), "it is a failure that is known, not a surprise"
        wire.token = TOKEN
        wire.answers += [Reply(body=written(GOOD))]
        world.minutes(2)
        assert world.ran == [("acme", "good")]


def test_a_bomb_of_a_token_is_bounded() -> None:
    """RAC's answers have the same limit as the broker's."""
    with wired() as wire:
        wire.token = Reply(body=bomb(), headers={"Content-Encoding": "gzip"})
        wire.world.minute()
        state = wire.world.store.states(["acme"])["acme"]
        assert "answered more than 4000000 bytes" in str(state.last_error)


@given(ANY, ANY, ANY)
@BOUNDED
def test_any_three_values_are_a_policy_or_an_error(a: object, b: object, c: object) -> None:
    """A policy that is taken can be used: its delays are spans, its horizon is within a year."""
    info = {"QtdeTentativasExec": a, "FatorTempoExecucao": b, "MinutesInterval": c}
    data = json.dumps({"TotvsAppGlobalConfig": {"IntegrationSmartLinkInfo": info}}).encode()
    try:
        policy = parse_config(data, "1")
    except ConfigError:
        return
    assert policy.delay(policy.attempts).total_seconds() >= 0
    assert policy.horizon.days <= 366


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_config_file_changes_nothing(name: str, logged: Logged) -> None:
    """Messages go on under the last good one, also after a cold start; an error says so."""
    world = World()
    world.config.put(config_file(attempts=4))
    world.minute()
    world.config.put(BODIES[name])
    for _ in range(2):
        seen: list[int] = []

        def note(_: str, context: Context, seen: list[int] = seen) -> Returned:
            seen.append(context.attempts)
            return None

        world.behave = note
        world.broker.offer("acme", COMMAND)
        world.minute()
        assert seen == [4]
        world.cold_start()
    assert len(logged("config_invalid")) == 2


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_tenant_secret_stops_that_tenant_only(name: str, logged: Logged) -> None:
    """It is refused by name each minute; the neighbour's message is executed; once the secret
    is fixed its own is too."""
    world = World(tenants=("acme", "globex"))
    world.secrets.put("acme", BODIES[name])
    for tenant in world.tenants:
        world.broker.offer(tenant, COMMAND, message_id=tenant)
    world.minute()
    assert world.ran == [("globex", "globex")]
    assert [line["tenant"] for line in logged("tenant_refused")] == ["acme"]
    world.activate()
    world.minutes(6)
    assert ("acme", "acme") in world.ran


@given(st.dictionaries(st.sampled_from(["clientId", "clientSecret", "enabled", "x"]), ANY))
@BOUNDED
def test_any_secret_is_credentials_or_an_error(fields: dict[str, object]) -> None:
    """And credentials that are taken can be sent: RAC's form holds them."""
    payload = json.dumps({"environment": "development"} | fields).encode()
    try:
        tenant = parse_credentials("acme", payload, "development")
    except TenantError:
        return
    assert tenant.credentials.client_id.encode()
    assert tenant.credentials.client_secret.get_secret_value().encode()


@pytest.mark.parametrize("text", ["\0", "a&b=c", "\r\nX: y", "🐘", "é" * 500, "%", "\u2028"])
def test_odd_credentials_are_sent_as_they_are(text: str) -> None:
    """Escaped in the form, in no header."""
    world = World()
    world.secrets.put("acme", secret(clientId=text, clientSecret=text))
    with wired(world) as wire:
        wire.answers += [Reply(body=written(GOOD))]
        world.minutes(2)
        assert world.ran == [("acme", "good")]


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_erp_secret_is_its_messages_failure(name: str) -> None:
    """The consumer gets the bytes as they are; what it makes of them is that message's attempt."""
    world = World()
    world.secrets.put_erp("acme", BODIES[name])

    def need(_: str, context: Context) -> Returned:
        json.loads(context.erp_secret())["databaseUrl"]
        return None

    world.behave = need
    bad = world.broker.offer("acme", COMMAND)
    world.minute()
    assert world.live()[bad].attempt == 1
    world.secrets.put_erp("acme", b'{"databaseUrl": "x"}')
    world.minutes(20)
    assert world.ended().keys() == {bad}


def test_deep_claims_are_a_known_failure() -> None:
    """Whatever a JWT nests: the call ends as a known failure or goes well, and the next
    token is as good as ever."""
    fields = {"clientId": "a", "clientSecret": "s", "environment": "development", "tenantId": "g"}
    tenant = Tenant("acme", Credentials.model_validate(fields))
    for depth in (200, 480, 940, 990, 3_000, DEEP // 20):
        with wired() as wire:
            wire.token = Reply(body=jwt(CLAIM + "[" * depth + "]" * depth + "}"))
            with wire.world.broker.session(tenant) as session, suppress(PortError):
                session.get()
            wire.token = TOKEN
            wire.answers[:] = [Reply(body=written(GOOD))]
            wire.world.minutes(2)
            assert wire.world.ran == [("acme", "good")]
