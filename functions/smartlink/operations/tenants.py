"""Shows the tenants and their status."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from smartlink.domain.message import State
from smartlink.domain.tenant import Tenant, TenantError, TenantState, parse_credentials
from smartlink.operations.errors import OperationError, UnknownTenantError
from smartlink.operations.ports import Deployment
from smartlink.operations.select import known_name
from smartlink.ports import NotFound

_AT_ONCE = 8  # tenants that are read at the same time


class Status(StrEnum):
    """Whether a tenant works, and why not."""

    ACTIVE = "active"  # polled each minute
    PAUSED = "paused"  # RAC or the broker keeps failing
    DISABLED = "disabled"  # nothing is received, sent or swept
    HALTED = "halted"  # its credentials are of another customer than its messages
    ORPHANED = "orphaned"  # its secret is gone, its documents are not
    UNUSABLE = "unusable secret"
    UNKNOWN = "unknown"  # neither secret nor documents


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

    @property
    def waiting(self) -> int:
        """How many of its messages are not dead."""
        return self.live - self.dead


def overview(deployment: Deployment, names: Sequence[str]) -> list[TenantOverview]:
    """Looks at each tenant, several at the same time."""
    secrets = {entry.name for entry in deployment.secrets.entries()}
    states = deployment.store.states(names)

    def row(name: str) -> TenantOverview:
        state = states[name]
        dead = deployment.store.count_live(name, {"Situacao": State.DEAD})
        live = deployment.store.count_live(name, {})
        status = _status(deployment, name, state, has_secret=name in secrets)
        return TenantOverview(name, status, state, live, dead)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(row, names))


def show(deployment: Deployment, tenant: str) -> tuple[TenantOverview, dict[State, int]]:
    """Returns one tenant, and how many live messages it has in each state.

    Raises UnknownTenantError.
    """
    known_name(tenant)
    [found] = overview(deployment, [tenant])
    if found.status is Status.UNKNOWN:
        message = f"There is no tenant {tenant} in {deployment.title}"
        raise UnknownTenantError(message)
    counts = {state: deployment.store.count_live(tenant, {"Situacao": state}) for state in State}
    return found, counts


def stored_tenant(deployment: Deployment, name: str) -> Tenant:
    """Reads the tenant from its secret. Raises UnusableSecretError or NotFound."""
    payload = deployment.secrets.payload(name)
    try:
        return parse_credentials(name, payload, deployment.settings.environment)
    except TenantError as error:
        message = f"{error}."
        raise UnusableSecretError(message) from None


def _status(deployment: Deployment, name: str, state: TenantState, *, has_secret: bool) -> Status:
    if not has_secret:
        return Status.ORPHANED if state.known else Status.UNKNOWN
    try:
        tenant = stored_tenant(deployment, name)
    except (UnusableSecretError, NotFound):
        return Status.UNUSABLE
    if not tenant.enabled:
        return Status.DISABLED
    if state.halted is not None:
        return Status.HALTED
    return Status.PAUSED if state.paused(deployment.now()) else Status.ACTIVE
