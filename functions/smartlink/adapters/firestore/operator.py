"""Firestore for operators: lists, counts and purges.

A list of live messages filters by equality and goes by document name: Firestore serves any such
combination from the single-field indexes that it keeps by itself, and it also finds the documents
that have lost a field. The history and the log lines go by time. A filter on them needs a composite
index: see `HISTORY_BY` and `LINES_BY_TYPE`. Several filters at once use several of these indexes,
which Firestore merges.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from google.cloud.firestore_v1 import types

from smartlink.adapters.firestore import documents as rm
from smartlink.adapters.firestore.calls import FirestoreCalls, Found
from smartlink.adapters.firestore.store import (
    DUE,
    DUE_BY_BUCKET,
    ENDED,
    LOGGED,
    Firestore,
    QueryShape,
    condition,
    ended_in,
    up_to,
)
from smartlink.adapters.firestore.values import (
    FAR_OFF,
    LONG_AGO,
    DocumentError,
    Raw,
    get_flag,
    get_optional_time,
    plain,
    put_time,
)
from smartlink.adapters.firestore.writes import create, delete
from smartlink.domain.bucket import EVERY_BUCKET
from smartlink.domain.hourly import HourFigures
from smartlink.domain.identity import LONGEST, encode, second_end_id
from smartlink.domain.message import (
    EndedSummary,
    Listed,
    LogLine,
    LogType,
    Stored,
    Unreadable,
    Version,
)
from smartlink.domain.said import said
from smartlink.operations.ports import (
    EndedQuery,
    Equal,
    MessageDocuments,
    OperatorStore,
    Purgeable,
    RawDocument,
    Spot,
)
from smartlink.ports import NotFound

T = TypeVar("T")
PAGE = 200
PURGES = {
    Purgeable.HISTORY: ENDED,
    Purgeable.LOGS: LOGGED,
}
"""What is purged, by which field: oldest first."""
HISTORY_BY = {
    name: QueryShape(rm.HISTORY, (name,), "DataFim", descending=True)
    for name in ("Comando", "Direcao", "Situacao", "SolicitacaoId")
}
_FIGURES = tuple(rm.HOUR_FIGURES.values())
GROUPED = (
    *((shape.collection, shape.equal, shape.range) for shape in HISTORY_BY.values()),
    (rm.HOURS, ("Hora", *_FIGURES[:-1]), _FIGURES[-1]),
)
"""The composite indexes that queries over all tenants need, of the scope COLLECTION_GROUP."""
IDS = ("ID", "CorrelacaoId", "SolicitacaoId")
"""The ids by which a message is sought: its own, its correlation id, its request id."""
GROUPED_FIELDS = {
    rm.LIVE: (*IDS, "Comando", "Direcao", "Situacao", "NaFila", "DataTentativaExec"),
    rm.HISTORY: (*IDS, "Comando", "Direcao", "Situacao", "DataFim"),
}
"""The fields by which the queries over all tenants filter or order, each by itself."""
LINES_BY_TYPE = QueryShape(rm.LOGS, ("LOGTYPE",), "LOGDATE", descending=True)
OPERATOR_QUERIES = (*HISTORY_BY.values(), LINES_BY_TYPE)
"""The queries here that need a composite index; a test compares them with
`infra/firestore.json`."""
FILTERED = {
    rm.LIVE: (*IDS, "Comando", "Direcao", "Situacao", "NaFila", "Titular"),
    rm.HISTORY: (*IDS, "Comando", "Direcao", "Situacao", "DataFim", "Titular"),
    rm.LOGS: ("IDMENSAGEM", "LOGTYPE", "LOGDATE"),
}
"""The fields by which the queries here filter or order. A test checks that each is indexed."""

_Filter = types.StructuredQuery.FieldFilter.Operator
_ASCENDING = types.StructuredQuery.Direction.ASCENDING
_DESCENDING = types.StructuredQuery.Direction.DESCENDING


@dataclass(frozen=True, slots=True)
class OddDocument:
    """An unreadable document with its raw fields."""

    collection: str
    document: str
    why: str
    version: Version
    fields: Raw = field(repr=False)

    @property
    def message_id(self) -> str | None:
        return rm.readable(self.fields, "ID")

    @property
    def ended(self) -> datetime | None:
        """When it ended; None if that is no instant."""
        try:
            return get_optional_time(self.fields, "DataFim")
        except DocumentError:
            return None

    @property
    def content_object(self) -> str | None:
        return rm.readable(self.fields, "ConteudoObjeto")

    @property
    def alive(self) -> bool:
        """Tells whether it is a document of a live message."""
        return self.collection == rm.LIVE

    @property
    def personal(self) -> bool:
        """Tells whether the document is marked personal; True also if the mark is unreadable."""
        try:
            return get_flag(self.fields, "Pessoal")
        except DocumentError:
            return True

    def shown(self, *, content: bool) -> dict[str, object]:
        """Returns the fields for people; what may be a content only if `content`."""
        return {
            name: plain(value)
            if content or name in rm.WITHOUT_CONTENT
            else said("({count} bytes, which are not shown)", count=value.ByteSize())
            for name, value in sorted(self.fields.items())
        }


class OperatorCalls(FirestoreCalls):
    """The relay's calls, and those over all tenants."""

    def count_at(self, what: str, parent: str, query: Raw, at: Raw | None) -> tuple[int, Raw]:
        """Counts what a query found at the instant of another count; returns the instant, too."""
        values, read = self.aggregate(what, parent, query, _add_count, at)
        return values["all"], read

    def sums(self, what: str, parent: str, query: Raw, fields: Sequence[str]) -> Mapping[str, int]:
        """Sums these numbers over what a query finds. Each 1,000 index entries cost one read.

        The query is counted in the same call, which costs nothing, so that the cost can be told.
        """

        def add(aggregations: Raw) -> None:
            for name in fields:
                aggregations.add(alias=name).sum.field.field_path = name
            _add_count(aggregations)

        values, _ = self.aggregate(what, parent, query, add)
        return {name: values[name] for name in fields}

    def over(self, what: str, parent: str, query: Raw) -> list[tuple[str, Found]]:
        """Runs a query whose documents are of several tenants; returns the tenant of each too."""
        return [(it.tenant, it) for it in self.query(what, parent, query)]


