"""Secret Manager for operators: creates, changes and deletes a tenant's secret.

No error, repr or log line holds a payload.
"""

from datetime import datetime
from typing import Any

import google_crc32c
from google.api_core import exceptions

from smartlink.adapters.google.secret_manager import SecretManager
from smartlink.domain.tenant import TenantEntry
from smartlink.operations.ports import OperatorSecrets
from smartlink.ports import NotFound, Refused

_ROLE = "roles/secretmanager.admin on the secrets smartlink-tenant-*"
_TOUCHED = "smartlink-changed"


class OperatorSecretManager(SecretManager):
    """The relay's adapter, and the calls that only an operator's account may make."""

    def entry(self, tenant: str) -> TenantEntry | None:
        """Returns the tenant as the list shows it; None if it is not there."""
        return next((it for it in self.entries() if it.name == tenant), None)

    def create(self, tenant: str, payload: bytes, region: str | None) -> None:
        """Makes the secret and its first version. Raises Refused if the secret exists already."""
        replication: dict[str, Any] = {"automatic": {}}
        if region:
            replication = {"user_managed": {"replicas": [{"location": region}]}}
        request = {
            "parent": f"projects/{self._project}",
            "secret_id": f"smartlink-tenant-{tenant}",
            "secret": {"replication": replication, "labels": {"smartlink": "tenant"}},
        }
        self._call(f"create the secret of {tenant}", _ROLE, self._client.create_secret, request)
        try:
            self.add(tenant, payload)
        except BaseException:
            self.remove(tenant)  # a secret without a version would only confuse
            raise

    def add(self, tenant: str, payload: bytes) -> str:
        """Adds a version; returns its number."""
        request = {
            "parent": self._secret(tenant),
            "payload": {"data": payload, "data_crc32c": google_crc32c.value(payload)},
        }
        what = f"add a version to the secret of {tenant}"
        version = self._call(what, _ROLE, self._client.add_secret_version, request)
        return str(version.name.rpartition("/")[2])

    def enabled_versions(self, tenant: str) -> list[str]:
        """Returns the numbers of the enabled versions, the newest first."""
        request = {"parent": self._secret(tenant), "filter": "", "page_size": 1_000}
        what = f"list the versions of the secret of {tenant}"
        page = self._call(what, _ROLE, self._versions, request)
        return [v.name.rpartition("/")[2] for v in page.versions if v.state.name == "ENABLED"]

    def _versions(self, **options: Any) -> Any:  # noqa: ANN401  (GAPIC's own)
        return next(iter(self._client.list_secret_versions(**options).pages))

    def disable(self, tenant: str, version: str) -> None:
        """Disables a version, which can be enabled again."""
        request = {"name": f"{self._secret(tenant)}/versions/{version}"}
        what = f"disable a version of the secret of {tenant}"
        self._call(what, _ROLE, self._client.disable_secret_version, request)

    def touch(self, tenant: str, now: datetime) -> None:
        """Changes the secret's etag, so that the relay reads the secret again.

        A new version alone does not change the etag.
        """
        name = self._secret(tenant)
        what = f"touch the secret of {tenant}"
        secret = self._call(what, _ROLE, self._client.get_secret, {"name": name})
        annotations = {**secret.annotations, _TOUCHED: now.isoformat()}
        request = {
            "secret": {"name": name, "annotations": annotations},
            "update_mask": {"paths": ["annotations"]},
        }
        self._call(what, _ROLE, self._client.update_secret, request)

    def remove(self, tenant: str) -> None:
        """Deletes the secret with its versions. It is no error if the secret is gone."""
        request = {"name": self._secret(tenant)}
        what = f"delete the secret of {tenant}"
        try:
            self._call(what, _ROLE, self._client.delete_secret, request)
        except NotFound:
            return

    def exists(self, tenant: str) -> bool:
        """Tells whether a secret of this name exists, with or without the label."""
        what = f"look for the secret of {tenant}"
        try:
            self._call(what, _ROLE, self._client.get_secret, {"name": self._secret(tenant)})
        except NotFound:
            return False
        except Refused as error:
            if isinstance(error.__cause__, exceptions.NotFound):
                return False
            raise
        return True

    def _secret(self, tenant: str) -> str:
        return f"projects/{self._project}/secrets/smartlink-tenant-{tenant}"


_: type[OperatorSecrets] = OperatorSecretManager
