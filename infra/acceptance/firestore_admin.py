"""Probes of what is configured in Firestore: the database, its indexes, exemptions and TTL."""

from typing import Any

from infra.acceptance.place import Place
from infra.acceptance.probe import need, probe
from smartlink.adapters.google.indexes import (
    INDEXED_FIELDS,
    READY,
    declared_indexes,
    index_states,
)

_SERVICE = "firestore-admin"
AUDITOR = (
    "datastore.databases.get",
    "datastore.entities.create",
    "datastore.entities.get",
    "datastore.entities.list",
    "datastore.indexes.list",
)
"""The rights of the role smartlinkAuditor in terraform/audit.tf. A test compares."""

_CLOUD = "the Firestore emulator has no Admin API"


def _database(place: Place, name: str = "") -> str:
    settings = place.settings
    return f"/v1/projects/{settings.project}/databases/{name or settings.firestore_database}"


@probe(
    "firestore-database",
    assumes="The database is in native mode.",
    relied="Subcollections, BatchWrite and TTL: Datastore mode has none of them "
    "(adapters/firestore/).",
    expected="FIRESTORE_NATIVE",
    cloud_only=_CLOUD,
)
def database(place: Place) -> str:
    """Read the database."""
    body = place.call(_SERVICE, "GET", _database(place)).needed("read the database")
    need(str(body["type"]), holds=body["type"] == "FIRESTORE_NATIVE")
    more = [body.get(name) for name in ("locationId", "concurrencyMode")]
    return ", ".join(str(it) for it in (body["type"], *more) if it)


@probe(
    "firestore-indexes",
    assumes="Each index of infra/firestore.json is READY, in the messages' database and in "
    "smartlink-audit.",
    relied="Firestore refuses a query without its index: no sweep without them, and no audit for "
    "whoever may see some tenants (adapters/firestore/: QUERIES, NEWEST).",
    expected="every declared index is READY",
    cloud_only=_CLOUD,
)
def indexes(place: Place) -> str:
    """Compare the declared indexes with those that are ready."""
    parts = {
        place.settings.firestore_database: place.indexes,
        place.settings.audit_database: place.indexes["audit"],
    }
    wanting, wanted = [], 0
    for name, part in parts.items():
        groups = f"{_database(place, name)}/collectionGroups/-"
        declared = declared_indexes(part)
        found = index_states(
            place.listed(_SERVICE, f"{groups}/indexes", "indexes"),
            place.listed(_SERVICE, f"{groups}/fields", "fields", filter=INDEXED_FIELDS),
        )
        wanted += len(declared)
        wanting += [
            f"{name}: {it} {found.get(it, 'missing')}" for it in declared if found.get(it) != READY
        ]
    need(f"not ready: {'; '.join(wanting)}", holds=not wanting)
    return f"{wanted} READY"


def _overrides(place: Place, condition: str) -> dict[tuple[str, str], Any]:
    path = f"{_database(place)}/collectionGroups/-/fields"
    found = {}
    for item in place.listed(_SERVICE, path, "fields", filter=condition):
        collection, _, name = item["name"].split("/collectionGroups/")[1].partition("/fields/")
        found[collection, name] = item
    return found


@probe(
    "firestore-exemptions",
    assumes="Fields that are exempt have no index of their own: a content is not indexed, and a "
    "field that rises with time makes no hot spot.",
    relied="infra/firestore.json: the budget of writes, and contents over 1,500 bytes.",
    expected="every declared exemption is in force",
    cloud_only=_CLOUD,
)
def exemptions(place: Place) -> str:
    """Compare the declared exemptions with the fields' configuration."""
    found = _overrides(place, INDEXED_FIELDS)
    wanted = [
        (it["collectionGroup"], it["fieldPath"])
        for it in place.indexes["fieldOverrides"]
        if not it["indexes"]
    ]
    missing = [
        "/".join(it)
        for it in wanted
        if it not in found
        or found[it].get("indexConfig", {}).get("indexes")
        or found[it].get("indexConfig", {}).get("reverting")
    ]
    need(f"not exempt: {', '.join(missing)}", holds=not missing)
    return f"{len(wanted)} in force"


@probe(
    "firestore-ttl",
    assumes="A TTL policy on a timestamp field deletes the document after it, and is ACTIVE once "
    "made.",
    relied="History, logs and effects expire by DataExpiracao; nothing else deletes them "
    "(infra/firestore.json).",
    expected="every declared policy is ACTIVE",
    cloud_only=_CLOUD,
)
def ttl(place: Place) -> str:
    """Compare the declared TTL policies with those in force."""
    found = _overrides(place, "ttlConfig:*")
    wanted = [
        (it["collectionGroup"], it["fieldPath"])
        for it in place.indexes["fieldOverrides"]
        if it.get("ttl")
    ]
    states = {it: found.get(it, {}).get("ttlConfig", {}).get("state") for it in wanted}
    missing = [f"{'/'.join(it)}: {state}" for it, state in states.items() if state != "ACTIVE"]
    need(f"not active: {', '.join(missing)}", holds=not missing)
    return f"{len(wanted)} ACTIVE"


@probe(
    "firestore-audit",
    assumes="A role that may create, get and list documents lets nobody change or delete one, and "
    "a condition limits it to one database.",
    relied="What operators did cannot be changed by them (terraform/audit.tf).",
    expected="the database smartlink-audit, and the role smartlinkAuditor with these rights alone",
    cloud_only=_CLOUD,
)
def audit(place: Place) -> str:
    """Read the audit's database and the operators' role on it."""
    project = f"projects/{place.settings.project}"
    answer = place.call(_SERVICE, "GET", _database(place, place.settings.audit_database))
    kind = answer.needed("read the audit's database")["type"]
    answer = place.call("iam", "GET", f"/v1/{project}/roles/smartlinkAuditor")
    rights = sorted(answer.needed("read the operators' role")["includedPermissions"])
    seen = f"{kind}; {', '.join(rights)}"
    need(seen, holds=kind == "FIRESTORE_NATIVE" and rights == sorted(AUDITOR))
    return seen


PROBES = (database, indexes, exemptions, ttl, audit)
