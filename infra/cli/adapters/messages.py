"""Firestore for operators: lists, counts and purges, over the relay's calls and documents.

Lists filter by equality and go by document name: Firestore serves any such combination from the
single-field indexes that it keeps by itself, so no composite index is needed.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore import FirestoreClient

from smartlink.adapters import documents as rm
from smartlink.adapters.firestore import Firestore, QueryShape, up_to
from smartlink.adapters.firestore_calls import FirestoreCalls, Found
from smartlink.adapters.firestore_values import Raw, put_time
from smartlink.adapters.firestore_writes import delete
from smartlink.domain.message import Ended, LogLine, Stored

T = TypeVar("T")
PAGE = 200
PURGES = (QueryShape(rm.HISTORY, (), "DataFim"), QueryShape(rm.LOGS, (), "LOGDATE"))
"""What is purged, by which field: oldest first."""
FILTERED = {
    rm.LIVE: ("ID", "Comando", "Direcao", "Situacao"),
    rm.HISTORY: ("ID", "DataFim"),
    rm.LOGS: ("IDMENSAGEM", "LOGDATE"),
}
"""Fields that the queries here filter or order by; a test sees that none is exempt from indexes."""

_Filter = types.StructuredQuery.FieldFilter.Operator
_ASCENDING = types.StructuredQuery.Direction.ASCENDING
_DESCENDING = types.StructuredQuery.Direction.DESCENDING
_CONTENT = "Conteudo"


class OperatorCalls(FirestoreCalls):
    """The relay's calls, and a count."""

    def count(self, what: str, parent: str, query: Raw) -> int:
        """Count what a query finds: one read for each 1,000."""
        raw = types.RunAggregationQueryRequest.pb()(parent=parent)
        aggregation = raw.structured_aggregation_query
        aggregation.structured_query.CopyFrom(query)
        aggregation.aggregations.add(alias="all").count.SetInParent()
        request = types.RunAggregationQueryRequest.wrap(raw)
        [wrapped] = self._read(what, FirestoreClient.run_aggregation_query, request)
        answer = types.RunAggregationQueryResponse.pb(wrapped)
        return int(answer.result.aggregate_fields["all"].integer_value)


class OperatorStore(Firestore):
    """The relay's store, and what only an operator asks of it."""

    def __init__(self, calls: OperatorCalls) -> None:
        """Work over these calls."""
        super().__init__(calls)
        self._more = calls

    def _under(self, tenant: str) -> str:
        return self._name(rm.TENANTS, tenant)

    def live(self, tenant: str, equal: Mapping[str, str], *, page: int = PAGE) -> Iterator[Stored]:
        """List live messages without their contents, by name, however many there are."""
        last: str | None = None
        while True:
            query = _query(rm.LIVE, equal, page)
            _without_content(query, rm.LIVE)
            order = query.order_by.add(direction=_ASCENDING)
            order.field.field_path = "__name__"
            if last is not None:
                name = f"{self._under(tenant)}/{rm.LIVE}/{last}"
                query.start_at.values.add(reference_value=name)
            found = self._more.query(f"list messages of {tenant}", self._under(tenant), query)
            for item in found:
                yield Stored(rm.get_live(item.id, item.fields), item.version)
            if len(found) < page:
                return
            last = found[-1].id

    def count_live(self, tenant: str, equal: Mapping[str, str]) -> int:
        """Count live messages."""
        what = f"count messages of {tenant}"
        return self._more.count(what, self._under(tenant), _query(rm.LIVE, equal, 0))

    def ended(self, tenant: str, since: datetime | None, most: int) -> list[Ended]:
        """List the history without contents, the newest first."""
        query = _query(rm.HISTORY, {}, most)
        _without_content(query, rm.HISTORY)
        _newest(query, "DataFim", since)
        found = self._more.query(f"list the history of {tenant}", self._under(tenant), query)
        return [rm.get_history(item.id, item.fields) for item in found]

    def by_id(self, tenant: str, message_id: str) -> tuple[list[Stored], list[Ended]]:
        """Find every message, alive and ended, that its sender gave this id."""
        own = {"ID": message_id}
        under = self._under(tenant)
        what = f"find the message {message_id[:80]} of {tenant}"
        live = self._more.query(what, under, _query(rm.LIVE, own, PAGE))
        ended = self._more.query(what, under, _query(rm.HISTORY, own, PAGE))
        return (
            [Stored(rm.get_live(item.id, item.fields), item.version) for item in live],
            [rm.get_history(item.id, item.fields) for item in ended],
        )

    def lines_of(self, tenant: str, message_id: str) -> list[LogLine]:
        """Read every log line of a message, the oldest first."""
        query = _query(rm.LOGS, {"IDMENSAGEM": message_id}, 0)
        found = self._more.query(f"read logs of {tenant}", self._under(tenant), query)
        return sorted((rm.get_log(item.fields) for item in found), key=lambda line: line.at)

    def newest_lines(
        self, tenant: str, since: datetime | None, most: int
    ) -> list[tuple[str, LogLine]]:
        """Read the newest log lines with their ids, the newest first."""
        query = _query(rm.LOGS, {}, most)
        _newest(query, "LOGDATE", since)
        found = self._more.query(f"read logs of {tenant}", self._under(tenant), query)
        return [(item.id, rm.get_log(item.fields)) for item in found]

    def count_before(self, tenant: str, shape: QueryShape, cutoff: datetime) -> int:
        """Count what a purge would remove."""
        query = up_to(shape, [], cutoff, 1)
        query.ClearField("limit")
        what = f"count {shape.collection} of {tenant}"
        return self._more.count(what, self._under(tenant), query)

    def remove_before(self, tenant: str, shape: QueryShape, cutoff: datetime, most: int) -> int:
        """Remove the oldest, `most` at most; answers how many."""
        query = up_to(shape, [], cutoff, most)
        query.select.fields.add(field_path=shape.range)
        what = f"purge {shape.collection} of {tenant}"
        found: Sequence[Found] = self._more.query(what, self._under(tenant), query)
        writes = (delete(self._in(tenant, shape.collection, it.id), it.version) for it in found)
        return sum(version is not None for version in self._more.write_each(what, writes))


def _query(collection: str, equal: Mapping[str, str], limit: int) -> Raw:
    query = types.StructuredQuery.pb()()
    query.from_.add(collection_id=collection)
    if limit:
        query.limit.value = limit
    if equal:
        query.where.composite_filter.op = types.StructuredQuery.CompositeFilter.Operator.AND
    for name, value in equal.items():
        condition = query.where.composite_filter.filters.add().field_filter
        condition.field.field_path = name
        condition.op = _Filter.EQUAL
        condition.value.string_value = value
    return query


def _newest(query: Raw, field: str, since: datetime | None) -> None:
    if since is not None:
        bound = query.where.field_filter
        bound.field.field_path = field
        bound.op = _Filter.GREATER_THAN_OR_EQUAL
        put_time(bound.value, since)
    order = query.order_by.add(direction=_DESCENDING)
    order.field.field_path = field


_ORIGIN = (
    "ID",
    "Comando",
    "Direcao",
    "DataRecebimento",
    "Audiencia",
    "CorrelacaoId",
    "Pessoal",
    "Publicada",
    "ConteudoHash",
    "ConteudoTamanho",
    "ConteudoObjeto",
)


def _without_content(query: Raw, collection: str) -> None:
    """Contents are up to 256 KB each: a list must not carry them."""
    ended = ("DataFim", "DataExpiracao") if collection == rm.HISTORY else ()
    for name in (*_ORIGIN, *rm.STATE_FIELDS, *ended):
        query.select.fields.add(field_path=name)
