"""`Auditoria`, in a database of its own: what operators did. It is created and read, never changed.

Terraform makes the database, and a role that allows no more than that.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from smartlink.adapters.firestore.calls import FirestoreCalls, Found
from smartlink.adapters.firestore.newest import Newest
from smartlink.adapters.firestore.values import (
    DocumentError,
    Raw,
    get_count,
    get_flag,
    get_map,
    get_optional_text,
    get_text,
    get_texts,
    get_time,
    put_flag,
    put_optional_text,
    put_text,
    put_texts,
    put_time,
)
from smartlink.adapters.firestore.writes import create
from smartlink.operations.ports import AuditLog, AuditRecord
from smartlink.ports import Conflict

AUDIT = "Auditoria"
_PAGE = 300
NEWEST = Newest(AUDIT, time="Data", tenants="Tenants")
"""Of some tenants, it needs the index that `infra/firestore.json` declares under `audit`."""


class FirestoreAudit:
    """The records of what operators did."""

    def __init__(self, calls: FirestoreCalls) -> None:
        """Work over the calls of the audit's own database."""
        self._calls = calls

    def create(self, record: AuditRecord) -> None:
        """See AuditLog."""
        write = create(f"{self._calls.root}/{AUDIT}/{record.id}", put_record, record)
        with suppress(Conflict):  # its id is its own, so an earlier try has created it
            self._calls.commit("record what is done", [write])

    def records(
        self,
        since: datetime | None,
        *,
        page: int = _PAGE,
        tenants: Sequence[str] | None = None,
    ) -> Iterator[AuditRecord]:
        """See AuditLog."""
        found = NEWEST.ask(self._calls, "read what was done", page, since=since, tenants=tenants)
        return map(_readable, found)


def _readable(found: Found) -> AuditRecord:
    """A record that cannot be read is shown as one, at the instant it was written."""
    try:
        return get_record(found.id, found.fields)
    except DocumentError as error:
        at = datetime.fromtimestamp(int(found.version.partition(".")[0]), UTC)
        target = f"{AUDIT}/{found.id} cannot be read: {error}"
        return AuditRecord(id=found.id, act="?", who="?", verified=False, at=at, target=target)


def put_record(fields: Raw, record: AuditRecord) -> None:
    """Fill a document of `Auditoria`."""
    put_text(fields["Ato"], record.act)
    put_text(fields["Quem"], record.who)
    put_flag(fields, "Verificado", flag=record.verified)
    put_time(fields["Data"], record.at)
    put_text(fields["Alvo"], record.target)
    put_optional_text(fields, "Tenant", record.tenant)
    if record.tenants:
        put_texts(fields["Tenants"], record.tenants)
    put_optional_text(fields, "Motivo", record.reason)
    if record.count is not None:
        fields["Quantidade"].integer_value = record.count
    for name, facts in (("Antes", record.before), ("Depois", record.after)):
        for fact, text in facts.items():
            put_text(fields[name].map_value.fields[fact], text)
    put_optional_text(fields, "Resultado", record.outcome)
    put_optional_text(fields, "Intencao", record.intent)


def get_record(identity: str, fields: Raw) -> AuditRecord:
    """Read a document of `Auditoria`."""
    return AuditRecord(
        id=identity,
        act=get_text(fields, "Ato"),
        who=get_text(fields, "Quem"),
        verified=get_flag(fields, "Verificado"),
        at=get_time(fields, "Data"),
        target=get_text(fields, "Alvo"),
        tenant=get_optional_text(fields, "Tenant"),
        tenants=get_texts(fields, "Tenants"),
        reason=get_optional_text(fields, "Motivo"),
        count=get_count(fields, "Quantidade") if "Quantidade" in fields else None,
        before=_facts(fields, "Antes"),
        after=_facts(fields, "Depois"),
        outcome=get_optional_text(fields, "Resultado"),
        intent=get_optional_text(fields, "Intencao"),
    )


def _facts(fields: Raw, name: str) -> Mapping[str, str]:
    found = get_map(fields, name)
    return {fact: get_text(found, fact) for fact in found} if found else {}


_: type[AuditLog] = FirestoreAudit
