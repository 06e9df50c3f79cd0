"""A personal data map bound to a database: its tables and columns as SQLAlchemy knows them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Column, Table

from consumers.sgdp.comparison import Comparison, compared
from consumers.sgdp.masks import Mask, draws
from consumers.sgdp.personal_data import PersonalColumn, Purpose

_Column = Column[object]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A personal column."""

    name: str  # as the map writes it
    column: _Column
    kind: type  # of its values in Python
    length: int | None  # of a text, characters
    spec: PersonalColumn
    purposes: tuple[Purpose, ...]
    constant: object = None  # what the mask `constant` writes, as a value of the column

    @property
    def mask(self) -> Mask | None:
        """How it is anonymised, if it may be."""
        return self.spec.mask

    @property
    def comparison(self) -> Comparison:
        """How it is compared with an identifier of a request."""
        return compared(self.spec.identifier, self.column.type)

    @property
    def draws(self) -> bool:
        """Whether masking twice would change it twice."""
        return draws(self.mask)


@dataclass(frozen=True, slots=True)
class Link:
    """A reference to another table's rows."""

    columns: tuple[_Column, ...]
    parent: str  # the other table's name in the map
    to: tuple[_Column, ...]
    same_person: bool
    comparisons: tuple[Comparison, ...]  # of each column with that which it refers to


@dataclass(frozen=True, slots=True)
class Model:
    """A table that holds personal data."""

    name: str  # in the map
    class_name: str
    group: str
    description: str
    table: Table
    key: tuple[_Column, ...]
    attributes: tuple[Attribute, ...]
    links: tuple[Link, ...] = ()

    @property
    def masked(self) -> tuple[Attribute, ...]:
        """The columns that masking writes."""
        return tuple(item for item in self.attributes if item.mask is not None)

    @property
    def to_same_person(self) -> Link | None:
        """The reference to the person's own row, if this table is not it."""
        return next((link for link in self.links if link.same_person), None)

    def identifying(self, kind: str) -> list[Attribute]:
        """The columns that hold this identifier."""
        return [item for item in self.attributes if item.spec.identifier == kind]


@dataclass(frozen=True, slots=True)
class Models:
    """All of a map's tables, each after those that it refers to."""

    parents_first: tuple[Model, ...]
    identifiers: frozenset[str]
    salt: bytes = field(default=b"", repr=False)

    def __iter__(self) -> Iterator[Model]:
        return iter(self.parents_first)

    def children_first(self) -> Iterator[Model]:
        """Each before those that it refers to."""
        return reversed(self.parents_first)

    def __getitem__(self, name: str) -> Model:
        return next(model for model in self.parents_first if model.name == name)
