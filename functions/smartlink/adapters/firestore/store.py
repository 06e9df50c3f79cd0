"""Firestore as the relay's store: messages, history, logs, states of tenants and of the relay."""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from google.api_core import exceptions
from google.cloud.firestore_v1 import types

from smartlink.adapters.firestore import documents as rm
from smartlink.adapters.firestore.calls import Fill, FirestoreCalls, Found
from smartlink.adapters.firestore.documents import Tick
from smartlink.adapters.firestore.values import (
    LONG_AGO,
    DocumentError,
    Raw,
    get_time,
    put_text,
    put_time,
)
from smartlink.adapters.firestore.writes import change, create, delete, put
from smartlink.domain.hourly import HOUR, HourFigures
from smartlink.domain.identity import Direction
from smartlink.domain.message import (
    Ended,
    Ending,
    LogLine,
    Message,
    Past,
    State,
    Stored,
    Unreadable,
    Version,
)
from smartlink.domain.noted import Noted, note_commands
from smartlink.domain.order import Intake
from smartlink.domain.pin import Pin
from smartlink.domain.settlement import Settlement
from smartlink.domain.tenant import TenantState
from smartlink.observability import ERROR, event
from smartlink.ports import (
    BucketPage,
    ConfigFile,
    Conflict,
    ContentSweep,
    DuePage,
    HourlyFigures,
    InOrder,
    LastGoodConfig,
    LogSink,
    Messages,
    NewId,
    PartlyRefused,
    Place,
    Refused,
    RelayState,
    TenantStates,
    Unavailable,
    UnreadableDocument,
)
from smartlink.settings import LIMITS

T = TypeVar("T")
_RACES = 5
_UNDATED_PAGE = 300
_COMMAND_PAGE = 100
_INTAKE = "recepcao"
_INSTANT = timedelta(microseconds=1)
_ASCENDING = types.StructuredQuery.Direction.ASCENDING
_DESCENDING = types.StructuredQuery.Direction.DESCENDING
_EQUAL = types.StructuredQuery.FieldFilter.Operator.EQUAL
_AT_LEAST = types.StructuredQuery.FieldFilter.Operator.GREATER_THAN_OR_EQUAL
_AT_MOST = types.StructuredQuery.FieldFilter.Operator.LESS_THAN_OR_EQUAL
_BELOW = types.StructuredQuery.FieldFilter.Operator.LESS_THAN
_REQUEST_TIME = types.DocumentTransform.FieldTransform.ServerValue.REQUEST_TIME


@dataclass(frozen=True, slots=True)
class QueryShape:
    """The parts of a query that decide which index it needs. Firestore refuses one without an
    index."""

    collection: str
    equal: tuple[str, ...]
    range: str  # a field: the query is bounded and ordered by it
    descending: bool = False
    group: bool = False  # over the collections of all tenants


DUE = QueryShape(rm.LIVE, (), "DataTentativaExec")
DUE_BY_DIRECTION = QueryShape(rm.LIVE, ("Direcao",), "DataTentativaExec")
DUE_BY_BUCKET = QueryShape(rm.LIVE, ("Balde",), "DataTentativaExec", group=True)
IN_ORDER = QueryShape(rm.LIVE, ("Chave",), "Ordem")
JOB_DUE = QueryShape(rm.JOBS, (), rm.JOB_DUE)
ENDED = QueryShape(rm.HISTORY, (), "DataFim")
LOGGED = QueryShape(rm.LOGS, (), "LOGDATE")
TOLD = QueryShape(rm.LOGS, ("Situacao",), "LOGDATE", descending=True)
QUERIES = (DUE, DUE_BY_DIRECTION, DUE_BY_BUCKET, IN_ORDER, JOB_DUE, ENDED, LOGGED, TOLD)
"""Every query that needs an index. A test compares them with `infra/firestore.json`."""
_FIELDS_BY_BUCKET = (*DUE_BY_BUCKET.equal, DUE_BY_BUCKET.range)


