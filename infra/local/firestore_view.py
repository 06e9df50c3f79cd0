"""Reads documents as plain values, and counts, from the Firestore emulator."""

from typing import Any

from infra.local.rest import Json, Rest

TENANTS = "tenants"
LIVE = "GTotvsLinkMessage"
HISTORY = "GTotvsLinkMessageExec"
LOGS = "GTotvsLinkLog"
COLLECTIONS = (LIVE, HISTORY, LOGS)

PAGE = 300


class FirestoreView:
    """Reads one project's default database over REST, because Google's client takes long to
    import."""

    def __init__(self, rest: Rest, host: str, project: str) -> None:
        """`host` is the emulator's `host:port`."""
        self._rest = rest
        self._documents = f"http://{host}/v1/projects/{project}/databases/(default)/documents"

    def documents(self, tenant: str, collection: str) -> list[Json]:
        """Read a tenant's whole collection."""
        found: list[Json] = []
        token: str | None = ""
        while token is not None:
            url = f"{self._documents}/{TENANTS}/{tenant}/{collection}?pageSize={PAGE}"
            page = self._rest.call("GET", f"{url}&pageToken={token}" if token else url)
            found += [plain_fields(item.get("fields", {})) for item in page.get("documents", ())]
            token = page.get("nextPageToken") or None
        return found

    def count(self, collection: str) -> int:
        """Count a collection over all tenants."""
        source = [{"collectionId": collection, "allDescendants": True}]
        query = {
            "structuredAggregationQuery": {
                "structuredQuery": {"from": source},
                "aggregations": [{"alias": "all", "count": {}}],
            }
        }
        [answer] = self._rest.call("POST", f"{self._documents}:runAggregationQuery", query)
        return int(answer["result"]["aggregateFields"]["all"]["integerValue"])


def plain_fields(fields: Json) -> Json:
    """Return a document's fields as plain JSON, without Firestore's types."""
    return {name: _plain(value) for name, value in fields.items()}


def _plain(value: Json) -> Any:  # noqa: ANN401 - whatever a document holds
    [(kind, content)] = value.items()
    match kind:
        case "integerValue":
            return int(content)
        case "mapValue":
            return plain_fields(content.get("fields", {}))
        case "arrayValue":
            return [_plain(item) for item in content.get("values", ())]
        case _:
            return content
