"""Parses a tenant's credentials, and checks them with RAC and against the other tenants."""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from pydantic import ValidationError

from smartlink.domain.json_bytes import unmarked
from smartlink.domain.tenant import Credentials, Tenant
from smartlink.domain.token import claimed_tenant, claims_of
from smartlink.i18n import _, joined
from smartlink.operations.errors import ForbiddenError, InvalidError, OtherCustomerError
from smartlink.operations.ports import Deployment
from smartlink.ports import CredentialsRefused, NotFound

_RAC = {
    "admin.rac.dev.totvs.app": "development",
    "admin.rac.staging.totvs.app": "staging",
    "admin.rac.totvs.app": "production",
}


def parse(document: Mapping[str, object], deployment: Deployment) -> Credentials:
    """Reads credentials from a document. Without `environment` they get this deployment's.

    Raises InvalidError, whose text holds no secret.
    """
    try:
        return Credentials.model_validate(
            {"environment": deployment.settings.environment, **document}
        )
    except ValidationError as error:
        problems = joined(
            "; ",
            (
                joined(": ", (".".join(map(str, it["loc"])) or _("the document"), it["msg"]))
                for it in error.errors(
                    include_input=False, include_url=False, include_context=False
                )
            ),
        )
        message = _(
            "The credentials are not valid ({problems}): clientId and clientSecret are needed",
            problems=problems,
        )
        raise InvalidError(message) from None


def payload_of(credentials: Credentials) -> bytes:
    """Writes the payload of `smartlink-tenant-<tenant>`."""
    document: dict[str, object] = {
        "clientId": credentials.client_id,
        "clientSecret": credentials.client_secret.get_secret_value(),
        "environment": credentials.environment,
        "enabled": credentials.enabled,
    }
    if credentials.tenant_id is not None:
        document["tenantId"] = credentials.tenant_id
    return json.dumps(document).encode()


def check_environment(deployment: Deployment, name: str, credentials: Credentials) -> Tenant:
    """Returns the tenant. Raises ForbiddenError if its credentials are for another environment."""
    environment = deployment.settings.environment
    if credentials.environment != environment:
        message = _(
            "These are credentials of {environment}, but {title} is {other}: "
            "activate the tenant where it belongs",
            environment=credentials.environment,
            title=deployment.title,
            other=environment,
        )
        raise ForbiddenError(message)
    return Tenant(name, credentials)


def tenant_id(deployment: Deployment, tenant: Tenant) -> str | None:
    """Gets a token from RAC; returns the tenant id that it names, or None.

    Raises ForbiddenError if another environment's RAC issued the token.
    """
    token = deployment.tokens.token(tenant)
    host = urlsplit(str(claims_of(token).get("iss", ""))).hostname or ""
    issued = _RAC.get(host)
    if issued is not None and issued != deployment.settings.environment:
        message = _(
            "RAC's token was issued by {host}, which is {issued}; {title} is "
            "{environment}: use credentials of this environment",
            host=host,
            issued=issued,
            title=deployment.title,
            environment=deployment.settings.environment,
        )
        raise ForbiddenError(message)
    return claimed_tenant(token)


def verify(deployment: Deployment, tenant: Tenant) -> tuple[Tenant, str | None]:
    """Checks that no other tenant has these credentials, and that RAC gives a token for them.

    Returns the tenant with the tenant id that the token names, and that id or None. Raises
    ForbiddenError.
    """
    other = _active_elsewhere(deployment, tenant.name, tenant.credentials.client_id)
    if other is not None:
        message = _(
            "These credentials are active already as tenant {other} in {title}: two would "
            "take each other's messages; use credentials of {name}'s own.",
            other=other,
            title=deployment.title,
            name=tenant.name,
        )
        raise ForbiddenError(message)
    try:
        found = tenant_id(deployment, tenant)
    except CredentialsRefused as error:
        message = _(
            "{refusal}: check the client id and the client secret; nothing was changed",
            refusal=str(error).partition(": ")[0],
        )
        raise ForbiddenError(message) from None
    own = tenant.credentials.model_copy(update={"tenant_id": found or tenant.credentials.tenant_id})
    return Tenant(tenant.name, own), found


def check_pin(deployment: Deployment, tenant: Tenant, *, rotated: bool = False) -> None:
    """Raises OtherCustomerError for another customer's credentials if the name has live messages.

    If RAC names no tenant id, a rotation means that the operator knows that the customer is the
    same.
    """
    pin = deployment.store.states([tenant.name])[tenant.name].pin
    own = tenant.credentials
    if pin is None or pin.admits(own.tenant_id, own.client_id):
        return
    unnamed = not (own.tenant_id and pin.tenant_id)
    if (rotated and unnamed) or not deployment.store.has_live(tenant.name):
        return
    of = (
        _("tenant id {tenant_id}", tenant_id=own.tenant_id)
        if own.tenant_id
        else _("another client")
    )
    message = _(
        "The name {name} belongs to {pin}, whose messages still live, and these "
        "credentials are of {of}: discard them or use another name",
        name=tenant.name,
        pin=pin,
        of=of,
    )
    raise OtherCustomerError(tenant.name, message)


def _active_elsewhere(deployment: Deployment, name: str, client_id: str) -> str | None:
    """Returns the name of another tenant of this deployment with this client id; None if none
    has."""
    for entry in deployment.secrets.entries():
        if entry.name == name:
            continue
        try:
            other = deployment.secrets.payload(entry.name)
            if json.loads(unmarked(other)).get("clientId") == client_id:
                return entry.name
        except (NotFound, ValueError, AttributeError, RecursionError):
            continue  # a tenant without a usable version receives no messages
    return None
