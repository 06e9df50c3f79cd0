"""Looks for traces of people in a whole database: each table, each column, each row."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.erp.university import cpf_of, name_of
from tests.support.tpd import Tpd


def kept_by_law(data_map: Mapping[str, Any]) -> set[tuple[str, str]]:
    """The columns that the map keeps, by the names in the database."""
    return {
        (table.get("name", name).lower(), column.lower())
        for name, table in data_map["tables"].items()
        for column, spec in table["columns"].items()
        if "keep" in spec
    }


def marks_of(number: int) -> set[str]:
    """What gives away the person with this number, wherever it stands: no other row has it."""
    return {
        name_of(number).split(maxsplit=1)[1],  # the first name alone is many people's
        cpf_of(number),
        f"pessoa.{number}@",
        f"aluno.{number}@",
        f"/ {number:06}-0",
    }


def traces(erp: Tpd, marks: Iterable[str], kept: set[tuple[str, str]]) -> list[str]:
    """Where one of the marks still stands, the columns that are kept aside."""
    wanted = [mark.casefold() for mark in marks]
    return [
        f"{table}.{column}: {mark}"
        for (table, column), text in columns(erp)
        if (table.lower(), column.lower()) not in kept
        for mark in wanted
        if mark in text
    ]


def columns(erp: Tpd) -> Iterator[tuple[tuple[str, str], str]]:
    """Each column as one text: its cells as they are and without punctuation."""
    for table, rows in erp.everything().items():
        for column in rows[0]._fields:
            values = (getattr(row, column) for row in rows)
            text = "\n".join(_text(value) for value in values if value is not None).casefold()
            yield (table, column), f"{text}\n{re.sub('[./ -]', '', text)}"


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
