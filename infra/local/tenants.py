"""Reads the file of local tenants, and writes their secrets as the relay reads them.

The file is a list. Each entry needs `tenant`, `clientId` and `clientSecret`::

    [{"tenant": "acme", "clientId": "…", "clientSecret": "…",
      "tenantId": "…", "environment": "development", "enabled": true,
      "erp": {"databaseUrl": "sqlite:////…", "map": …, "salt": "…"},
      "secrets": {"acme-bank": {"apiKey": "…"}}}]

All fields but `tenant`, `erp` and `secrets` are the payload of `smartlink-tenant-<tenant>`, so the
payload of a real secret can be pasted. The stack's environment is development: like a deployed
relay it refuses the credentials of another environment. `erp` is the payload of
`smartlink-erp-<tenant>`, with further fields if the tenant's own consumers read them. Without `erp`
a tenant gets a database of sample people under `.local`. Without `map` it gets the map of the
sample people. `secrets` holds further secrets by their names: each payload is a JSON value or a
text. What a command declares in the catalogue as `bank` is `smartlink-bank-<tenant>` here.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from infra.local.errors import SettingError
from infra.people import MAP
from smartlink.domain.catalog import RELAY_SECRETS
from smartlink.domain.json_bytes import unmarked
from smartlink.domain.tenant import Environment, TenantError, check_tenant_name

Json = dict[str, Any]


class Erp(BaseModel):
    """A tenant's ERP database, and the map of its personal data."""

    model_config = ConfigDict(extra="allow", frozen=True)

    database_url: Annotated[str, Field(alias="databaseUrl", min_length=1, repr=False)]
    data_map: Annotated[str | Json, Field(alias="map")] = MAP
    salt: SecretStr | None = None
    access_log_days: Annotated[int | None, Field(alias="accessLogDays")] = None
    unproven: bool | None = None


_OWN = re.compile("smartlink-([a-z][a-z0-9]{0,30})-(.+)")
_SecretId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,255}$")]


class LocalTenant(BaseModel):
    """An entry of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str
    client_id: Annotated[str, Field(alias="clientId", min_length=1)]
    client_secret: Annotated[SecretStr, Field(alias="clientSecret", min_length=1)]
    tenant_id: Annotated[str | None, Field(alias="tenantId")] = None
    environment: Environment = "development"
    enabled: bool = True
    erp: Annotated[Erp | None, Field(repr=False)] = None
    secrets: Annotated[dict[_SecretId, Json | list[Any] | str], Field(repr=False)] = {}

    @model_validator(mode="after")
    def _none_of_the_relays(self) -> Self:
        """Refuse what could stand in the place of the relay's secrets, or of another tenant's."""
        named = {name for name in self.secrets if name.startswith("smartlink-")}
        if others := named - {f"smartlink-{name}-{self.tenant}" for name in self.own_secrets()}:
            message = (
                f"secrets: {min(others)} is the relay's own or another tenant's: what a command "
                f"declares as bank is smartlink-bank-{self.tenant}; an ERP's secret is `erp`"
            )
            raise ValueError(message)
        return self

    def own_secrets(self) -> dict[str, bytes]:
        """Return the payloads of the secrets that commands declare, by the declared name."""
        found = {id_: _OWN.fullmatch(id_) for id_ in self.secrets}
        return {
            own[1]: payload_text(self.secrets[id_]).encode()
            for id_, own in found.items()
            if own and own[2] == self.tenant and own[1] not in RELAY_SECRETS
        }

    def secret(self) -> Json:
        """Write the payload of `smartlink-tenant-<tenant>`."""
        payload = {"enabled": self.enabled, "environment": self.environment}
        return self.credential() | payload

    def credential(self) -> Json:
        """Write what RAC must know of the tenant."""
        tenant_id = {} if self.tenant_id is None else {"tenantId": self.tenant_id}
        secret = self.client_secret.get_secret_value()
        return {"clientId": self.client_id, "clientSecret": secret} | tenant_id

    def database_url(self, folder: Path) -> str:
        """Return the URL of the ERP's database: the file's, or else one under the folder."""
        if self.erp is not None:
            return self.erp.database_url
        return f"sqlite:///{(folder / 'erp' / self.tenant).absolute()}.sqlite3"

    def erp_secret(self, folder: Path) -> Json:
        """Write the payload of `smartlink-erp-<tenant>`."""
        erp = self.erp or Erp.model_validate({"databaseUrl": self.database_url(folder)})
        salt = {} if erp.salt is None else {"salt": erp.salt.get_secret_value()}
        more = {"accessLogDays": erp.access_log_days, "unproven": erp.unproven}
        given = {name: value for name, value in more.items() if value is not None}
        own = {"databaseUrl": erp.database_url, "map": erp.data_map, **salt, **given}
        return {**(erp.model_extra or {}), **own}

    def titular_secret(self) -> Json:
        """Write the payload of `smartlink-titular-<tenant>`: the same whenever the stack starts."""
        own = f"{self.tenant}/{self.client_secret.get_secret_value()}"
        return {"keys": [hashlib.sha256(own.encode()).hexdigest()]}


def payload_text(payload: object) -> str:
    """Write a secret's payload: a text as it is, all else as JSON."""
    return payload if isinstance(payload, str) else json.dumps(payload)


_FILE = TypeAdapter(list[LocalTenant])


def load_tenants(path: Path) -> tuple[LocalTenant, ...]:
    """Read the file. Raises SettingError, which names the file, the entry and the field."""
    try:
        tenants = _FILE.validate_python(json.loads(unmarked(path.read_bytes())))
    except OSError as error:
        message = (
            f"The tenants' file {path} (SMARTLINK_LOCAL_TENANTS) cannot be read: {error.strerror}."
        )
        raise SettingError(message) from error
    except ValueError as error:
        # The error's text must not hold the input, because it holds secrets.
        message = f"The tenants' file {path} is not valid: {_explain(error)}."
        raise SettingError(message) from None
    _check_names(path, tenants)
    return tuple(tenants)


def _check_names(path: Path, tenants: list[LocalTenant]) -> None:
    seen: set[str] = set()
    for number, tenant in enumerate(tenants, 1):
        try:
            check_tenant_name(tenant.tenant)
        except TenantError as error:
            message = f"The tenants' file {path} is not valid: entry {number}, tenant: {error}."
            raise SettingError(message) from error
        if tenant.tenant in seen:
            problem = f"entry {number}: {tenant.tenant} stands twice"
            message = f"The tenants' file {path} is not valid: {problem}."
            raise SettingError(message)
        seen.add(tenant.tenant)


def _explain(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return f"it is not JSON ({error})"
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(_problem(problem["loc"], problem["msg"]) for problem in problems)


def _problem(place: tuple[int | str, ...], problem: str) -> str:
    if not place:
        return problem
    entry, *fields = place
    number = f"entry {entry + 1}" if isinstance(entry, int) else str(entry)
    return f"{number}{''.join(f', {field}' for field in fields)}: {problem}"
