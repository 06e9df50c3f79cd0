"""Find the person whom a request is about: never somebody else, or nobody is found."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Connection, and_, or_

from consumers.sgdp.identifiers import WEAK, canonical, is_somebodys_cpf, written
from consumers.sgdp.model import Link, Model, Models
from consumers.sgdp.plain_values import plain_value
from consumers.sgdp.requested import Identifiers
from consumers.sgdp.rows import Row, Values, bounded, chunks, rows_again, rows_where, some_rows
from smartlink.consumer import FatalError

_SINGLE, _COMPOSITE = 500, 100  # values in one query; Oracle takes 1,000, SQL Server 2,100 bound
_MOST_STRANGE = 100  # rows; what more hold may be a placeholder, and no person's identifier

_Place = tuple[str, str]  # a table of the map, and the digest of a row of it

Identity = tuple[str, str]
"""An identifier: its kind, and its value in the canonical form."""


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


Held = tuple[Row, str]
"""A row, and the kind of identifier in it that is the person's too."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a database holds about a person."""

    records: list[Record]
    unclear: list[Held]  # may be the person's or somebody else's: nothing in them decides


def find_person(connection: Connection, models: Models, identifiers: Identifiers) -> Found:
    """Find every row about the person; none if nobody is found.

    The first identifier that finds somebody decides, the strongest first, so that an e-mail
    that a family shares adds nobody to whom a CPF names. What else the request says, and what the
    rows found hold besides, then finds the tables that know people by that. Raises FatalError if
    several people fit: what is shown or masked wrongly cannot be taken back.
    """
    unclear: list[Held] = []
    wanted = identifiers.cpf
    for kind, value in identifiers.strongest_first(models.identifiers):
        roots = _roots(connection, models, kind, value)
        records = _records(connection, models, roots)
        cpfs = _cpfs(records)
        alone = {row.digest for row in roots.values() if _by_it_alone(models, row.model, kind)}
        alone -= cpfs.keys()
        # Who is known by other CPFs only is not meant.
        others = {who for who, its in cpfs.items() if wanted and wanted not in its}
        if others and kind in WEAK:
            # Their table knows them by it alone, so it is these rows that hold it.
            unclear += [(row, kind) for row in roots.values() if row.digest in alone]
            others |= alone
        records = [record for record in records if record.person not in others]
        _be_one(records, kind, alone)
        if records:
            return _further(connection, models, records, identifiers, (kind, value))
    return Found([], unclear)


def places_of(held: Iterable[Held]) -> list[str]:
    """Name the columns in which the identifiers stand."""
    columns = (
        f"{row.model.table.fullname}.{item.column.name}"
        for row, kind in held
        for item in row.model.identifying(kind)
    )
    return sorted(set(columns))


def _by_it_alone(models: Models, root: Model, kind: str) -> bool:
    """Tell whether a table, with those that refer to it, knows people by this identifier and no
    other, so that who has it is one person. An RG is one person's only within a state."""
    tree = {root.name}
    for model in models:  # parents first
        link = model.to_same_person
        if link is not None and link.parent in tree:
            tree.add(model.name)
    columns = (item for model in models if model.name in tree for item in model.attributes)
    kinds = {item.spec.identifier for item in columns if item.spec.identifier}
    return kinds == {kind} and kind != "RG"


def _be_one(records: Iterable[Record], kind: str, alone: Collection[str]) -> None:
    """Raise FatalError if these are several people; `alone` are rows that tell nobody apart."""
    records = list(records)
    cpfs = _cpfs(records)
    # A CNPJ is one's alone, as a CPF is: rows of it without a CPF are the same one's.
    identities = {
        frozenset(cpfs.get(record.person, {f"#{record.person}"}))
        for record in records
        if record.person in cpfs or not (kind == "CNPJ" or record.person in alone)
    }
    if len(identities) > 1:
        message = (
            f"the request's {kind} fits {len(identities)} people: have it sent again with the "
            f"person's CPF"
        )
        raise FatalError(message)


def _further(
    connection: Connection,
    models: Models,
    records: list[Record],
    asked: Identifiers,
    by: Identity,
) -> Found:
    """Look for the person by all that the request says and the rows hold, until nothing is new."""
    looked = {by}
    unclear: dict[str, Held] = {}
    while identities := _known(models, records, asked) - looked:
        looked |= identities
        own = {record.row.digest for record in records}
        more = _told_apart(connection, models, identities, records, own)
        unclear |= {row.digest: (row, kind) for row, kind in more.unclear}
        if more.roots:
            roots = [record.row for record in records if record.row.digest == record.person]
            records = _records(connection, models, _placed(roots) | more.roots)
            _be_one(records, by[0], {record.person for record in records})
    for record in records:
        unclear.pop(record.row.digest, None)
    return Found(records, list(unclear.values()))


def _known(models: Models, records: Iterable[Record], asked: Identifiers) -> set[Identity]:
    """List by what a person is known: by the request, and by the person's own rows."""
    own = (it for record in records if not record.dependent for it in identities_in(record))
    return {*asked.strongest_first(models.identifiers), *own}


