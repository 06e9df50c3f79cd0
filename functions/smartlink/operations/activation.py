"""RM's wizard "Ativação Totvs Apps", and what changes an active tenant, step by step.

`report` is told of each step once it is done; a step that fails raises, and says so itself.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from smartlink.domain.noted import kept
from smartlink.domain.pin import Pin, first_use, same_tenant_id
from smartlink.domain.tenant import Credentials, Tenant
from smartlink.operations.credentials import (
    check_environment,
    check_pin,
    payload_of,
    tenant_id,
    verify,
)
from smartlink.operations.errors import (
    ActiveAlreadyError,
    ErpFaultsError,
    ForbiddenError,
    InvalidError,
    MissingError,
    NoSecretError,
    OperationError,
    SetupError,
)
from smartlink.operations.ports import Deployment
from smartlink.operations.select import known_name
from smartlink.operations.tenants import UnusableSecretError, stored_tenant
from smartlink.ports import NotFound, PortError
from smartlink.services.polling.shard import Shard

_OWN_SHARD = 1_000_000  # no tick of the scheduler has so many


@dataclass(frozen=True, slots=True)
class TokenGiven:
    """RAC gave a token; it may name no tenant id."""

    tenant_id: str | None


@dataclass(frozen=True, slots=True)
class ErpChecked:
    """The tenant's ERP was checked, or could not be."""

    faults: int = 0
    warnings: int = 0
    unchecked: str | None = None  # why it could not be


CheckErp = Callable[[bytes], ErpChecked]
"""Checks an ERP by the payload of its secret. The consumers know how, and no operation knows them:
the screen brings it."""


@dataclass(frozen=True, slots=True)
class SecretStored:
    """The tenant's secret was made."""

    tenant: str


@dataclass(frozen=True, slots=True)
class QueueReady:
    """The broker has the tenant's queue, for these commands."""

    commands: Sequence[str]


@dataclass(frozen=True, slots=True)
class FirstPoll:
    """The tenant was polled, or is left to the next minute."""

    received: int = 0
    delayed: bool = False  # the list of secrets does not have it yet
    failed: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class VersionStored:
    """A new version of the secret was stored and read back."""

    number: str


@dataclass(frozen=True, slots=True)
class OldVersionsDisabled:
    """So many older versions of the secret were disabled."""

    count: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """The name passed from one customer to another, or to whoever is activated next."""

    before: Pin
    after: Pin | None


@dataclass(frozen=True, slots=True)
class Switched:
    """The tenant is enabled or disabled; perhaps it was before."""

    tenant: str
    enabled: bool
    already: bool


Step = (
    TokenGiven
    | ErpChecked
    | SecretStored
    | QueueReady
    | FirstPoll
    | VersionStored
    | OldVersionsDisabled
    | Adopted
    | Switched
)
ReportStep = Callable[[Step], object]


def commands_to_set_up(deployment: Deployment) -> list[str]:
    """The commands that the deployed polls know: this checkout may be older or newer than they."""
    return sorted(kept(deployment.store.commands(), deployment.now())) or list(
        deployment.settings.catalog.commands
    )


def check_new(deployment: Deployment, tenant: str) -> None:
    """Raise ActiveAlreadyError where the tenant has a secret."""
    known_name(tenant)
    if deployment.secrets.exists(tenant):
        raise ActiveAlreadyError(tenant, deployment.title)


def check_active(deployment: Deployment, tenant: str) -> None:
    """Raise NoSecretError where the tenant has none."""
    known_name(tenant)
    if not deployment.secrets.exists(tenant):
        message = f"{tenant} has no secret in {deployment.title}"
        raise NoSecretError(message)


def activate(
    deployment: Deployment,
    tenant: str,
    credentials: Credentials,
    region: str | None,
    report: ReportStep,
    check_erp: CheckErp | None = None,
) -> str | None:
    """Token, the ERP's check where the tenant has one, secret, setup, first poll; answers the
    tenant id.

    An ERP with faults: ErpFaultsError, and nothing was made. Setup makes the tenant's queue: until
    it has run, messages to the tenant are lost. If it fails the secret is deleted again:
    SetupError. A first poll that fails is the next minute's business.
    """
    check_new(deployment, tenant)
    candidate = check_environment(deployment, tenant, credentials)
    named, claimed = verify(deployment, candidate)
    report(TokenGiven(claimed))
    check_pin(deployment, named)
    if check_erp is not None:
        _check_erp(deployment, tenant, check_erp, report)
    deployment.secrets.create(tenant, payload_of(named.credentials), region)
    report(SecretStored(tenant))
    try:
        commands = set_up(deployment, named)
        report(QueueReady(commands))
    except BaseException as error:
        raise SetupError(tenant, _take_back(deployment, tenant)) from error
    report(_first_poll(deployment, tenant))
    return named.credentials.tenant_id


def _check_erp(
    deployment: Deployment, tenant: str, check_erp: CheckErp, report: ReportStep
) -> None:
    """A tenant without an ERP is not checked; one that cannot be checked from here is told."""
    try:
        payload = deployment.secrets.erp(tenant)
    except NotFound:
        return
    except PortError as error:
        report(ErpChecked(unchecked=str(error)))
        return
    found = check_erp(payload)
    if found.faults:
        raise ErpFaultsError(tenant, found.faults)
    report(found)


def set_up(deployment: Deployment, tenant: Tenant) -> list[str]:
    """Make the tenant's queue; answers the commands that it subscribes."""
    commands = commands_to_set_up(deployment)
    with deployment.broker.session(tenant) as session:
        session.setup(commands)
    return commands


