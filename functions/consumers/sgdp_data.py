"""SGDPDataCommand: everything the ERP holds about a person."""

from collections.abc import Iterable

from consumers.sgdp.access_log import forget_old, record_access
from consumers.sgdp.erp import open_erp
from consumers.sgdp.messages import Request, respond_in_parts
from consumers.sgdp.person import Record, find_person, places_of
from consumers.sgdp.titulares import asked, known, note, record_titulares
from consumers.sgdp.told import told
from smartlink.consumer import Context, Reply, consumer


@consumer("SGDPDataCommand")
def answer_with_data(request: Request, context: Context) -> list[Reply]:
    """Find the person, log that the data was seen, and answer with it.

    Nobody found is an answer too: an empty `response`.
    """
    erp = open_erp(context)
    identifiers = request.identifiers.needed(erp.models.identifiers)
    note(context, asked(identifiers))
    with erp.transaction() as connection:
        found = find_person(connection, erp.models, identifiers)
        records = found.records
        record_access(connection, context, __name__, request.request_id, records)
        record_titulares(connection, context, records)
    note(context, set().union(*known(records).values()))
    forget_old(erp, context)
    rows = len(records)
    context.log.info("The person's data is in %d rows", rows, debug=told(rows=rows))
    if found.unclear:
        template = "Rows hold an identifier of the person and may be somebody else's; not shown: %s"
        context.log.warning(template, ", ".join(places_of(found.unclear)))
    return respond_in_parts(context, "SGDPDataResponse", request, records, _response)


def _response(records: Iterable[Record]) -> dict[str, object]:
    """{"response": {group: {"models": {class: [{field: value}]}}}}."""
    groups: dict[str, dict[str, dict[str, list[object]]]] = {}
    for record in records:
        models = groups.setdefault(record.model.group, {"models": {}})["models"]
        models.setdefault(record.model.class_name, []).append(record.as_json())
    return {"response": groups}
