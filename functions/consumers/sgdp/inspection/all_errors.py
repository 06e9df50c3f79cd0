"""Every error of a map at once, where the consumers stop at the first.

What is wrong is told and then left out or corrected in a copy, and the rest is checked again, until
nothing is wrong. What is wrong only because of that is not told.
"""

import copy
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection

from consumers.sgdp.binding import bind
from consumers.sgdp.inspection.findings import Finding, Level, Topic
from consumers.sgdp.map_error import NO_TABLES, MapError
from consumers.sgdp.maps import parse_map
from consumers.sgdp.model import Models
from consumers.sgdp.personal_data import PersonalDataMap
from smartlink.domain.said import Said, said
from smartlink.domain.shape import refused

_ROOT = "map.tables."
_STAND_IN_SALT = b"stands in for the secret's"
_MOST = 1_000  # rounds; who needs more has no map
_DECIDE = "decide"  # what `tpd draft` leaves to a person


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a map."""

    findings: list[Finding]
    data_map: PersonalDataMap | None  # what is right of it
    models: Models | None  # that, bound to the database
    failed: bool = False  # the database did not let it be compared


def checked(connection: Connection, value: object, salt: bytes | None) -> Checked:
    """Checks a map, as JSON has it, in itself and against the database.

    `salt` None: the secret is not at hand. Raises SQLAlchemyError if the database fails.
    """
    work = _Work(copy.deepcopy(value))
    parsed = work.parsed()
    if parsed is None:
        return Checked(work.findings, None, None)
    if not parsed.tables:
        work.tell("map.tables", NO_TABLES)
        return Checked(work.findings, None, None)
    models: Models | None = None
    used = _STAND_IN_SALT if salt is None else salt
    while parsed is not None and models is None:
        try:
            models = bind(connection, parsed, used)
        except MapError as error:
            if error.place == "salt" and used != _STAND_IN_SALT:
                work.tell(error.place, error.problem)
                used = _STAND_IN_SALT
            else:
                parsed = work.parsed() if work.correct(error) else None
    return Checked(work.findings, parsed, models)


@dataclass
class _Work:
    """The copy of the map, and what was wrong with it."""

    value: Any
    findings: list[Finding] = field(default_factory=list)
    corrected: set[tuple[str, str]] = field(default_factory=set)  # table and column
    weakened: set[str] = field(default_factory=set)  # tables that have lost a part

    def tell(self, place: str, problem: Said) -> None:
        """Adds an error to the findings."""
        finding = Finding(Topic.MAP, Level.FAULT, place, problem)
        if finding not in self.findings:  # a column may be corrected first and left out then
            self.findings.append(finding)

    def parsed(self) -> PersonalDataMap | None:
        """Returns the part of the map that is right in itself; None if no part is."""
        for _ in range(_MOST):
            try:
                PersonalDataMap.model_validate_json(json.dumps(self.value))
            except ValidationError as error:
                if not self._mend_shape(error):
                    return None
                continue
            try:
                return parse_map(self.value)
            except MapError as error:
                if not self.correct(error):
                    return None
        return None

    def _mend_shape(self, error: ValidationError) -> bool:
        """Adds errors of the map's shape to the findings, and puts a right part in each place."""
        found = error.errors(include_input=False, include_url=False, include_context=False)
        places: list[tuple[str, ...]] = []
        for item in found:
            loc = tuple(str(part) for part in item["loc"])
            self.tell(".".join(("map", *loc)), _said(loc, item["msg"], item["type"]))
            places.append(loc)
        done = [self._stand_in(loc) for loc in dict.fromkeys(places)]
        return all(done)

    def _stand_in(self, loc: tuple[str, ...]) -> bool:  # noqa: PLR0911  (one for each place)
        match loc:
            case ("tables", table, "columns", column, *_):
                return self._keep_column(table, column)
            case ("tables", table, "references", number, *_) if number.isdigit():
                return self._drop_reference(table, int(number))
            case ("tables", table, ("class" | "group" | "description") as name):
                self._tables[table][name] = f"? {table}"[:100]
                return True
            case ("tables", table, name) if name not in _TABLE:
                return self._tables[table].pop(name, None) is not None
            case ("tables", table, *_):
                return self._drop_table(table)
            case ("purposes", name, *_):
                stand_in = {"classification": "UNKNOWN", "justification": "?"}
                self.value["purposes"][name] = stand_in
                return True
            case (name,) if name not in ("tables", "purposes"):
                return isinstance(self.value, dict) and self.value.pop(name, None) is not None
            case ("notPersonal", *_):
                return self.value.pop("notPersonal", None) is not None
        return False

    def correct(self, error: MapError) -> bool:
        """Adds an error to the findings, and takes its place out of the map; False if it cannot."""
        place, problem = error.place, error.problem
        table = self._table_at(place)
        if table is None:
            self.tell(place, problem)
            return False
        inner = place[len(_ROOT) + len(table) :].lstrip(".")
        number = re.match(r"references\.(\d+)", inner)
        if number:
            return self._mend_reference(table, int(number[1]), error)
        if inner or table not in self.weakened or "nothing leads" not in problem:
            self.tell(place, problem)
        if inner.startswith("columns."):
            return self._mend_column(table, inner.removeprefix("columns."))
        if inner.startswith("class"):
            self._tables[table]["class"] += f" ({table})"
            return True
        several = inner == "references" and self._one_same_person(table)
        return several or self._drop_table(table)

    def _mend_reference(self, table: str, number: int, error: MapError) -> bool:
        if not self._follows(table, number):
            self.tell(error.place, error.problem)
        return self._drop_reference(table, number)

    def _mend_column(self, table: str, inner: str) -> bool:
        column = _longest(self._tables[table]["columns"], inner)
        if column is None:
            return self._drop_table(table)
        if inner == f"{column}.purposes":
            self._tables[table]["columns"][column]["purposes"] = [next(iter(self._purposes))]
            return True
        return self._keep_or_drop_column(table, column)

    @property
    def _tables(self) -> dict[str, Any]:
        tables: dict[str, Any] = self.value["tables"]
        return tables

    @property
    def _purposes(self) -> dict[str, Any]:
        purposes = self.value.get("purposes")
        return purposes if isinstance(purposes, dict) else {}

    def _table_at(self, place: str) -> str | None:
        tables = self.value.get("tables") if isinstance(self.value, dict) else None
        return (
            _longest(tables or (), place.removeprefix(_ROOT)) if place.startswith(_ROOT) else None
        )

    def _keep_or_drop_column(self, table: str, column: str) -> bool:
        """Keeps a column whose mask is wrong; takes out one that was wrong before."""
        item = self._tables[table]["columns"][column]
        if (table, column) not in self.corrected and "mask" in item:
            return self._keep_column(table, column)
        self._tables[table]["columns"].pop(column)
        self.corrected.add((table, column))
        self.weakened.add(table)
        return bool(self._tables[table]["columns"]) or self._drop_table(table)

    def _keep_column(self, table: str, column: str) -> bool:
        columns = self._tables[table]["columns"]
        item = columns[column] if isinstance(columns[column], dict) else {}
        purpose = next(iter(self._purposes), None)
        if purpose is None or (table, column) in self.corrected:
            columns.pop(column)
            self.weakened.add(table)
            return bool(columns) or self._drop_table(table)
        kind = item.get("identifier")
        known = {"identifier": kind} if isinstance(kind, str) and kind.isupper() else {}
        held = {"holds": item["holds"]} if item.get("holds") in ("name", "phone") else {}
        stand_in = {"description": "?", "purposes": [purpose], "keep": "?"}
        columns[column] = {**stand_in, **known, **held}
        self.corrected.add((table, column))
        return True

    def _drop_reference(self, table: str, number: int) -> bool:
        references = self._tables[table].get("references")
        if not isinstance(references, list) or number >= len(references):
            return self._drop_table(table)
        references.pop(number)
        self.weakened.add(table)
        return True

    def _one_same_person(self, table: str) -> bool:
        """Takes samePerson from all references but the first; False if there is no other."""
        own = [it for it in self._tables[table]["references"] if it.get("samePerson", True)]
        for reference in own[1:]:
            reference["samePerson"] = False
        return len(own) > 1

    def _drop_table(self, table: str) -> bool:
        """Takes a table and every reference to it out of the map."""
        self._tables.pop(table)
        for name, other in self._tables.items():
            references = other.get("references") if isinstance(other, dict) else None
            if isinstance(references, list):
                left = [it for it in references if not _leads_to(it, table)]
                if len(left) < len(references):
                    other["references"] = left
                    self.weakened.add(name)
        return bool(self._tables)

    def _follows(self, table: str, number: int) -> bool:
        """Tells whether a reference is wrong only because one of its columns was changed before."""
        reference = self._tables[table]["references"][number]
        parent = reference["table"]
        to = reference.get("to") or self._tables.get(parent, {}).get("key", ())
        ends = {(table, it) for it in reference["columns"]} | {(parent, it) for it in to}
        return bool(ends & self.corrected)


def _said(loc: tuple[str, ...], message: str, kind: str) -> Said:
    if _DECIDE in loc[-1:] and kind == "extra_forbidden":
        return said("a person has to decide this; then take the line out")
    return refused(message.removeprefix("Value error, "))


def _longest(names: Iterable[str], inner: str) -> str | None:
    """Returns the longest name with which a place begins; names may hold dots themselves."""
    fits: Callable[[str], bool] = lambda it: inner == it or inner.startswith((f"{it}.", f"{it},"))  # noqa: E731
    return max(filter(fits, names), key=len, default=None)


def _leads_to(reference: object, table: str) -> bool:
    return isinstance(reference, dict) and reference.get("table") == table


_TABLE = frozenset(
    ("schema", "name", "class", "group", "description", "key", "references", "columns")
)
