"""The names that an operator writes: tenants and commands. One that does not exist is an error."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import partial

from smartlink.domain.tenant import TenantError, check_tenant_name
from smartlink.i18n import Text, _, data, joined
from smartlink.operations.beside import beside
from smartlink.operations.errors import InvalidError, UnknownCommandError, UnknownTenantError
from smartlink.operations.ports import Deployment
from smartlink.ports import Refused


def tenants_of(deployment: Deployment, only: str | None) -> list[str]:
    """Returns the tenant named, or every one that has documents or a secret.

    Raises InvalidError, and UnknownTenantError where there is no such tenant.
    """
    if only is None:
        return all_tenants(deployment)
    return [existing_tenant(deployment, only)]


def all_tenants(deployment: Deployment) -> list[str]:
    """Returns every tenant that has documents or a secret."""
    known = set(deployment.store.known_tenants())
    with suppress(Refused):  # who may read messages need not read secrets
        known |= {entry.name for entry in deployment.secrets.entries()}
    return sorted(known)


def existing_tenant(deployment: Deployment, tenant: str) -> str:
    """Returns the name, if there is such a tenant. Raises InvalidError and UnknownTenantError."""
    known_name(tenant)
    if not exists(deployment, tenant):
        raise unknown_tenant(deployment, tenant)
    return tenant


def unknown_tenant(deployment: Deployment, tenant: str) -> UnknownTenantError:
    """Makes the error for a tenant that does not exist, with the names that are like it."""
    known = all_tenants(deployment)
    few = _(": it has {known}", known=", ".join(known[:5])) if known else _(": it has none")
    hint = did_you_mean(tenant, known) or few + (" …" if len(known) > 5 else "")  # noqa: PLR2004
    message = _(
        "There is no tenant {tenant} in {title}{hint}",
        tenant=tenant,
        title=deployment.title,
        hint=hint,
    )
    return UnknownTenantError(message)


def exists(deployment: Deployment, tenant: str) -> bool:
    """Tells whether a tenant has a state, a secret or documents: one read where it is known."""
    if deployment.store.states([tenant])[tenant].known:
        return True
    with suppress(Refused):
        if deployment.secrets.exists(tenant):
            return True
    return deployment.store.has_documents(tenant)


def known_name(tenant: str) -> str:
    """Returns the name, if it can be a tenant's. Raises InvalidError."""
    try:
        return check_tenant_name(tenant)
    except TenantError as error:
        raise InvalidError(data(error)) from None


def existing_command(deployment: Deployment, command: str, tenants: Sequence[str]) -> str:
    """Returns the command, if the catalogue, the polls or any message has it.

    A message that is sent has a type of its sender's own. So a type that no catalogue has is
    looked for among the messages. Raises UnknownCommandError.
    """
    known = {*deployment.settings.catalog.commands, *deployment.store.commands()}
    if command in known:
        return command
    has = partial(deployment.store.has_command, command=command)
    if any(beside(tenants, has)):
        return command
    known_text = did_you_mean(command, known) or _(
        ": the commands are {known}", known=", ".join(sorted(known))
    )
    message = _(
        "No message has the command {command} in {title}{known_text}",
        command=command,
        title=deployment.title,
        known_text=known_text,
    )
    raise UnknownCommandError(message)


def did_you_mean(name: str, known: Iterable[str]) -> Text:
    """Returns what to append to an error about a name: the known ones that are like it, if any."""
    close, between = closest(name, list(known)), _(" or ")
    return _(": did you mean {close}?", close=joined(between, close)) if close else data("")


def closest(name: str, known: Collection[str]) -> list[str]:
    """Returns the known names that are most like a name, whatever their casing."""
    folded = {it.casefold(): it for it in sorted(known)}
    return [folded[it] for it in get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)]
