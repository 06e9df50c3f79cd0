"""Who saw whose data, and when: the law wants it on record."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha1
from uuid import UUID

from sqlalchemy import Connection, RowMapping, insert, select

from consumers.sgdp.database import access_log
from consumers.sgdp.person import Record
from consumers.sgdp.rows import chunks
from smartlink.consumer import Context

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
    entries = {
        _entry_id(f"{context.tenant}/{context.message_id}/{digest}"): entry
        for digest, entry in seen.items()
    }
    for some in chunks([(key,) for key in entries], _AT_ONCE):
        known = select(access_log.c.id).where(access_log.c.id.in_([key for (key,) in some]))
        for earlier in connection.scalars(known).all():
            del entries[earlier]
    if not entries:
        return
    values = [
        {**same, "id": key, "class": name, "ids": ids, "person": person}
        for key, (name, ids, person) in entries.items()
    ]
    connection.execute(insert(access_log), values)


def _entry_id(name: str) -> UUID:
    """Make the UUID of version 5 of a name, which may hold half of a surrogate pair: the broker
    gives the ids of messages, and `uuid5` takes only what UTF-8 can carry."""
    data = _NAMESPACE.bytes + name.encode("utf-8", "surrogatepass")
    return UUID(bytes=sha1(data, usedforsecurity=False).digest()[:16], version=5)


def newest_accesses(
    connection: Connection, tenant: str, people: Sequence[str] | None
) -> list[RowMapping]:
    """Read the tenant's last entries, the newest first; these people's only, if they are given."""
    query = select(access_log).where(access_log.c.tenant == tenant)
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