def _add_count(aggregations: Raw) -> None:
    aggregations.add(alias="all").count.SetInParent()


class OperatorFirestore(Firestore):
    """The relay's store, and the queries that only operators need."""

    def __init__(self, calls: OperatorCalls) -> None:
        super().__init__(calls)
        self._more = calls

    def _under(self, tenant: str) -> str:
        return self._name(rm.TENANTS, tenant)

    def live(self, tenant: str, equal: Equal, *, page: int = PAGE) -> Iterator[Listed]:
        """Lists live messages without their contents, by name, however many there are."""
        for item in self.scan(tenant, equal, page=page):
            if isinstance(item, Listed):
                yield item

    def scan(
        self, tenant: str, equal: Equal, *, after: str = "", page: int = PAGE
    ) -> Iterator[Listed | Unreadable]:
        """Lists live messages, and the unreadable documents."""
        last: str | None = after or None
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
                yield _listed(item)
            if len(found) < page:
                return
            last = found[-1].id

    def count_live(self, tenant: str, equal: Equal) -> int:
        """Counts live messages."""
        what = f"count messages of {tenant}"
        return self._more.count(what, self._under(tenant), _query(rm.LIVE, equal, 0))

    def count_due(self, tenant: str, before: datetime) -> int:
        """Count the live messages that were due before an instant."""
        query = up_to(DUE, [], before, 0)
        return self._more.count(f"count due messages of {tenant}", self._under(tenant), query)

    def scan_ended(
        self, tenant: str, wanted: EndedQuery, *, page: int = PAGE
    ) -> Iterator[EndedSummary | OddDocument]:
        """List the history, the newest first, and the documents of it that cannot be read."""
        query = _history(wanted, page)
        _without_content(query, rm.HISTORY)
        _by_time(query, "DataFim", _DESCENDING)
        for found in self._pages(f"list the history of {tenant}", tenant, query, "DataFim"):
            yield _ended(found)

    def count_ended(self, tenant: str, wanted: EndedQuery) -> int:
        """Count what has ended."""
        query = _history(wanted, 0)
        return self._more.count(f"count the history of {tenant}", self._under(tenant), query)

    def _pages(self, what: str, tenant: str, query: Raw, field: str) -> Iterator[Found]:
        """Read all that a query by this field finds, a page at a time."""
        page = query.limit.value
        while True:
            found = self._more.query(what, self._under(tenant), query)
            yield from found
            if len(found) < page:
                return
            last = found[-1]
            query.ClearField("start_at")
            query.start_at.values.add().CopyFrom(last.fields[field])
            collection = query.from_[0].collection_id
            name = self._in(tenant, collection, last.id)
            query.start_at.values.add(reference_value=name)

    # Of all tenants, or of one

    def _where(self, tenant: str | None, query: Raw) -> str:
        """Returns the parent of a query, and has it go through all tenants if none is named."""
        if tenant is not None:
            return self._under(tenant)
        query.from_[0].all_descendants = True
        return self._more.root

    def page_live(
        self, tenant: str | None, equal: Equal, size: int, after: Spot | None = None
    ) -> list[tuple[str, Listed | Unreadable]]:
        """Lists the next live messages, by tenant and document."""
        query = _query(rm.LIVE, equal, size)
        _without_content(query, rm.LIVE)
        query.order_by.add(direction=_ASCENDING).field.field_path = "__name__"
        if after is not None:
            name = self._in(after.tenant, rm.LIVE, after.document)
            query.start_at.values.add(reference_value=name)
        found = self._more.over("list messages", self._where(tenant, query), query)
        return [(owner, _listed(it)) for owner, it in found]

    def page_ended(
        self, tenant: str | None, wanted: EndedQuery, size: int, after: Spot | None = None
    ) -> list[tuple[str, EndedSummary | RawDocument]]:
        """Lists the next messages of the history, the newest first."""
        query = _history(wanted, size)
        _without_content(query, rm.HISTORY)
        _by_time(query, "DataFim", _DESCENDING)
        if after is not None:
            name = self._in(after.tenant, rm.HISTORY, after.document)
            if after.ended is not None:
                put_time(query.start_at.values.add(), after.ended)
            else:
                query.start_at.values.add().CopyFrom(self._end_of(name))
            query.start_at.values.add(reference_value=name)
        found = self._more.over("list the history", self._where(tenant, query), query)
        return [(owner, _ended(it)) for owner, it in found]

    def _end_of(self, name: str) -> Raw:
        """Reads by what a document of the history is in order, of whatever kind that value is."""
        for found in self._more.get("find where the page begins", [name], ["DataFim"]):
            if "DataFim" in found.fields:
                return found.fields["DataFim"]
        message = f"{name} is gone, so nobody knows where the page begins"
        raise NotFound(message)

    def total_astray(self) -> int:
        """See OperatorStore."""
        what, parent = "count live messages by bucket", self._more.root
        query = _query(rm.LIVE, {}, 0)
        query.from_[0].all_descendants = True
        _bounded(query, DUE.range, LONG_AGO, None)
        total, at = self._more.count_at(what, parent, query, None)
        for bucket in EVERY_BUCKET:
            query = up_to(DUE_BY_BUCKET, [bucket], FAR_OFF, 0, LONG_AGO)
            total -= self._more.count_at(what, parent, query, at)[0]
        return total

    def sought(
        self, tenant: str | None, identity: str, size: int
    ) -> tuple[list[tuple[str, Listed | Unreadable]], list[tuple[str, EndedSummary | RawDocument]]]:
        """Finds messages by their ids, in no order: one field's own index serves that."""
        live = self._by_ids(tenant, rm.LIVE, identity, size)
        ended = self._by_ids(tenant, rm.HISTORY, identity, size)
        return (
            [(owner, _listed(it)) for owner, it in live],
            [(owner, _ended(it)) for owner, it in ended],
        )

    def _by_ids(
        self, tenant: str | None, collection: str, identity: str, size: int
    ) -> Iterable[tuple[str, Found]]:
        found: dict[tuple[str, str], tuple[str, Found]] = {}
        for name in IDS:
            query = _query(collection, {name: identity}, size)
            _without_content(query, collection)
            its = self._more.over(f"find messages by {name}", self._where(tenant, query), query)
            found |= {(owner, it.id): (owner, it) for owner, it in its}
        return found.values()

    def total_live(self, tenant: str | None, equal: Equal) -> int:
        """Counts live messages."""
        query = _query(rm.LIVE, equal, 0)
        return self._more.count("count messages", self._where(tenant, query), query)

    def done_in(self, at: datetime, most: int) -> int:
        """Counts what was done in an hour, of all tenants."""
        query = ended_in(at)
        return self._more.count("count the history", self._where(None, query), query, most)

    def kept_hours(
        self, tenant: str, since: datetime, until: datetime
    ) -> dict[datetime, HourFigures | None]:
        """Reads the kept figures of a tenant's hours, by the names of their documents."""
        query = _query(rm.HOURS, {}, 0)
        for operator, at in (
            (_Filter.GREATER_THAN_OR_EQUAL, since),
            (_Filter.LESS_THAN, until),
        ):
            name = self._in(tenant, rm.HOURS, rm.hour_id(at))
            condition(query, "__name__", operator).reference_value = name
        found = self._more.query(f"read the hours of {tenant}", self._under(tenant), query)
        return {rm.hour_of_id(it.id): _hour(it) for it in found}

    def sum_hour(self, at: datetime) -> HourFigures:
        """Sums an hour over all tenants. The order says which index has all the figures."""
        query = _query(rm.HOURS, {}, 0)
        put_time(condition(query, "Hora", _Filter.EQUAL), at)
        for name in _FIGURES:
            query.order_by.add(direction=_ASCENDING).field.field_path = name
        sums = self._more.sums("sum the hours", self._where(None, query), query, _FIGURES)
        return HourFigures(at, **{part: sums[name] for part, name in rm.HOUR_FIGURES.items()})

    def total_tenants(self, counted: datetime | None = None) -> int:
        """Counts the tenants by their marks."""
        query = _query(rm.TENANTS, {}, 0)
        if counted is not None:
            put_time(condition(query, "ContadoAte", _Filter.GREATER_THAN_OR_EQUAL), counted)
        return self._more.count("count the tenants", self._more.root, query)

    def count_behind(self, tenant: str, key: str, number: str) -> int:
        """Counts live messages of a key, by the index that keeps its order."""
        query = _query(rm.LIVE, {"Chave": key}, 0)
        condition(query, "Ordem", _Filter.GREATER_THAN).string_value = number
        return self._more.count(f"count what waits of {tenant}", self._under(tenant), query)

    def longest_due(self, tenant: str | None) -> tuple[str, Listed | Unreadable] | None:
        """Finds the live message whose instant is the first."""
        query = _query(rm.LIVE, {}, 1)
        _without_content(query, rm.LIVE)
        query.order_by.add(direction=_ASCENDING).field.field_path = "DataTentativaExec"
        found = self._more.over("find what waits", self._where(tenant, query), query)
        return next(((owner, _listed(it)) for owner, it in found), None)

    def page_tenants(self, size: int, after: str = "") -> list[str]:
        """Lists the next tenants that have a state."""
        query = _query(rm.TENANTS, {}, size)
        query.select.fields.add(field_path="__name__")
        query.order_by.add(direction=_ASCENDING).field.field_path = "__name__"
        if after:
            query.start_at.values.add(reference_value=self._under(after))
        return [it.id for it in self._more.query("list the tenants", self._more.root, query)]

    def troubled(self, now: datetime, since: datetime, size: int) -> list[str]:
        """Lists the tenants that are halted, orphaned or paused, however long ago that began, and
        those that have an error since then; so many of each."""
        halted, orphaned, paused, failed = (_query(rm.TENANTS, {}, size) for _ in range(4))
        _by_time(halted, "BloqueadoDesde", _DESCENDING)
        condition(orphaned, "Orfao", _Filter.EQUAL).boolean_value = True
        _bounded(paused, "PausadoAte", now, None)
        _by_time(paused, "PausadoAte", _DESCENDING)
        _bounded(failed, "DataUltimoErro", since, None)
        _by_time(failed, "DataUltimoErro", _DESCENDING)
        names: list[str] = []
        for query in (halted, orphaned, paused, failed):
            query.select.fields.add(field_path="__name__")
            found = self._more.query("list the tenants", self._more.root, query)
            names += [it.id for it in found]
        return list(dict.fromkeys(names))

    def has_documents(self, tenant: str) -> bool:
        """Tell whether a tenant has any message, history or log line."""
        parent = self._under(tenant)
        for collection in (rm.LIVE, rm.HISTORY, rm.LOGS):
            query = _query(collection, {}, 1)
            query.select.fields.add(field_path="__name__")
            if self._more.query(f"find documents of {tenant}", parent, query):
                return True
        return False

    def has_command(self, tenant: str, command: str) -> bool:
        """Tell whether a tenant has, or had, a message of this type."""
        parent = self._under(tenant)
        for collection in (rm.LIVE, rm.HISTORY):
            query = _query(collection, {"Comando": command}, 1)
            query.select.fields.add(field_path="__name__")
            if self._more.query(f"find messages of {tenant}", parent, query):
                return True
        return False

    def about(
        self, tenant: str, titulares: Sequence[str]
    ) -> tuple[list[Listed], list[EndedSummary], list[OddDocument]]:
        """Find the messages that hold one of these in `Titular`: the index of an array's values
        serves that, which Firestore keeps by itself."""
        live = self._holding(tenant, rm.LIVE, titulares)
        ended = self._holding(tenant, rm.HISTORY, titulares)
        listed, odd = _apart(
            rm.LIVE, live, lambda it: Listed(rm.get_listed(it.id, it.fields), it.version)
        )
        history, odder = _apart(
            rm.HISTORY, ended, lambda it: rm.get_listed_history(it.id, it.fields)
        )
        return listed, history, [*odd, *odder]

    def _holding(self, tenant: str, collection: str, titulares: Sequence[str]) -> Iterable[Found]:
        found: dict[str, Found] = {}
        for titular in titulares:
            query = _query(collection, {}, 0)
            _without_content(query, collection)
            condition(query, "Titular", _Filter.ARRAY_CONTAINS).string_value = titular
            what = f"find messages of {tenant} by Titular"
            its = self._more.query(what, self._under(tenant), query)
            found.update({it.id: it for it in its})
        return found.values()

    def find(self, tenant: str, documents: Sequence[str], message_id: str) -> MessageDocuments:
        """Finds these documents, and every other document of a message with this id."""
        what = f"find the message {message_id[:80]} of {tenant}"
        live = self._every(what, tenant, rm.LIVE, documents, message_id)
        ended = self._every(what, tenant, rm.HISTORY, documents, message_id)
        stored, odd = _apart(
            rm.LIVE, live, lambda it: Stored(rm.get_live(it.id, it.fields), it.version)
        )
        history, odder = _apart(rm.HISTORY, ended, lambda it: rm.get_history(it.id, it.fields))
        return MessageDocuments(
            {it.message.document: it for it in stored},
            {it.message.document: it for it in history},
            [*odd, *odder],
        )

    def _every(
        self, what: str, tenant: str, collection: str, documents: Sequence[str], message_id: str
    ) -> Iterable[Found]:
        """Finds these documents and those with this id: a reused id's message has its own
        document."""
        names = [self._in(tenant, collection, document) for document in documents]
        found = list(self._more.get(what, names))
        if len(encode(message_id)) <= LONGEST:
            query = _query(collection, {"ID": message_id}, PAGE)
            found += self._more.query(what, self._under(tenant), query)
        return {it.id: it for it in found}.values()

    def give_up(self, tenant: str, raw: RawDocument, line: LogLine) -> bool:
        assert isinstance(raw, OddDocument)  # noqa: S101  (it came from here)
        odd, discarded = raw, rm.Discarded(raw.fields, line.at, line.expires, raw.personal)
        taken = bool(self.past(tenant, [odd.document]))
        document = odd.document
        if taken:  # the existing record stays
            document = second_end_id(document, odd.version)
        writes = [
            delete(self._in(tenant, rm.LIVE, odd.document), odd.version),
            create(self._in(tenant, rm.HISTORY, document), rm.put_discarded, discarded),
            *self._lines(tenant, [line]),
        ]
        self._more.commit(f"discard {odd.document} of {tenant}", writes)
        return taken

    def lines_of(self, tenant: str, message_id: str) -> list[LogLine]:
        """Read every log line of a message, the oldest first."""
        return [line for _, line in self.keyed_lines_of(tenant, message_id)]

    def keyed_lines_of(self, tenant: str, message_id: str) -> list[tuple[str, LogLine]]:
        """Read every log line of a message with its id, the oldest first."""
        query = _query(rm.LOGS, {"IDMENSAGEM": message_id}, 0)
        found = self._more.query(f"read logs of {tenant}", self._under(tenant), query)
        return sorted(((it.id, _line(it)) for it in found), key=lambda it: it[1].at)

    def newest_lines(
        self,
        tenant: str,
        since: datetime | None = None,
        least: LogType = LogType.INFORMATION,
        *,
        page: int = PAGE,
    ) -> Iterator[tuple[str, LogLine]]:
        """Read log lines of this type and worse with their ids, the newest first."""
        query = _lines_query(least, page)
        _bounded(query, "LOGDATE", since, None)
        _by_time(query, "LOGDATE", _DESCENDING)
        for item in self._pages(f"read logs of {tenant}", tenant, query, "LOGDATE"):
            yield item.id, _line(item)

    def lines_from(
        self, tenant: str, since: datetime, *, page: int = PAGE
    ) -> Iterator[tuple[str, LogLine]]:
        """Read the log lines from an instant on with their ids, the oldest first."""
        query = _query(rm.LOGS, {}, page)
        _bounded(query, "LOGDATE", since, None)
        _by_time(query, "LOGDATE", _ASCENDING)
        for item in self._pages(f"read logs of {tenant}", tenant, query, "LOGDATE"):
            yield item.id, _line(item)

    def count_before(self, tenant: str, what: Purgeable, cutoff: datetime) -> int:
        """Counts what a purge would remove."""
        shape = PURGES[what]
        query = up_to(shape, [], cutoff, 0)
        return self._more.count(f"count {shape.collection} of {tenant}", self._under(tenant), query)

    def remove_before(self, tenant: str, what: Purgeable, cutoff: datetime, most: int) -> int:
        """Removes up to `most` of the oldest documents; returns how many it removed."""
        shape = PURGES[what]
        query = up_to(shape, [], cutoff, most)
        query.select.fields.add(field_path=shape.range)
        doing = f"purge {shape.collection} of {tenant}"
        found: Sequence[Found] = self._more.query(doing, self._under(tenant), query)
        writes = (delete(self._in(tenant, shape.collection, it.id), it.version) for it in found)
        return sum(version is not None for version in self._more.write_each(doing, writes))