def _take_back(deployment: Deployment, tenant: str) -> PortError | None:
    try:
        deployment.secrets.remove(tenant)
    except PortError as error:
        return error
    return None


def _first_poll(deployment: Deployment, tenant: str) -> FirstPoll:
    entry = deployment.secrets.entry(tenant)
    if entry is None:
        return FirstPoll(delayed=True)
    shard = Shard(deployment.now(), _OWN_SHARD, 0, (entry,))
    counts = deployment.poll.shard(shard).as_dict()
    state = deployment.store.states([tenant])[tenant]
    refused = counts.get("failedTurns") or counts.get("refusedTenants")
    failed = bool(state.halted or state.failures or refused)
    return FirstPoll(counts.get("received", 0), failed=failed, error=state.last_error)


def rotate(
    deployment: Deployment, tenant: str, credentials: Credentials, report: ReportStep
) -> str | None:
    """New credentials: RAC verifies them before the old ones are disabled; answers the tenant id.

    A pause after failures ends.
    """
    check_active(deployment, tenant)
    old = _old(deployment, tenant)
    new = check_environment(deployment, tenant, credentials)
    named, claimed = verify(deployment, new)
    report(TokenGiven(claimed))
    before, after = old and old.tenant_id, named.credentials.tenant_id
    if before and after and not same_tenant_id(before, after):
        message = (
            f"The new credentials are of tenant id {after}, the old ones of {before}: refused."
        )
        raise ForbiddenError(message)
    check_pin(deployment, named, rotated=True)
    enabled = old.enabled if old else True
    own = named.credentials.model_copy(update={"enabled": enabled})
    with _both_clients(deployment, tenant, own):
        _replace(deployment, tenant, own, report)
    _unpause(deployment, tenant)
    return after


@contextmanager
def _both_clients(deployment: Deployment, tenant: str, new: Credentials) -> Iterator[None]:
    """The name is pinned to the new client too before its version is stored, and to it alone once
    the old versions are disabled: whichever version a function has, it is not halted."""
    before = deployment.store.states([tenant])[tenant].pin
    if before is None:
        yield  # the first poll pins it
        return
    both = before.used(new.tenant_id, new.client_id)
    _pin(deployment, tenant, both, before)
    try:
        yield
    except BaseException:
        deployment.store.pin(tenant, before, both)
        raise
    _pin(deployment, tenant, both.only(new.client_id), both)


def _pin(deployment: Deployment, tenant: str, pin: Pin | None, before: Pin | None) -> None:
    if not deployment.store.pin(tenant, pin, before):
        message = f"Whose the name {tenant} is was changed meanwhile: look and try again."
        raise OperationError(message)


def adopt(deployment: Deployment, tenant: str, who: str, reason: str, report: ReportStep) -> str:
    """Say that a halted tenant's credentials are of the same customer as its messages; answers
    what is kept of that.

    From then on the messages are sent and executed with the new credentials. Without a secret,
    the name is given to whoever is activated next.
    """
    known_name(tenant)
    if not reason.strip():
        message = "the reason is empty: say how you know that it is the same customer."
        raise InvalidError(message)
    state = deployment.store.states([tenant])[tenant]
    if state.pin is None:
        message = f"The name {tenant} belongs to nobody yet: there is nothing to adopt."
        raise MissingError(message)
    pin = None
    if deployment.secrets.exists(tenant):
        stored = stored_tenant(deployment, tenant)
        found = tenant_id(deployment, stored) or stored.credentials.tenant_id
        pin = first_use(found, stored.credentials.client_id, state.pin.since)
    _pin(deployment, tenant, pin, state.pin)
    now = f"{deployment.now():%Y-%m-%d %H:%M:%SZ}"
    told = f"{now} {who}: {state.pin} is now {pin or 'whoever comes next'}: {reason.strip()}"
    known = replace(state, pin=pin)
    changed = replace(known, halted=None, failures=0, paused_until=None, adopted=told[:1_000])
    deployment.store.save_state(tenant, changed, known)
    report(Adopted(state.pin, pin))
    return told


def switch(deployment: Deployment, tenant: str, report: ReportStep, *, enabled: bool) -> None:
    """Enable a tenant, which ends a pause too, or disable it: its documents wait."""
    check_active(deployment, tenant)
    own = stored_tenant(deployment, tenant).credentials
    already = own.enabled == enabled
    if not already:
        _replace(deployment, tenant, own.model_copy(update={"enabled": enabled}), report)
    report(Switched(tenant, enabled, already))
    if enabled:
        _unpause(deployment, tenant)


def _old(deployment: Deployment, tenant: str) -> Credentials | None:
    """What is stored, if it can be read: broken credentials are a reason to rotate."""
    try:
        return stored_tenant(deployment, tenant).credentials
    except UnusableSecretError:
        return None


def _replace(
    deployment: Deployment, tenant: str, credentials: Credentials, report: ReportStep
) -> None:
    """A new version, read back; then the old ones are disabled, and the etag changes."""
    before = deployment.secrets.enabled_versions(tenant)
    number = deployment.secrets.add(tenant, payload_of(credentials))
    if stored_tenant(deployment, tenant).credentials != credentials:
        message = (
            f"Version {number} of smartlink-tenant-{tenant} is not what was written: try again."
        )
        raise OperationError(message)
    report(VersionStored(number))
    deployment.secrets.touch(tenant, deployment.now())
    for version in before:
        deployment.secrets.disable(tenant, version)
    report(OldVersionsDisabled(len(before)))


def _unpause(deployment: Deployment, tenant: str) -> None:
    state = deployment.store.states([tenant])[tenant]
    if state.failures or state.paused_until:
        cleared = replace(state, failures=0, paused_until=None)
        deployment.store.save_state(tenant, cleared, state)