def condition(query: Raw, name: str, operator: int) -> Raw:
    """Adds a condition, and returns its value, to be filled in."""
    filters = query.where.composite_filter
    filters.op = types.StructuredQuery.CompositeFilter.Operator.AND
    added = filters.filters.add().field_filter
    added.field.field_path = name
    added.op = operator
    return added.value


def up_to(
    shape: QueryShape,
    values: Sequence[str],
    latest: datetime,
    limit: int,
    earliest: datetime | None = None,
    after: tuple[datetime, str] | None = None,
) -> Raw:
    """Builds a query of this shape for the documents up to `latest`, the earliest first.

    With a `limit` of 0 there is none. `after` is the instant and the full name of a document; the
    query begins behind it. Documents with the same instant come in the order of their names.
    """
    query = types.StructuredQuery.pb()()
    query.from_.add(collection_id=shape.collection, all_descendants=shape.group)
    for name, value in zip(shape.equal, values, strict=True):
        condition(query, name, _EQUAL).string_value = value
    if earliest is not None:
        put_time(condition(query, shape.range, _AT_LEAST), earliest)
    put_time(condition(query, shape.range, _AT_MOST), latest)
    query.order_by.add(direction=_ASCENDING).field.field_path = shape.range
    if limit:
        query.limit.value = limit
    if after is not None:
        query.order_by.add(direction=_ASCENDING).field.field_path = "__name__"
        put_time(query.start_at.values.add(), after[0])
        query.start_at.values.add(reference_value=after[1])
    return query


def _beginning_with(collection: str, name: str) -> Raw:
    """Builds a query for the ids of documents whose names begin with `name`. It needs no index."""
    query = types.StructuredQuery.pb()()
    query.from_.add(collection_id=collection)
    query.select.fields.add(field_path="__name__")
    condition(query, "__name__", _AT_LEAST).reference_value = name
    # With its last character replaced by the next one, the name is the first that follows them.
    condition(query, "__name__", _BELOW).reference_value = name[:-1] + chr(ord(name[-1]) + 1)
    return query


def _by_name(collection: str, fields: Sequence[str], limit: int) -> Raw:
    """Builds a query for these fields of all documents, ordered by name. It needs no index."""
    query = types.StructuredQuery.pb()()
    query.from_.add(collection_id=collection)
    for field in fields:
        query.select.fields.add(field_path=field)
    query.order_by.add(direction=_ASCENDING).field.field_path = "__name__"
    query.limit.value = limit
    return query


def _equal(collection: str, field: str, value: str, limit: int) -> Raw:
    """Build a query for documents whose field equals a text, by name."""
    query = types.StructuredQuery.pb()()
    query.from_.add(collection_id=collection)
    put_text(condition(query, field, _EQUAL), value)
    query.order_by.add(direction=_ASCENDING).field.field_path = "__name__"
    query.limit.value = limit
    return query


def _in_order(keys: Sequence[str], limit: int, before: str) -> Raw:
    """Builds a query for the documents of these keys, in their order; at most 30 keys."""
    query = types.StructuredQuery.pb()()
    query.from_.add(collection_id=IN_ORDER.collection)
    its = condition(query, IN_ORDER.equal[0], types.StructuredQuery.FieldFilter.Operator.IN)
    for key in keys:
        put_text(its.array_value.values.add(), key)
    if before:
        condition(query, IN_ORDER.range, _BELOW).string_value = before
    query.order_by.add(direction=_ASCENDING).field.field_path = IN_ORDER.range
    query.limit.value = limit
    return query


def ended_in(at: datetime) -> Raw:
    """Builds the query for what was done in an hour. Its order is its index's."""
    query = types.StructuredQuery.pb()()
    query.from_.add(collection_id=rm.HISTORY)
    condition(query, "Situacao", _EQUAL).string_value = Ending.DONE
    return _in_hour(query, "DataFim", at)


def logged_in(at: datetime, became: State) -> Raw:
    """Builds the query for the log lines of an hour that tell this of a message."""
    query = types.StructuredQuery.pb()()
    query.from_.add(collection_id=TOLD.collection)
    condition(query, TOLD.equal[0], _EQUAL).string_value = became
    return _in_hour(query, TOLD.range, at)