def _listed(found: Found) -> Listed | Unreadable:
    try:
        return Listed(rm.get_listed(found.id, found.fields), found.version)
    except DocumentError as error:
        return rm.get_unreadable(found.id, found.fields, found.version, str(error))


def _hour(found: Found) -> HourFigures | None:
    try:
        return rm.get_hour(found.fields)
    except DocumentError:
        return None


def _ended(found: Found) -> EndedSummary | OddDocument:
    try:
        return rm.get_listed_history(found.id, found.fields)
    except DocumentError as error:
        return OddDocument(rm.HISTORY, found.id, str(error), found.version, found.fields)


def _query(collection: str, equal: Equal, limit: int) -> Raw:
    query = types.StructuredQuery.pb()()
    query.from_.add(collection_id=collection)
    if limit:
        query.limit.value = limit
    for name, value in equal.items():
        equal_to = condition(query, name, _Filter.EQUAL)
        if isinstance(value, bool):
            equal_to.boolean_value = value
        else:
            equal_to.string_value = value
    return query


def _history(wanted: EndedQuery, limit: int) -> Raw:
    query = _query(rm.HISTORY, wanted.equal, limit)
    _bounded(query, "DataFim", wanted.since, wanted.until)
    return query


def _lines_query(least: LogType, limit: int) -> Raw:
    query = _query(rm.LOGS, {}, limit)
    if least > min(LogType):
        fits = condition(query, "LOGTYPE", _Filter.IN).array_value.values
        for kind in LogType:
            if kind >= least:
                fits.add(integer_value=kind)
    return query


