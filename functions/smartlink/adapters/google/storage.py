"""Cloud Storage: the configuration file, and contents that are too large for a document.

The first call imports the client, because most consumers never make one.
"""

import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar

from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials

from smartlink.adapters.google.failures import PATIENCE, Patience, Tries, call
from smartlink.domain.config import MAX_BYTES
from smartlink.loading import loading
from smartlink.ports import (
    ConfigFile,
    ConfigSource,
    Contents,
    NotFound,
    Refused,
    StoredContent,
    Unavailable,
)

if TYPE_CHECKING:
    from google.cloud.storage import Blob, Bucket, Client

T = TypeVar("T")
_NAME_LIMIT = 1_024  # bytes of an object's name
_CONTENT_LIMIT = 268_435_456  # bytes: more does not fit into a function's memory
_RACES = 5
_PUT_ONCE = 1  # the metageneration of an object that nobody has changed since it was made
_DOCUMENT = "documento"  # metadata: the document, because the object's name may hold its hash
_PUT = "gravacao"  # metadata: a new value with each put of an object that exists already
_LISTED = "items(name,generation,metageneration,updated,customTime,metadata),nextPageToken"


class _TooLargeError(Exception):
    """The object has more bytes than the limit."""


class _BoundedFile(BytesIO):
    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: Any) -> int:  # noqa: ANN401  (any buffer)
        if self.tell() + len(data) > self._limit:
            raise _TooLargeError
        return super().write(data)


class _Bucket:
    """Reads and writes a bucket's objects, with bounded tries."""

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
        """Calls with bounded tries. The errors name the bucket."""
        return call(f"{what} in the bucket {self._name}", request, Tries(self._patience))

    def blob(self, name: str, generation: int | None = None) -> "Blob":
        return self._bucket.blob(name, generation=generation)

    def found(self, name: str, timeout: float, known: int | None = None) -> "Blob | None":
        """Returns the object's metadata; None if there is no such object."""
        return self._bucket.get_blob(
            name, if_generation_not_match=known, timeout=timeout, retry=None
        )

    def page(self, after: str, limit: int, timeout: float) -> "list[Blob]":
        """Lists objects, without their bytes, from the name `after` on, in the order of their
        names."""
        blobs = self._bucket.list_blobs(
            start_offset=after or None,
            max_results=limit,
            fields=_LISTED,
            timeout=timeout,
            retry=None,
        )
        return list(blobs)

    def download(self, blob: "Blob", limit: int) -> bytes:
        """Reads an object. Raises NotFound, or Refused if it has more than `limit` bytes."""
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
    """Keeps contents in a bucket. Threads may share it."""

    def __init__(
        self, bucket: str, project: str, emulator: str = "", *, patience: Patience = PATIENCE
    ) -> None:
        self._bucket = _Bucket(bucket, project, emulator, patience)

    def put(self, tenant: str, document: str, sha256: str, data: bytes) -> str:
        name = object_name(tenant, document, sha256)

        def once(timeout: float) -> None:
            for _ in range(_RACES):
                try:
                    self._put(name, document, data, timeout)
                except (exceptions.PreconditionFailed, exceptions.NotFound):
                    continue  # the object came, went or changed between two requests: try again
                return
            message = f"write {name}: others changed it first {_RACES} times"
            raise Unavailable(message)

        self._bucket.call(f"write {name}", once)
        return name

    def _put(self, name: str, document: str, data: bytes, timeout: float) -> None:
        """Makes or changes the object, so that it does not expire and its version is a new one."""
        found = None
        try:
            self._upload(name, document, data, timeout, 0)
        except exceptions.PreconditionFailed:
            found = self._bucket.found(name, timeout)
        else:
            return
        if found is None:
            message = f"{name} went"
            raise exceptions.NotFound(message)
        # The name holds the hash, so the object holds this content. But if a message has ended, the
        # object has an expiry, which Google does not let us cancel. So a new object replaces it.
        if found.custom_time is not None:
            found = self._upload(name, document, data, timeout, found.generation)
        self._touch(found, document, timeout)

    def _upload(
        self, name: str, document: str, data: bytes, timeout: float, generation: int
    ) -> "Blob":
        blob = self._bucket.blob(name)
        blob.metadata = {_DOCUMENT: document}
        blob.upload_from_string(data, if_generation_match=generation, timeout=timeout, retry=None)
        return blob

    def _touch(self, blob: "Blob", document: str, timeout: float) -> None:
        """Raises the metageneration, so that a call that is about to remove the object sees this
        put."""
        blob.metadata = {_DOCUMENT: document, _PUT: uuid.uuid4().hex}
        blob.patch(
            if_generation_match=blob.generation,
            if_metageneration_match=blob.metageneration,
            timeout=timeout,
            retry=None,
        )

    def get(self, name: str) -> bytes:
        """Raises NotFound, or Refused if the bytes are not those that were put."""
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

    def withdraw(self, name: str) -> bool:
        def once(timeout: float) -> bool:
            try:
                self._bucket.blob(name).delete(
                    if_metageneration_match=_PUT_ONCE, timeout=timeout, retry=None
                )
            except exceptions.PreconditionFailed:
                return False
            except exceptions.NotFound:
                return True  # an earlier try deleted it, but its answer was lost
            return True

        return self._bucket.call(f"withdraw {name}", once)

    def lasting(self, after: str, touched: datetime, limit: int) -> tuple[list[StoredContent], str]:
        def once(timeout: float) -> "list[Blob]":
            return self._bucket.page(after, limit + 2, timeout)

        # Google's list begins with `after` itself. The emulator lists every object, in any order.
        found = self._bucket.call(f"list what follows {after!r}", once)
        blobs = sorted((it for it in found if it.name > after), key=lambda it: str(it.name))
        following = str(blobs[limit - 1].name) if len(blobs) > limit else ""
        return [
            StoredContent(
                name=str(blob.name),
                document=(blob.metadata or {}).get(_DOCUMENT),
                touched=blob.updated,
                version=f"{blob.generation}/{blob.metageneration}",
            )
            for blob in blobs[:limit]
            if blob.custom_time is None and blob.updated is not None and blob.updated < touched
        ], following

    def expire_unchanged(self, content: StoredContent, now: datetime) -> bool:
        generation, metageneration = map(int, content.version.split("/"))

        def once(timeout: float) -> bool:
            blob = self._bucket.blob(content.name)
            blob.custom_time = now
            try:
                blob.patch(
                    if_generation_match=generation,
                    if_metageneration_match=metageneration,
                    timeout=timeout,
                    retry=None,
                )
            except (exceptions.PreconditionFailed, exceptions.NotFound):
                return False
            return True

        return self._bucket.call(f"expire {content.name}", once)

    def _unless_missing(self, what: str, once: Callable[[float], None]) -> None:
        try:
            self._bucket.call(what, once)
        except NotFound:
            return


def object_name(tenant: str, document: str, sha256: str) -> str:
    """Returns `<tenant>/<document>/<sha256>`, with the document id's hash if the id is too long."""
    name = f"{tenant}/{document}/{sha256}"
    if len(name.encode()) > _NAME_LIMIT:
        name = f"{tenant}/~{hashlib.sha256(document.encode()).hexdigest()}/{sha256}"
    return name


class ConfigObject:
    """Reads `totvsAppConfig_v2.json`, but downloads it only if its generation is a new one."""

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
