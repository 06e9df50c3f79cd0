"""A shard holds the tenants that one call polls. It travels over Pub/Sub."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from smartlink.domain.bucket import bucket_of
from smartlink.domain.tenant import TenantEntry
from smartlink.ports import Envelope, Unavailable
from smartlink.services.push import PushError

TICK_LIFE = timedelta(seconds=60)
"""How long a tick lasts; then the next tick polls all tenants with its own shards."""


class ShardError(PushError):
    """The Pub/Sub message is not a shard of this relay."""


class OtherCatalogError(Unavailable):
    """The poll that made the shard has another catalogue than this instance."""


@dataclass(frozen=True, slots=True)
class Shard:
    """The tenants that one call polls. `sequence` counts its continuations."""

    tick: datetime
    number: int
    sequence: int
    entries: tuple[TenantEntry, ...]
    quota: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """In a continuation: how many dispatches each tenant has left in this tick, by command."""
    catalog: str = ""
    """The digest of the poll's catalogue; empty if an old release or an operator made the shard."""
    others: frozenset[str] = frozenset()
    """Commands that this catalogue lacks, and that a poll of another deployment knows."""
    changes: str = ""
    """The mark of the last change that an operator announced; empty where there was none, or where
    the poll did not say: it is of a release that did not, or an operator's."""

    @property
    def ends(self) -> datetime:
        """When the shard's tick is over."""
        return self.tick + TICK_LIFE

    def encode(self) -> Envelope:
        """Writes the shard as a Pub/Sub message."""
        document = {
            "tick": self.tick.isoformat(),
            "number": self.number,
            "sequence": self.sequence,
            "tenants": [[entry.name, entry.etag] for entry in self.entries],
            "quota": self.quota,
            "catalog": self.catalog,
            "others": sorted(self.others),
            "changes": self.changes,
        }
        attributes = {"tick": self.tick.isoformat(), "shard": str(self.number)}
        return Envelope(json.dumps(document).encode(), attributes)


def cut(entries: Iterable[TenantEntry], size: int) -> list[list[TenantEntry]]:
    """Cuts the tenants into shards of about `size`, between two buckets where that is possible.

    Each shard asks for its buckets by itself. So what is due in a bucket is read once, unless the
    bucket is larger than a shard.
    """
    shards: list[list[TenantEntry]] = []
    shard: list[TenantEntry] = []
    ordered = sorted(entries, key=lambda entry: (bucket_of(entry.name), entry.name))
    for _, tenants in groupby(ordered, lambda entry: bucket_of(entry.name)):
        bucket = list(tenants)
        room = size - len(shard)
        if shard and len(bucket) - room >= room:
            shards.append(shard)
            shard = []
        shard += bucket
        if len(bucket) > size:
            part = math.ceil(len(shard) / math.ceil(len(shard) / size))
            shards += [shard[start : start + part] for start in range(0, len(shard), part)]
            shard = []
    return [*shards, shard] if shard else shards


def in_turns(entries: Iterable[TenantEntry], first: int) -> list[TenantEntry]:
    """Returns a shard's tenants in the order of their turns: bucket by bucket, so that what a
    bucket's query found is used at once. With each `first` another tenant is the first."""
    its = list(entries)
    start = first % max(len(its), 1)
    rotated = [*its[start:], *its[:start]]
    places: dict[str, int] = {}
    for entry in rotated:
        places.setdefault(bucket_of(entry.name), len(places))
    return sorted(rotated, key=lambda entry: places[bucket_of(entry.name)])


def decode_shard(data: bytes) -> Shard:
    """Reads the shard from a Pub/Sub message's data. Raises ShardError."""
    try:
        document = json.loads(data)
        shard = Shard(
            datetime.fromisoformat(document["tick"]),
            int(document["number"]),
            int(document["sequence"]),
            tuple(TenantEntry(str(name), str(etag)) for name, etag in document["tenants"]),
            {
                str(name): {str(command): int(left) for command, left in its.items()}
                for name, its in document["quota"].items()
            },
            str(document.get("catalog", "")),
            frozenset(str(command) for command in document.get("others", ())),
            str(document.get("changes", "")),
        )
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        message = f"the Pub/Sub message is no shard ({type(error).__name__}): who published it?"
        raise ShardError(message) from None
    if shard.tick.tzinfo is None:
        message = "the shard's tick has no time zone: who published it?"
        raise ShardError(message)
    return shard
