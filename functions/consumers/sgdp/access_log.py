"""Who saw whose data, and when: the law wants it on record."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid5

from sqlalchemy import Connection, RowMapping, insert, select

from consumers.sgdp.database import access_log
from consumers.sgdp.person import Record
from smartlink.consumer import Context

LIMIT = 500
"""Entries in an answer, so that it stays below the 250 KB that Smart Link recommends."""

USER = "smartlink"

_NAMESPACE = UUID("5f0c1b7e-2f0e-4c3b-9d7e-0d7a5f6c1a42")


def record_access(
    connection: Connection, context: Context, code: str, records: Iterable[Record]
) -> None:
    """Write an entry for each row seen; a message delivered again adds none."""
    entries = {
        uuid5(_NAMESPACE, f"{context.tenant}/{context.message_id}/{row.model.name}/{row.id}"): row
        for row in records
    }
    known = select(access_log.c.uuid).where(access_log.c.uuid.in_(entries))
    for seen in connection.scalars(known).all():
        del entries[seen]
    if not entries:
        return
    same = {
        "tenant": context.tenant,
        "timestamp": context.now.astimezone(UTC),
        "user": USER,
        "code": code,
        "action": "LOAD",
    }
    values = [
        {"uuid": key, "model": row.model.name, "ids": {"id": row.id}, "person_id": row.person}
        for key, row in entries.items()
    ]
    connection.execute(insert(access_log), [{**same, **entry} for entry in values])


def newest_accesses(
    connection: Connection, tenant: str, people: Sequence[int] | None
) -> list[RowMapping]:
    """Read the tenant's last entries, the newest first; these people's only, if they are given."""
    query = select(access_log).where(access_log.c.tenant == tenant)
    if people is not None:
        query = query.where(access_log.c.person_id.in_(people))
    newest = query.order_by(access_log.c.timestamp.desc(), access_log.c.uuid).limit(LIMIT)
    return list(connection.execute(newest).mappings())


def utc(moment: datetime) -> datetime:
    """Give a stored instant its zone back: some databases drop it. All are written in UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
