"""Find the person whom a request is about: never somebody else, or nobody is found."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, and_, or_

from consumers.sgdp.identifiers import WEAK, Identifiers, canonical, is_cpf, written
from consumers.sgdp.model import Link, Model, Models
from consumers.sgdp.plain_values import plain_value
from consumers.sgdp.rows import Row, Values, bounded, chunks, rows_again, rows_where, some_rows
from smartlink.consumer import FatalError

_SINGLE, _COMPOSITE = 500, 100  # values in one query; Oracle takes 1,000, SQL Server 2,100 bound
_MOST_STRANGE = 100  # rows; what more hold is a placeholder, and no person's identifier

_Place = tuple[str, str]  # a table of the map, and the digest of a row of it


@dataclass(frozen=True, slots=True)
class Record:
    """A row about the person."""

    row: Row
    person: str  # the digest of the row that is the person's own
    dependent: bool = False  # it stands in the person's record and may name somebody else

    @property
    def model(self) -> Model:
        """Its table."""
        return self.row.model

    def as_json(self) -> dict[str, object]:
        """Return the personal columns as JSON can hold them."""
        values = self.row.values
        return {it.name: plain_value(values[it.column.name]) for it in self.model.attributes}


def find_person(connection: Connection, models: Models, identifiers: Identifiers) -> list[Record]:
    """Find every row about the person; none if nobody is found.

    The first identifier that finds somebody decides, the strongest first, so that an e-mail
    that a family shares adds nobody to whom a CPF names. Raises FatalError if several people
    fit: what is shown or masked wrongly cannot be taken back.
    """
    for kind, value in identifiers.strongest_first(models.identifiers):
        roots = _roots(connection, models, kind, value)
        records = _of_one(_records(connection, models, roots), kind, identifiers.cpf)
        # Tables that know people by their CPF alone are found by no other identifier.
        further = set().union(*_cpfs(records).values()) - {value}
        if further and "CPF" in models.identifiers:
            for cpf in sorted(further):
                roots |= _roots(connection, models, "CPF", cpf)
            records = _of_one(_records(connection, models, roots), kind, identifiers.cpf)
        if records:
            return records
    return []


def _of_one(records: list[Record], kind: str, wanted: str | None) -> list[Record]:
    """Leave out who is known by other CPFs only; raise FatalError if several people are left."""
    cpfs = _cpfs(records)
    if wanted:
        records = [row for row in records if wanted in cpfs.get(row.person, {wanted})]
    # A CNPJ is one's alone, as a CPF is: rows of it without a CPF are the same one's.
    alone = kind == "CNPJ"
    identities = {
        frozenset(cpfs.get(row.person, {f"#{row.person}"}))
        for row in records
        if row.person in cpfs or not alone
    }
    if len(identities) > 1:
        message = (
            f"the request's {kind} fits {len(identities)} people: have it sent again with the "
            f"person's CPF"
        )
        raise FatalError(message)
    return records


def _roots(connection: Connection, models: Models, kind: str, value: str) -> dict[_Place, Row]:
    """From the rows that hold the identifier, climb to those that are a person's own."""
    pending: dict[_Place, Row] = {}
    for model in models:
        fits = [
            it.comparison.among(it.column, [it.comparison.value(value)])
            for it in model.identifying(kind)
        ]
        pending |= _placed(rows_where(connection, model, or_(*fits)) if fits else ())
    roots: dict[_Place, Row] = {}
    for model in models.children_first():
        rows = {place: row for place, row in pending.items() if place[0] == model.name}
        link = model.to_same_person
        if link is None:
            roots |= rows
            continue
        ends = {place: _end(row, link.columns, link) for place, row in rows.items()}
        parents = _linked(connection, models[link.parent], link.to, link, ends.values())
        pending |= _placed(parents)
        known = {_end(parent, link.to, link) for parent in parents}
        roots |= {place: row for place, row in rows.items() if ends[place] not in known}
    return roots


def _records(connection: Connection, models: Models, roots: Mapping[_Place, Row]) -> list[Record]:
    """From the people's own rows, descend to every row that belongs to them."""
    found: dict[_Place, Record] = {place: Record(row, row.digest) for place, row in roots.items()}
    for model in models:
        for link in model.links:
            parents: dict[Values | None, list[Record]] = {}
            for record in found.values():
                if record.model.name == link.parent:
                    parents.setdefault(_end(record.row, link.to, link), []).append(record)
            for row in _linked(connection, model, link.columns, link, parents.keys()):
                for parent in parents.get(_end(row, link.columns, link), ()):
                    dependent = parent.dependent or not link.same_person
                    _put(found, Record(row, parent.person, dependent))
        counts = Counter(name for name, _ in found)
        bounded(len(found), max(counts, key=counts.__getitem__, default=""))
    order = {model.name: number for number, model in enumerate(models)}
    return sorted(found.values(), key=lambda record: order[record.model.name])


