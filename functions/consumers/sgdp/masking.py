"""Anonymise rows, and say what had to stay."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC

from sqlalchemy import Connection, Table, insert, select, update

from consumers.sgdp.database import masked_requests
from consumers.sgdp.person import Record
from consumers.sgdp.personal_data import Attribute, Model
from smartlink.consumer import Context

Answer = Mapping[str, object]

_TYPES = {"str": "String", "date": "Date", "Decimal": "Decimal", "int": "Integer"}


def unmasked(records: Iterable[Record]) -> list[Record]:
    """Pick the rows that masking would change."""
    return [
        row
        for row in records
        if any(row.values[name] != value for name, value in row.model.mask.items())
    ]


def mask(connection: Connection, records: Iterable[Record]) -> None:
    """Anonymise the rows; keys and references stay as they are."""
    for row in records:
        table = row.model.table
        connection.execute(update(table).where(table.c.id == row.id).values(row.model.mask))


def exceptions(records: Sequence[Record]) -> Answer:
    """Build TPD's `exceptionAttributes`: what is kept in these rows, and why."""
    models = {row.model.name: row.model for row in records}
    kept = {name: _kept(model) for name, model in models.items()}
    return {
        name: {"description": models[name].description, "attributes": attributes}
        for name, attributes in kept.items()
        if attributes
    }


def earlier_answer(connection: Connection, tenant: str, request_id: str) -> Answer | None:
    """Look up what was answered when this request was carried out, if it was."""
    table = masked_requests
    same = (table.c.tenant == tenant, table.c.request_id == request_id)
    answer: Answer | None = connection.scalar(select(table.c.answer).where(*same))
    return answer


def keep_answer(
    connection: Connection, context: Context, request_id: str, *, rows: int, answer: Answer
) -> None:
    """Write down that the request is carried out. Two at once: the database refuses the second."""
    values = {
        "tenant": context.tenant,
        "request_id": request_id,
        "masked_on": context.now.astimezone(UTC),
        "rows": rows,
        "answer": answer,
    }
    connection.execute(insert(masked_requests).values(values))


def _kept(model: Model) -> dict[str, object]:
    return {
        item.column: _described(model.table, item)
        for item in model.attributes
        if item.kept is not None
    }


def _described(table: Table, item: Attribute) -> dict[str, object]:
    purpose = {
        "classification": item.purpose.classification,
        "justification": item.purpose.justification,
    }
    kind = table.c[item.column].type.python_type.__name__
    return {
        "type": _TYPES.get(kind, kind),
        "description": item.description,
        "sgdpData": {
            "sensitive": item.sensitive,
            "type": item.identifier or "EMPTY",
            "allowsAnonymization": item.kept is None,
            "identification": item.identifier is not None,
        },
        "sgdpPurposes": [purpose],
        "reason": item.kept,
    }
