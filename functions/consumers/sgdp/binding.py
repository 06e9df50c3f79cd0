"""Binds a personal data map to a database, and refuses one that could not be carried out there."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from sqlalchemy import Column, Connection, MetaData, Table
from sqlalchemy.types import TypeEngine

from consumers.sgdp.comparison import Comparison, compared
from consumers.sgdp.map_error import refuse
from consumers.sgdp.masks import ConstantMask, FakeMask, HashMask, Mask, NullMask, TruncateDateMask
from consumers.sgdp.model import Attribute, Link, Model, Models
from consumers.sgdp.personal_data import PersonalColumn, PersonalDataMap, PersonalTable
from consumers.sgdp.pseudonyms import LEAST_HASH
from consumers.sgdp.structure import Structure, read_structures

_NUMBERS = (int, Decimal, float)


def bind(connection: Connection, data_map: PersonalDataMap, salt: bytes) -> Models:
    """Find the map's tables and columns, and check that each mask can be carried out.

    Raises MapError with the place in the map; SQLAlchemyError if the database fails.
    """
    if data_map.needs_salt and not salt:
        refuse("salt", "the map has masks that draw on it (hash, fake): add it")
    structures = read_structures(connection, data_map.tables)
    models: dict[str, Model] = {}
    for name in data_map.parents_first():
        models[name] = _model(name, data_map, structures[name], models)
        if connection.dialect.name == "oracle":
            _check_empty_texts(models[name], structures[name])
    return Models(tuple(models.values()), data_map.identifiers, salt)


def _model(
    name: str, data_map: PersonalDataMap, structure: Structure, parents: Mapping[str, Model]
) -> Model:
    spec, place = data_map.tables[name], f"map.tables.{name}"
    table = _declared(place, spec, structure, _referred_to(name, data_map))
    key = _columns(table, structure, f"{place}.key", spec.key)
    if not any(unique and unique <= {column.name for column in key} for unique in structure.unique):
        problem = "no primary key or unique index of the table says that it names one row"
        refuse(f"{place}.key", problem)
    attributes = []
    for column, item in spec.columns.items():
        purposes = tuple(data_map.purposes[purpose] for purpose in item.purposes)
        at = f"{place}.columns.{column}"
        found = table.c[structure.column(at, column)["name"]]
        kind, length = _kind(found.type), getattr(found.type, "length", None)
        constant = _check(at, structure, item, found, kind)
        attributes.append(Attribute(column, found, kind, length, item, purposes, constant))
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


def _comparison(
    place: str,
    own: Column[object],
    other: Column[object],
    held: Mapping[Column[object], str | None],
) -> Comparison:
    """Choose how the two columns of a reference are compared; refuse what cannot be equal."""
    kinds = {kind for kind in (held.get(own), held.get(other)) if kind}
    if len(kinds) > 1:
        refuse(place, f"{own.name} and {other.name} hold different identifiers: {sorted(kinds)}")
    identifier = next(iter(kinds), None)
    ours, theirs = _compared_as(own, identifier), _compared_as(other, identifier)
    if dict in (ours, theirs) or list in (ours, theirs):
        refuse(place, f"{own.name} and {other.name} hold documents or lists, which join nothing")
    if ours != theirs and object not in (ours, theirs):
        problem = (
            f"{own.name} is {own.type!r} and {other.name} {other.type!r}, which compare as "
            f"identifiers only: give one of them its identifier"
        )
        refuse(place, problem)
    return compared(identifier, own.type, other.type)


def _compared_as(column: Column[object], identifier: str | None) -> type:
    kind = _kind(column.type)
    if identifier and kind in (str, *_NUMBERS):
        return str
    return Decimal if kind in _NUMBERS else kind


def _check_lengths(place: str, attributes: Iterable[Attribute], link: Link) -> None:
    """Refuse two columns whose pseudonyms would be cut to different lengths."""
    masked = {item.column.name: item.length for item in attributes if item.mask}
    for own, other in zip(link.columns, link.to, strict=True):
        if own.name in masked and masked[own.name] != getattr(other.type, "length", None):
            problem = f"{own.name} and {other.name} have different lengths, so their pseudonyms too"
            refuse(place, problem)


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
    columns = {item["name"]: Column(item["name"], item["type"]) for item in found}
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
        refuse(place, "the table has no such column")
    return found[0]


def _kind(column_type: TypeEngine[object]) -> type:
    try:
        return column_type.python_type
    except NotImplementedError:  # a type of the database's own
        return object


def _check(
    place: str, structure: Structure, spec: PersonalColumn, column: Column[object], kind: type
) -> object:
    """Refuse a mask that the column cannot take; answers the constant that it writes, if any."""
    if spec.identifier and kind not in (str, *_NUMBERS):
        problem = f"an identifier is a text or a number, not {column.type!r}"
        refuse(f"{place}.identifier", problem)
    if spec.mask is None:
        return None
    at, facts = f"{place}.mask", structure.columns[column.name]
    if column.name in structure.primary | structure.joined:
        refuse(at, "the column is in a primary or foreign key, which stays: keep it")
    if facts.get("computed") or facts.get("identity"):
        refuse(at, "the database computes the column: mask what it is computed from")
    if isinstance(spec.mask, NullMask) and not facts["nullable"]:
        refuse(at, "the column is NOT NULL: use another mask")
    unique = any(column.name in columns for columns in structure.unique)
    if isinstance(spec.mask, ConstantMask | FakeMask | TruncateDateMask) and unique:
        problem = f"the column is unique, and two people could get one value by {spec.mask.rule}"
        refuse(at, f"{problem}: use hash or null")
    _check_type(at, spec.mask, column, kind)
    return _constant(at, spec.mask, column, kind) if isinstance(spec.mask, ConstantMask) else None


def _check_empty_texts(model: Model, structure: Structure) -> None:
    """Refuse a constant that Oracle would take for NULL where there may be none."""
    for item in model.attributes:
        nullable = structure.columns[item.column.name]["nullable"]
        if isinstance(item.mask, ConstantMask) and item.constant == "" and not nullable:
            place = f"map.tables.{model.name}.columns.{item.name}.mask.value"
            refuse(place, "Oracle takes an empty text for NULL, and the column is NOT NULL")


def _check_type(place: str, mask: Mask, column: Column[object], kind: type) -> None:
    length = getattr(column.type, "length", None)
    if isinstance(mask, HashMask | FakeMask) and kind is not str:
        refuse(place, f"{mask.rule} needs a text column, this is {column.type!r}")
    if isinstance(mask, HashMask) and length is not None and length < LEAST_HASH:
        problem = f"hash needs {LEAST_HASH} characters, so that no two people share a pseudonym"
        refuse(place, f"{problem}; the column has {length}: use fake, constant or null")
    if isinstance(mask, TruncateDateMask) and kind not in (date, datetime):
        refuse(place, f"truncateDate needs a date column, this is {column.type!r}")


def _constant(place: str, mask: ConstantMask, column: Column[object], kind: type) -> object:
    length = getattr(column.type, "length", None)
    try:
        value = _converted(mask.value, kind)
    except (ValueError, InvalidOperation):
        value = None
    fits = not isinstance(value, str) or length is None or len(value) <= length
    if value is None or not fits:
        refuse(f"{place}.value", f"it is no value of the column, {column.type!r}")
    return value


def _converted(value: str | float, kind: type) -> object:
    """Read the map's value as one of the column's type; None if it is none."""
    if kind is str:
        return value if isinstance(value, str) else None
    if kind in (date, datetime) and isinstance(value, str):
        return kind.fromisoformat(value)
    if kind is Decimal:
        return Decimal(str(value))
    if kind in (int, float) and not isinstance(value, str):
        return kind(value) if kind is float or float(value).is_integer() else None
    return None