def _bounded(query: Raw, field: str, since: datetime | None, until: datetime | None) -> None:
    if since is not None:
        put_time(condition(query, field, _Filter.GREATER_THAN_OR_EQUAL), since)
    if until is not None:
        put_time(condition(query, field, _Filter.LESS_THAN_OR_EQUAL), until)


def _by_time(query: Raw, field: str, direction: int) -> None:
    """Order by an instant, and by name within one instant, so that a page can end anywhere."""
    for name in (field, "__name__"):
        query.order_by.add(direction=direction).field.field_path = name


def _apart(
    collection: str, found: Iterable[Found], parse: Callable[[Found], T]
) -> tuple[list[T], list[OddDocument]]:
    """Separates the readable documents from the unreadable ones."""
    parsed: list[T] = []
    odd: list[OddDocument] = []
    for item in found:
        try:
            parsed.append(parse(item))
        except DocumentError as error:
            odd.append(OddDocument(collection, item.id, str(error), item.version, item.fields))
    return parsed, odd


def _line(found: Found) -> LogLine:
    """Reads a log line; an unreadable one becomes a line that says so, dated when it was
    written."""
    try:
        return rm.get_log(found.fields)
    except DocumentError as error:
        at = datetime.fromtimestamp(int(found.version.partition(".")[0]), UTC)
        text = f"This line cannot be read: {error}"
        message_id = rm.readable(found.fields, "IDMENSAGEM") or ""
        return LogLine(message_id, LogType.ERROR, text, at, at)


_SHOWN = (*rm.ORIGIN_FIELDS, "ConteudoHash", "ConteudoTamanho", "ConteudoObjeto")


def _without_content(query: Raw, collection: str) -> None:
    """Leaves out the contents, which have up to 256 KB each."""
    ended = ("DataFim", "DataExpiracao") if collection == rm.HISTORY else ()
    for name in (*_SHOWN, *rm.STATE_FIELDS, *ended):
        query.select.fields.add(field_path=name)


_: type[OperatorStore] = OperatorFirestore
