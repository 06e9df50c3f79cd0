"""Do the identifiers find the values that are stored? Asked of the database, on a sample.

The database brings each sampled value into the form in which it is compared; a request finds it if
that is the form of the same value in a request. The answer is counts, and shapes of what is not
found: `999.999.999/99`, never a value.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import Column, Connection, func, select

from consumers.sgdp.identifiers import canonical, is_cpf, written
from consumers.sgdp.inspection.contents import is_cpf_written
from consumers.sgdp.inspection.findings import Finding, Level, Topic
from consumers.sgdp.inspection.tables import picked
from consumers.sgdp.model import Attribute, Model
from smartlink.domain.said import said

_EMPTY = frozenset(("", "0"))
_SHAPES, _SHAPE_LENGTH = 4, 24


def stored_forms(connection: Connection, model: Model, rows: int) -> Iterator[Finding]:
    """Yields for each column with an identifier how many of its values a request finds."""
    for item in model.attributes:
        if item.spec.identifier:
            place = f"{model.table.fullname}.{item.column.name}"
            yield _of_column(connection, item, item.spec.identifier, place, rows)


def _of_column(
    connection: Connection, item: Attribute, kind: str, place: str, rows: int
) -> Finding:
    pairs = [it for it in _sampled(connection, item, rows) if written(it[0]).strip() not in _EMPTY]
    if not pairs:
        nothing = said("{kind}: no value in the sample", kind=kind)
        return Finding(Topic.STORED_FORMS, Level.NOTE, place, nothing)
    missed = [
        written(stored) for stored, compared in pairs if not _is_found(item, kind, stored, compared)
    ]
    told = said(
        "{kind}: a request finds {found} of {count} values",
        kind=kind,
        found=len(pairs) - len(missed),
        count=len(pairs),
    )
    if not missed:
        return Finding(Topic.STORED_FORMS, Level.NOTE, place, told)
    shapes = Counter(map(_shape, missed)).most_common(_SHAPES)
    told = said(
        "{told}; not those written {shapes}",
        told=told,
        shapes=", ".join(f"{shape} ({n})" for shape, n in shapes),
    )
    if any(_is_somebody(kind, value) for value in missed):
        fix = said("write them in one form: they name somebody whom no request would find")
        return Finding(Topic.STORED_FORMS, Level.FAULT, place, told, fix)
    fix = said(
        "see whose they are: no {kind} names them, so these rows need another identifier",
        kind=kind,
    )
    return Finding(Topic.STORED_FORMS, Level.WARNING, place, told, fix)


def _sampled(connection: Connection, item: Attribute, rows: int) -> list[tuple[object, object]]:
    """Reads values, each with the form in which the database compares it."""
    source = picked(connection, item.column.table, rows)
    stored_as = cast("Column[Any]", source.c[item.column.name])
    form = item.comparison.expression(stored_as).label("compared")
    query = select(stored_as, form).where(stored_as.is_not(None))
    if connection.dialect.name == "sqlite":
        query = query.order_by(func.random())
    return [(stored, compared) for stored, compared in connection.execute(query.limit(rows))]


def _is_found(item: Attribute, kind: str, stored: object, compared: object) -> bool:
    """Tells whether a request can name the value, and the database then finds it."""
    asked = canonical(kind, written(stored))
    if kind == "CPF" and not is_cpf(asked):
        return False
    if kind == "EMAIL" and "@" not in asked:
        return False
    return written(compared) == item.comparison.value(asked)


def _is_somebody(kind: str, value: str) -> bool:
    """Tells whether a value that is not found names somebody, as a CPF in an odd writing does."""
    if kind == "CPF":
        return is_cpf_written(re.sub(r"\D", "", value).zfill(11))
    return kind != "EMAIL" or "@" in value


def _shape(value: str) -> str:
    letters = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", value))
    return letters if len(letters) <= _SHAPE_LENGTH else f"{letters[:_SHAPE_LENGTH]}…"
