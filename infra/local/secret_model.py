"""The secrets, versions and errors of Secret Manager, as its API shows them."""

import base64
import hashlib
import secrets as randomness
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """An error answer, in the form of Google's APIs."""

    def __init__(self, code: int, status: str, message: str) -> None:
        """`code` is the HTTP status, and `status` Google's name for it."""
        super().__init__(message)
        self.body = {"error": {"code": code, "message": message, "status": status}}
        self.code = code


def invalid(message: str) -> ApiError:
    """Make the error for an invalid argument."""
    return ApiError(400, "INVALID_ARGUMENT", message)


def failed(message: str) -> ApiError:
    """Make the error for something that is in the wrong state."""
    return ApiError(400, "FAILED_PRECONDITION", message)


def project_number(project: str) -> str:
    """Return a project's number; a project that is a number has itself."""
    if project.isdecimal():
        return project
    digest = hashlib.sha256(project.encode()).digest()
    return str(100_000_000_000 + int.from_bytes(digest[:6]) % 900_000_000_000)


def new_etag() -> str:
    """Make an etag in quotes, as the service does."""
    return f'"{randomness.token_hex(7)}"'


@dataclass
class Version:
    """One version of a secret. A destroyed version has no `data`."""

    name: str
    created: str
    data: bytes
    state: str = "ENABLED"
    destroyed: str | None = None
    etag: str = field(default_factory=new_etag)

    def kept(self) -> Json:
        """Write it for a file, with its payload."""
        return vars(self) | {"data": base64.b64encode(self.data).decode()}

    @classmethod
    def read(cls, kept: Json) -> "Version":
        """Read what `kept` wrote."""
        return cls(**kept | {"data": base64.b64decode(kept["data"])})

    def json(self) -> Json:
        """Show the version as the API does, without its payload."""
        shown = {
            "name": self.name,
            "createTime": self.created,
            "state": self.state,
            "etag": self.etag,
        }
        shown["replicationStatus"] = {"automatic": {}}  # type: ignore[assignment]
        return shown | ({"destroyTime": self.destroyed} if self.destroyed else {})


@dataclass
class Secret:
    """A secret and its versions, the first at index 0."""

    name: str
    created: str
    labels: dict[str, str]
    annotations: dict[str, str]
    etag: str = field(default_factory=new_etag)
    versions: list[Version] = field(default_factory=list)

    def kept(self) -> Json:
        """Write it for a file, with its payloads."""
        return vars(self) | {"versions": [version.kept() for version in self.versions]}

    @classmethod
    def read(cls, kept: Json) -> "Secret":
        """Read what `kept` wrote."""
        return cls(**kept | {"versions": [Version.read(version) for version in kept["versions"]]})

    def json(self) -> Json:
        """Show the secret as the API does."""
        return {
            "name": self.name,
            "replication": {"automatic": {}},
            "createTime": self.created,
            "labels": self.labels,
            "annotations": self.annotations,
            "etag": self.etag,
        }
