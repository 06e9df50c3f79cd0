"""Keeps secrets and answers as Secret Manager does, without HTTP.

As in the real service, names come back with the project's *number*, even if the caller used the
project's name. A secret's etag changes when the secret changes, but not when it gets a version.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from google_crc32c import value as crc32c

from infra.local.secret_filter import matches
from infra.local.secret_model import (
    ApiError,
    Json,
    Secret,
    Version,
    failed,
    invalid,
    new_etag,
    project_number,
)

MAX_PAYLOAD = 65_536
MAX_PAGE = 25_000
_SECRET_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_CHANGEABLE = ("labels", "annotations")


class SecretStore:
    """Keeps the secrets of all projects."""

    def __init__(
        self, clock: Callable[[], datetime] = lambda: datetime.now(UTC), file: Path | None = None
    ) -> None:
        """The store begins with what its file holds, and writes each change to it."""
        self._clock = clock
        self._file = file
        self._secrets: dict[str, Secret] = {}
        if file is not None and file.is_file():
            kept = map(Secret.read, json.loads(file.read_bytes()))
            self._secrets = {secret.name: secret for secret in kept}

    def _keep(self) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".draft")
        draft.touch(mode=0o600)  # it holds credentials
        draft.write_text(json.dumps([it.kept() for it in self._secrets.values()]), encoding="utf-8")
        draft.replace(self._file)

    def create(self, project: str, secret_id: str, body: Json) -> Json:
        """Create a secret without versions."""
        if not _SECRET_ID.fullmatch(secret_id):
            message = "The secret ID must match [A-Za-z0-9_-]{1,255}."
            raise invalid(message)
        if not body.get("replication"):
            message = "The secret's replication policy is missing."
            raise invalid(message)
        name = f"projects/{project_number(project)}/secrets/{secret_id}"
        if name in self._secrets:
            raise ApiError(409, "ALREADY_EXISTS", f"Secret [{name}] already exists.")
        secret = Secret(name, self._now(), _labels(body), dict(body.get("annotations", {})))
        self._secrets[name] = secret
        self._keep()
        return secret.json()

    def list(self, project: str, terms: str = "", size: int = 0, token: str = "") -> Json:
        """List a page of the secrets that match the filter, the newest first."""
        prefix = f"projects/{project_number(project)}/secrets/"
        found = [s for s in self._secrets.values() if s.name.startswith(prefix)]
        try:
            shown = [s.json() for s in reversed(found) if matches(terms, s.name, s.labels)]
        except ValueError as error:
            raise invalid(str(error)) from error
        return _page("secrets", shown, size, token)

    def get(self, project: str, secret_id: str) -> Json:
        """Show one secret."""
        return self._secret(project, secret_id).json()

    def patch(self, project: str, secret_id: str, body: Json, mask: str) -> Json:
        """Change the labels or annotations that the mask names."""
        secret = self._secret(project, secret_id)
        paths = [path for path in mask.split(",") if path]
        if not paths or any(path not in _CHANGEABLE for path in paths):
            message = (
                f"The update mask must name fields of {', '.join(_CHANGEABLE)}; it is [{mask}]."
            )
            raise invalid(message)
        _check_etag(body.get("etag", ""), secret.etag, secret.name)
        if "labels" in paths:
            secret.labels = _labels(body)
        if "annotations" in paths:
            secret.annotations = dict(body.get("annotations", {}))
        secret.etag = new_etag()
        self._keep()
        return secret.json()

    def delete(self, project: str, secret_id: str, etag: str = "") -> Json:
        """Delete a secret with its versions."""
        secret = self._secret(project, secret_id)
        _check_etag(etag, secret.etag, secret.name)
        del self._secrets[secret.name]
        self._keep()
        return {}

    def add_version(self, project: str, secret_id: str, body: Json) -> Json:
        """Add a version, which does not change the secret's etag."""
        secret = self._secret(project, secret_id)
        payload = body.get("payload", {})
        try:
            data = base64.b64decode(payload["data"], validate=True)
        except (KeyError, TypeError, binascii.Error) as error:
            message = "The payload's data is missing or is not base64."
            raise invalid(message) from error
        if not data or len(data) > MAX_PAYLOAD:
            message = f"The payload has {len(data)} bytes; 1 to {MAX_PAYLOAD} are allowed."
            raise invalid(message)
        if str(payload.get("dataCrc32c", crc32c(data))) != str(crc32c(data)):
            message = "The payload does not match its checksum."
            raise invalid(message)
        version = Version(f"{secret.name}/versions/{len(secret.versions) + 1}", self._now(), data)
        secret.versions.append(version)
        self._keep()
        return version.json()

    def versions(self, project: str, secret_id: str, size: int = 0, token: str = "") -> Json:
        """List a page of a secret's versions, the newest first."""
        secret = self._secret(project, secret_id)
        return _page("versions", [v.json() for v in reversed(secret.versions)], size, token)

    def get_version(self, project: str, secret_id: str, version_id: str) -> Json:
        """Show one version, without its payload."""
        return self._version(project, secret_id, version_id).json()

    def access(self, project: str, secret_id: str, version_id: str) -> Json:
        """Return a version's payload."""
        version = self._version(project, secret_id, version_id)
        if version.state != "ENABLED":
            message = f"Secret Version [{version.name}] is in {version.state} state."
            raise failed(message)
        data = base64.b64encode(version.data).decode()
        payload = {"data": data, "dataCrc32c": str(crc32c(version.data))}
        return {"name": version.name, "payload": payload}

    def change_state(self, project: str, secret_id: str, version_id: str, state: str) -> Json:
        """Enable, disable or destroy a version. A destroyed version cannot be changed."""
        version = self._version(project, secret_id, version_id)
        if version.state == "DESTROYED":
            message = f"Secret Version [{version.name}] is in DESTROYED state."
            raise failed(message)
        if state == "DESTROYED":
            version.data, version.destroyed = b"", self._now()
        version.state, version.etag = state, new_etag()
        self._keep()
        return version.json()

    def _now(self) -> str:
        return self._clock().isoformat(timespec="microseconds").replace("+00:00", "Z")

    def _secret(self, project: str, secret_id: str) -> Secret:
        name = f"projects/{project_number(project)}/secrets/{secret_id}"
        secret = self._secrets.get(name)
        if secret is None:
            raise ApiError(404, "NOT_FOUND", f"Secret [{name}] not found.")
        return secret

    def _version(self, project: str, secret_id: str, version_id: str) -> Version:
        secret = self._secret(project, secret_id)
        if version_id == "latest" and secret.versions:
            return secret.versions[-1]
        if version_id.isdecimal() and 0 < int(version_id) <= len(secret.versions):
            return secret.versions[int(version_id) - 1]
        message = f"Secret Version [{secret.name}/versions/{version_id}] not found."
        raise ApiError(404, "NOT_FOUND", message)


def _labels(body: Json) -> dict[str, str]:
    labels = dict(body.get("labels", {}))
    for key, text in labels.items():
        if not (key[:1].isalpha() and _LABEL.fullmatch(key) and _LABEL.fullmatch(text)):
            message = f"The label [{key}={text}] is not valid."
            raise invalid(message)
    return labels


def _check_etag(given: str, current: str, name: str) -> None:
    if given and given != current:
        message = f"The etag [{given}] does not match that of [{name}]."
        raise failed(message)


def _page(key: str, rows: list[Json], size: int, token: str) -> Json:
    if size < 0 or not (token == "" or token.isdecimal()):
        message = "The page size or the page token is not valid."
        raise invalid(message)
    start = int(token or 0)
    end = start + min(size or MAX_PAGE, MAX_PAGE)
    page: Json = {key: rows[start:end], "totalSize": len(rows)}
    return page | ({"nextPageToken": str(end)} if end < len(rows) else {})
