"""Activates a tenant, as RM's wizard "Ativação Totvs Apps" does, and changes an active tenant.

Each operation calls `report` after each step that is done. A step that fails raises an error.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from smartlink.domain import lifecycle
from smartlink.domain.identity import Direction
from smartlink.domain.message import Listed, State, Stored
from smartlink.domain.noted import kept
from smartlink.domain.pin import Pin, first_use, same_tenant_id
from smartlink.domain.tenant import ACCEPTANCE_TENANT, Credentials, Tenant
from smartlink.i18n import _
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
from smartlink.operations.names import existing_tenant, known_name
from smartlink.operations.ports import Deployment
from smartlink.operations.tenants import UnusableSecretError, stored_tenant
from smartlink.ports import NotFound, PortError
from smartlink.services.polling.shard import Shard

LONGEST_OWN_PAUSE = timedelta(days=7)
_AT_ONCE = 20  # messages read whole
_UNSENT = {"Direcao": Direction.UPSTREAM, "Situacao": State.PENDING}
_OWN_SHARD = 1_000_000  # no tick of the scheduler has so many


@dataclass(frozen=True, slots=True)
class TokenGiven:
    """RAC gave a token. `tenant_id` is None if the token names none."""

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
    """The broker has the tenant's queue for these commands."""

    commands: Sequence[str]


@dataclass(frozen=True, slots=True)
class FirstPoll:
    """The tenant was polled, or the next minute's poll will do it."""

    received: int = 0
    delayed: bool = False  # the list of secrets does not show the tenant yet
    failed: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class VersionStored:
    """A new version of the secret was stored and read back."""

    number: str


@dataclass(frozen=True, slots=True)
class OldVersionsDisabled:
    """`count` older versions of the secret were disabled."""

    count: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """The name passed from one customer to another; None: to the customer that is activated
    next."""

    before: Pin
    after: Pin | None


@dataclass(frozen=True, slots=True)
class Switched:
    """The tenant is enabled or disabled. `already`: it was so before."""

    tenant: str
    enabled: bool
    already: bool


@dataclass(frozen=True, slots=True)
class Paused:
    """An operator paused the tenant."""

    tenant: str
    until: datetime


@dataclass(frozen=True, slots=True)
class PauseEnded:
    """The tenant was paused after failures; it is no longer."""

    failures: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class SendsDue:
    """So many messages waited after failed sends; they are due now."""

    messages: int


@dataclass(frozen=True, slots=True)
class Announced:
    """The next tick sees the change, unless announcing it failed: then it takes some minutes."""

    error: PortError | None = None


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
    | Paused
    | PauseEnded
    | SendsDue
    | Announced
)
ReportStep = Callable[[Step], object]


def commands_to_set_up(deployment: Deployment) -> list[str]:
    """Returns the commands that the deployed polls know, because this checkout may have others."""
    return sorted(kept(deployment.store.commands(), deployment.now())) or list(
        deployment.settings.catalog.commands
    )


def check_new(deployment: Deployment, tenant: str) -> None:
    """Raises ActiveAlreadyError if the tenant has a secret; InvalidError if nobody may have the
    name."""
    known_name(tenant)
    if tenant == ACCEPTANCE_TENANT and not deployment.settings.acceptance_url:
        message = _(
            "{tenant} is the name of an acceptance's own tenant: choose another name", tenant=tenant
        )
        raise InvalidError(message)
    if deployment.secrets.exists(tenant):
        raise ActiveAlreadyError(tenant, deployment.title)


def check_active(deployment: Deployment, tenant: str) -> None:
    """Raise NoSecretError where the tenant has none, and UnknownTenantError."""
    known_name(tenant)
    if not deployment.secrets.exists(tenant):
        existing_tenant(deployment, tenant)
        message = _("{tenant} has no secret in {title}", tenant=tenant, title=deployment.title)
        raise NoSecretError(message)


