"""Find the person whom a request is about: never somebody else, or nobody is found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from sqlalchemy import ColumnElement, Connection, func, or_, select

from consumers.sgdp.identifiers import Identifiers, plain, plain_cpf, punctuated_cpf
from consumers.sgdp.personal_data import Identifier, Model
from smartlink.consumer import FatalError

_MOST_PEOPLE = 50  # that one identifier may fit before we stop counting


@dataclass(frozen=True, slots=True)
class Record:
    """A row about the person."""

    model: Model
    id: int
    person: int
    values: Mapping[str, object] = field(repr=False)  # of the personal columns

    def as_json(self) -> dict[str, object]:
        """Return the personal columns as JSON can hold them."""
        return {name: _json(value) for name, value in self.values.items()}


def find_person(
    connection: Connection, models: Iterable[Model], identifiers: Identifiers
) -> list[Record]:
    """Find every row about the person; none if nobody is found.

    The first identifier that finds somebody decides, the strongest first, so that an e-mail
    that a family shares adds nobody to whom a CPF names. Raises FatalError if several people
    fit: what is shown or masked wrongly cannot be taken back.
    """
    models = tuple(models)
    wanted = plain_cpf(identifiers.cpf) if identifiers.cpf else None
    for kind, value in identifiers.strongest_first():
        records = _records(connection, models, _people(connection, models, kind, value))
        cpfs = _cpfs(records)
        if wanted:  # who is known by other CPFs only is somebody else
            records = [row for row in records if wanted in cpfs.get(row.person, {wanted})]
        identities = {frozenset(cpfs.get(row.person, {f"#{row.person}"})) for row in records}
        if len(identities) > 1:
            message = (
                f"the request's {kind} fits {len(identities)} people: have it sent again with the "
                f"person's CPF"
            )
            raise FatalError(message)
        if records:
            return records
    return []


def _people(
    connection: Connection, models: Iterable[Model], kind: Identifier, value: str
) -> set[int]:
    found: set[int] = set()
    for model in models:
        columns = [
            model.table.c[item.column] for item in model.attributes if item.identifier == kind
        ]
        if columns:
            query = select(model.table.c[model.person]).distinct().limit(_MOST_PEOPLE)
            fits = or_(*(_same(column, kind, value) for column in columns))
            found.update(connection.scalars(query.where(fits)))
    return found


def _same(column: ColumnElement[str], kind: Identifier, value: str) -> ColumnElement[bool]:
    match kind:
        case "CPF":
            return column.in_((value, punctuated_cpf(value)))
        case "RG":
            bare = func.replace(func.replace(func.upper(column), ".", ""), "-", "")
            return bare == value
        case "EMAIL":
            return func.lower(column) == value


def _records(
    connection: Connection, models: Iterable[Model], people: Iterable[int]
) -> list[Record]:
    people = sorted(people)
    records = []
    for model in models if people else ():
        table = model.table
        names = [item.column for item in model.attributes]
        keys = (table.c.id.label("_id"), table.c[model.person].label("_person"))
        query = select(*keys, *(table.c[name] for name in names))
        rows = connection.execute(query.where(table.c[model.person].in_(people)).order_by("_id"))
        records += [
            Record(model, row["_id"], row["_person"], {name: row[name] for name in names})
            for row in rows.mappings()
        ]
    return records


def _cpfs(records: Iterable[Record]) -> dict[int, set[str]]:
    """Tell the CPFs under which each person is known; 000.000.000-00 and its like are nobody's."""
    written = (
        (row.person, str(row.values[item.column] or ""))
        for row in records
        for item in row.model.attributes
        if item.identifier == "CPF"
    )
    known: dict[int, set[str]] = {}
    for person, cpf in written:
        if len(set(plain(cpf))) > 1:
            known.setdefault(person, set()).add(plain_cpf(cpf))
    return known


def _json(value: object) -> object:
    match value:
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case _:
            return value
