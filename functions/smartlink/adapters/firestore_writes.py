"""Writes to Firestore, as raw protobuf, each with the precondition that fences it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from google.cloud.firestore_v1 import types

from smartlink.adapters.firestore_values import Raw
from smartlink.domain.message import Version
from smartlink.ports import Refused

T = TypeVar("T")
_Write = types.Write.pb()


def create(name: str, fill: Callable[[Raw, T], None], value: T) -> Raw:
    """Make a write of a document that must not exist."""
    write = put(name, fill, value)
    write.current_document.exists = False
    return write


def put(name: str, fill: Callable[[Raw, T], None], value: T) -> Raw:
    """Make a write of a whole document, whether it exists or not."""
    write = _Write()
    write.update.name = name
    fill(write.update.fields, value)
    return write


def change(
    name: str, fill: Callable[[Raw, T], None], value: T, mask: Sequence[str], version: Version
) -> Raw:
    """Make a write of these fields, of a document that must be at this version."""
    write = put(name, fill, value)
    write.update_mask.field_paths.extend(mask)
    return fenced(write, version)


def delete(name: str, version: Version) -> Raw:
    """Make a write that deletes a document, which must be at this version."""
    return fenced(_Write(delete=name), version)


def fenced(write: Raw, version: Version) -> Raw:
    """Let a write hold only at this version. One that never was one can match nothing."""
    seconds, _, nanos = version.partition(".")
    time = write.current_document.update_time
    try:
        time.seconds, time.nanos = int(seconds), int(nanos)
    except ValueError:
        message = "a version is not one that Firestore gave"
        raise Refused(message) from None
    return write
