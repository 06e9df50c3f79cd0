"""Shows the tenants and their status."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import islice

from smartlink.domain.message import EndedSummary, Listed, State
from smartlink.domain.tenant import Tenant, TenantError, TenantState, parse_credentials
from smartlink.i18n import _
from smartlink.operations.beside import beside
from smartlink.operations.errors import OperationError
from smartlink.operations.names import exists, known_name, unknown_tenant
from smartlink.operations.ports import Deployment, EndedQuery
from smartlink.ports import NotFound

_FEW = 100  # live messages, of which each is looked at


class Status(StrEnum):
    """Whether a tenant works, and why not."""

    ACTIVE = "active"  # polled each minute
    PAUSED = "paused"  # RAC or the broker keeps failing
    DISABLED = "disabled"  # nothing is received, sent or swept
    HALTED = "halted"  # its credentials are of another customer than its messages
    ORPHANED = "orphaned"  # its secret is gone, its documents are not
    UNUSABLE = "unusable secret"
    UNKNOWN = "unknown"  # neither secret nor state


class UnusableSecretError(OperationError):
    """The relay cannot use the tenant's secret."""


@dataclass(frozen=True, slots=True)
class TenantOverview:
    """A tenant's status, state and numbers of messages."""

    tenant: str
    status: Status
    state: TenantState
    live: int  # live messages, dead ones included
    dead: int
    last_message: datetime | None  # when one ended last, or its log had a line
    last_tick: datetime | None  # the deployment's

    @property
    def waiting(self) -> int:
        """How many of its messages are not dead."""
        return self.live - self.dead


def overview(deployment: Deployment, names: Sequence[str]) -> list[TenantOverview]:
    """Looks at each tenant, several at the same time."""
    secrets = {entry.name for entry in deployment.secrets.entries()}
    states = deployment.store.states(names)
    tick = last_tick(deployment)
    enabled = partial(enabled_by_secret, deployment)

    def row(name: str) -> TenantOverview:
        state = states[name]
        dead = deployment.store.count_live(name, {"Situacao": State.DEAD})
        live = deployment.store.count_live(name, {})
        status = _status(deployment, name, state, has_secret=name in secrets, enabled=enabled)
        last = _last_message(deployment, name, live)
        return TenantOverview(name, status, state, live, dead, last, tick)

    return beside(names, row)


def brief(
    deployment: Deployment,
    names: Sequence[str],
    secrets: Collection[str],
    enabled: Callable[[str], bool | None],
) -> list[TenantOverview]:
    """Looks at each tenant with three reads at most: what came last is left out. `secrets`: the
    tenants that have one; `enabled`: see enabled_by_secret."""
    states = deployment.store.states(names) if names else {}
    tick = last_tick(deployment) if names else None

    def row(name: str) -> TenantOverview:
        live = deployment.store.count_live(name, {})
        dead = deployment.store.count_live(name, {"Situacao": State.DEAD}) if live else 0
        has_secret = name in secrets
        status = _status(deployment, name, states[name], has_secret=has_secret, enabled=enabled)
        return TenantOverview(name, status, states[name], live, dead, None, tick)

    return beside(names, row)


def last_tick(deployment: Deployment) -> datetime | None:
    """Returns when a poll last noted that it runs, which it does every 10 minutes."""
    return max((it.at for it in deployment.store.commands().values()), default=None)


def _last_message(deployment: Deployment, tenant: str, live: int) -> datetime | None:
    """When something last happened to a message: it came, ran, or ended. When the newest of many
    live ones came is not known."""
    ended = deployment.store.scan_ended(tenant, EndedQuery(), page=1)
    lines = deployment.store.newest_lines(tenant, page=1)
    found = [it.ended for it in islice(ended, 1) if isinstance(it, EndedSummary)]
    found += [line.at for _name, line in islice(lines, 1)]
    if live <= _FEW:
        every = deployment.store.scan(tenant, {})
        found += [it.message.received for it in every if isinstance(it, Listed)]
    return max(found, default=None)


def show(deployment: Deployment, tenant: str) -> tuple[TenantOverview, dict[State, int]]:
    """One tenant, and its live messages by state. Raises InvalidError and UnknownTenantError."""
    known_name(tenant)
    store = deployment.store
    state = store.states([tenant])[tenant]
    if not state.known and not exists(deployment, tenant):
        raise unknown_tenant(deployment, tenant)
    has_secret = any(it.name == tenant for it in deployment.secrets.entries())
    enabled = partial(enabled_by_secret, deployment)
    status = _status(deployment, tenant, state, has_secret=has_secret, enabled=enabled)
    live = store.count_live(tenant, {})
    counts = {it: store.count_live(tenant, {"Situacao": it}) for it in State}
    last, tick = _last_message(deployment, tenant, live), last_tick(deployment)
    found = TenantOverview(tenant, status, state, live, counts[State.DEAD], last, tick)
    return found, counts


def stored_tenant(deployment: Deployment, name: str) -> Tenant:
    """Reads the tenant from its secret. Raises UnusableSecretError or NotFound."""
    payload = deployment.secrets.payload(name)
    try:
        return parse_credentials(name, payload, deployment.settings.environment)
    except TenantError as error:
        message = _("{error}.", error=error)
        raise UnusableSecretError(message) from None


def enabled_by_secret(deployment: Deployment, name: str) -> bool | None:
    """Tells whether a tenant's secret enables it. None: the relay cannot use the secret."""
    try:
        return stored_tenant(deployment, name).enabled
    except (UnusableSecretError, NotFound):
        return None


def _status(
    deployment: Deployment,
    name: str,
    state: TenantState,
    *,
    has_secret: bool,
    enabled: Callable[[str], bool | None],
) -> Status:
    if not has_secret:
        return Status.ORPHANED if state.known else Status.UNKNOWN
    says = enabled(name)
    if says is None:
        return Status.UNUSABLE
    if not says:
        return Status.DISABLED
    if state.halted is not None:
        return Status.HALTED
    return Status.PAUSED if state.paused(deployment.now()) else Status.ACTIVE