def _put(found: dict[_Place, Record], record: Record) -> None:
    """A row that is the person's own and stands in somebody's record too is the person's own."""
    place = _place(record.row)
    known = found.get(place)
    if known is None or (known.dependent and not record.dependent):
        found[place] = record


def _place(row: Row) -> _Place:
    return row.model.name, row.digest


def _placed(rows: Iterable[Row]) -> dict[_Place, Row]:
    return {_place(row): row for row in rows}


def _linked(
    connection: Connection,
    model: Model,
    columns: Sequence[Column[object]],
    link: Link,
    values: Iterable[Values | None],
) -> list[Row]:
    """Read the rows whose columns, one end of the link, hold one of the values."""
    wanted = {value for value in values if value is not None}
    found: list[Row] = []
    for some in chunks(wanted, _SINGLE if len(columns) == 1 else _COMPOSITE):
        if len(columns) == 1:
            condition = link.comparisons[0].among(columns[0], [value for (value,) in some])
        else:  # not each database can compare tuples
            condition = or_(*(_together(columns, link, value) for value in some))
        found += rows_where(connection, model, condition)
        bounded(len(found), model.name)
    return found


def _together(columns: Sequence[Column[object]], link: Link, values: Values) -> ColumnElement[bool]:
    ends = zip(columns, link.comparisons, values, strict=True)
    return and_(*(comparison.among(column, [value]) for column, comparison, value in ends))


def _end(row: Row, columns: Sequence[Column[object]], link: Link) -> Values | None:
    """What one end of the link compares as; None if it refers to nobody."""
    ends = zip(columns, link.comparisons, strict=True)
    values = tuple(comparison.reference(row.values[column.name]) for column, comparison in ends)
    return None if None in values else values


def _cpfs(records: Iterable[Record]) -> dict[str, set[str]]:
    """Tell the CPFs under which each person is known.

    000.000.000-00 and its like are nobody's, nor is a pseudonym; a dependant's is not the person's.
    """
    known: dict[str, set[str]] = {}
    for record in records:
        for item in () if record.dependent else record.model.identifying("CPF"):
            cpf = canonical("CPF", written(record.row.values[item.column.name] or ""))
            if is_cpf(cpf) and len(set(cpf)) > 1:
                known.setdefault(record.person, set()).add(cpf)
    return known


@dataclass(frozen=True, slots=True)
class Again:
    """Who is found when a person is looked for once more."""

    records: list[Record]  # by the CPF, and by the rows that were the person's own
    left: list[Record]  # by another identifier that names a person, and no other CPF
    others: list[tuple[Row, str]]  # somebody else's, with the kind of identifier that is equal


def find_again(
    connection: Connection, models: Models, known: Iterable[Record], asked: Identifiers
) -> Again:
    """Find the person once more, by the rows that were the person's own and by every identifier
    that they or the request held, although they are masked meanwhile.

    An RG or an e-mail names nobody for certain, nor does a value that hundreds of rows hold.
    """
    records = list(known)
    before = {record.row.digest for record in records}
    identities = set(asked.strongest_first(models.identifiers))
    identities |= {it for record in records if not record.dependent for it in _identities(record)}
    cpfs = {value for kind, value in identities if kind == "CPF"}
    own = [record.row for record in records if record.row.digest == record.person]
    roots: dict[_Place, Row] = {}
    for model in models:
        roots |= _placed(rows_again(connection, [row for row in own if row.model is model]))
    left: dict[_Place, Row] = {}
    others: list[tuple[Row, str]] = []
    for kind, value in sorted(identities):
        strange = _holding(connection, models, kind, value, before)
        if kind in WEAK or len(strange) > _MOST_STRANGE:
            others += [(row, kind) for row in strange]
        elif strange:
            for place, row in _roots(connection, models, kind, value).items():
                named = set().union(*_cpfs(_records(connection, models, {place: row})).values())
                if row.digest in before or named & cpfs or (kind == "CPF" and not named):
                    roots[place] = row
                elif named:
                    others.append((row, kind))
                else:
                    left[place] = row
    found = _records(connection, models, roots)
    return Again(found, _records(connection, models, left) if left else [], others)


def _holding(
    connection: Connection, models: Models, kind: str, value: str, known: Collection[str]
) -> list[Row]:
    """Read the rows that hold the identifier and are not known, a bounded number of them."""
    found: list[Row] = []
    for model in models:
        fits = [
            it.comparison.among(it.column, [it.comparison.value(value)])
            for it in model.identifying(kind)
        ]
        if fits:
            found += some_rows(connection, model, or_(*fits), len(known) + _MOST_STRANGE + 1)
    return [row for row in found if row.digest not in known]


def _identities(record: Record) -> Iterator[tuple[str, str]]:
    for item in record.model.attributes:
        kind, value = item.spec.identifier, record.row.values[item.column.name]
        text = canonical(kind, written(value)) if kind and value is not None else ""
        nobodys = kind == "CPF" and not (is_cpf(text) and len(set(text)) > 1)
        if kind and text.strip("0") and not nobodys:
            yield kind, text
