"""Binds a personal data map to a database, and refuses one that could not be carried out there."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from sqlalchemy import Column, Connection, MetaData, Table, select

from consumers.sgdp.comparison import Comparison, compared
from consumers.sgdp.fitting import fitting_constant, plain_type, python_kind, samples
from consumers.sgdp.map_error import refuse
from consumers.sgdp.masks import ConstantMask
from consumers.sgdp.model import Attribute, Link, Model, Models
from consumers.sgdp.personal_data import PersonalDataMap, PersonalTable
from consumers.sgdp.rules import digits_of
from consumers.sgdp.structure import Structure, read_structures
from consumers.sgdp.trial import check_what_is_written
from smartlink.domain.said import said, said_together

_NUMBERS = (int, Decimal, float)


def bind(connection: Connection, data_map: PersonalDataMap, salt: bytes) -> Models:
    """Find the map's tables and columns, and check that each mask can be carried out.

    Raises MapError with the place in the map; SQLAlchemyError if the database fails.
    """
    if data_map.needs_salt and not salt:
        refuse("salt", said("the map has masks that draw on it (hash, fake): add it"))
    structures = read_structures(connection, data_map.tables)
    models: dict[str, Model] = {}
    for name in data_map.parents_first():
        models[name] = _model(connection, name, data_map, structures[name], models)
        if connection.dialect.name == "oracle":
            _check_empty_texts(models[name], structures[name])
    return Models(tuple(models.values()), data_map.identifiers, salt)


def _model(
    connection: Connection,
    name: str,
    data_map: PersonalDataMap,
    structure: Structure,
    parents: Mapping[str, Model],
) -> Model:
    spec, place = data_map.tables[name], f"map.tables.{name}"
    table = _declared(place, spec, structure, _referred_to(name, data_map))
    key = _columns(table, structure, f"{place}.key", spec.key)
    _check_key(f"{place}.key", structure, {column.name for column in key})
    _check_no_nulls(connection, f"{place}.key", structure, key)
    attributes = []
    for column, item in spec.columns.items():
        purposes = tuple(data_map.purposes[purpose] for purpose in item.purposes)
        at = f"{place}.columns.{column}"
        found = table.c[structure.column(at, column)["name"]]
        kind, length = python_kind(found.type), getattr(found.type, "length", None)
        constant = fitting_constant(connection, at, structure, item, found)
        attributes.append(Attribute(column, found, kind, length, item, purposes, constant))
    server = bool(structure.types)
    tried = ((item.column.name, samples(item, as_written=server)) for item in attributes)
    writes = {column: said for column, said in tried if said}
    check_what_is_written(connection, place, structure, table, writes)
    links = []
    for number, reference in enumerate(spec.references):
        at = f"{place}.references.{number}"
        parent = parents[reference.table]
        own = _columns(table, structure, f"{at}.columns", reference.columns)
        to = parent.key
        if reference.to:
            to = tuple(_of(parent.table, f"{at}.to.{column}", column) for column in reference.to)
        held = {item.column: item.spec.identifier for item in (*attributes, *parent.attributes)}
        ends = zip(own, to, strict=True)
        comparisons = tuple(_comparison(f"{at}.columns", *pair, held) for pair in ends)
        links.append(Link(own, parent.name, to, reference.same_person, comparisons))
        _check_lengths(f"{at}.columns", attributes, links[-1])
    texts = (spec.class_name, spec.group, spec.description)
    return Model(name, *texts, table, key, tuple(attributes), tuple(links))


def _check_key(place: str, structure: Structure, key: set[str]) -> None:
    """Refuse a key of which nothing proves that it names one row."""
    near = [item for item in structure.unique if item.columns and item.columns <= key]
    if any(item.flaw is None for item in near):
        return
    problem = said("no primary key or unique index of the table says that it names one row")
    flaws = [said("the index {name} {flaw}", name=item.name, flaw=item.flaw) for item in near]
    if flaws:
        told = said_together("; ", flaws)
        refuse(place, said("{problem}: {flaws}", problem=problem, flaws=told))
    refuse(place, problem)


def _check_no_nulls(
    connection: Connection, place: str, structure: Structure, key: Iterable[Column[object]]
) -> None:
    """Refuse a key that is NULL in some row, which no statement could then name."""
    for column in key:
        if structure.columns[column.name]["nullable"]:
            query = select(column).where(column.is_(None)).limit(1)
            if connection.execute(query).first():
                refuse(
                    place,
                    said(
                        "{column} is NULL in some rows, which it does not name: "
                        "fill it and make it NOT NULL, or take another key",
                        column=column.name,
                    ),
                )


def _comparison(
    place: str,
    own: Column[object],
    other: Column[object],
    held: Mapping[Column[object], str | None],
) -> Comparison:
    """Choose how the two columns of a reference are compared; refuse what cannot be equal."""
    kinds = {kind for kind in (held.get(own), held.get(other)) if kind}
    if len(kinds) > 1:
        refuse(
            place,
            said(
                "{own} and {other} hold different identifiers: {kinds}",
                own=own.name,
                other=other.name,
                kinds=sorted(kinds),
            ),
        )
    identifier = next(iter(kinds), None)
    ours, theirs = _compared_as(own, identifier), _compared_as(other, identifier)
    if dict in (ours, theirs) or list in (ours, theirs):
        refuse(
            place,
            said(
                "{own} and {other} hold documents or lists, which join nothing",
                own=own.name,
                other=other.name,
            ),
        )
    if ours != theirs and object not in (ours, theirs):
        refuse(
            place,
            said(
                "{own} is {own_type} and {other} {other_type}, which compare as "
                "identifiers only: give one of them its identifier",
                own=own.name,
                own_type=repr(own.type),
                other=other.name,
                other_type=repr(other.type),
            ),
        )
    return compared(identifier, own.type, other.type)


def _compared_as(column: Column[object], identifier: str | None) -> type:
    kind = python_kind(column.type)
    if identifier and kind in (str, *_NUMBERS):
        return str
    return Decimal if kind in _NUMBERS else kind


def _check_lengths(place: str, attributes: Iterable[Attribute], link: Link) -> None:
    """Refuse two columns whose pseudonyms would be cut to different lengths."""
    masked = {item.column.name for item in attributes if item.mask}
    for own, other in zip(link.columns, link.to, strict=True):
        if own.name in masked and _size(own) != _size(other):
            refuse(
                place,
                said(
                    "{own} and {other} have different lengths, so their pseudonyms too",
                    own=own.name,
                    other=other.name,
                ),
            )


def _size(column: Column[object]) -> tuple[type, int | None, int]:
    kind, length = python_kind(column.type), getattr(column.type, "length", None)
    return (Decimal if kind is int else kind), length, digits_of(column.type)


def _declared(
    place: str, spec: PersonalTable, structure: Structure, referred: Iterable[str]
) -> Table:
    """Declare the columns that the map names, and no others."""
    places = {column: f"{place}.columns.{column}" for column in spec.columns}
    places |= {column: f"{place}.key.{column}" for column in spec.key}
    for number, reference in enumerate(spec.references):
        at = f"{place}.references.{number}.columns"
        places |= {column: f"{at}.{column}" for column in reference.columns}
    places |= {column: f"{place}, to which another table refers: {column}" for column in referred}
    found = [structure.column(at, column) for column, at in places.items()]
    columns = {item["name"]: Column(item["name"], plain_type(item["type"])) for item in found}
    return Table(structure.name, MetaData(), *columns.values(), schema=structure.schema)


def _referred_to(name: str, data_map: PersonalDataMap) -> list[str]:
    references = (item for table in data_map.tables.values() for item in table.references)
    return [column for item in references if item.table == name for column in item.to or ()]


def _columns(
    table: Table, structure: Structure, place: str, names: Iterable[str]
) -> tuple[Column[object], ...]:
    found = (structure.column(f"{place}.{name}", name)["name"] for name in names)
    return tuple(table.c[name] for name in found)


def _of(table: Table, place: str, name: str) -> Column[object]:
    found = [column for column in table.c if column.name.casefold() == name.casefold()]
    if not found:
        refuse(place, said("the table has no such column"))
    return found[0]


def _check_empty_texts(model: Model, structure: Structure) -> None:
    """Refuse a constant that Oracle would take for NULL where there may be none."""
    for item in model.attributes:
        nullable = structure.columns[item.column.name]["nullable"]
        if isinstance(item.mask, ConstantMask) and item.constant == "" and not nullable:
            place = f"map.tables.{model.name}.columns.{item.name}.mask.value"
            refuse(place, said("Oracle takes an empty text for NULL, and the column is NOT NULL"))
