"""An effect that must not be repeated, as `Context.once` remembers it."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One document of `GTotvsLinkEffect`. A run of a message begins it; the result ends it."""

    document: str  # its document's id
    command: str
    key: str | None = field(repr=False)  # None for a personal command
    message: str  # the document id of the message whose run began it
    run: str  # a random id, by which a run recognises its own write
    begun: datetime
    expires: datetime
    ended: datetime | None = None
    result: str | None = field(default=None, repr=False)  # JSON, once it has ended


def effect_document(command: str, key: str) -> str:
    """Returns the id of an effect's document. It has a fixed length, however long the key is."""
    named = f"{command}\0{key}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(named).hexdigest()
