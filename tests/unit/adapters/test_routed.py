"""While an acceptance is on, its own tenant has the simulator, and every other the real hosts."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from infra.simulator.running import RunningSimulator, running_simulator
from smartlink.adapters.http.connections import Bounds, Http
from smartlink.adapters.http.routed import make_broker, make_tokens
from smartlink.adapters.http.smart_link import SmartLinkBroker
from smartlink.domain.tenant import ACCEPTANCE_TENANT, Tenant, TenantError, parse_credentials
from smartlink.operator_wiring import OperatorWiring
from smartlink.ports import Broker, CredentialsRefused
from smartlink.settings import Settings, load_settings

ELSEWHERE = ("acme", "acceptance", "smartlink", "smartlink-acceptance-2", "smartlink_acceptance")


@pytest.fixture(name="real")
def _real() -> Iterator[RunningSimulator]:
    with running_simulator() as running:
        yield running


@pytest.fixture(name="simulator")
def _simulator() -> Iterator[RunningSimulator]:
    with running_simulator() as running:
        yield running


def tenant(name: str, **more: str) -> Tenant:
    payload = {"clientId": f"id-{name}", "clientSecret": f"hush-{name}", "environment": "staging"}
    return parse_credentials(name, json.dumps(payload | more).encode(), "staging")


def variables(real: RunningSimulator, simulator: RunningSimulator | None) -> dict[str, str]:
    return {
        "GOOGLE_CLOUD_PROJECT": "p",
        "SMARTLINK_ENVIRONMENT": "staging",
        "SMARTLINK_CONFIG_URI": "gs://b/c.json",
        "SMARTLINK_BASE_URL": real.url,
        "SMARTLINK_RAC_TOKEN_URL": real.rac_token_url,
        "SMARTLINK_PATHS": '{"get": "GET /api/v1/link/get?real=1"}',
        **({} if simulator is None else {"SMARTLINK_ACCEPTANCE_URL": f"{simulator.url}/"}),
    }


def broker(settings: Settings) -> Broker:
    http = Http(Bounds.of(settings))
    return make_broker(settings, http, make_tokens(settings, http, lambda: datetime.now(UTC)))


def work(broker: Broker, of: Tenant) -> None:
    """Make every call that the relay makes for a tenant."""
    with broker.session(of) as session:
        session.tenant_id()
        session.setup(["SGDPLogsCommand"])
        session.get()
        session.send("Answer", "SGDP", b"{}")


@pytest.mark.parametrize("wiring", ["functions", "operators"])
def test_each_call_goes_where_it_belongs(
    real: RunningSimulator, simulator: RunningSimulator, wiring: str
) -> None:
    """Both hosts know every tenant, so nothing but the route decides."""
    environ = variables(real, simulator)
    found = (
        broker(load_settings(environ)) if wiring == "functions" else OperatorWiring(environ).broker
    )
    for name in (*ELSEWHERE, ACCEPTANCE_TENANT):
        for host in (real, simulator):
            host.add_tenant(name, f"id-{name}", f"hush-{name}")
        work(found, tenant(name))
    assert set(real.queues()) == set(ELSEWHERE)
    assert set(simulator.queues()) == {ACCEPTANCE_TENANT}
    tokens = real.stats()["token"], simulator.stats()["token"]
    assert tokens == (len(ELSEWHERE), 1)
    assert {it["tenant"] for it in simulator.sent()} == {ACCEPTANCE_TENANT}


def test_no_secret_can_choose_its_host(real: RunningSimulator, simulator: RunningSimulator) -> None:
    """Whatever the payload claims, the simulator never sees its credentials."""
    link = broker(load_settings(variables(real, simulator)))
    impostor = tenant("acme", clientId=ACCEPTANCE_TENANT, tenantId=ACCEPTANCE_TENANT)
    with pytest.raises(CredentialsRefused), link.session(impostor) as session:
        session.setup(["SGDPLogsCommand"])
    assert simulator.stats()["token"] == 0
    for field in ("baseUrl", "racTokenUrl", "tenant", "acceptance"):
        with pytest.raises(TenantError):
            tenant("acme", **{field: simulator.url})


def test_without_an_acceptance_there_is_no_route(real: RunningSimulator) -> None:
    """Nothing of it is in the way of the calls."""
    link = broker(load_settings(variables(real, None)))
    assert isinstance(link, SmartLinkBroker)
