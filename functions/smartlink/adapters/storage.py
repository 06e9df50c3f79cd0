"""Cloud Storage: the configuration file, and contents too large for a document.

The client is imported with the first call: most consumers never make one.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials

from smartlink.adapters.google import PATIENCE, Patience, Tries, call
from smartlink.domain.config import MAX_BYTES
from smartlink.loading import loading
from smartlink.ports import ConfigFile, ConfigSource, Contents, NotFound, Refused, Unavailable

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket, Client

T = TypeVar("T")
_NAME_LIMIT = 1_024  # bytes of an object's name
_CONTENT_LIMIT = 268_435_456  # bytes: more would not fit into a function's memory anyhow


class _TooLargeError(Exception):
    """The object has more bytes than are read."""


class _BoundedFile(BytesIO):
    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: Any) -> int:  # noqa: ANN401  (any buffer)
        if self.tell() + len(data) > self._limit:
            raise _TooLargeError
        return super().write(data)


class _Bucket:
    """A bucket's objects, with bounded tries."""

    def __init__(self, name: str, project: str, emulator: str, patience: Patience) -> None:
        self._name = name
        self._project = project
        self._emulator = emulator
        self._patience = patience

    @cached_property
    def _bucket(self) -> "Bucket":
        with loading():
            return _client(self._project, self._emulator).bucket(self._name)

    def call(self, what: str, request: Callable[[float], T]) -> T:
        """Names the bucket in what is raised."""
        return call(f"{what} in the bucket {self._name}", request, Tries(self._patience))

    def blob(self, name: str, generation: int | None = None) -> "Blob":
        return self._bucket.blob(name, generation=generation)

    def found(self, name: str, timeout: float, known: int | None = None) -> "Blob | None":
        """The object's metadata; None where there is no such object."""
        return self._bucket.get_blob(
            name, if_generation_not_match=known, timeout=timeout, retry=None
        )

    def download(self, blob: "Blob", limit: int) -> bytes:
        """Raises NotFound, or Refused when the object has more bytes than the limit."""
        from google.cloud.storage.exceptions import DataCorruption  # noqa: PLC0415

        what = f"read {blob.name}"

        def once(timeout: float) -> bytes:
            file = _BoundedFile(limit)
            blob.download_to_file(file, timeout=timeout, retry=None)
            return file.getvalue()

        try:
            return self.call(what, once)
        except _TooLargeError:
            message = f"{what} in the bucket {self._name}: more than {limit} bytes are not read"
            raise Refused(message) from None
        except DataCorruption:
            message = f"{what} in the bucket {self._name}: it came damaged (its checksum differs)"
            raise Unavailable(message) from None


class BucketContents:
    """One client, safe for threads."""

    def __init__(
        self, bucket: str, project: str, emulator: str = "", *, patience: Patience = PATIENCE
    ) -> None:
        self._bucket = _Bucket(bucket, project, emulator, patience)

    def put(self, tenant: str, document: str, sha256: str, data: bytes) -> str:
        name = object_name(tenant, document, sha256)
        blob = self._bucket.blob(name)

        def upload(timeout: float, generation: int | None) -> None:
            blob.upload_from_string(
                data, if_generation_match=generation, timeout=timeout, retry=None
            )

        def once(timeout: float) -> None:
            try:
                upload(timeout, 0)
            except exceptions.PreconditionFailed:
                # The name holds the hash, so it is this content. But a message that ended set
                # its expiry, which cannot be taken back: only a new object lives on.
                found = self._bucket.found(name, timeout)
                if found is None or found.custom_time is not None:
                    upload(timeout, None)

        self._bucket.call(f"write {name}", once)
        return name

    def get(self, name: str) -> bytes:
        """Raises NotFound, and Refused where the bytes are not those that were put."""
        data = self._bucket.download(self._bucket.blob(name), _CONTENT_LIMIT)
        if hashlib.sha256(data).hexdigest() != name.rpartition("/")[2]:
            message = f"the content {name} is not what was stored: its hash differs"
            raise Refused(message)
        return data

    def expire(self, name: str, now: datetime) -> None:
        def once(timeout: float) -> None:
            blob = self._bucket.blob(name)
            blob.custom_time = now
            blob.patch(timeout=timeout, retry=None)

        self._unless_missing(f"expire {name}", once)

    def delete(self, name: str) -> None:
        def once(timeout: float) -> None:
            self._bucket.blob(name).delete(timeout=timeout, retry=None)

        self._unless_missing(f"delete {name}", once)

    def _unless_missing(self, what: str, once: Callable[[float], None]) -> None:
        try:
            self._bucket.call(what, once)
        except NotFound:
            return


def object_name(tenant: str, document: str, sha256: str) -> str:
    """`<tenant>/<document>/<sha256>`: of a document id that is too long, its hash."""
    name = f"{tenant}/{document}/{sha256}"
    if len(name.encode()) > _NAME_LIMIT:
        name = f"{tenant}/~{hashlib.sha256(document.encode()).hexdigest()}/{sha256}"
    return name


class ConfigObject:
    """`totvsAppConfig_v2.json`, read only when its generation is not the known one."""

    def __init__(
        self, uri: str, project: str, emulator: str = "", *, patience: Patience = PATIENCE
    ) -> None:
        bucket, _, self._name = uri.removeprefix("gs://").partition("/")
        self._uri = uri
        self._bucket = _Bucket(bucket, project, emulator, patience)

    def read(self, known: str | None) -> ConfigFile | None:
        generation = int(known) if known is not None and known.isdecimal() else None
        found = self._changed(generation)
        if found is None or found.generation == generation:  # the emulator ignores the condition
            return None
        blob = self._bucket.blob(self._name, found.generation)
        try:
            data = self._bucket.download(blob, MAX_BYTES)
        except NotFound:
            message = f"{self._uri} was replaced while it was read"
            raise Unavailable(message) from None
        return ConfigFile(str(found.generation), data)

    def _changed(self, generation: int | None) -> "Blob | None":
        def once(timeout: float) -> "Blob | None":
            try:
                found = self._bucket.found(self._name, timeout, generation)
            except exceptions.NotModified:
                return None
            if found is None:
                message = f"{self._uri} is missing"
                raise NotFound(message)
            return found

        return self._bucket.call(f"read {self._name}", once)


def _client(project: str, emulator: str) -> "Client":
    from google.cloud.storage import Client  # noqa: PLC0415

    if not emulator:
        return Client(project)
    endpoint = emulator if "://" in emulator else f"http://{emulator}"
    credentials = AnonymousCredentials()
    return Client(project, credentials=credentials, client_options={"api_endpoint": endpoint})


_contents: type[Contents] = BucketContents
_config_source: type[ConfigSource] = ConfigObject
