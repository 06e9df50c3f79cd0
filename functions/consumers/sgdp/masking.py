"""Anonymise rows, and remember which requests were carried out."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import cast

from sqlalchemy import BindParameter, Column, Connection, Update, bindparam, insert, select, update

from consumers.sgdp.database import masked_requests, masked_rows
from consumers.sgdp.failures import failing_at
from consumers.sgdp.lenient import Lenient, lenient
from consumers.sgdp.masks import DrawMask
from consumers.sgdp.model import Attribute, Model
from consumers.sgdp.person import Record
from consumers.sgdp.redaction import redaction
from consumers.sgdp.rows import Row, chunks, rows_again
from consumers.sgdp.rules import draw_of, masked, stable_text
from smartlink.consumer import Context, FatalError, RetryableError

_Answer = Mapping[str, object]

_AT_ONCE = 500  # values bound in one query
_DRAWS = 50  # of a value that is to be unique
_KEY, _TO = "smartlink_key_", "smartlink_to_"


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
    drawn: set[tuple[str, object]] = set()
    for row in rows:
        known = pseudonyms.get(row.digest)
        values: dict[str, object] = {}
        for item in row.model.masked:
            old = row.values[item.column.name]
            if _is_pseudonym(item, row, known or {}):
                values[item.column.name] = old
            elif isinstance(item.mask, DrawMask):
                values[item.column.name] = _free(connection, item, old, salt, drawn)
            else:
                values[item.column.name] = masked(item, old, salt, person)
        if any(_bare(row.values[name]) != _bare(value) for name, value in values.items()):
            found.append(Change(row, values, known is not None))
    return found


def _free(
    connection: Connection,
    item: Attribute,
    old: object,
    salt: bytes,
    drawn: set[tuple[str, object]],
) -> object:
    """Draw a value that no row of the table has, nor one drawn before (`drawn`) will have.

    Raises FatalError if none of so many is free: the column has too few values.
    """
    if old in (None, ""):
        return old
    column = item.column
    for draw in range(_DRAWS):
        value = draw_of(item, old, salt, draw)
        place = (column.table.fullname + "." + column.name, value)
        held = select(column).where(lenient(column) == bindparam("v", value, Lenient(column.type)))
        if place not in drawn and connection.execute(held.limit(1)).first() is None:
            drawn.add(place)
            return value
    message = (
        f"no value is free for {column.table.fullname}.{column.name} among {_DRAWS} that were "
        f"drawn: nearly all that the column can hold are in use. Nothing was masked: give the "
        f"column another rule in the personal data map, or have it widened, and redrive the message"
    )
    raise FatalError(message)


def mask(connection: Connection, context: Context, wanted: Sequence[Change]) -> None:
    """Anonymise the rows, and read them back; keys and references stay as they are.

    Raises FatalError if an old value is still there: something in the database keeps it.
    """
    for model in {change.row.model.name: change.row.model for change in wanted}.values():
        of_model = [change for change in wanted if change.row.model is model]
        done = _updated(connection, model, of_model)
        if connection.dialect.supports_sane_multi_rowcount and done != len(of_model):
            message = (
                f"{done} of {len(of_model)} rows of {model.name} were there to be "
                f"masked: somebody else is changing them"
            )
            raise RetryableError(message)
        written = _read_back(connection, model, of_model)
        if any(item.draws for item in model.attributes):
            _write_down(connection, context, of_model, written)


def _updated(connection: Connection, model: Model, wanted: Sequence[Change]) -> int:
    def alone(trial: Connection, name: str) -> None:
        (item,) = (it for it in model.masked if it.column.name == name)
        trial.execute(_update(model, [item]), [_parameters(it, [item]) for it in wanted])

    names = [item.column.name for item in model.masked]
    parameters = [_parameters(change, model.masked) for change in wanted]
    with failing_at("masking", model.table, names, alone):
        return connection.execute(_update(model, model.masked), parameters).rowcount


def _update(model: Model, items: Sequence[Attribute]) -> Update:
    # Names that no column has: SQLAlchemy takes a parameter of a column's name for its new value.
    keys = (
        lenient(column) == bindparam(f"{_KEY}{n}", type_=Lenient(column.type))
        for n, column in enumerate(model.key)
    )
    values: dict[Column[object], BindParameter[object]] = {
        item.column: bindparam(f"{_TO}{n}", type_=Lenient(item.column.type))
        for n, item in enumerate(items)
    }
    return update(model.table).where(*keys).values(values)


def _read_back(connection: Connection, model: Model, wanted: Sequence[Change]) -> dict[str, Row]:
    """Read the rows again, by their digests: a trigger may have written otherwise."""
    written = {row.digest: row for row in rows_again(connection, [it.row for it in wanted])}
    kept = set()
    for change in wanted:
        back = written.get(change.row.digest)
        if back is None:
            kept.add(f"{model.table.fullname}: a masked row is no longer found by its key")
            continue
        for name, value in change.values.items():
            old = change.row.values[name]
            if _bare(old) != _bare(value) and _bare(back.values[name]) == _bare(old):
                kept.add(f"{model.table.fullname}.{name}")
    if kept:
        message = (
            f"the mask did not stay in {', '.join(sorted(kept))}: a trigger or rule of the ERP "
            f"writes the old value back. Nothing was masked: have it changed, and redrive the "
            f"message"
        )
        raise FatalError(message)
    return written


def earlier_answer(connection: Connection, tenant: str, request_id: str) -> _Answer | None:
    """Look up what was answered when this request was carried out, if it was."""
    table = masked_requests
    same = (table.c.tenant == tenant, table.c.request_id == request_id)
    return cast("_Answer | None", connection.scalar(select(table.c.answer).where(*same)))


def keep_answer(
    connection: Connection,
    context: Context,
    request_id: str,
    *,
    rows: int,
    answer: _Answer,
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


def _parameters(change: Change, items: Sequence[Attribute]) -> dict[str, object]:
    key = {f"{_KEY}{n}": change.row.values[it.name] for n, it in enumerate(change.row.model.key)}
    return key | {f"{_TO}{n}": change.values[it.column.name] for n, it in enumerate(items)}


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


def _write_down(
    connection: Connection, context: Context, done: Iterable[Change], written: Mapping[str, Row]
) -> None:
    seen_before: list[dict[str, object]] = []
    new: list[dict[str, object]] = []
    for change in done:
        drawn = (item.column.name for item in change.row.model.masked if item.draws)
        values = written[change.row.digest].values
        pseudonyms = {name: _fingerprint(values[name]) for name in drawn}
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
