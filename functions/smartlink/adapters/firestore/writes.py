"""Makes the writes of a request to Firestore, each with the precondition that fences it.

Each function returns a filler, which fills in a write inside its request. A write that is made
outside would be copied into the request, which costs a fifth more.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from smartlink.adapters.firestore.calls import Fill
from smartlink.adapters.firestore.values import Raw
from smartlink.domain.message import Version
from smartlink.ports import Refused

T = TypeVar("T")


def create(name: str, fill: Callable[[Raw, T], None], value: T) -> Fill:
    """Creates a document, which must not exist."""

    def write(raw: Raw) -> None:
        raw.update.name = name
        fill(raw.update.fields, value)
        raw.current_document.exists = False

    return write


def put(
    name: str, fill: Callable[[Raw, T], None], value: T, version: Version | None = None
) -> Fill:
    """Writes a whole document, which must be at this version; without a version, in any case."""

    def write(raw: Raw) -> None:
        raw.update.name = name
        fill(raw.update.fields, value)
        if version is not None:
            _fence(raw, version)

    return write


def change(
    name: str,
    fill: Callable[[Raw, T], None],
    value: T,
    mask: Sequence[str],
    version: Version | None = None,
) -> Fill:
    """Writes these fields of a document, which must be at this version; without one, in any
    case."""

    def write(raw: Raw) -> None:
        raw.update.name = name
        fill(raw.update.fields, value)
        raw.update_mask.field_paths.extend(mask)
        if version is not None:
            _fence(raw, version)

    return write


def delete(name: str, version: Version) -> Fill:
    """Deletes a document, which must be at this version."""

    def write(raw: Raw) -> None:
        raw.delete = name
        _fence(raw, version)

    return write


def _fence(raw: Raw, version: Version) -> None:
    """Makes the write depend on this version. Raises Refused if Firestore never gave such a
    version."""
    seconds, _, nanos = version.partition(".")
    time = raw.current_document.update_time
    try:
        time.seconds, time.nanos = int(seconds), int(nanos)
    except ValueError:
        message = "a version is not one that Firestore gave"
        raise Refused(message) from None
