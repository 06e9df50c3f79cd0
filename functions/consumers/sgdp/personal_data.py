"""The personal data map: which of an ERP's columns are personal, and what the law wants with them.

A JSON file for each kind of ERP, in the tenant's secret or under `maps/`. The law decides there,
not in code: a column is either masked, or kept with the reason that TPD shows to the person.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from consumers.sgdp.map_error import refuse
from consumers.sgdp.masks import FakeMask, HashMask, MapPart, Mask, draws, redacts
from smartlink.domain.said import said

IDENTIFIER = r"^[A-Z][A-Z0-9_]{1,29}$"

_Text = Annotated[str, Field(min_length=1, max_length=1_000)]
_Name = Annotated[str, Field(min_length=1, max_length=128)]
_Names = Annotated[tuple[_Name, ...], Field(min_length=1, max_length=8)]


class Purpose(MapPart):
    """Why a column is held, in TPD's words."""

    classification: Annotated[str, Field(pattern=r"^[A-Z][A-Z_]{2,59}$")]
    justification: _Text


class PersonalColumn(MapPart):
    """A column that is personal: `mask` says how to anonymise it, or `keep` why that may not be."""

    description: _Text
    purposes: _Names
    identifier: Annotated[str | None, Field(pattern=IDENTIFIER)] = None
    holds: Literal["name", "phone"] | None = None  # which the rule `redact` looks for in texts
    sensitive: bool = False  # in the sense of LGPD, art. 5, II
    mask: Mask | None = None
    keep: _Text | None = None

    @model_validator(mode="after")
    def _decided(self) -> Self:
        if (self.mask is None) == (self.keep is None):
            message = said(
                "write either mask (how to anonymise it) or keep (why that is not allowed)"
            )
            raise ValueError(message)
        return self


class Reference(MapPart):
    """How a row belongs to another table's row.

    `samePerson`: both are about one person. Otherwise the row stands in that person's record but
    may name somebody else, a dependant say: it is shown and masked with the record, while who is
    found by the row's own identifiers gets this row and not the record.
    """

    columns: _Names
    table: _Name
    to: _Names | None = None  # columns there; else its key
    same_person: Annotated[bool, Field(alias="samePerson")] = True


class PersonalTable(MapPart):
    """A table that holds personal data; TPD calls it a class, and puts it into a group."""

    db_schema: Annotated[_Name | None, Field(alias="schema")] = None
    name: _Name | None = None  # in the database, if it is not the entry's own
    class_name: Annotated[_Name, Field(alias="class")]
    group: _Name
    description: _Text
    key: _Names
    references: Annotated[tuple[Reference, ...], Field(max_length=8)] = ()
    columns: Annotated[Mapping[_Name, PersonalColumn], Field(min_length=1, max_length=300)]


