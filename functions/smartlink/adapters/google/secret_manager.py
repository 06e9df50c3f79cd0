"""Reads the secrets of tenants and of their ERPs from Secret Manager.

No error, repr or log line holds a payload. The first call imports the client, because most
consumers never make one.
"""

import logging
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import google_crc32c
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.protobuf import json_format

from smartlink.adapters.google.failures import PATIENCE, Patience, Tries, call
from smartlink.domain.tenant import TenantEntry, TenantError, check_tenant_name
from smartlink.loading import loading
from smartlink.ports import ErpSecrets, NotFound, Refused, TenantSecrets, Unavailable

if TYPE_CHECKING:
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient

T = TypeVar("T")
_log = logging.getLogger("smartlink")
_PREFIX = "smartlink-tenant-"
_ERP_PREFIX = "smartlink-erp-"
_TITULAR_PREFIX = "smartlink-titular-"
_FILTER = "labels.smartlink=tenant"
_PAGE = 1_000
_LIST_ROLE = "a role with secretmanager.secrets.list on the project"
_ACCESS_ROLE = "roles/secretmanager.secretAccessor on the secret"


class SecretManager:
    """One client over REST: gRPC makes a cold start longer than it makes the few calls shorter."""

    def __init__(self, project: str, *, emulator: str = "", patience: Patience = PATIENCE) -> None:
        self._project = project
        self._emulator = emulator
        self._patience = patience

    @cached_property
    def _client(self) -> "SecretManagerServiceClient":
        with loading():
            return _client(self._emulator)

    def entries(self) -> list[TenantEntry]:
        """Skips a secret whose name holds no tenant's name, and logs a warning."""
        entries = []
        for secret in self._secrets():
            name = secret.name.rpartition("/")[2]
            try:
                tenant = _tenant(name)
            except TenantError as error:
                _log.warning("The secret %s is labelled smartlink=tenant, but %s", name, error)
            else:
                entries.append(TenantEntry(tenant, secret.etag))
        return entries

    def _secrets(self) -> Iterator[Any]:
        request = {
            "parent": f"projects/{self._project}",
            "filter": _FILTER,
            "page_size": _PAGE,
            "page_token": "",
        }
        while True:
            page = self._call("list the tenants' secrets", _LIST_ROLE, self._page, request)
            yield from page.secrets
            if not page.next_page_token:
                return
            request["page_token"] = page.next_page_token

    def _page(self, **options: Any) -> Any:  # noqa: ANN401  (GAPIC's own)
        return next(iter(self._client.list_secrets(**options).pages))

    def payload(self, tenant: str) -> bytes:
        return self._access(_PREFIX, tenant)

    def erp(self, tenant: str) -> bytes:
        return self._access(_ERP_PREFIX, tenant)

    def titular(self, tenant: str) -> bytes:
        return self._access(_TITULAR_PREFIX, tenant)

    def own(self, tenant: str, name: str) -> bytes:
        return self._access(f"smartlink-{name}-", tenant)

    def _access(self, prefix: str, tenant: str) -> bytes:
        try:
            secret = f"{prefix}{check_tenant_name(tenant)}"
        except TenantError as error:
            raise NotFound(str(error)) from None
        name = f"projects/{self._project}/secrets/{secret}/versions/latest"
        what = f"read the secret {secret}"
        access = self._client.access_secret_version
        payload = self._call(what, _ACCESS_ROLE, access, {"name": name}).payload
        data = bytes(payload.data)
        if payload.data_crc32c and payload.data_crc32c != google_crc32c.value(data):
            message = f"{what}: the payload came damaged (its checksum differs)"
            raise Unavailable(message)
        return data

    def _call(self, what: str, role: str, method: Callable[..., T], request: dict[str, Any]) -> T:
        def once(timeout: float) -> T:
            try:
                return method(request=request, retry=None, timeout=timeout)
            except json_format.Error:
                # The parser's text quotes what it could not parse.
                message = f"{what}: the answer is not readable"
                raise Unavailable(message) from None

        try:
            return call(what, once, Tries(self._patience))
        except Refused as error:
            if isinstance(error.__cause__, (exceptions.Forbidden, exceptions.Unauthorized)):
                message = f"{what}: permission denied: grant this function's account {role}"
                raise Refused(message) from error.__cause__
            raise


def _tenant(secret: str) -> str:
    if not secret.startswith(_PREFIX):
        message = f"its name does not begin with {_PREFIX}"
        raise TenantError(message)
    return check_tenant_name(secret.removeprefix(_PREFIX))


def _client(emulator: str) -> "SecretManagerServiceClient":
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient  # noqa: PLC0415
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (  # noqa: PLC0415
        SecretManagerServiceRestTransport,
    )

    if not emulator:
        return SecretManagerServiceClient(transport="rest")
    transport = SecretManagerServiceRestTransport(
        host=emulator.removeprefix("http://").rstrip("/"),
        url_scheme="http",
        credentials=AnonymousCredentials(),
    )
    return SecretManagerServiceClient(transport=transport)


_tenant_secrets: type[TenantSecrets] = SecretManager
_erp_secrets: type[ErpSecrets] = SecretManager
