"""Do the identifiers find the values that are stored? Asked of the database, on a sample.

Each sampled value is brought into the form in which a request would name it, and the database says
whether the comparison that the consumers make holds for the two. The answer is counts, and shapes
of what is not found: `999.999.999/99`, never a value.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, cast, func, literal, select

from consumers.sgdp.identifiers import canonical
from consumers.sgdp.inspection.contents import is_cpf_written
from consumers.sgdp.inspection.findings import Finding, Level, Topic
from consumers.sgdp.model import Attribute, Model
from consumers.sgdp.person import _fits as fits

_AT_ONCE = 50  # comparisons in one query
_SHAPES, _SHAPE_LENGTH = 4, 24
_EMPTY = frozenset(("", "0"))


def stored_forms(connection: Connection, model: Model, rows: int) -> Iterator[Finding]:
    """For each of a table's columns with an identifier, which share of its values is found."""
    for item in model.attributes:
        if item.spec.identifier:
            yield _of_column(connection, model, item, item.spec.identifier, rows)


def _of_column(
    connection: Connection, model: Model, item: Attribute, kind: str, rows: int
) -> Finding:
    place = f"{model.table.fullname}.{item.column.name}"
    read = connection.scalars(_sampled(connection, item, rows))
    values = [it for it in read if it is not None and str(it).strip() not in _EMPTY]
    if not values:
        return Finding(Topic.STORED_FORMS, Level.NOTE, place, f"{kind}: no value in the sample")
    missed = [value for value in values if not _nameable(kind, str(value))]
    asked = [value for value in values if _nameable(kind, str(value))]
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        missed += [it for it, found in zip(some, _found(connection, item, kind, some)) if not found]  # noqa: B905
    count = len(values)
    told = f"{kind}: a request finds {count - len(missed)} of {count} values"
    if not missed:
        return Finding(Topic.STORED_FORMS, Level.NOTE, place, told)
    shapes = Counter(_shape(str(it)) for it in missed).most_common(_SHAPES)
    told += f"; not those written {', '.join(f'{shape} ({n})' for shape, n in shapes)}"
    lost = any(_is_somebody(kind, str(value)) for value in missed)
    level = Level.FAULT if lost else Level.WARNING
    fix = (
        "bring them into one form, or ask for their form to be compared"
        if lost
        else f"see whose they are: no {kind} names them, so these rows need another identifier"
    )
    return Finding(Topic.STORED_FORMS, level, place, told, fix)


def _sampled(connection: Connection, item: Attribute, rows: int) -> Select[object]:
    query = select(item.column).where(item.column.is_not(None))
    if connection.dialect.name == "sqlite":
        query = query.order_by(func.random())
    return query.limit(rows)


def _found(
    connection: Connection, item: Attribute, kind: str, values: Sequence[object]
) -> Sequence[bool]:
    """Have the database compare each value as the consumers do."""
    compared: list[ColumnElement[bool]] = []
    for value in values:
        stored: Any = cast(literal(value, item.column.type), item.column.type)
        compared += [fits(replace(item, column=stored), kind, canonical(kind, str(value)))]
    answers = connection.execute(
        select(*(it.label(f"c{number}") for number, it in enumerate(compared)))
    ).one()
    return [bool(it) for it in answers]


def _nameable(kind: str, value: str) -> bool:
    """Whether a request could name it at all."""
    match kind:
        case "CPF":
            return re.fullmatch(r"[0-9]{11}", canonical(kind, value)) is not None
        case "EMAIL":
            return "@" in value
        case _:
            return canonical(kind, value) != ""


def _is_somebody(kind: str, value: str) -> bool:
    """Whether it names somebody although it is not found: a CPF in some writing, say."""
    if kind == "CPF":
        digits = re.sub(r"\D", "", value)
        return is_cpf_written(digits) or is_cpf_written(digits.zfill(11))
    return kind != "EMAIL" or "@" in value


def _shape(value: str) -> str:
    letters = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", value))
    return letters if len(letters) <= _SHAPE_LENGTH else f"{letters[:_SHAPE_LENGTH]}…"
