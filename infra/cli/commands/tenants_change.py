"""`smartlink tenants activate|rotate|adopt|disable|enable`: RM's wizard "Ativação Totvs Apps"."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.activation import (
    active_elsewhere,
    check_environment,
    check_pin,
    commands_to_set_up,
    read_credentials,
    stored_tenant,
    tenant_id,
)
from infra.cli.adapters.secrets import payload_of
from infra.cli.errors import CliError, ForbiddenError, MissingError, UsageError
from infra.cli.polling import poll_once
from infra.cli.selection import known_name
from infra.cli.session import session_of
from infra.cli.steps import Steps
from infra.cli.words import explained
from infra.cli.world import World
from smartlink.domain.pin import Pin, first_use, same_tenant_id
from smartlink.domain.tenant import Credentials, Tenant
from smartlink.ports import PortError

_File = Annotated[
    str | None,
    typer.Option(
        "--from-file",
        help='File of {"clientId", "clientSecret"}, or - for stdin; else both are asked for.',
    ),
]
_SOON = "the functions see it within 5 minutes"


def activate(
    context: typer.Context,
    tenant: opt.OneTenant,
    *,
    source: _File = None,
    region: Annotated[
        str | None, typer.Option(help="Keep the secret in this region only (else automatic).")
    ] = None,
) -> None:
    """Activate a tenant (RM: "Ativação Totvs Apps"): credentials, token, secret, setup, poll.

    Setup makes the tenant's queue: until it has run, messages to the tenant are lost.
    A step that fails takes back what was made, and says how to mend it.
    """
    session = session_of(context)
    world, steps = session.world, Steps(session.screen)
    known_name(tenant)
    if world.secrets.exists(tenant):
        message = (
            f"{tenant} is active already in {world.target.title}: for new credentials run "
            f"smartlink tenants rotate {tenant}, after a pause smartlink tenants enable {tenant}."
        )
        raise ForbiddenError(message)
    candidate = check_environment(
        tenant, read_credentials(source, world.settings.environment), world
    )
    named = _verified(world, candidate, steps)
    check_pin(world, named)
    payload = payload_of(named.credentials)
    world.secrets.create(tenant, payload, region)
    steps.tell("Secret", f"smartlink-tenant-{tenant} stored")
    try:
        _set_up(world, named)
        steps.tell("Setup", f"queue ready for {', '.join(commands_to_set_up(world))}")
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  (whatever it is: take back)
        _take_back(world, tenant, error)
    _first_poll(world, tenant, steps)
    steps.finish(tenant=tenant, tenantId=named.credentials.tenant_id)


def _verified(world: World, tenant: Tenant, steps: Steps) -> Tenant:
    """A token, and nobody else with these credentials; the tenant with the token's tenant id."""
    other = active_elsewhere(world, tenant.name, tenant.credentials.client_id)
    if other is not None:
        message = (
            f"These credentials are active already as tenant {other} in {world.target.title}: "
            f"two would take each other's messages; use credentials of {tenant.name}'s own."
        )
        raise ForbiddenError(message)
    found = tenant_id(world, tenant)
    steps.tell("Token", f"RAC gave one for tenant id {found or '(none in the token)'}")
    own = tenant.credentials.model_copy(update={"tenant_id": found or tenant.credentials.tenant_id})
    return Tenant(tenant.name, own)


def _set_up(world: World, tenant: Tenant) -> None:
    with world.broker.session(tenant) as session:
        session.setup(commands_to_set_up(world))


def _take_back(world: World, tenant: str, error: BaseException) -> None:
    told = explained(error, world.target) if isinstance(error, Exception) else None
    try:
        world.secrets.remove(tenant)
    except PortError as second:
        message = (
            f"Setup failed ({told or error!r}), and the secret could not be deleted ({second}): "
            f"delete smartlink-tenant-{tenant} by hand, then activate again."
        )
        raise CliError(message) from None
    if told is None:
        raise error
    message = f"Setup failed, the secret was deleted again: {told} Then activate again."
    raise CliError(message) from None


def _first_poll(world: World, tenant: str, steps: Steps) -> None:
    """What follows is the next minute's business if it fails: the tenant is active."""
    entry = world.secrets.entry(tenant)
    if entry is None:
        steps.tell("First poll", "left to the next minute (the list of secrets lags)")
        return
    counts = poll_once(world, entry)
    state = world.store.states([tenant])[tenant]
    received = counts.get("received", 0)
    if state.failures or counts.get("failedTurns") or counts.get("refusedTenants"):
        text = f"failed ({state.last_error or 'see the logs'}); the next minute tries again"
    else:
        text = f"the broker answered; {received} messages received"
    steps.tell("First poll", text)


def rotate(context: typer.Context, tenant: opt.OneTenant, *, source: _File = None) -> None:
    """Give a tenant new credentials: RAC verifies them before the old ones are disabled."""
    session = session_of(context)
    world, steps = session.world, Steps(session.screen)
    _known(world, tenant)
    old = _old(world, tenant)
    new = check_environment(tenant, read_credentials(source, world.settings.environment), world)
    named = _verified(world, new, steps)
    before, after = old and old.tenant_id, named.credentials.tenant_id
    if before and after and not same_tenant_id(before, after):
        message = (
            f"The new credentials are of tenant id {after}, the old ones of {before}: refused."
        )
        raise ForbiddenError(message)
    check_pin(world, named, rotated=True)
    enabled = old.enabled if old else True
    own = named.credentials.model_copy(update={"enabled": enabled})
    with _both_clients(world, tenant, own):
        _replace(world, tenant, own, steps)
    _unpause(world, tenant)
    steps.finish(tenant=tenant, tenantId=after)