def activate(
    deployment: Deployment,
    tenant: str,
    credentials: Credentials,
    region: str | None,
    report: ReportStep,
    check_erp: CheckErp | None = None,
) -> str | None:
    """Activates a tenant: token, check of its ERP if it has one, secret, setup, first poll; returns
    the tenant id or None.

    If the ERP has faults, ErpFaultsError is raised before anything is made. Until setup has made
    the tenant's queue, the broker loses messages to the tenant. If setup fails, the secret is
    deleted again, and SetupError is raised. If the first poll fails, the next minute's poll tries
    again.
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
    _announce(deployment, report)
    report(_first_poll(deployment, tenant))
    return named.credentials.tenant_id


def _check_erp(
    deployment: Deployment, tenant: str, check_erp: CheckErp, report: ReportStep
) -> None:
    """Checks the tenant's ERP if it has one; reports why it could not be checked from here."""
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
    """Sets the tenant's queue up; returns the commands to which it is subscribed."""
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
    """Replaces the tenant's credentials, and ends a pause; returns the tenant id or None.

    RAC must accept the new credentials before the old ones are disabled. Raises ForbiddenError if
    they belong to another tenant id.
    """
    check_active(deployment, tenant)
    old = _old(deployment, tenant)
    new = check_environment(deployment, tenant, credentials)
    named, claimed = verify(deployment, new)
    report(TokenGiven(claimed))
    before, after = old and old.tenant_id, named.credentials.tenant_id
    if before and after and not same_tenant_id(before, after):
        message = _(
            "The new credentials are of tenant id {after}, the old ones of {before}: refused.",
            after=after,
            before=before,
        )
        raise ForbiddenError(message)
    check_pin(deployment, named, rotated=True)
    enabled = old.enabled if old else True
    own = named.credentials.model_copy(update={"enabled": enabled})
    with _both_clients(deployment, tenant, own):
        _replace(deployment, tenant, own, report)
    _unpause(deployment, tenant, report)
    _announce(deployment, report)
    return after


@contextmanager
def _both_clients(deployment: Deployment, tenant: str, new: Credentials) -> Iterator[None]:
    """Pins the name to both clients while the block replaces the versions, then to the new one
    alone.

    So the name is not halted, whichever version a function has read. If the block fails, both
    clients stay pinned: nobody may know which version is in force, and the next rotation takes the
    old one away.
    """
    before = deployment.store.states([tenant])[tenant].pin
    if before is None:
        yield  # the first poll pins the name
        return
    both = before.used(new.tenant_id, new.client_id)
    _pin(deployment, tenant, both, before)
    yield
    _pin(deployment, tenant, both.only(new.client_id), both)


def _pin(deployment: Deployment, tenant: str, pin: Pin | None, before: Pin | None) -> None:
    if not deployment.store.pin(tenant, pin, before):
        message = _(
            "Whose the name {tenant} is was changed meanwhile: look and try again.", tenant=tenant
        )
        raise OperationError(message)


def adopt(deployment: Deployment, tenant: str, who: str, reason: str, report: ReportStep) -> str:
    """Notes that a halted tenant's credentials belong to the customer of its messages; ends the
    halt.

    From then on the relay sends and executes the messages with the new credentials. If the tenant
    has no secret, the name passes to the customer that is activated next. Returns the note that is
    stored.
    """
    existing_tenant(deployment, tenant)
    if not reason.strip():
        message = _("the reason is empty: say how you know that it is the same customer.")
        raise InvalidError(message)
    state = deployment.store.states([tenant])[tenant]
    if state.pin is None:
        message = _(
            "The name {tenant} belongs to nobody yet: there is nothing to adopt.", tenant=tenant
        )
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
    _announce(deployment, report)
    return told


