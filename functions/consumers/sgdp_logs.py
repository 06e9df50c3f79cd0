"""SGDPLogsCommand: who saw personal data, and when."""

from sqlalchemy import RowMapping

from consumers.sgdp.access_log import newest_accesses, utc
from consumers.sgdp.erp import open_erp
from consumers.sgdp.messages import APPLICATION_ID, Request, respond, tenant_id
from consumers.sgdp.person import find_person
from smartlink.consumer import Context, Reply, consumer


@consumer("SGDPLogsCommand")
def answer_with_logs(request: Request, context: Context) -> Reply:
    """Answer with the newest entries: the person's, if one is named, else the whole tenant's."""
    people = None
    erp = open_erp(context)
    with erp.transaction() as connection:
        if any(request.identifiers.strongest_first()):
            records = find_person(connection, erp.models, request.identifiers.needed())
            people = sorted({row.person for row in records})
        entries = newest_accesses(connection, context.tenant, people)
    context.log.info("The access log has %d entries", len(entries))
    logs = [_entry(row, tenant_id(context)) for row in entries]
    return respond(context, "SGDPLogsResponse", request, logs=logs)


def _entry(row: RowMapping, tenant: str) -> dict[str, object]:
    return {
        "uuid": str(row["uuid"]),
        "tenantId": tenant,
        "applicationId": APPLICATION_ID,
        "timestamp": utc(row["timestamp"]).isoformat(),
        "user": row["user"],
        "code": row["code"],
        "model": row["model"],
        "ids": row["ids"],
        "action": row["action"],
        "data": {},  # what was seen is not copied into a second place
    }
