"""Chooses RAC and Smart Link Server for each tenant.

Every tenant has the hosts of the environment. While an acceptance is on, the acceptance's own
tenant has the simulator's instead. The tenant's name alone decides, and the deployment's settings
alone name the hosts: neither a message nor a secret's payload can choose where credentials go.
"""

from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from smartlink.adapters.http.connections import Http
from smartlink.adapters.http.rac import RacTokens
from smartlink.adapters.http.smart_link import SmartLinkBroker
from smartlink.domain.tenant import ACCEPTANCE_TENANT, Tenant
from smartlink.ports import CALL_SECONDS, Broker, BrokerSession, Clock, Tokens
from smartlink.settings import Paths, Settings

_T = TypeVar("_T")


class _Routed(Generic[_T]):
    def __init__(self, usual: _T, simulated: _T) -> None:
        self._usual = usual
        self._simulated = simulated

    def _for(self, tenant: Tenant) -> _T:
        return self._simulated if tenant.name == ACCEPTANCE_TENANT else self._usual


class RoutedTokens(_Routed[Tokens]):
    """Gets the acceptance tenant's tokens from the simulator, and all others from RAC."""

    def token(
        self, tenant: Tenant, refused: str | None = None, seconds: float = CALL_SECONDS
    ) -> str:
        return self._for(tenant).token(tenant, refused, seconds)


class RoutedBroker(_Routed[Broker]):
    """Opens the acceptance tenant's sessions with the simulator, and all others with Smart Link."""

    def session(self, tenant: Tenant) -> AbstractContextManager[BrokerSession]:
        return self._for(tenant).session(tenant)


def make_tokens(settings: Settings, http: Http, clock: Clock) -> Tokens:
    """Makes what fetches the tenants' tokens."""
    usual = RacTokens(http, settings.token_url, clock)
    if not settings.acceptance_url:
        return usual
    return RoutedTokens(usual, RacTokens(http, settings.acceptance_token_url, clock))


def make_broker(settings: Settings, http: Http, tokens: Tokens, idle_sessions: int = 512) -> Broker:
    """Makes what opens the tenants' sessions."""
    url, paths = settings.smart_link_url, settings.paths
    usual = SmartLinkBroker(http, url, paths, tokens, idle_sessions=idle_sessions)
    if not settings.acceptance_url:
        return usual
    # The simulator speaks the usual dialect, whatever the deployment's server wants.
    simulated = SmartLinkBroker(http, settings.acceptance_url.rstrip("/"), Paths(), tokens)
    return RoutedBroker(usual, simulated)


_: tuple[type[Tokens], type[Broker]] = (RoutedTokens, RoutedBroker)
