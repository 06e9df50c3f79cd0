"""`smartlink tpd check`: what is wrong with a map on its database, and what the map leaves out."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.exc import SQLAlchemyError

from consumers.sgdp.failures import described
from consumers.sgdp.inspection.all_errors import Checked, checked
from consumers.sgdp.inspection.copies import copies, mapped_tables
from consumers.sgdp.inspection.findings import Finding, Level, Topic
from consumers.sgdp.inspection.indexes import missing_indexes
from consumers.sgdp.inspection.rights import rights, rights_to_look
from consumers.sgdp.inspection.stored_forms import stored_forms
from consumers.sgdp.inspection.tables import FoundTable, all_tables, reading
from consumers.sgdp.inspection.unmapped import Covered, unmapped
from consumers.sgdp.personal_data import PersonalDataMap
from consumers.sgdp.proof import PROVEN
from smartlink.domain.said import said


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found."""

    database: str  # its dialect
    tables: int  # in the database
    mapped: int
    rows: int  # of each table that were looked at, at most
    findings: tuple[Finding, ...]

    def count(self, level: Level) -> int:
        """Counts the findings of this level."""
        return Counter(it.level for it in self.findings)[level]

    def as_json(self) -> Mapping[str, object]:
        """Returns the report for programs; it holds no value of the database."""
        return {
            "database": self.database,
            "tables": self.tables,
            "mapped": self.mapped,
            "rowsLookedAt": self.rows,
            "faults": self.count(Level.FAULT),
            "warnings": self.count(Level.WARNING),
            "findings": [it.as_json() for it in self.findings],
        }


def check(
    engine: Engine,
    data_map: object,
    salt: bytes | None,
    rows: int,
    today: date,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> Report:
    """Checks a map, as JSON has it, on its database; nothing is written that stays.

    `rows` of each table are looked at, 0: only names. `salt` None: the secret is not at hand.
    Raises SQLAlchemyError if the database cannot be read at all.
    """
    found: list[Finding] = []
    with reading(engine) as connection:
        dialect = connection.dialect.name
        if dialect not in PROVEN:
            problem = said(
                "nothing was ever run on {dialect}: the tests compile its SQL", dialect=dialect
            )
            fix = said("try a copy of the database first, and compare every row")
            place = said("database")
            found.append(Finding(Topic.DATABASE, Level.WARNING, place, problem, fix))
        tables = all_tables(connection)
        default = inspect(connection).default_schema_name or "main"
    result = _checked(engine, data_map, salt)
    found += result.findings
    parsed, models = result.data_map, result.models
    if result.failed:
        found += _each(engine, said("rights"), partial(rights_to_look, data_map=data_map))
    if parsed and models:
        found += _unknown(parsed, tables)
        mapped = mapped_tables(models, default, list(parsed.not_personal))
        found += _each(engine, said("rights"), lambda it: rights(it, models))
        found += _each(engine, said("triggers and views"), lambda it: copies(it, mapped))
        found += _each(engine, said("indexes"), lambda it: missing_indexes(it, models))
        for model in models if rows else ():
            look = partial(stored_forms, model=model, rows=rows)
            place = said("{table}, stored forms", table=model.table.fullname)
            found += _each(engine, place, look)
    covered = Covered.by(data_map, default)
    for number, table in enumerate(tables):
        progress(number, len(tables))
        left_out = partial(unmapped, found=table, today=today, covered=covered)
        its = _each(engine, table.full_name, partial(left_out, rows=rows))
        if any(it.topic is Topic.DATABASE for it in its):  # by its names at least
            its += _each(engine, table.full_name, partial(left_out, rows=0))
        found += its
    mapped_count = len(data_map["tables"]) if parsed and isinstance(data_map, dict) else 0
    return Report(dialect, len(tables), mapped_count, rows, tuple(_in_order(found)))


def _checked(engine: Engine, data_map: object, salt: bytes | None) -> Checked:
    """Checks the map itself; if the database does not let that be, returns this as a fault."""
    try:
        with reading(engine) as connection:
            return checked(connection, data_map, salt)
    except SQLAlchemyError as error:
        problem = said("could not be compared with the database ({error})", error=described(error))
        fix = said("see that the user may SELECT the mapped tables")
        told = [Finding(Topic.MAP, Level.FAULT, "map", problem, fix)]
        return Checked(told, None, None, failed=True)


def _unknown(parsed: PersonalDataMap, tables: Sequence[FoundTable]) -> Iterator[Finding]:
    """Yields each name in notPersonal that the database does not have: it may be misspelled."""
    known = {it.full_name.casefold() for it in tables}
    known |= {f"{it.full_name}.{column}".casefold() for it in tables for column in it.columns}
    for name in parsed.not_personal:
        if name.casefold() not in known:
            problem = said("the database has no such table or column")
            fix = said("write table or table.column, with the schema unless it is the default one")
            place = f"map.notPersonal.{name}"
            yield Finding(Topic.MAP, Level.WARNING, place, problem, fix)


def _each(
    engine: Engine, what: str, look: Callable[[Connection], Iterator[Finding]]
) -> list[Finding]:
    """Returns what one look finds; if it fails, returns that as a finding, so that others go on."""
    try:
        with reading(engine) as connection:
            return list(look(connection))
    except (SQLAlchemyError, ValueError) as error:  # drivers refuse some texts with the latter
        cause = described(error) if isinstance(error, SQLAlchemyError) else type(error).__name__
        problem = said("could not be looked at ({cause})", cause=cause)
        fix = said("give the user SELECT on it for the check, or look at it yourself")
        return [Finding(Topic.DATABASE, Level.WARNING, what, problem, fix)]


_ORDER = tuple(Level)


def _in_order(found: list[Finding]) -> list[Finding]:
    return sorted(found, key=lambda it: _ORDER.index(it.level))
