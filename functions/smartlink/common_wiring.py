"""What the compositions of the use cases share: the adapters that every one of them needs.

There is one composition of each, so that a function loads no other's modules. The functions on
Google Cloud (`bootstrap`), the demo in one process, the simulation and the tests call them. They
differ only in their adapters.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from smartlink.ports import (
    Beside,
    Clock,
    Contents,
    HourlyFigures,
    LastGoodConfig,
    LogSink,
    Messages,
    NewId,
    RelayState,
    TenantSecrets,
    TenantStates,
    Wait,
)
from smartlink.services.tenants import Tenants
from smartlink.settings import Settings


class Store(Messages, LogSink, TenantStates, RelayState, LastGoodConfig, HourlyFigures, Protocol):
    """The database: all that is stored, except large contents and effects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The adapters that every use case needs. Those of one use case are apart, so that a function
    loads no client that it does not use."""

    store: Store
    contents: Contents
    secrets: TenantSecrets
    beside: Beside
    clock: Clock
    new_id: NewId
    wait: Wait


def make_tenants(settings: Settings, adapters: Adapters) -> Tenants:
    """Makes what tells the tenants apart."""
    return Tenants(
        adapters.secrets,
        settings.environment,
        adapters.clock,
        timedelta(seconds=settings.tenants_refresh_seconds),
        timedelta(seconds=settings.payload_refresh_seconds),
        adapters.beside,
    )
