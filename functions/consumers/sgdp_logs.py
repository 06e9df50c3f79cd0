"""SGDPLogsCommand: who saw personal data, and when."""

from collections.abc import Iterable

from sqlalchemy import RowMapping

from consumers.sgdp.access_log import newest_accesses, utc
from consumers.sgdp.erp import open_erp
from consumers.sgdp.messages import APPLICATION_ID, Request, respond_in_parts, tenant_id
from consumers.sgdp.person import find_person
from consumers.sgdp.titulares import asked, known, logged_people, note
from consumers.sgdp.told import told
from smartlink.consumer import Context, Reply, consumer


@consumer("SGDPLogsCommand")
def answer_with_logs(request: Request, context: Context) -> list[Reply]:
    """Answer with the newest entries: the person's, if one is named, else the whole tenant's.

    Who was masked is found by the keyed hashes of the identifiers that were.
    """
    people = None
    erp = open_erp(context, looks_for_a_person=not request.identifiers.empty)
    with erp.transaction() as connection:
        if not request.identifiers.empty:
            identifiers = request.identifiers.needed(erp.models.identifiers)
            note(context, asked(identifiers))
            records = find_person(connection, erp.models, identifiers).records
            note(context, set().union(*known(records).values()))
            people = logged_people(connection, context, identifiers, records)
        oldest = erp.oldest_access(context.now)
        entries = newest_accesses(connection, context.tenant, people, oldest)
    number = len(entries)
    context.log.info("The access log has %d entries", number, debug=told(entries=number))
    tenant = tenant_id(context)

    def logs(rows: Iterable[RowMapping]) -> dict[str, object]:
        return {"logs": [_entry(row, tenant) for row in rows]}

    return respond_in_parts(context, "SGDPLogsResponse", request, entries, logs)


def _entry(row: RowMapping, tenant: str) -> dict[str, object]:
    return {
        "uuid": str(row["id"]),
        "tenantId": tenant,
        "applicationId": APPLICATION_ID,
        "timestamp": utc(row["seen_on"]).isoformat(),
        "user": row["seen_by"],
        "code": row["code"],
        "model": row["class"],
        "ids": row["ids"],
        "action": row["action"],
        "data": {},  # what was seen is not copied into a second place
    }
