"""`smartlink tpd draft`: a first map of a database, for a person to finish.

What looks personal is written down with a proposal. What only a person can decide has a line
`decide`, with the question: a map that has one left is refused.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

from sqlalchemy import Date, DateTime, Engine, Integer, Numeric, String
from sqlalchemy.engine.interfaces import ReflectedColumn

from consumers.sgdp.inspection.names import Kind
from consumers.sgdp.inspection.tables import Foreign, FoundTable, all_tables, reading
from consumers.sgdp.inspection.unmapped import Guess, guesses
from consumers.sgdp.pseudonyms import LEAST_HASH

Json = dict[str, object]

_IDENTIFIERS: Mapping[Kind, str] = {
    Kind.CPF: "CPF",
    Kind.RG: "RG",
    Kind.PIS: "PIS",
    Kind.EMAIL: "EMAIL",
}
_HOLDS: Mapping[Kind, str] = {Kind.NAME: "name", Kind.PHONE: "phone"}
_WHOSE = "Is it the row's own person's? Else (a guardian's, a manager's) take identifier out."
_LAW = "May it be masked like this, or does a law say to keep it (then keep, and the law)?"
_WHICH = (
    "May it be masked (then which mask?), or does a law say to keep it (then keep, and the law)?"
)
_SAME = (
    "samePerson: are both rows about one person (true), or does this row name somebody else, such "
    "as a dependant (false)?"
)
_ALONE = (
    "nothing leads to this table: give a column that names the person an identifier, or write "
    "references, or take the table out"
)
_KEY = "key: no primary key or unique constraint names one row; which columns do?"
_PURPOSE: Json = {
    "classification": "decide: CONTRACT_EXECUTION, LEGAL_OBLIGATION, CONSENTMENT …",
    "justification": "decide: why the columns of this purpose are held, in the person's language",
}


def draft(
    engine: Engine,
    rows: int,
    today: date,
    progress: Callable[[int, int], object] = lambda _done, _all: None,
) -> Json:
    """Writes the map's JSON; it holds no value of the database.

    Raises SQLAlchemyError if a table cannot be read.
    """
    with reading(engine) as connection:
        tables = all_tables(connection)
    found: dict[str, list[Guess]] = {}
    for number, table in enumerate(tables):
        progress(number, len(tables))
        with reading(engine) as connection:
            its = list(guesses(connection, table, rows, today))
        if any(it.sure for it in its):
            found[table.full_name] = its
    personal = [it for it in tables if it.full_name in found and not it.copy]
    references = _references(personal, found)
    referred = {_name(foreign) for each in references.values() for foreign in each}
    return {
        "$schema": "personal-data-map.schema.json",
        "purposes": {"decide": _PURPOSE},
        "tables": {
            it.full_name: _table(
                it,
                found[it.full_name],
                references[it.full_name],
                referred=it.full_name in referred,
            )
            for it in personal
        },
    }


def _table(
    table: FoundTable, its: Sequence[Guess], references: Sequence[Foreign], *, referred: bool
) -> Json:
    key = table.primary or next(iter(table.unique), ())
    questions = [] if key else [_KEY]
    columns = {it.column: _column(table, it, key) for it in its}
    led_to = references or referred or any("identifier" in it for it in columns.values())
    if not led_to:
        questions.append(_ALONE)
    named: Json = {"schema": table.schema, "name": table.name} if table.schema else {}
    return {
        **({"decide": " ".join(questions)} if questions else {}),
        **named,
        "class": f"erp.{_class(table.full_name)}",
        "group": _class(table.full_name)[:1].lower() + _class(table.full_name)[1:],
        "description": table.name,
        **({"key": list(key)} if key else {}),
        **({"references": [_reference(it) for it in references]} if references else {}),
        "columns": columns,
    }


def _column(table: FoundTable, guess: Guess, key: Iterable[str]) -> Json:
    facts = table.columns[guess.column]
    identifier = _IDENTIFIERS.get(guess.kind) if _identifies([guess]) else None
    questions = [_WHOSE] if identifier else []
    written: Json = {"description": guess.column, "purposes": ["decide"]}
    if identifier:
        written["identifier"] = identifier
    holds = _HOLDS.get(guess.kind) if guess.sure and guess.whole else None
    if holds:
        questions.append(_WHOSE.replace("identifier", "holds"))
        written["holds"] = holds
    if guess.kind is Kind.SENSITIVE or guess.kind is Kind.IMAGE:
        written["sensitive"] = True
    joined = {*key, *(name for it in table.foreign for name in it.columns)}
    mask = None
    if guess.column not in joined:
        told = guess.kind is Kind.FREE_TEXT or not guess.whole
        mask = _mask(facts, unique=_unique(table, guess.column), told=told)
    if mask is None:
        questions.append(_WHICH)
    else:
        written["mask"] = mask
        questions.append(_LAW)
    why = f"looks like {guess.kind} ({guess.why})"
    return {"decide": f"{why}. {' '.join(questions)}", **written}


def _mask(facts: ReflectedColumn, *, unique: bool, told: bool) -> Json | None:
    """Proposes the mask that leaves the least; None where only a person can choose one.

    `told`: a text that tells of somebody among other things.
    """
    kind = facts["type"]
    if facts.get("computed") or facts.get("identity"):
        return None
    if facts["nullable"]:
        return {"rule": "null"}
    if isinstance(kind, Date | DateTime):
        return None if unique else {"rule": "truncateDate", "to": "year"}
    if isinstance(kind, Integer | Numeric):
        return {"rule": "draw"} if unique else None
    return (
        _mask_of_text(kind.length, unique=unique, told=told) if isinstance(kind, String) else None
    )


def _mask_of_text(length: int | None, *, unique: bool, told: bool) -> Json | None:
    if told and not unique:
        return {"rule": "redact"}
    if length is None or length >= LEAST_HASH:
        return {"rule": "hash"}
    return {"rule": "draw" if unique else "fake"}


def _unique(table: FoundTable, column: str) -> bool:
    return any(column in names for names in table.unique)


def _reference(foreign: Foreign) -> Json:
    name = f"{foreign.schema}.{foreign.table}" if foreign.schema else foreign.table
    told: Json = {"decide": _SAME, "columns": list(foreign.columns), "table": name}
    return {**told, "to": list(foreign.to), "samePerson": True}


def _references(
    personal: Sequence[FoundTable], found: Mapping[str, Sequence[Guess]]
) -> dict[str, list[Foreign]]:
    """Collects the foreign keys between personal tables, but none that would close a circle.

    A table that names nobody and refers to none, to which one other refers that refers to more, as
    an order does to its address and its client, is reached from that one: its reference is the
    other's, turned round.
    """
    known = {it.full_name: it for it in personal}
    chosen: dict[str, list[Foreign]] = {name: [] for name in known}

    def leads(start: str, to: str) -> bool:
        return start == to or any(leads(_name(it), to) for it in chosen[start])

    between = [(it, key) for it in personal for key in it.foreign if _name(key) in known]
    several = Counter(name for name, _ in {(it.full_name, _name(key)) for it, key in between})
    referring = {it.full_name for it, _ in between}
    referred = Counter(name for name, _ in {(_name(key), it.full_name) for it, key in between})
    for table, foreign in between:
        name, parent = table.full_name, known[_name(foreign)]
        turned = (
            parent.full_name not in referring
            and referred[parent.full_name] == 1
            and several[table.full_name] > 1
            and not _identifies(found[parent.full_name])
        )
        child, to = (parent.full_name, name) if turned else (name, parent.full_name)
        if not leads(to, child):
            back = Foreign(foreign.to, table.schema, table.name, foreign.columns)
            chosen[child].append(back if turned else foreign)
    return chosen


def _identifies(its: Iterable[Guess]) -> bool:
    return any(it.kind in _IDENTIFIERS and it.sure and it.whole for it in its)


def _name(foreign: Foreign) -> str:
    return f"{foreign.schema}.{foreign.table}" if foreign.schema else foreign.table


def _class(name: str) -> str:
    words = re.split(r"[^A-Za-z0-9]+", name)
    return "".join(word[:1].upper() + word[1:] for word in words if word) or "Table"
