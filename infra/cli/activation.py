"""A tenant's credentials: read, checked with RAC, compared with the other tenants'."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import typer
from pydantic import ValidationError

from infra.cli.errors import CliError, ForbiddenError, UsageError
from infra.cli.world import World
from smartlink.adapters.rac import claimed_tenant, claims_of
from smartlink.domain.noted import kept
from smartlink.domain.tenant import Credentials, Environment, Tenant, TenantError, parse_credentials
from smartlink.ports import NotFound

_RAC = {
    "admin.rac.dev.totvs.app": "development",
    "admin.rac.staging.totvs.app": "staging",
    "admin.rac.totvs.app": "production",
}
_SIZE = 65_536  # bytes of a secret's payload


def read_credentials(source: str | None, environment: Environment) -> Credentials:
    """From a file, from stdin (`-`), or asked for without echo; never from an argument."""
    document = _document(source) if source else _asked()
    document.setdefault("environment", environment)
    try:
        return Credentials.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'the document'}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        )
        message = (
            f"The credentials are not valid ({problems}): clientId and clientSecret are needed"
        )
        raise UsageError(message) from None


def _asked() -> dict[str, object]:
    if not sys.stdin.isatty():
        message = "There is no terminal to ask at: give --from-file FILE, or --from-file - (stdin)"
        raise UsageError(message)
    return {
        "clientId": typer.prompt("clientId", hide_input=True, err=True).strip(),
        "clientSecret": typer.prompt("clientSecret", hide_input=True, err=True).strip(),
    }


def _document(source: str) -> dict[str, object]:
    place = "stdin" if source == "-" else source
    try:
        data = sys.stdin.buffer.read(_SIZE) if source == "-" else Path(source).read_bytes()
        document = json.loads(data)
    except OSError as error:
        message = f"{place} cannot be read: {error.strerror}"
        raise UsageError(message) from None
    except ValueError:
        # Never with the input in the text: it holds a secret.
        document = None
    if not isinstance(document, dict):
        message = f'{place} is not {{"clientId": "…", "clientSecret": "…"}}'
        raise UsageError(message)
    return document


def check_environment(name: str, credentials: Credentials, world: World) -> Tenant:
    """The tenant, if its credentials are meant for this environment. Raises ForbiddenError."""
    environment = world.settings.environment
    if credentials.environment != environment:
        message = (
            f"These are credentials of {credentials.environment}, but {world.target.title} is "
            f"{environment}: activate the tenant where it belongs"
        )
        raise ForbiddenError(message)
    return Tenant(name, credentials)


def tenant_id(world: World, tenant: Tenant) -> str | None:
    """Get a token from RAC and read the tenant id in it; a token of another RAC is refused."""
    token = world.tokens.token(tenant)
    claims: Mapping[str, object] = claims_of(token)
    host = urlsplit(str(claims.get("iss", ""))).hostname or ""
    issued = _RAC.get(host)
    if issued is not None and issued != world.settings.environment:
        message = (
            f"RAC's token was issued by {host}, which is {issued}; {world.target.title} is "
            f"{world.settings.environment}: use credentials of this environment"
        )
        raise ForbiddenError(message)
    return claimed_tenant(token)


def check_pin(world: World, tenant: Tenant, *, rotated: bool = False) -> None:
    """Refuse another customer's credentials while messages of whom the name belongs to live.

    Where RAC names no tenant id, a rotation is the operator's word that it is the same one.
    """
    pin = world.store.states([tenant.name])[tenant.name].pin
    own = tenant.credentials
    if pin is None or pin.admits(own.tenant_id, own.client_id):
        return
    unnamed = not (own.tenant_id and pin.tenant_id)
    if (rotated and unnamed) or not world.store.has_live(tenant.name):
        return
    of = f"tenant id {own.tenant_id}" if own.tenant_id else "another client"
    message = (
        f"The name {tenant.name} belongs to {pin}, whose messages still live, and these "
        f"credentials are of {of}: discard them or use another name; if it is the same "
        f"customer, smartlink tenants adopt {tenant.name} --reason …"
    )
    raise ForbiddenError(message)


def commands_to_set_up(world: World) -> list[str]:
    """The commands that the deployed polls know: this checkout may be older or newer than they."""
    return sorted(kept(world.store.commands(), world.now())) or list(
        world.settings.catalog.commands
    )


def active_elsewhere(world: World, name: str, client_id: str) -> str | None:
    """Name the other tenant of this project that has these credentials."""
    for entry in world.secrets.entries():
        if entry.name == name:
            continue
        try:
            other = world.secrets.payload(entry.name)
            if json.loads(other).get("clientId") == client_id:
                return entry.name
        except (NotFound, ValueError, AttributeError):
            continue  # without a usable version it takes nobody's messages
    return None


def stored_tenant(world: World, name: str) -> Tenant:
    """The tenant as its secret says. Raises CliError or NotFound."""
    payload = world.secrets.payload(name)
    try:
        return parse_credentials(name, payload, world.settings.environment)
    except TenantError as error:
        message = f"{error}."
        raise CliError(message) from None
