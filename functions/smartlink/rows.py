"""Reads files of rows, as RM and banks write them: CSV and columns of fixed width.

    class Entry(Payload):
        account: Annotated[str, Columns(1, 10)]
        due: Annotated[RmDate, Columns(11, 20)]
        cents: Annotated[int, Columns(21, 33)]

    entries = fixed_width_rows(text, Entry)
    people = csv_rows(text, Person)

Each row becomes a model, whose types and validators say what fits. A row that does not fit raises
FatalError with the line and the fields, and never with a value.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from smartlink.consumer import FatalError

_Row = TypeVar("_Row", bound=BaseModel)
_SHOWN = 20  # rows of which the error says what is wrong
_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a field, the first being 1, as a layout's documentation counts them."""

    first: int
    last: int

    def __post_init__(self) -> None:
        """Raises ValueError for columns that no line has."""
        if not 1 <= self.first <= self.last:
            message = f"columns {self.first} to {self.last}: the first is 1, the last not before it"
            raise ValueError(message)


def csv_rows(text: str, model: type[_Row], *, delimiter: str | None = None) -> list[_Row]:
    """Returns the rows of a CSV text, by the names in its first line.

    Without a `delimiter` it is the one of `;`, `,` and tab that the first line has most of. Cells
    are taken without the blanks around them; an empty cell is missing, so that the field's default
    holds. Lines without any cell are skipped.
    """
    text = text.removeprefix(_MARK)
    line, _, _ = text.partition("\n")
    given = delimiter or max((";", ",", "\t"), key=line.count)
    return _models(_by_name(text, given), model)


def _by_name(text: str, delimiter: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if not names or len({name.lower() for name in names}) < len(names):
            text = "line 1 names a column twice" if names else "line 1 names no columns"
            raise FatalError(text)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                text = f"line {reader.line_num} has {len(cells)} cells, line 1 names {len(names)}"
                raise FatalError(text)
            found = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
            yield reader.line_num, {name: cell for name, cell in found.items() if cell}
    except csv.Error as error:
        text = f"line {reader.line_num} is no CSV: {error}"
        raise FatalError(text) from None


def fixed_width_rows(text: str, model: type[_Row]) -> list[_Row]:
    """Returns the lines of a text, each cut into the `Columns` of the model's fields.

    What is cut out is taken without the blanks around it; a field of blanks is missing, so that its
    default holds. A line that ends before a field begins lacks the field. Empty lines are skipped.
    Raises TypeError for a field without `Columns`.
    """
    columns = {name: _columns(model, name) for name in model.model_fields}
    lines = enumerate(io.StringIO(text.removeprefix(_MARK), newline=None), start=1)
    rows = ((number, _cut(line, columns)) for number, line in lines if line.strip())
    return _models(rows, model)


def _cut(line: str, columns: Mapping[str, Columns]) -> dict[str, str]:
    cells = {name: line[it.first - 1 : it.last].strip() for name, it in columns.items()}
    return {name: cell for name, cell in cells.items() if cell}


def _columns(model: type[BaseModel], name: str) -> Columns:
    found = [it for it in model.model_fields[name].metadata if isinstance(it, Columns)]
    if len(found) != 1:
        message = f"{model.__name__}.{name}: annotate it with its Columns(first, last)"
        raise TypeError(message)
    return found[0]


def _models(rows: Iterator[tuple[int, Mapping[str, str]]], model: type[_Row]) -> list[_Row]:
    made: list[_Row] = []
    wrong: list[str] = []
    for number, row in rows:
        try:
            made.append(model.model_validate(row))
        except ValidationError as error:
            wrong.append(f"line {number}: {_problems(error)}")
            if len(wrong) == _SHOWN:
                break
    if wrong:
        text = f"The rows do not fit: {'; '.join(wrong)}"
        raise FatalError(text)
    return made


def _problems(error: ValidationError) -> str:
    return ", ".join(
        f"{'.'.join(map(str, it['loc'])) or 'the row'}: {it['type']}"
        for it in error.errors(include_input=False, include_url=False, include_context=False)
    )
