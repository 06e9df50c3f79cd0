"""A map that cannot be meant is refused with its place, before any database is asked."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consumers.sgdp.map_error import MapError
from consumers.sgdp.maps import named_map, parse_map

Edit = Callable[[dict[str, Any]], object]

EDITS: dict[str, tuple[Edit, str]] = {
    "unknown field": (
        lambda it: it["people"].update(colums={}),
        "map.tables.people.colums: Extra inputs are not permitted",
    ),
    "neither masked nor kept": (
        lambda it: it["people"]["columns"]["name"].pop("mask"),
        "map.tables.people.columns.name: Value error, write either mask",
    ),
    "both": (
        lambda it: it["people"]["columns"]["name"].update(keep="x"),
        "map.tables.people.columns.name: Value error, write either mask",
    ),
    "unknown rule": (
        lambda it: it["people"]["columns"]["name"].update(mask={"rule": "shred"}),
        "map.tables.people.columns.name.mask: Input tag 'shred'",
    ),
    "unknown purpose": (
        lambda it: it["people"]["columns"]["name"].update(purposes=["fun"]),
        "map.tables.people.columns.name.purposes: map.purposes has no fun",
    ),
    "masked key": (
        lambda it: it["people"].update(key=["cpf"]),
        "map.tables.people.columns.cpf.mask: a key stays",
    ),
    "unknown table": (
        lambda it: it["employees"]["references"][0].update(table="persons"),
        "map.tables.employees.references.0.table: map.tables has no persons",
    ),
    "columns that do not pair": (
        lambda it: it["employees"]["references"][0].update(columns=["a", "b"]),
        "map.tables.employees.references.0.columns: 2 columns cannot refer to 1",
    ),
    "joined columns that would differ": (
        lambda it: it["employees"]["references"][0].update(columns=["cpf"], to=["cpf"]),
        "map.tables.employees.references.0.columns: cpf and people.cpf must stay equal",
    ),
    "two persons": (
        lambda it: it["employees"]["references"].append({"columns": ["x"], "table": "people"}),
        "map.tables.employees.references: one may have samePerson",
    ),
    "circle": (
        lambda it: it["people"].update(references=[{"columns": ["e"], "table": "employees"}]),
        "map.tables.employees.references: these references go in a circle",
    ),
    "one class twice": (
        lambda it: it["people"].update({"class": "smartlink.sgdp.Employee"}),
        "map.tables.people.class: another table has this class too",
    ),
    "identifier in small letters": (
        lambda it: it["people"]["columns"]["cpf"].update(identifier="cpf"),
        "map.tables.people.columns.cpf.identifier: String should match",
    ),
}


@pytest.mark.parametrize(("edit", "said"), EDITS.values(), ids=EDITS)
def test_refused(edit: Edit, said: str) -> None:
    """Each mistake is told with where it stands."""
    edited = json.loads(json.dumps(named_map("demo")))
    edit(edited["tables"])
    with pytest.raises(MapError) as caught:
        parse_map(edited)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize("name", ["nosuch", "../demo", "personal-data-map.schema", "Demo", ""])
def test_no_such_map(name: str) -> None:
    """A name is a name of a deployed map, never a path; the error lists those there are."""
    with pytest.raises(MapError, match="only demo"):
        named_map(name)


def test_no_other_file_is_read(tmp_path: Path) -> None:
    """An absolute path is no name either."""
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(MapError):
        named_map(str(tmp_path / "x"))
