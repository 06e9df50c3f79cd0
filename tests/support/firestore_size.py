"""What a document occupies in Firestore, as it is billed: itself, and each of its index entries.

By https://firebase.google.com/docs/firestore/storage-size, with infra/firestore.json's indexes.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from infra.local.checkout import ROOT

_DECLARED = ROOT / "infra" / "firestore.json"
_NAME, _DOCUMENT, _ENTRY = 16, 32, 32  # bytes besides what is counted
_FIXED = {"boolean_value": 1, "null_value": 1, "integer_value": 8, "double_value": 8}
_AUTOMATIC = (("ASCENDING", "COLLECTION"), ("DESCENDING", "COLLECTION"))  # of a field not declared

Raw = Any  # protobuf has no types


def stored_bytes(document: Raw) -> int:
    """The document and its entries in single-field and composite indexes."""
    fields = document.fields
    path = document.name.partition("/documents/")[2].split("/")
    name, parent = _name(path), _name(path[:-2])
    group = path[-2]
    own = name + sum(_text(key) + _value(value) for key, value in fields.items()) + _DOCUMENT
    declared = _indexes()
    for key, value in fields.items():
        for _, scope in declared["fields"].get((group, key), _AUTOMATIC):
            collection = parent if scope == "COLLECTION" else 0
            own += name + collection + _text(key) + _value(value) + _ENTRY
    for scope, keys in declared["composite"].get(group, ()):
        if all(key in fields for key in keys):
            collection = parent if scope == "COLLECTION" else 0
            own += name + collection + sum(_value(fields[key]) for key in keys) + _ENTRY
    return int(own)


def expires(document: Raw) -> bool:
    """Whether a TTL policy takes it away one day."""
    group = document.name.rpartition("/")[0].rpartition("/")[2]
    return any((group, key) in _indexes()["ttl"] for key in document.fields)


@cache
def _indexes() -> Mapping[str, Any]:
    declared = json.loads(_DECLARED.read_text())
    fields = {
        (it["collectionGroup"], it["fieldPath"]): [
            (index.get("order"), index["queryScope"]) for index in it["indexes"]
        ]
        for it in declared["fieldOverrides"]
    }
    composite: dict[str, list[tuple[str, list[str]]]] = {}
    for it in declared["indexes"]:
        keys = [field["fieldPath"] for field in it["fields"]]
        composite.setdefault(it["collectionGroup"], []).append((it["queryScope"], keys))
    ttl = {
        (it["collectionGroup"], it["fieldPath"])
        for it in declared["fieldOverrides"]
        if it.get("ttl")
    }
    return {"fields": fields, "composite": composite, "ttl": ttl}


def _name(path: list[str]) -> int:
    return sum(map(_text, path)) + _NAME


def _text(text: str) -> int:
    return len(text.encode()) + 1


def _value(value: Raw) -> int:
    kind = value.WhichOneof("value_type")
    content = getattr(value, kind)
    if kind == "string_value":
        return _text(content)
    if kind == "bytes_value":
        return len(content)
    if kind == "timestamp_value":
        return 8
    if kind == "array_value":
        return sum(map(_value, content.values))
    if kind == "map_value":
        return sum(_text(key) + _value(its) for key, its in content.fields.items())
    return _FIXED[kind]
