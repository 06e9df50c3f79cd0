"""The newest documents of a collection, all of them or those of some tenants alone.

The tenants are part of the query. Firestore takes 30 of them in one: for more there are several
queries, whose documents are merged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge

from google.cloud.firestore_v1 import types

from smartlink.adapters.firestore.calls import FirestoreCalls, Found
from smartlink.adapters.firestore.values import put_text, put_time

AT_ONCE = 30
"""Values of one `array-contains-any`: Firestore's limit."""
_DESCENDING = types.StructuredQuery.Direction.DESCENDING
_Filter = types.StructuredQuery.FieldFilter.Operator


@dataclass(frozen=True, slots=True)
class Newest:
    """Where the documents lie, and the fields by which they are found."""

    collection: str
    time: str
    tenants: str  # an array of names

    def ask(
        self,
        calls: FirestoreCalls,
        what: str,
        page: int,
        *,
        since: datetime | None = None,
        tenants: Sequence[str] | None = None,
    ) -> Iterator[Found]:
        """Returns the documents, the newest first, read `page` at a time for each query.

        `tenants`: those alone that are about at least one of these.
        """
        if tenants is None:
            yield from self._ask(calls, what, page, since, ())
            return
        parts = [tenants[at : at + AT_ONCE] for at in range(0, len(tenants), AT_ONCE)]
        queries = [self._ask(calls, what, page, since, it) for it in parts]
        last = ""
        for found in merge(*queries, key=self._place, reverse=True):
            if found.id != last:  # one of tenants of several parts is found by each
                yield found
            last = found.id

    def _place(self, found: Found) -> tuple[int, int, str]:
        at = found.fields[self.time].timestamp_value
        return at.seconds, at.nanos, found.id

    def _ask(
        self,
        calls: FirestoreCalls,
        what: str,
        page: int,
        since: datetime | None,
        tenants: Sequence[str],
    ) -> Iterator[Found]:
        query = types.StructuredQuery.pb()()
        query.from_.add(collection_id=self.collection)
        query.limit.value = page
        conditions = query.where.composite_filter
        conditions.op = types.StructuredQuery.CompositeFilter.Operator.AND
        if since is not None:
            bound = conditions.filters.add().field_filter
            bound.field.field_path = self.time
            bound.op = _Filter.GREATER_THAN_OR_EQUAL
            put_time(bound.value, since)
        if tenants:
            own = conditions.filters.add().field_filter
            own.field.field_path = self.tenants
            own.op = _Filter.ARRAY_CONTAINS_ANY
            for tenant in tenants:
                put_text(own.value.array_value.values.add(), tenant)
        if not conditions.filters:
            query.ClearField("where")
        for name in (self.time, "__name__"):
            query.order_by.add(direction=_DESCENDING).field.field_path = name
        while True:
            found = calls.query(what, calls.root, query)
            yield from found
            if len(found) < page:
                return
            query.ClearField("start_at")
            query.start_at.values.add().CopyFrom(found[-1].fields[self.time])
            name = f"{calls.root}/{self.collection}/{found[-1].id}"
            query.start_at.values.add(reference_value=name)
