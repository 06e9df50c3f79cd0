"""The database and Python agree on which writings are one identifier."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from sqlalchemy import (
    CHAR,
    BigInteger,
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    create_engine,
    insert,
    select,
)
from sqlalchemy.types import TypeEngine

from consumers.sgdp.comparison import Comparison, compared
from tests.erp.conftest import run_on
from tests.erp.postgres import PostgresServer
from tests.erp.small import refusal
from tests.support.tpd import Tpd

MARKS = [
    *" .-/,;:_'\"()[]<>|\\^`~%&*?!#",
    *"\t\n\r\xa0\xad\u2002\u200b\u202f\u2013\u2014\u2212\ufeff",
]
BASES = {
    "CPF": ["01234567890", "12345678909", "1234567890", "00000000191", "1234567890.0", "ISENTO"],
    "CNPJ": ["12abc34501de35", "00000000000191", "191", "12ABC34501DE35", "ção", "191.0"],
    "RG": ["mg1234567", "MG1234567", "01234567x", "1", "São", "ÀÖØÞ÷", "1234567.0"],
    "EMAIL": ["ana.lima@exemplo.invalid", "JOSÉ@Exemplo.invalid", "o'brien+x@a-b.invalid"],
}
KINDS = [*BASES, "RG without zeros"]
WRITTEN = MetaData()
TEXTS = Table(
    "texts",
    WRITTEN,
    Column("id", Integer, primary_key=True),
    Column("text", String(400)),
    Column("padded", CHAR(60)),
)


def comparison_of(kind: str) -> Comparison:
    number = (BigInteger(),) if kind == "RG without zeros" else ()
    return compared(kind.partition(" ")[0], String(), *number)


def spellings(kind: str) -> Iterator[str]:
    """Write each base with marks at any place, in any casing, padded, long."""
    random = Random(f"{kind}")
    for base in BASES[kind.partition(" ")[0]]:
        yield base
        yield from (f"{mark}{base}{mark}" for mark in MARKS)
        yield from (base[:3] + mark + base[3:] for mark in MARKS)
        yield from (base.upper(), base.lower(), base.ljust(50), f"  {base} ", f"000{base}")
        for _ in range(60):
            spaced = (random.choice((char.upper(), char.lower())) for char in base)
            yield "".join(char + random.choice(["", "", *MARKS]) for char in spaced)
    yield from ("", " ", "-", "\u2013", "0", "000.000.000-00", "0.0", ".0", "1.0.0", "a.0")


def _holds(encoding: str, text: str) -> bool:
    return text == text.encode(encoding, "ignore").decode(encoding)


def agree(connection: Connection, kind: str, encoding: str | None = None) -> None:
    comparison = comparison_of(kind)
    texts = [it for it in spellings(kind) if encoding is None or _holds(encoding, it)]
    WRITTEN.create_all(connection)
    rows = [{"id": n, "text": it, "padded": it[:60]} for n, it in enumerate(texts)]
    connection.execute(insert(TEXTS), rows)
    for column in (TEXTS.c.text, TEXTS.c.padded):
        query = select(column, comparison.expression(column))
        for text, canonical in connection.execute(query):
            assert canonical == (comparison.value(text) or ""), (kind, column.name, text)
    wanted = comparison.value(BASES[kind.partition(" ")[0]][0])
    found = connection.scalars(select(TEXTS.c.text).where(comparison.among(TEXTS.c.text, [wanted])))
    assert sorted(found) == sorted(it for it in texts if comparison.value(it) == wanted)
    assert wanted


@pytest.mark.parametrize("kind", KINDS)
def test_canonical_forms(erp: Tpd, kind: str) -> None:
    """Each spelling's canonical form is the same in the database as in Python, and finds it."""
    with erp.engine.connect() as connection:
        agree(connection, kind)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_other_encodings(postgres: PostgresServer, encoding: str) -> None:
    """A database that is not in UTF-8 compares the same; some ERPs prescribe WIN1252."""
    name = {"latin-1": "LATIN1", "cp1252": "WIN1252"}[encoding]
    options = f"ENCODING '{name}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    run_on(postgres, f"CREATE DATABASE {name} {options}")
    engine = create_engine(postgres.url(name.lower()))
    with engine.connect() as connection:
        for kind in KINDS:
            agree(connection, kind, encoding)
            connection.rollback()
    engine.dispose()
    run_on(postgres, f"DROP DATABASE {name}")


def test_encodings_that_lack_letters(on_postgres: Tpd, postgres: PostgresServer) -> None:
    """They are refused by name: every request would fail."""
    options = "ENCODING 'LATIN2' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    run_on(postgres, f"CREATE DATABASE slavic {options}")
    assert isinstance(on_postgres.secret, dict)
    erp = replace(on_postgres, secret={**on_postgres.secret, "databaseUrl": postgres.url("slavic")})
    assert refusal(erp).startswith("databaseUrl: letters are compared in UTF8, LATIN1, LATIN9")
    erp.engine.dispose()
    run_on(postgres, "DROP DATABASE slavic")


def test_numbers(erp: Tpd) -> None:
    """A CPF in a column of any type of number is found, whatever its leading zeros."""
    columns: dict[str, TypeEngine[Any]] = {
        "big": BigInteger(),
        "exact": Numeric(11, 0),
        "decimals": Numeric(14, 2),
        "float": Double(),
    }
    table = Table("numbers", MetaData(), *(Column(name, it) for name, it in columns.items()))
    with erp.engine.connect() as connection:
        table.create(connection)
        connection.execute(insert(table), [dict.fromkeys(columns, it) for it in (1234567890, 7)])
        for column in table.c:
            comparison = compared("CPF", column.type)
            for asked in ("012.345.678-90", "1234567890", 1234567890):
                condition = comparison.among(column, [comparison.value(asked)])
                (found,) = connection.scalars(select(column).where(condition))
                assert comparison.value(found) == "1234567890", column.name
