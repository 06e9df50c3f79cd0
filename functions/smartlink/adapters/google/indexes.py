"""Firestore's indexes: what `infra/firestore.json` declares, and what the Admin API tells."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

READY = "READY"
INDEXED_FIELDS = "indexConfig.usesAncestorConfig:false"
"""The filter of `fields` by which the API lists the fields whose indexes are not the usual ones."""
_COLLECTION = "COLLECTION"

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Index:
    """What makes an index this one and no other. Without its scope, one of a single collection
    would pass for one over all tenants."""

    collection: str
    scope: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        scope = "" if self.scope == _COLLECTION else f", {self.scope}"
        return f"{self.collection} ({', '.join(self.fields)}{scope})"


def declared_indexes(part: Json) -> list[Index]:
    """Returns the indexes of a database: `part` is what the file says of it."""
    composite = [
        Index(it["collectionGroup"], it["queryScope"], _fields(it)) for it in part["indexes"]
    ]
    single = [
        Index(field["collectionGroup"], it["queryScope"], (_field({**field, **it}),))
        for field in part.get("fieldOverrides", ())
        for it in field["indexes"]
    ]
    return composite + single


def index_states(indexes: Iterable[Json], fields: Iterable[Json]) -> dict[Index, str]:
    """Returns the state of each index that there is, from the API's lists of a database."""
    return dict(_states(indexes, fields))


def _states(indexes: Iterable[Json], fields: Iterable[Json]) -> Iterator[tuple[Index, str]]:
    for it in indexes:
        yield Index(_collection(it), it["queryScope"], _fields(it)), it.get("state", "")
    for field in fields:
        for it in field.get("indexConfig", {}).get("indexes", ()):
            yield Index(_collection(field), it["queryScope"], _fields(it)), it.get("state", "")


def _collection(named: Json) -> str:
    return str(named["name"]).split("/collectionGroups/")[1].split("/")[0]


def _fields(index: Json) -> tuple[str, ...]:
    """Leaves out what Firestore adds to each index."""
    return tuple(_field(it) for it in index["fields"] if it["fieldPath"] != "__name__")


def _field(field: Json) -> str:
    return f"{field['fieldPath']} {field.get('order') or field.get('arrayConfig')}"
