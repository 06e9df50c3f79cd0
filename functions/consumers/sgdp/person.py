"""Find the person whom a request is about: never somebody else, or nobody is found."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import CHAR, BigInteger, ColumnElement, Connection, false, func, literal, or_

from consumers.sgdp.identifiers import WEAK, Identifiers, canonical, is_cpf, punctuated_cpf
from consumers.sgdp.model import Attribute, Model, Models
from consumers.sgdp.plain_values import plain_value
from consumers.sgdp.rows import Row, Values, bounded, rows_again, rows_among, rows_where, some_rows
from smartlink.consumer import FatalError

_MOST_DIGITS = 18  # of an identifier in a number's column
_MOST_STRANGE = 100  # rows; what more hold is a placeholder, and no person's identifier
_NOT_COMPARED = (".", "-", "/", " ")

_Place = tuple[str, Values]  # a table of the map, and a row's key


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
    identities = {frozenset(cpfs.get(row.person, {f"#{row.person}"})) for row in records}
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
        fits = [_fits(item, kind, value) for item in model.identifying(kind)]
        pending |= _placed(rows_where(connection, model, or_(*fits)) if fits else ())
    roots: dict[_Place, Row] = {}
    for model in models.children_first():
        rows = {place: row for place, row in pending.items() if place[0] == model.name}
        link = model.to_same_person
        if link is None:
            roots |= rows
            continue
        parents = rows_among(
            connection,
            models[link.parent],
            link.to,
            {row.of(link.columns) for row in rows.values()},
        )
        pending |= _placed(parents)
        known = {parent.of(link.to) for parent in parents}
        roots |= {place: row for place, row in rows.items() if row.of(link.columns) not in known}
    return roots


def _records(connection: Connection, models: Models, roots: Mapping[_Place, Row]) -> list[Record]:
    """From the people's own rows, descend to every row that belongs to them."""
    found: dict[_Place, Record] = {place: Record(row, row.digest) for place, row in roots.items()}
    for model in models:
        for link in model.links:
            parents: dict[Values, list[Record]] = {}
            for record in found.values():
                if record.model.name == link.parent:
                    parents.setdefault(record.row.of(link.to), []).append(record)
            for row in rows_among(connection, model, link.columns, parents.keys()):
                for parent in parents.get(row.of(link.columns), ()):
                    dependent = parent.dependent or not link.same_person
                    _put(found, Record(row, parent.person, dependent))
        bounded(len(found))
    order = {model.name: number for number, model in enumerate(models)}
    return sorted(found.values(), key=lambda record: order[record.model.name])


def _put(found: dict[_Place, Record], record: Record) -> None:
    """A row that is the person's own and stands in somebody's record too is the person's own."""
    place = _place(record.row)
    known = found.get(place)
    if known is None or (known.dependent and not record.dependent):
        found[place] = record


def _place(row: Row) -> _Place:
    return row.model.name, row.of(row.model.key)


def _placed(rows: Iterable[Row]) -> dict[_Place, Row]:
    return {_place(row): row for row in rows}


def _fits(item: Attribute, kind: str, value: str) -> ColumnElement[bool]:
    column = item.column
    if item.kind is not str:
        number = value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS
        # As a big integer, or a number that the column cannot hold would be the database's error.
        return column == literal(int(value), BigInteger) if number else false()
    match kind:
        case "CPF":
            return column.in_(_padded(item, {value, value.lstrip("0"), punctuated_cpf(value)}))
        case "EMAIL":
            return (
                func.rtrim(func.lower(column)) == value
                if _fixed(item)
                else (func.lower(column) == value)
            )
        case _:
            bare: ColumnElement[str] = func.upper(column)
            for mark in _NOT_COMPARED:
                bare = func.replace(bare, mark, "")
            return bare == value


def _padded(item: Attribute, forms: Collection[str]) -> list[str]:
    """Add the forms as a fixed-length column holds them."""
    width = (item.length or 0) if _fixed(item) else 0
    return sorted({*forms, *(form.ljust(width) for form in forms)})


def _fixed(item: Attribute) -> bool:
    return isinstance(item.column.type, CHAR)


def _cpfs(records: Iterable[Record]) -> dict[str, set[str]]:
    """Tell the CPFs under which each person is known.

    000.000.000-00 and its like are nobody's, nor is a pseudonym; a dependant's is not the person's.
    """
    known: dict[str, set[str]] = {}
    for record in records:
        for item in () if record.dependent else record.model.identifying("CPF"):
            cpf = canonical("CPF", str(record.row.values[item.column.name] or ""))
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
        fits = [_fits(item, kind, value) for item in model.identifying(kind)]
        if fits:
            found += some_rows(connection, model, or_(*fits), len(known) + _MOST_STRANGE + 1)
    return [row for row in found if row.digest not in known]


def _identities(record: Record) -> Iterator[tuple[str, str]]:
    for item in record.model.attributes:
        kind, value = item.spec.identifier, record.row.values[item.column.name]
        text = canonical(kind, str(value)) if kind and value is not None else ""
        nobodys = kind == "CPF" and not (is_cpf(text) and len(set(text)) > 1)
        if kind and text.strip("0") and not nobodys:
            yield kind, text