@contextmanager
def _both_clients(world: World, tenant: str, new: Credentials) -> Iterator[None]:
    """The name is pinned to the new client too before its version is stored, and to it alone once
    the old versions are disabled: whichever version a function has, it is not halted."""
    before = world.store.states([tenant])[tenant].pin
    if before is None:
        yield  # the first poll pins it
        return
    both = before.used(new.tenant_id, new.client_id)
    _pin(world, tenant, both, before)
    try:
        yield
    except BaseException:
        world.store.pin(tenant, before, both)
        raise
    _pin(world, tenant, both.only(new.client_id), both)


def _pin(world: World, tenant: str, pin: Pin | None, before: Pin | None) -> None:
    if not world.store.pin(tenant, pin, before):
        message = f"Whose the name {tenant} is was changed meanwhile: look and try again."
        raise CliError(message)


def adopt(
    context: typer.Context,
    tenant: opt.OneTenant,
    reason: Annotated[str, typer.Option(help="Why it is the same customer; it is kept.")],
) -> None:
    """Say that a halted tenant's credentials are of the same customer as its messages.

    A name whose credentials come to be of another tenant id is halted while messages of the
    first one live. From now on they are sent and executed with the new credentials. Without a
    secret, the name is given to whoever is activated next.
    """
    session = session_of(context)
    world, steps = session.world, Steps(session.screen)
    known_name(tenant)
    if not reason.strip():
        message = "--reason is empty: say how you know that it is the same customer."
        raise UsageError(message)
    state = world.store.states([tenant])[tenant]
    if state.pin is None:
        message = f"The name {tenant} belongs to nobody yet: there is nothing to adopt."
        raise MissingError(message)
    pin = None
    if world.secrets.exists(tenant):
        stored = stored_tenant(world, tenant)
        found = tenant_id(world, stored) or stored.credentials.tenant_id
        pin = first_use(found, stored.credentials.client_id)
    _pin(world, tenant, pin, state.pin)
    now = f"{world.now():%Y-%m-%d %H:%M:%SZ}"
    told = f"{now} {world.who}: {state.pin} is now {pin or 'whoever comes next'}: {reason.strip()}"
    known = replace(state, pin=pin)
    changed = replace(known, halted=None, failures=0, paused_until=None, adopted=told[:1_000])
    world.store.save_state(tenant, changed, known)
    steps.tell("Adopted", f"{state.pin} is now {pin or 'whoever is activated next'}; {_SOON}")
    steps.finish(tenant=tenant, adopted=told)


def _old(world: World, tenant: str) -> Credentials | None:
    """What is stored, if it can be read: broken credentials are a reason to rotate."""
    try:
        return stored_tenant(world, tenant).credentials
    except CliError:
        return None


def _known(world: World, tenant: str) -> None:
    known_name(tenant)
    if not world.secrets.exists(tenant):
        message = f"{tenant} has no secret in {world.target.title}: smartlink tenants activate."
        raise MissingError(message)


def _replace(world: World, tenant: str, credentials: Credentials, steps: Steps) -> None:
    """A new version, read back; then the old ones are disabled, and the etag changes."""
    before = world.secrets.enabled_versions(tenant)
    number = world.secrets.add(tenant, payload_of(credentials))
    if stored_tenant(world, tenant).credentials != credentials:
        message = (
            f"Version {number} of smartlink-tenant-{tenant} is not what was written: try again."
        )
        raise CliError(message)
    steps.tell("Secret", f"version {number} stored and read back")
    world.secrets.touch(tenant, world.now())
    for version in before:
        world.secrets.disable(tenant, version)
    steps.tell("Old versions", f"{len(before)} disabled; {_SOON}")


def _unpause(world: World, tenant: str) -> None:
    state = world.store.states([tenant])[tenant]
    if state.failures or state.paused_until:
        world.store.save_state(tenant, replace(state, failures=0, paused_until=None), state)


def disable(context: typer.Context, tenant: opt.OneTenant) -> None:
    """Disable a tenant: nothing is received, sent or swept; its documents wait."""
    _switch(context, tenant, enabled=False)


def enable(context: typer.Context, tenant: opt.OneTenant) -> None:
    """Enable a tenant again; a pause after failures ends too."""
    _switch(context, tenant, enabled=True)


def _switch(context: typer.Context, tenant: str, *, enabled: bool) -> None:
    session = session_of(context)
    world, steps = session.world, Steps(session.screen)
    _known(world, tenant)
    own = stored_tenant(world, tenant).credentials
    if own.enabled == enabled:
        steps.tell("Tenant", f"{tenant} is {'enabled' if enabled else 'disabled'} already")
    else:
        _replace(world, tenant, own.model_copy(update={"enabled": enabled}), steps)
        steps.tell("Tenant", f"{tenant} is {'enabled' if enabled else 'disabled'}")
    if enabled:
        _unpause(world, tenant)
    steps.finish(tenant=tenant, enabled=enabled)