def _in_hour(query: Raw, field: str, at: datetime) -> Raw:
    put_time(condition(query, field, _AT_LEAST), at)
    put_time(condition(query, field, _BELOW), at + HOUR)
    query.order_by.add(direction=_DESCENDING).field.field_path = field
    return query


class Firestore:
    """Stores all that the relay keeps, except large contents and effects.

    If the answer to a try is lost, the next try finds what the first has written. Then `create` and
    `swap` return None, and `commit` raises Conflict, although they have written. So the services
    read the documents before they believe either.
    """

    def __init__(self, calls: FirestoreCalls, new_id: NewId = lambda: os.urandom(16).hex()) -> None:
        """`new_id` makes the ids of the log lines' documents."""
        self._calls = calls
        self._new_id = new_id

    def _name(self, *path: str) -> str:
        return "/".join((self._calls.root, *path))

    def _in(self, tenant: str, collection: str, document: str) -> str:
        return f"{self._calls.root}/{rm.TENANTS}/{tenant}/{collection}/{document}"

    # Messages

    def create(self, tenant: str, messages: Sequence[Message]) -> list[Version | None]:
        """If it raises Unavailable or Refused, some messages may have been created."""
        writes = (self._creation(tenant, message) for message in messages)
        return self._calls.write_each(f"create messages of {tenant}", writes)

    def _creation(self, tenant: str, message: Message) -> Fill:
        name = self._in(tenant, rm.LIVE, message.document)
        return create(name, rm.put_live, rm.Owned(tenant, message))

    def swap(self, tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        """If it raises Unavailable, some messages may have been swapped."""
        writes = (self._change(tenant, item.message, item.version) for item in changes)
        try:
            return self._calls.write_each(f"swap messages of {tenant}", writes)
        except PartlyRefused as error:
            refused = [changes[number].message.document for number in error.refused]
            text = f"The database refuses the next state of {len(refused)} messages: {error}"
            event("swap_refused", text, ERROR, tenant=tenant, documents=refused)
            return list(error.versions)

    def _change(self, tenant: str, message: Message, version: Version) -> Fill:
        name = self._in(tenant, rm.LIVE, message.document)
        return change(name, rm.put_state, rm.Owned(tenant, message), rm.STATE_FIELDS, version)

    def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        """The caller limits the size of the commit, by `Settlement.weight`."""
        writes = (write for item in settlements for write in self._settling(tenant, item))
        self._calls.commit(f"settle messages of {tenant}", writes)

    def _settling(self, tenant: str, settlement: Settlement) -> Iterator[Fill]:
        live, fence, ended = settlement.live, settlement.fence, settlement.history
        if live is not None:
            yield self._change(tenant, live, fence) if fence else self._creation(tenant, live)
        elif fence is not None:
            yield delete(self._in(tenant, rm.LIVE, settlement.document), fence)
        if ended is not None:
            name = self._in(tenant, rm.HISTORY, ended.message.document)
            yield create(name, rm.put_history, ended)
        for message in settlement.created:
            yield self._creation(tenant, message)
        yield from self._lines(tenant, settlement.logs)

    def _lines(self, tenant: str, lines: Iterable[LogLine]) -> Iterator[Fill]:
        for line in lines:
            identity = self._new_id()
            name = self._in(tenant, rm.LOGS, identity)
            yield create(name, rm.put_log, (identity, line))

    def read(self, tenant: str, documents: Sequence[str]) -> dict[str, Stored]:
        stored, unreadable = _sorted_out(self._live(tenant, documents))
        for item in unreadable:
            text = f"The document {item.document} cannot be read: {item.why}"
            event("document_unreadable", text, ERROR, tenant=tenant, documents=[item.document])
        return {item.message.document: item for item in stored}

    def unreadable(self, tenant: str, documents: Sequence[str]) -> dict[str, Unreadable]:
        _, unreadable = _sorted_out(self._live(tenant, documents))
        return {item.document: item for item in unreadable}

    def alive(self, tenant: str, documents: Sequence[str]) -> dict[str, Past]:
        return {it.id: rm.get_past(it.fields) for it in self._live(tenant, documents)}

    def _live(self, tenant: str, documents: Sequence[str]) -> Iterator[Found]:
        names = [self._in(tenant, rm.LIVE, document) for document in documents]
        return self._calls.get(f"read messages of {tenant}", names)

    def history(self, tenant: str, documents: Sequence[str]) -> dict[str, Ended]:
        found = self._found_ended(tenant, documents)
        return {ended.message.document: ended for ended in _parsed(found, _ended)}

    def past(self, tenant: str, documents: Sequence[str]) -> dict[str, Past]:
        return {it.id: rm.get_past(it.fields) for it in self._found_ended(tenant, documents)}

    def _found_ended(self, tenant: str, documents: Sequence[str]) -> Iterator[Found]:
        names = [self._in(tenant, rm.HISTORY, document) for document in documents]
        return self._calls.get(f"read the history of {tenant}", names)

    def references(self, tenant: str, documents: Sequence[str]) -> dict[str, set[str | None]]:
        names = [
            self._in(tenant, collection, document)
            for document in documents
            for collection in (rm.LIVE, rm.HISTORY)
        ]
        references: dict[str, set[str | None]] = {document: set() for document in documents}
        what = f"read what messages of {tenant} refer to"
        for found in self._calls.get(what, names, rm.REFERENCE_FIELDS):
            references[found.id] |= rm.get_reference(found.fields)
        return references

    def reused(self, tenant: str, document: str) -> list[str]:
        found: set[str] = set()
        parent = self._name(rm.TENANTS, tenant)
        for collection in (rm.LIVE, rm.HISTORY):
            first = self._in(tenant, collection, f"{document}~")
            query = _beginning_with(collection, first)
            what = f"find messages of {tenant} with a reused id"
            found.update(item.id for item in self._calls.query(what, parent, query))
        return sorted(found)

    def of_command(self, tenant: str, command: str) -> Iterator[Stored | Unreadable]:
        """See Messages. An equality in the order of names needs no composite index."""
        what = f"find live messages of {tenant} by command"
        parent = self._name(rm.TENANTS, tenant)
        last = ""
        while True:
            query = _equal(rm.LIVE, "Comando", command, _COMMAND_PAGE)
            if last:
                query.start_at.values.add(reference_value=self._in(tenant, rm.LIVE, last))
            found, cut = self._calls.query_page(what, parent, query, LIMITS.page)
            for item in found:
                stored, unreadable = _sorted_out([item])
                yield from stored
                yield from unreadable
            if len(found) < _COMMAND_PAGE and not cut:
                return
            last = found[-1].id

    def undated(self, tenant: str) -> list[str]:
        what = f"find live messages of {tenant} without a due instant"
        parent = self._name(rm.TENANTS, tenant)
        undated: list[str] = []
        last = ""
        while True:
            query = _by_name(rm.LIVE, rm.UNDATED_FIELDS, _UNDATED_PAGE)
            if last:
                query.start_at.values.add(reference_value=self._in(tenant, rm.LIVE, last))
            found = self._calls.query(what, parent, query)
            undated += [item.id for item in found if rm.is_undated(item.fields)]
            if len(found) < _UNDATED_PAGE:
                return undated
            last = found[-1].id

    def due(
        self,
        tenant: str,
        now: datetime,
        limit: int,
        direction: Direction | None = None,
        since: datetime | None = None,
        after: Place | None = None,
    ) -> DuePage:
        shape, values = (DUE_BY_DIRECTION, [direction]) if direction else (DUE, [])
        behind = None
        if after is not None:
            behind = (after.due, self._in(tenant, rm.LIVE, after.document))
        query = up_to(shape, values, now, limit, since, behind)
        parent = self._name(rm.TENANTS, tenant)
        what = f"find due messages of {tenant}"
        found, cut = self._calls.query_page(what, parent, query, LIMITS.page)
        page = _due_page(found, cut=cut)
        strays = {it.id for it in found if rm.is_astray(tenant, it.fields)}
        page.astray = [it for it in page if it.message.document in strays] if strays else ()
        return page

    def due_in_bucket(
        self, bucket: str, now: datetime, limit: int, since: datetime | None = None
    ) -> BucketPage:
        """See Messages. An equality and a range on one field: the index serves it as one scan."""
        query = up_to(DUE_BY_BUCKET, [bucket], now, limit, since)
        what = f"find due messages of bucket {bucket}"
        try:
            found, cut = self._calls.query_page(what, self._calls.root, query, LIMITS.page)
        except Refused as error:
            if not isinstance(error.__cause__, exceptions.FailedPrecondition):
                raise
            message = (
                f"{error}: make the index of {rm.LIVE} by {' and '.join(_FIELDS_BY_BUCKET)} "
                f"over all collections (COLLECTION_GROUP), which infra/firestore.json declares"
            )
            raise Refused(message) from error
        of: defaultdict[str, list[Found]] = defaultdict(list)
        for item in found:
            of[item.tenant].append(item)
        pages = {tenant: _due_page(its) for tenant, its in of.items()}
        begin, end = (_place(found[0]).due, _place(found[-1]).due) if found else (None, None)
        return BucketPage(pages, begin, end, whole=not cut and len(found) < limit)

    def in_order(
        self, tenant: str, keys: Sequence[str], limit: int, before: str = ""
    ) -> list[InOrder]:
        what = f"find ordered messages of {tenant}"
        parent = self._name(rm.TENANTS, tenant)
        found, _ = self._calls.query_page(what, parent, _in_order(keys, limit, before), LIMITS.page)
        answer = []
        for item in found:
            stored, _ = _sorted_out([item])
            key = rm.readable(item.fields, "Chave") or ""
            answer.append(InOrder(key, item.id, stored[0] if stored else None))
        return answer

    def intake(self, tenant: str) -> tuple[Intake, Version] | None:
        name = self._intake(tenant)
        found = next(self._calls.get(f"read who receives for {tenant}", [name]), None)
        if found is None:
            return None
        try:
            return rm.get_intake(found.fields), found.version
        except DocumentError as error:
            message = (
                f"{rm.INTAKE}/{_INTAKE} of {tenant} cannot be read, so it is not used: {error}"
            )
            raise UnreadableDocument(message) from None

    def take_in(
        self,
        tenant: str,
        intake: Intake,
        version: Version | None,
        created: Sequence[Message] = (),
        moved: Sequence[Stored] = (),
    ) -> list[Version]:
        name = self._intake(tenant)
        if version is None:
            writes = [create(name, rm.put_intake, intake)]
        else:
            writes = [put(name, rm.put_intake, intake, version)]
        writes += [self._creation(tenant, message) for message in created]
        writes += [self._change(tenant, item.message, item.version) for item in moved]
        return self._calls.commit(f"take in messages of {tenant}", writes)

    def _intake(self, tenant: str) -> str:
        return self._in(tenant, rm.INTAKE, _INTAKE)

    def log(self, tenant: str, lines: Sequence[LogLine]) -> None:
        try:
            self._calls.write_each(f"log for {tenant}", self._lines(tenant, lines))
        except PartlyRefused as error:
            of = [lines[number].message_id for number in error.refused]
            text = f"The database refuses {len(of)} log lines: {error}"
            event("log_refused", text, ERROR, tenant=tenant, messages=of)

    # Hourly figures

    def happened(self, tenant: str, since: datetime, until: datetime) -> bool:
        parent = self._name(rm.TENANTS, tenant)
        for shape in (ENDED, LOGGED):
            query = up_to(shape, [], until - _INSTANT, 1, since)
            query.select.fields.add(field_path="__name__")
            if self._calls.query(f"find what happened to {tenant}", parent, query):
                return True
        return False

    def count_hour(self, tenant: str, at: datetime, most: int = 0) -> HourFigures:
        def count(query: Raw) -> int:
            what = f"count what happened to {tenant}"
            return self._calls.count(what, self._name(rm.TENANTS, tenant), query, most)

        return HourFigures(
            at,
            done=count(ended_in(at)),
            retried=count(logged_in(at, State.WAITING)),
            dead=count(logged_in(at, State.DEAD)),
        )

    def keep_hours(self, tenant: str, hours: Sequence[HourFigures]) -> None:
        writes = (put(self._hour(tenant, it.at), rm.put_hour, it) for it in hours)
        self._calls.write_each(f"keep the hourly figures of {tenant}", writes)

    def _hour(self, tenant: str, at: datetime) -> str:
        return self._in(tenant, rm.HOURS, rm.hour_id(at))

    # Tenants

    def states(self, tenants: Sequence[str]) -> dict[str, TenantState]:
        names = [self._name(rm.TENANTS, tenant) for tenant in tenants]
        found = self._calls.get("read the states of tenants", names)
        known = {item.id: rm.get_tenant(item.fields) for item in found}
        return {tenant: known.get(tenant, TenantState()) for tenant in tenants}

    def save_state(self, tenant: str, state: TenantState, known: TenantState | None = None) -> None:
        mask = [
            name
            for part, names in rm.TENANT_PARTS.items()
            for name in names
            if known is None or getattr(state, part) != getattr(known, part)
        ]
        if not mask:
            return
        write = change(self._name(rm.TENANTS, tenant), rm.put_tenant, state, mask)
        self._calls.commit(f"save the state of {tenant}", [write])

    def pin(self, tenant: str, pin: Pin | None, before: Pin | None) -> bool:
        name, what = self._name(rm.TENANTS, tenant), f"pin {tenant}"
        for _ in range(_RACES):
            found = next(self._calls.get(f"read the pin of {tenant}", [name]), None)
            pinned = None if found is None else rm.get_tenant(found.fields).pin
            if pinned == pin:
                return True
            if pinned != before:
                return False
            if found is None:
                write = create(name, rm.put_pin, pin)
            else:
                write = change(name, rm.put_pin, pin, rm.TENANT_PARTS["pin"], found.version)
            try:
                self._calls.commit(what, [write])
            except Conflict:
                continue  # another part of the state changed, or our lost try wrote the pin
            return True
        message = f"{what}: its state changed {_RACES} times meanwhile"
        raise Unavailable(message)

    def has_live(self, tenant: str) -> bool:
        query = types.StructuredQuery.pb()()
        query.from_.add(collection_id=rm.LIVE)
        query.select.fields.add(field_path="__name__")
        query.limit.value = 1
        parent = self._name(rm.TENANTS, tenant)
        return bool(self._calls.query(f"find any message of {tenant}", parent, query))

    def known_tenants(self) -> list[str]:
        return sorted(self._calls.ids("list the known tenants", rm.TENANTS))

    # The relay itself

    def advance(self, shard: int, tick: datetime, sequence: int) -> bool:
        """If it raises Unavailable, the shard may have advanced; the next tick goes on."""
        name = self._name(rm.RELAY, f"shard-{shard}")
        mine = Tick(tick, sequence, self._new_id())
        for _ in range(_RACES):
            found = next(self._calls.get(f"read the tick of shard {shard}", [name]), None)
            last = None if found is None else _tick(found)
            if last is not None and last >= mine:
                return last.caller == mine.caller
            if found is None:
                write = create(name, rm.put_tick, mine)
            else:
                write = put(name, rm.put_tick, mine, found.version)
            try:
                self._calls.commit(f"advance shard {shard}", [write])
            except Conflict:
                continue  # another call advanced, or our lost try did: read again
            return True
        message = f"advance shard {shard}: other calls came first {_RACES} times"
        raise Unavailable(message)

    def commands(self) -> dict[str, Noted]:
        return self._commands()[0]

    def _commands(self) -> tuple[dict[str, Noted], Version | None]:
        name = self._name(rm.RELAY, "comandos")
        found = next(self._calls.get("read which commands are known", [name]), None)
        return ({}, None) if found is None else (rm.get_commands(found.fields), found.version)

    def note_commands(
        self, commands: Collection[str], now: datetime, every: timedelta
    ) -> dict[str, Noted]:
        name, what = self._name(rm.RELAY, "comandos"), "note which commands are known"
        for _ in range(_RACES):
            noted, version = self._commands()
            changed = note_commands(noted, commands, now, every)
            if changed is None:
                return noted
            if version is None:
                write = create(name, rm.put_commands, changed)
            else:
                write = put(name, rm.put_commands, changed, version)
            try:
                self._calls.commit(what, [write])
            except Conflict:
                continue  # another poll noted its commands, or our lost try did
            return changed
        message = f"{what}: other polls came first {_RACES} times"
        raise Unavailable(message)

    def changes(self) -> str:
        """See RelayState."""
        found = self._calls.get("read whether anything changed", [self._name(rm.RELAY, "changes")])
        return next(_parsed(found, lambda item: rm.get_changes(item.fields)), "")

    def announce_change(self) -> None:
        """See RelayState."""
        write = put(self._name(rm.RELAY, "changes"), rm.put_changes, self._new_id())
        self._calls.commit("announce a change", [write])

    def standing_job(self, now: datetime) -> str | None:
        """See RelayState. It reads the id alone, so that one that is unreadable is found too."""
        query = up_to(JOB_DUE, [], now, 1)
        query.select.fields.add(field_path="__name__")
        found = self._calls.query("find a job that stands still", self._calls.root, query)
        return found[0].id if found else None

    def content_sweep(self) -> ContentSweep | None:
        found = self._calls.get("read how far the bucket was swept", [self._contents])
        return next(_parsed(found, lambda item: rm.get_content_sweep(item.fields)), None)

    def save_content_sweep(self, sweep: ContentSweep) -> None:
        write = put(self._contents, rm.put_content_sweep, sweep)
        self._calls.commit("save how far the bucket was swept", [write])

    @property
    def _contents(self) -> str:
        return self._name(rm.RELAY, "contents")

    def load(self) -> ConfigFile | None:
        found = self._calls.get("read the last good configuration", [self._config])
        return next(_parsed(found, lambda item: rm.get_config(item.fields)), None)

    def save(self, file: ConfigFile) -> None:
        fill = put(self._config, rm.put_config, file)

        def write(raw: Raw) -> None:
            fill(raw)
            saved = raw.update_transforms.add(field_path=rm.SAVED)
            saved.set_to_server_value = _REQUEST_TIME

        self._calls.commit("save the last good configuration", [write])

    @property
    def _config(self) -> str:
        return self._name(rm.RELAY, "config")


def _sorted_out(found: Iterable[Found]) -> tuple[list[Stored], list[Unreadable]]:
    """Separates the readable live documents from the unreadable ones."""
    stored: list[Stored] = []
    unreadable: list[Unreadable] = []
    for item in found:
        try:
            stored.append(Stored(rm.get_live(item.id, item.fields), item.version))
        except DocumentError as error:
            unreadable.append(rm.get_unreadable(item.id, item.fields, item.version, str(error)))
    return stored, unreadable


def _due_page(found: Sequence[Found], *, cut: bool = False) -> DuePage:
    stored, unreadable = _sorted_out(found)
    return DuePage(stored, unreadable, _place(found[-1]) if found else None, cut=cut)


def _place(found: Found) -> Place:
    """Returns where the page ended; an instant that Python cannot hold counts as long past."""
    try:
        return Place(get_time(found.fields, "DataTentativaExec"), found.id)
    except DocumentError:
        return Place(LONG_AGO, found.id)


def _tick(found: Found) -> Tick | None:
    """Reads a shard's tick; None if it is unreadable, so that the caller writes a new one."""
    return next(_parsed([found], lambda item: rm.get_tick(item.fields)), None)


def _ended(found: Found) -> Ended:
    return rm.get_history(found.id, found.fields)


def _parsed(found: Iterable[Found], parse: Callable[[Found], T]) -> Iterator[T]:
    """Parses the documents; skips an unreadable one and logs it as an error."""
    for item in found:
        try:
            yield parse(item)
        except DocumentError as error:
            text = f"The document {item.id} cannot be read: {error}"
            event("document_unreadable", text, ERROR, documents=[item.id])


_messages: type[Messages] = Firestore
_log_sink: type[LogSink] = Firestore
_states: type[TenantStates] = Firestore
_hourly: type[HourlyFigures] = Firestore
_relay_state: type[RelayState] = Firestore
_last_good: type[LastGoodConfig] = Firestore
