"""Anonymise rows, and remember which requests were carried out."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import cast

from sqlalchemy import BindParameter, Column, Connection, bindparam, insert, select, update

from consumers.sgdp.database import masked_requests, masked_rows
from consumers.sgdp.exceptions import Answer
from consumers.sgdp.model import Attribute
from consumers.sgdp.person import Record
from consumers.sgdp.redaction import redaction
from consumers.sgdp.rows import Row, chunks
from consumers.sgdp.rules import masked, stable_text
from smartlink.consumer import Context, RetryableError

_AT_ONCE = 500  # values bound in one query


@dataclass(frozen=True, slots=True)
class Change:
    """What masking does to a row."""

    row: Row
    values: Mapping[str, object] = field(repr=False)  # of all columns that are masked
    known: bool  # whether the row's pseudonyms were written down before


def changes(connection: Connection, records: Iterable[Record], salt: bytes) -> list[Change]:
    """Compute what masking these rows would change; of rows that are masked, nothing."""
    records = list(records)
    rows = [record.row for record in records if record.model.masked]
    pseudonyms = _pseudonyms(connection, rows)
    person = redaction(records)
    found = []
    for row in rows:
        known = pseudonyms.get(row.digest)
        values: dict[str, object] = {
            item.column.name: row.values[item.column.name]
            if _is_pseudonym(item, row, known or {})
            else masked(item, row.values[item.column.name], salt, person)
            for item in row.model.masked
        }
        if any(_bare(row.values[name]) != _bare(value) for name, value in values.items()):
            found.append(Change(row, values, known is not None))
    return found


def mask(connection: Connection, context: Context, wanted: Sequence[Change]) -> None:
    """Anonymise the rows; keys and references stay as they are."""
    for model in {change.row.model.name: change.row.model for change in wanted}.values():
        of_model = [change for change in wanted if change.row.model is model]
        keys = (column == bindparam(f"key_{n}") for n, column in enumerate(model.key))
        values: dict[Column[object], BindParameter[object]] = {
            item.column: bindparam(f"to_{n}") for n, item in enumerate(model.masked)
        }
        parameters = [_parameters(change) for change in of_model]
        done = connection.execute(update(model.table).where(*keys).values(values), parameters)
        if connection.dialect.supports_sane_multi_rowcount and done.rowcount != len(parameters):
            message = (
                f"{done.rowcount} of {len(parameters)} rows of {model.name} were there to be "
                f"masked: somebody else is changing them"
            )
            raise RetryableError(message)
        if any(item.draws for item in model.attributes):
            _write_down(connection, context, of_model)


def earlier_answer(connection: Connection, tenant: str, request_id: str) -> Answer | None:
    """Look up what was answered when this request was carried out, if it was."""
    table = masked_requests
    same = (table.c.tenant == tenant, table.c.request_id == request_id)
    return cast("Answer | None", connection.scalar(select(table.c.answer).where(*same)))


def keep_answer(
    connection: Connection, context: Context, request_id: str, *, rows: int, answer: Answer
) -> None:
    """Write down that the request is carried out. Two at once: the database refuses the second."""
    values = {
        "tenant": context.tenant,
        "request_id": request_id,
        "masked_on": context.now.astimezone(UTC),
        "row_count": rows,
        "answer": answer,
    }
    connection.execute(insert(masked_requests).values(values))


def _is_pseudonym(item: Attribute, row: Row, pseudonyms: Mapping[str, object]) -> bool:
    known = pseudonyms.get(item.column.name)
    return known is not None and known == _fingerprint(row.values[item.column.name])


def _bare(value: object) -> object:
    """A value without the padding of a fixed-length column."""
    return value.rstrip() if isinstance(value, str) else value


def _parameters(change: Change) -> dict[str, object]:
    key = {f"key_{n}": change.row.values[it.name] for n, it in enumerate(change.row.model.key)}
    masked = enumerate(change.row.model.masked)
    return key | {f"to_{n}": change.values[item.column.name] for n, item in masked}


def _pseudonyms(connection: Connection, rows: Iterable[Row]) -> dict[str, Mapping[str, object]]:
    """Read which of the rows' columns hold pseudonyms, by the rows' digests."""
    digests = [(row.digest,) for row in rows if any(item.draws for item in row.model.attributes)]
    found: dict[str, Mapping[str, object]] = {}
    for some in chunks(digests, _AT_ONCE):
        among = masked_rows.c.row_digest.in_([digest for (digest,) in some])
        query = select(masked_rows.c.row_digest, masked_rows.c.pseudonyms).where(among)
        for entry in connection.execute(query):
            found[entry.row_digest] = entry.pseudonyms
    return found


def _write_down(connection: Connection, context: Context, done: Iterable[Change]) -> None:
    seen_before: list[dict[str, object]] = []
    new: list[dict[str, object]] = []
    for change in done:
        drawn = (item.column.name for item in change.row.model.masked if item.draws)
        pseudonyms = {name: _fingerprint(change.values[name]) for name in drawn}
        entry = {"masked_on": context.now.astimezone(UTC), "pseudonyms": pseudonyms}
        if change.known:
            seen_before.append({"digest": change.row.digest, **entry})
        else:
            new.append({"row_digest": change.row.digest, **entry})
    if seen_before:
        same = masked_rows.c.row_digest == bindparam("digest")
        connection.execute(update(masked_rows).where(same), seen_before)
    if new:
        connection.execute(insert(masked_rows), new)


def _fingerprint(pseudonym: object) -> str:
    text = stable_text(pseudonym).rstrip()
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
