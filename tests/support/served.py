"""Tells which queries Firestore would refuse for want of an index; its emulator serves any.

A query with equalities alone is served by its fields' own indexes, which Firestore merges. With a
range or an order besides, each equality needs a composite index that ends with that field. By
itself Firestore keeps a field's own index for one collection, never one over all tenants.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import grpc

from tests.support.firestore_counter import raw

_DECLARED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "infra/firestore.json").read_text(encoding="utf-8")
)
_NAME = "__name__"
_EQUAL = {"EQUAL", "ARRAY_CONTAINS", "ARRAY_CONTAINS_ANY", "IN"}


class Unserved(grpc.UnaryStreamClientInterceptor):  # type: ignore[misc]
    """`OperatorCalls(…, interceptors=[unserved])`; then `unserved.found` names such queries."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.asked = 0
        self._lock = Lock()

    def intercept_unary_stream(
        self,
        continuation: Callable[..., Any],
        details: grpc.ClientCallDetails,
        request: Any,  # noqa: ANN401
    ) -> Iterator[Any]:
        its = raw(request)
        method = details.method.rpartition("/")[2]
        if method == "RunQuery":
            self._look(its.structured_query)
        elif method == "RunAggregationQuery":
            self._look(its.structured_aggregation_query.structured_query)
        answers: Iterator[Any] = continuation(details, request)
        return answers

    def _look(self, query: Any) -> None:  # noqa: ANN401
        missing = missing_index(query)
        with self._lock:
            self.asked += 1
            if missing is not None:
                self.found.add(missing)


def missing_index(query: Any) -> str | None:  # noqa: ANN401
    """Names what a query has no index for; None if it is served."""
    collection = query.from_[0].collection_id
    scope = "COLLECTION_GROUP" if query.from_[0].all_descendants else "COLLECTION"
    equal: set[str] = set()
    ranged: set[str] = set()
    for it in _filters(query.where):
        kind = equal if type(it).Operator.Name(it.op) in _EQUAL else ranged
        kind.add(it.field.field_path)
    ranged |= {it.field.field_path for it in query.order_by}
    ranged -= {_NAME}
    if not equal or not ranged:
        without = [it for it in equal | ranged if not _own(collection, scope, it)]
        if without or len(ranged) > 1:
            return f"{collection} ({scope}) by {', '.join(sorted(without or ranged))}"
        return None
    [last] = ranged
    served: set[str] = set()
    for index in _DECLARED["indexes"]:
        fields = [it["fieldPath"] for it in index["fields"]]
        if (index["collectionGroup"], index["queryScope"]) == (collection, scope):
            first = set(fields[:-1])
            served |= first if fields[-1] == last and first <= equal else set()
    if equal <= served:
        return None
    return f"{collection} ({scope}) by {', '.join(sorted(equal - served))} with {last}"


def _filters(where: Any) -> Iterator[Any]:  # noqa: ANN401
    if where.HasField("field_filter"):
        yield where.field_filter
    for it in where.composite_filter.filters:
        yield from _filters(it)


def _own(collection: str, scope: str, field: str) -> bool:
    """Whether a field has its own index of this scope."""
    for it in _DECLARED["fieldOverrides"]:
        if (it["collectionGroup"], it["fieldPath"]) == (collection, field):
            return any(index["queryScope"] == scope for index in it["indexes"])
    return scope == "COLLECTION"