class PersonalDataMap(MapPart):
    """A whole map."""

    schema_file: Annotated[str | None, Field(alias="$schema")] = None  # for editors
    purposes: Annotated[Mapping[_Name, Purpose], Field(min_length=1)]
    # None is enough for SGDPLogsCommand, whose answer is the product's own; editors warn of it.
    tables: Annotated[
        Mapping[_Name, PersonalTable],
        Field(max_length=200, json_schema_extra={"minProperties": 1}),
    ]
    # What looks personal and is nobody's, by `table.column` or `table`, and why: no consumer reads
    # it, `smartlink tpd check` does.
    not_personal: Annotated[Mapping[_Name, _Text], Field(alias="notPersonal")] = {}

    @property
    def needs_salt(self) -> bool:
        """Whether a rule draws on the secret's salt."""
        masks = (item.mask for table in self.tables.values() for item in table.columns.values())
        return any(map(draws, masks))

    @property
    def identifiers(self) -> frozenset[str]:
        """The identifiers by which somebody may be found."""
        kinds = (kind for table in self.tables.values() for kind in _identifiers(table))
        return frozenset(kinds)

    def parents_first(self) -> list[str]:
        """Order the tables so that each comes after those it refers to.

        Raises MapError at references that go in a circle.
        """
        ordered: list[str] = []
        left = {
            name: {item.table for item in table.references} for name, table in self.tables.items()
        }
        while left:
            ready = [name for name, parents in left.items() if parents <= set(ordered)]
            if not ready:
                place = f"map.tables.{min(left)}.references"
                refuse(place, said("these references go in a circle, or lead into one"))
            ordered += ready
            left = {name: parents for name, parents in left.items() if name not in ready}
        return ordered

    def check(self) -> None:
        """Raise MapError at what is wrong whatever the database holds."""
        for name, table in self.tables.items():
            place = f"map.tables.{name}"
            for column, item in table.columns.items():
                for purpose in set(item.purposes) - set(self.purposes):
                    at = f"{place}.columns.{column}.purposes"
                    refuse(at, said("map.purposes has no {purpose}", purpose=purpose))
                if column in table.key and item.mask:
                    refuse(f"{place}.columns.{column}.mask", said("a key stays: keep it"))
            if sum(item.same_person for item in table.references) > 1:
                refuse(f"{place}.references", said("one may have samePerson, the others not"))
            for number, reference in enumerate(table.references):
                self._check_reference(f"{place}.references.{number}", table, reference)
            self._check_redaction(place, table)
        classes = [table.class_name for table in self.tables.values()]
        for name, table in self.tables.items():
            if classes.count(table.class_name) > 1:
                refuse(f"map.tables.{name}.class", said("another table has this class too"))
        self.parents_first()
        self._check_reached()

    def _check_redaction(self, place: str, table: PersonalTable) -> None:
        """Refuse to look for a person's name in texts if no column is said to hold it."""
        columns = (item for other in self.tables.values() for item in other.columns.values())
        if any(item.holds == "name" for item in columns):
            return
        for column, item in table.columns.items():
            if redacts(item.mask):
                refuse(
                    f"{place}.columns.{column}.mask",
                    said('no column says which name to look for: write "holds": "name" at one'),
                )

    def _check_reached(self) -> None:
        """Refuse a table of whose rows nothing tells whose they are."""
        reached = {name for name, table in self.tables.items() if any(_identifiers(table))}
        ordered = self.parents_first()
        for name in reversed(ordered):  # from a row found, to the person's own
            if name in reached:
                references = self.tables[name].references
                reached |= {item.table for item in references if item.same_person}
        for name in ordered:  # and from there to all that belongs to the person
            if reached & {item.table for item in self.tables[name].references}:
                reached.add(name)
        for name in ordered:
            if name not in reached:
                refuse(
                    f"map.tables.{name}",
                    said(
                        "nothing leads to its rows: it needs a column with an identifier, or a "
                        "reference to a table of the map that has one, itself or by its references"
                    ),
                )

    def _check_reference(self, place: str, table: PersonalTable, reference: Reference) -> None:
        parent = self.tables.get(reference.table)
        if parent is None:
            refuse(f"{place}.table", said("map.tables has no {table}", table=reference.table))
        to = reference.to or parent.key
        if len(to) != len(reference.columns):
            refuse(
                f"{place}.columns",
                said(
                    "{own} columns cannot refer to {others}",
                    own=len(reference.columns),
                    others=len(to),
                ),
            )
        for own, other in zip(reference.columns, to, strict=True):
            if _way(table, own) != _way(parent, other):
                theirs = f"{reference.table}.{other}"
                refuse(
                    f"{place}.columns",
                    said(
                        "{own} and {other} must stay equal: keep both, or give both "
                        "the same mask, hash or fake, and the same identifier",
                        own=own,
                        other=theirs,
                    ),
                )


def _identifiers(table: PersonalTable) -> Iterator[str]:
    return (item.identifier for item in table.columns.values() if item.identifier)


def _way(table: PersonalTable, column: str) -> object:
    """What becomes of a column that joins tables; two that give the same way stay equal."""
    alike = (it for name, it in table.columns.items() if name.casefold() == column.casefold())
    item = next(alike, None)
    if item is None or item.mask is None:
        return None
    if isinstance(item.mask, HashMask | FakeMask):
        return (item.mask.rule, item.identifier)
    return object()  # equal to nothing
