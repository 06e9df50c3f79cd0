"""SGDPDataCommand: everything the ERP holds about a person."""

from collections.abc import Iterable

from consumers.sgdp.access_log import record_access
from consumers.sgdp.erp import open_erp
from consumers.sgdp.messages import Request, respond
from consumers.sgdp.person import Record, find_person
from smartlink.consumer import Context, Reply, consumer


@consumer("SGDPDataCommand")
def answer_with_data(request: Request, context: Context) -> Reply:
    """Find the person, log that the data was seen, and answer with it.

    Nobody found is an answer too: an empty `response`.
    """
    identifiers = request.identifiers.needed()
    erp = open_erp(context)
    with erp.transaction() as connection:
        records = find_person(connection, erp.models, identifiers)
        record_access(connection, context, __name__, records)
    context.log.info("The person's data is in %d rows", len(records))
    return respond(context, "SGDPDataResponse", request, response=_grouped(records))


def _grouped(records: Iterable[Record]) -> dict[str, dict[str, dict[str, list[object]]]]:
    """{group: {"models": {class: [{field: value}]}}}."""
    groups: dict[str, dict[str, dict[str, list[object]]]] = {}
    for row in records:
        models = groups.setdefault(row.model.group, {"models": {}})["models"]
        models.setdefault(row.model.name, []).append(row.as_json())
    return groups
