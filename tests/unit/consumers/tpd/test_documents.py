"""What is published about the map agrees with what is carried out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Dialect
from sqlalchemy.dialects import mssql, oracle, postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from consumers.sgdp import maps
from consumers.sgdp.database import metadata

README = (Path(maps.__file__).parents[1] / "README.md").read_text()
DIALECTS: dict[str, Dialect] = {
    "PostgreSQL": postgresql.dialect(),  # type: ignore[no-untyped-call]
    "SQL Server": mssql.dialect(deprecate_large_types=True),  # type: ignore[no-untyped-call]
    "Oracle": oracle.dialect(),  # type: ignore[no-untyped-call]
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_json_schema() -> None:
    """The file that editors read is the model's: `python -m consumers.sgdp.maps` writes it."""
    assert maps.SCHEMA.read_text() == maps.json_schema()


@pytest.mark.parametrize("path", sorted(maps.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_deployed_maps(path: Path) -> None:
    """Each map that is deployed is one, and is found by its name."""
    if path != maps.SCHEMA:
        assert maps.parse_map(maps.named_map(path.stem)).tables


def test_the_readmes_examples() -> None:
    """The map of the README can be used as it stands, the secret has that shape."""
    (secret,) = (json.loads(block) for block in blocks("json") if '"databaseUrl"' in block)
    (short,) = (json.loads(block) for block in blocks("json") if '"$schema"' in block)
    assert set(secret) == {"databaseUrl", "map", "salt"}
    assert maps.parse_map(short).identifiers == {"CPF"}


@pytest.mark.parametrize("name", DIALECTS)
def test_ddl(name: str) -> None:
    """What a DBA is told to run is what the product would run."""
    section = README.partition(f"### {name}\n")[2].partition("###")[0]
    written = " ".join(section.split())
    for table in metadata.sorted_tables:
        statements: list[Any] = [CreateTable(table), *map(CreateIndex, table.indexes)]
        for statement in statements:
            text = " ".join(str(statement.compile(dialect=DIALECTS[name])).split())
            assert f"{text};" in written