def switch(deployment: Deployment, tenant: str, report: ReportStep, *, enabled: bool) -> None:
    """Enables a tenant, which also ends a pause; or disables it, so that its documents wait."""
    check_active(deployment, tenant)
    own = stored_tenant(deployment, tenant).credentials
    already = own.enabled == enabled
    if already:  # perhaps by a switch that stopped before the polls could see it
        deployment.secrets.touch(tenant, deployment.now())
    else:
        _replace(deployment, tenant, own.model_copy(update={"enabled": enabled}), report)
    report(Switched(tenant, enabled, already))
    if enabled:
        _unpause(deployment, tenant, report)
    _announce(deployment, report)


def pause(
    deployment: Deployment,
    tenant: str,
    span: timedelta,
    told: tuple[str, str],
    report: ReportStep,
) -> None:
    """Leaves the tenant's broker alone for a while: its due Downstream work goes on.

    `told`: who pauses it, and why. `switch` ends the pause at once. Raises InvalidError.
    """
    check_active(deployment, tenant)
    who, reason = told
    if not timedelta(0) < span <= LONGEST_OWN_PAUSE:
        days = LONGEST_OWN_PAUSE.days
        message = _("A pause lasts up to {days} days: to stop longer, disable it", days=days)
        raise InvalidError(message)
    now = deployment.now()
    state = deployment.store.states([tenant])[tenant]
    text = f"Paused by {who}: {reason.strip()}"[:1_000]
    paused = replace(state, paused_until=now + span, last_error=text, last_error_at=now)
    deployment.store.save_state(tenant, paused, state)
    report(Paused(tenant, now + span))
    _announce(deployment, report)


def _old(deployment: Deployment, tenant: str) -> Credentials | None:
    """Returns the stored credentials; None if they are unusable, which may be why they are
    rotated."""
    try:
        return stored_tenant(deployment, tenant).credentials
    except UnusableSecretError:
        return None


def _replace(
    deployment: Deployment, tenant: str, credentials: Credentials, report: ReportStep
) -> None:
    """Stores a new version and reads it back; then changes the etag and disables the old
    versions."""
    before = deployment.secrets.enabled_versions(tenant)
    number = deployment.secrets.add(tenant, payload_of(credentials))
    if stored_tenant(deployment, tenant).credentials != credentials:
        message = _(
            "Version {number} of smartlink-tenant-{tenant} is not what was written: try again.",
            number=number,
            tenant=tenant,
        )
        raise OperationError(message)
    report(VersionStored(number))
    deployment.secrets.touch(tenant, deployment.now())
    for version in before:
        deployment.secrets.disable(tenant, version)
    report(OldVersionsDisabled(len(before)))


def _unpause(deployment: Deployment, tenant: str, report: ReportStep) -> None:
    """A pause ends, and so does the wait of each message that could not be sent."""
    state = deployment.store.states([tenant])[tenant]
    if state.failures or state.paused_until:
        cleared = replace(state, failures=0, paused_until=None)
        deployment.store.save_state(tenant, cleared, state)
        report(PauseEnded(state.failures, state.paused_until))
    waiting = [
        it.message.document
        for it in deployment.store.scan(tenant, _UNSENT)
        if isinstance(it, Listed)
        and it.message.failure is not None
        and it.message.due != it.message.failure.at
    ]
    due = 0
    for start in range(0, len(waiting), _AT_ONCE):
        stored = deployment.store.read(tenant, waiting[start : start + _AT_ONCE]).values()
        again = [
            Stored(lifecycle.due_again(it.message), it.version)
            for it in stored
            if it.message.state is State.PENDING
        ]
        versions = deployment.store.swap(tenant, again) if again else []
        due += sum(version is not None for version in versions)
    if due:
        report(SendsDue(due))


def _announce(deployment: Deployment, report: ReportStep) -> None:
    """After the change itself, so that whoever sees the new mark sees the change too."""
    try:
        deployment.store.announce_change()
    except PortError as error:
        report(Announced(error))
    else:
        report(Announced())
