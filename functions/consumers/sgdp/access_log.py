"""Who saw whose data, and when: the law wants it on record."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha1
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Table, delete, insert, select

from consumers.sgdp.database import access_log, access_titulares
from consumers.sgdp.erp import Erp
from consumers.sgdp.person import Record
from consumers.sgdp.rows import chunks
from smartlink.consumer import Context, FatalError, RetryableError

LIMIT = 2_000
"""Entries in an answer, the newest."""

USER = "smartlink"

_NAMESPACE = UUID("5f0c1b7e-2f0e-4c3b-9d7e-0d7a5f6c1a42")
_AT_ONCE = 500  # values bound in one query


REQUEST_CLASS = "smartlink.sgdp.DataRequest"
"""The class of the entry that a request leaves which found nobody."""

NOBODY = "-"


def record_access(
    connection: Connection, context: Context, code: str, request_id: str, records: Iterable[Record]
) -> None:
    """Write an entry for each row seen, or one that nobody was; a message delivered again adds
    none."""
    same = {
        "tenant": context.tenant,
        "seen_on": context.now.astimezone(UTC),
        "seen_by": USER,
        "code": code,
        "action": "LOAD",
    }
    seen = {
        record.row.digest: (record.model.class_name, record.row.ids, record.person)
        for record in records
    }
    seen = seen or {"": (REQUEST_CLASS, {"requestID": request_id}, NOBODY)}
    entries: dict[object, dict[str, object]] = {}
    for digest, (name, ids, person) in seen.items():
        key = entry_id(context, digest)
        entries[key] = {**same, "id": key, "class": name, "ids": ids, "person": person}
    insert_new(connection, access_log, entries)


def entry_id(context: Context, what: str) -> UUID:
    """Name an entry of the message: the same at each delivery."""
    return _entry_id(f"{context.tenant}/{context.message_id}/{what}")


def insert_new(
    connection: Connection, table: Table, entries: Mapping[object, Mapping[str, object]]
) -> None:
    """Insert the entries, by their ids, that are not there yet."""
    left = dict(entries)
    for some in chunks([(key,) for key in entries], _AT_ONCE):
        earlier = select(table.c.id).where(table.c.id.in_([key for (key,) in some]))
        for known in connection.scalars(earlier).all():
            del left[known]
    if left:
        connection.execute(insert(table), list(left.values()))


def forget_old(erp: Erp, context: Context) -> None:
    """Remove some of what is older than the ERP's `accessLogDays`, if that is set.

    In a transaction of its own: a request is answered although nothing can be removed, and the
    message's log tells why.
    """
    oldest = erp.oldest_access(context.now)
    if oldest is None:
        return
    try:
        with erp.transaction() as connection:
            for table in (access_log, access_titulares):
                _forget(connection, table, context.tenant, oldest)
    except (RetryableError, FatalError) as error:
        template = "What is older than accessLogDays could not be removed from the access log: %s"
        context.log.warning(template, error)


def _forget(connection: Connection, table: Table, tenant: str, oldest: datetime) -> None:
    old = select(table.c.id).where(table.c.tenant == tenant, table.c.seen_on < oldest)
    found = connection.scalars(old.order_by(table.c.seen_on).limit(_AT_ONCE)).all()
    if found:
        connection.execute(delete(table).where(table.c.id.in_(found)))


def _entry_id(name: str) -> UUID:
    """Make the UUID of version 5 of a name, which may hold half of a surrogate pair: the broker
    gives the ids of messages, and `uuid5` takes only what UTF-8 can carry."""
    data = _NAMESPACE.bytes + name.encode("utf-8", "surrogatepass")
    return UUID(bytes=sha1(data, usedforsecurity=False).digest()[:16], version=5)


def newest_accesses(
    connection: Connection,
    tenant: str,
    people: Sequence[str] | None,
    oldest: datetime | None = None,
) -> list[RowMapping]:
    """Read the tenant's last entries, the newest first; these people's only, if they are given.

    What is older than `oldest` is as if it were removed.
    """
    query = select(access_log).where(access_log.c.tenant == tenant)
    if oldest is not None:
        query = query.where(access_log.c.seen_on >= oldest)
    queries = [query]
    if people is not None:
        some = chunks([(person,) for person in people], _AT_ONCE)
        queries = [query.where(access_log.c.person.in_([who for (who,) in it])) for it in some]
    order = (access_log.c.seen_on.desc(), access_log.c.id)
    found: list[RowMapping] = []
    for each in queries:
        found += connection.execute(each.order_by(*order).limit(LIMIT)).mappings()
    found.sort(key=lambda row: utc(row["seen_on"]), reverse=True)
    return found[:LIMIT]


def utc(moment: datetime) -> datetime:
    """Give a stored instant its zone back: some databases drop it. All are written in UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
