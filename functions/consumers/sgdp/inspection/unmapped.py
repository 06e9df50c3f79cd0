"""Columns that look personal and that the map does not have: what TPD would not show or mask."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Date, DateTime, LargeBinary, Numeric
from sqlalchemy.types import Boolean, Interval, Time, Uuid

from consumers.sgdp.inspection.contents import Seen, looks_by_content
from consumers.sgdp.inspection.findings import Finding, Level, Topic
from consumers.sgdp.inspection.names import Kind, Named, about_people, looks_by_name
from consumers.sgdp.inspection.tables import FoundTable, sample
from smartlink.domain.said import Said, said

_BY_NAME = said("by its name")
_KINDS = {
    Kind.DOCUMENT: said("document"),
    Kind.PHONE: said("phone"),
    Kind.NAME: said("name"),
    Kind.BIRTH: said("date of birth"),
    Kind.ADDRESS: said("address"),
    Kind.BANK: said("bank account"),
    Kind.IMAGE: said("image or biometrics"),
    Kind.SENSITIVE: said("sensitive"),
    Kind.PROFILE: said("profile"),
    Kind.FREE_TEXT: said("free text"),
}
_ENOUGH = 20  # values that together contradict a name
# What a content of the right shape alone proves; the others a name has to say too.
_CHECKED = frozenset((Kind.CPF, Kind.PIS, Kind.DOCUMENT, Kind.EMAIL, Kind.PHONE))


@dataclass(frozen=True, slots=True)
class Guess:
    """A column looks personal: as what, how surely, and why."""

    table: FoundTable
    column: str
    kind: Kind
    sure: bool
    why: Said
    whole: bool = True  # and nothing else: what stands within longer texts identifies no row


def guesses(connection: Connection, found: FoundTable, rows: int, today: date) -> Iterator[Guess]:
    """Yields the columns that look personal by their names, and by so many of the table's rows."""
    values = sample(connection, found, rows) if rows else {}
    joined = {name for it in found.foreign for name in it.columns}
    looks = {name: _Look.at(found, name, values.get(name, []), today) for name in found.columns}
    people = (
        about_people(found.name)
        or any(about_people(it.table) for it in found.foreign)
        or any(it.seen and it.seen.kind in _CHECKED for it in looks.values())
    )
    addresses = [
        name
        for name, it in looks.items()
        if it.named and it.named.kind is Kind.ADDRESS and name not in joined
    ]
    for name, look in looks.items():
        if addresses == [name] and name.casefold() == "state":
            continue  # of an invoice, not of a country
        if name in joined and not (look.seen and look.seen.kind in _CHECKED):
            continue  # a number of another row
        guess = look.guess(people=people)
        if guess is not None:
            whole = not (look.seen and look.seen.within)
            yield Guess(found, name, *guess, whole=whole)


@dataclass(frozen=True, slots=True)
class Covered:
    """The columns that a map has or says to be nobody's, right or not; all in lower case."""

    names: frozenset[str]  # `table.column`, or a whole `table`

    @classmethod
    def by(cls, data_map: object, default_schema: str) -> "Covered":
        """Collects the columns of a map that may be wrong anywhere."""
        names = set(_dict(_dict(data_map).get("notPersonal")))
        for name, value in _dict(_dict(data_map).get("tables")).items():
            table = _dict(value)
            own, schema = table.get("name") or name, table.get("schema")
            full = own if schema in (None, default_schema) else f"{schema}.{own}"
            names |= {f"{full}.{column}" for column in _dict(table.get("columns"))}
        return cls(frozenset(it.casefold() for it in names))

    def has(self, guess: Guess) -> bool:
        """Tells whether the map decides on the column."""
        table = guess.table.full_name.casefold()
        return table in self.names or f"{table}.{guess.column.casefold()}" in self.names


def unmapped(
    connection: Connection, found: FoundTable, rows: int, today: date, covered: Covered
) -> Iterator[Finding]:
    """Yields the table's columns that look personal and on which the map does not decide."""
    for guess in guesses(connection, found, rows, today):
        if covered.has(guess):
            continue
        place = f"{guess.table.full_name}.{guess.column}"
        level = Level.FAULT if guess.sure else Level.WARNING
        fix = said("map it (mask or keep), or say in the map's notPersonal why it is nobody's")
        kind = _KINDS.get(guess.kind, guess.kind)
        text = (
            said("is personal ({kind}): {why}", kind=kind, why=guess.why)
            if guess.sure
            else said("may be personal ({kind}): {why}", kind=kind, why=guess.why)
        )
        yield Finding(Topic.UNMAPPED, level, place, text, fix)


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class _Look:
    """What a column's name and content say."""

    named: Named | None
    seen: Seen | None
    looked_at: int  # values

    @classmethod
    def at(cls, found: FoundTable, name: str, values: list[str], today: date) -> "_Look":
        kind = found.columns[name]["type"]
        named = looks_by_name(name)
        if isinstance(kind, Boolean | Interval | Time | Uuid):
            return cls(None, None, 0)
        if isinstance(kind, LargeBinary):
            fits = named and named.kind in {Kind.IMAGE, Kind.DOCUMENT, Kind.FREE_TEXT}
            return cls(named if fits else None, None, 0)
        of_date = isinstance(kind, Date | DateTime)
        if named and of_date != (named.kind is Kind.BIRTH) and of_date:
            named = None
        number = isinstance(kind, Numeric) or getattr(kind, "python_type", str) in (int, float)
        if named and number and named.kind in {Kind.NAME, Kind.FREE_TEXT, Kind.EMAIL}:
            named = None
        if named and number and named.kind is Kind.ADDRESS and "_" in name and not named.strong:
            named = None  # a house has a number, `num_orders_as_shipping_address` counts
        return cls(named, looks_by_content(values, today, of_date=of_date), len(values))

    def guess(self, *, people: bool) -> tuple[Kind, bool, Said] | None:
        """Tells what the column looks like, whether that is sure, and why."""
        named, seen = self.named, self.seen
        told = _told(seen, self.looked_at) if seen else _BY_NAME
        if seen and (seen.kind in _CHECKED or (named and named.kind is seen.kind)):
            return seen.kind, True, told
        if named and named.kind in _CHECKED and self.looked_at >= _ENOUGH:
            return named.kind, False, said("by its name, although its content does not look so")
        if named and named.strong and named.kind is not Kind.CNPJ:
            return named.kind, people or named.kind in _CHECKED, _BY_NAME
        if seen:
            return seen.kind, people and seen.kind is Kind.NAME, told
        return (named.kind, False, _BY_NAME) if named and (people or named.strong) else None


def _told(seen: Seen, count: int) -> Said:
    if seen.within:
        return said("found within {share:.0%} of {count} values", share=seen.share, count=count)
    return said("found in {share:.0%} of {count} values", share=seen.share, count=count)