@dataclass(frozen=True, slots=True)
class _ToldApart:
    """Whose rows hold what a person is known by."""

    roots: dict[_Place, Row]  # the person's
    others: list[Held]  # somebody else's, who has another CPF
    unclear: list[Held]


def _told_apart(
    connection: Connection,
    models: Models,
    identities: Iterable[Identity],
    records: Iterable[Record],
    known: Collection[str],
) -> _ToldApart:
    """Look for rows, besides those that are known, that hold what the person is known by.

    An e-mail or an RG proves nobody: by an e-mail a row is the person's if its table knows people
    by that alone and nobody else uses it; by an RG no row is. A value that hundreds of rows hold
    may be a placeholder.
    """
    cpfs = set().union(*_cpfs(records).values())
    told = _ToldApart({}, [], [])
    for kind, value in sorted(identities):
        strange = _holding(connection, models, kind, value, known)
        if len(strange) > _MOST_STRANGE:
            told.unclear.extend((row, kind) for row in strange)
            continue
        nameless: list[tuple[_Place, Row, list[Held]]] = []
        shared = False
        for place, row in (_roots(connection, models, kind, value) if strange else {}).items():
            group = _records(connection, models, {place: row})
            named = set().union(*_cpfs(group).values())
            within = {record.row.digest for record in group}
            held = [(it, kind) for it in strange if it.digest in within]
            if row.digest in known or named & cpfs:
                told.roots[place] = row
            elif not named:
                nameless.append((place, row, held))
            elif cpfs or kind in WEAK:
                shared = True
                told.others.extend(held)
            else:
                told.unclear.extend(held)
        for place, row, held in nameless:
            weak = kind in WEAK and (shared or not _by_it_alone(models, row.model, kind))
            if _telling(kind, value) and not weak:
                told.roots[place] = row
            else:
                told.unclear.extend(held)
    return told


def _roots(connection: Connection, models: Models, kind: str, value: str) -> dict[_Place, Row]:
    """From the rows that hold the identifier, climb to those that are a person's own."""
    pending: dict[_Place, Row] = {}
    for model in models:
        fits = _holds(model, kind, value)
        pending |= _placed(() if fits is None else rows_where(connection, model, fits))
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
    """Tell the CPFs under which each person is known; a dependant's is not the person's."""
    known: dict[str, set[str]] = {}
    for record in records:
        for item in () if record.dependent else record.model.identifying("CPF"):
            cpf = canonical("CPF", written(record.row.values[item.column.name] or ""))
            if is_somebodys_cpf(cpf):
                known.setdefault(record.person, set()).add(cpf)
    return known


@dataclass(frozen=True, slots=True)
class Again:
    """Who is found when a person is looked for once more."""

    records: list[Record]
    others: list[Held]  # somebody else's
    unclear: list[Held]


def find_again(
    connection: Connection, models: Models, known: Sequence[Record], asked: Identifiers
) -> Again:
    """Find the person once more, by the rows that were the person's own and by every identifier
    that they or the request held, although they are masked meanwhile."""
    before = {record.row.digest for record in known}
    own = [record.row for record in known if record.row.digest == record.person]
    roots: dict[_Place, Row] = {}
    for model in models:
        roots |= _placed(rows_again(connection, [row for row in own if row.model is model]))
    more = _told_apart(connection, models, _known(models, known, asked), known, before)
    found = _records(connection, models, roots | more.roots)
    return Again(found, more.others, more.unclear)


def _telling(kind: str, value: str) -> bool:
    """Tell whether a value has the form of what names somebody."""
    if kind == "EMAIL":
        return "@" in value
    return len(set(value)) > 1 and any(map(str.isdigit, value))


def _holding(
    connection: Connection, models: Models, kind: str, value: str, known: Collection[str]
) -> list[Row]:
    """Read the rows that hold the identifier and are not known, a bounded number of them."""
    found: list[Row] = []
    for model in models:
        fits = _holds(model, kind, value)
        if fits is not None:
            found += some_rows(connection, model, fits, len(known) + _MOST_STRANGE + 1)
    return [row for row in found if row.digest not in known]


def _holds(model: Model, kind: str, value: str) -> ColumnElement[bool] | None:
    """Write the condition that a row holds the identifier; None of a table that never does."""
    items = model.identifying(kind)
    fits = [it.comparison.among(it.column, [it.comparison.value(value)]) for it in items]
    return or_(*fits) if fits else None


def identities_in(record: Record) -> Iterator[Identity]:
    """Yield the identifiers that a row holds, without those that are nobody's."""
    for item in record.model.attributes:
        kind, value = item.spec.identifier, record.row.values[item.column.name]
        text = canonical(kind, written(value)) if kind and value is not None else ""
        nobodys = kind == "CPF" and not is_somebodys_cpf(text)
        if kind and text.strip("0") and not nobodys:
            yield kind, text
