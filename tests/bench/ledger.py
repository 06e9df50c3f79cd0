"""What must stand in the database, and at the broker, when a run is over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from google.cloud import firestore


class LedgerError(Exception):
    """A run lost, repeated or invented something: its time counts for nothing."""


@dataclass(frozen=True)
class Place:
    """Documents of a collection whose ids begin with a prefix, which is no part of the id."""

    collection: str
    prefix: str = ""
    suffix: str = ""

    def ids(self, names: Mapping[str, datetime]) -> dict[str, datetime]:
        """Those of a collection's documents that lie here."""
        return {
            name.removeprefix(self.prefix).removesuffix(self.suffix): at
            for name, at in names.items()
            if name.startswith(self.prefix)
        }


@dataclass(frozen=True)
class Places:
    """Where a contestant keeps what."""

    waiting: Place
    history: Place
    replies: Place
    logs: Place


class Books(Protocol):
    """What a contestant has stored, read from outside."""

    def read(self, place: Place) -> dict[str, datetime]:
        """When each thing of a place was stored, by the database's own clock."""

    def count(self, place: Place) -> int:
        """How many things its collection has."""


@dataclass(frozen=True)
class FirestoreBooks:
    """One tenant's documents."""

    database: firestore.Client
    tenant: str

    def read(self, place: Place) -> dict[str, datetime]:
        """When each document was committed."""
        snapshots = self._collection(place).select([]).stream()
        return place.ids({snapshot.id: snapshot.create_time for snapshot in snapshots})

    def count(self, place: Place) -> int:
        """Have Firestore count."""
        return int(self._collection(place).count().get()[0][0].value)

    def _collection(self, place: Place) -> Any:  # noqa: ANN401  (Google publishes no types)
        tenant = self.database.collection("tenants").document(self.tenant)
        return tenant.collection(place.collection)


@dataclass(frozen=True)
class Ledger:
    """Sees whether one contestant's books balance."""

    books: Books
    places: Places

    def ended(self) -> int:
        """Count the messages in the history."""
        return self.books.count(self.places.history)

    def settled(self, ids: Sequence[str]) -> datetime:
        """See that each message is in the history once, with two log lines and a reply, and
        that nothing else lives; answer when the last of all these was committed."""
        history = self.books.read(self.places.history)
        replies = self.books.read(self.places.replies)
        logs = self.books.read(self.places.logs)
        _same("the history", history, ids)
        _same("the replies", replies, ids)
        _same("the live messages", self.books.read(self.places.waiting), ())
        if len(logs) != 2 * len(ids):
            message = f"there are {len(logs)} log lines of {len(ids)} messages"
            raise LedgerError(message)
        return max(max(found.values()) for found in (history, replies, logs))

    def answered(self, expected: Sequence[str], sent: Sequence[str]) -> None:
        """See that every reply was sent once, and that none is left."""
        if sorted(sent) != sorted(expected):
            message = (
                f"{len(sent)} replies were sent ({len(set(sent))} different) to {len(expected)}"
            )
            raise LedgerError(message)
        _same("the replies", self.books.read(self.places.replies), ())


def _same(what: str, found: Mapping[str, datetime], ids: Sequence[str]) -> None:
    missing, strange = set(ids) - found.keys(), found.keys() - set(ids)
    if missing or strange:
        message = f"{what}: {len(missing)} of {len(ids)} are missing, {len(strange)} are too many"
        raise LedgerError(message)
