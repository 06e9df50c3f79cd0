"""What can be known without a server of the databases that are documented and not run here.

The statements of the three commands are caught on SQLite and compiled for each of them. What a
server makes of them, nobody has seen: `consumers/sgdp/proof.py` refuses these databases.
"""

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import (
    CHAR,
    NCHAR,
    BigInteger,
    Column,
    Connection,
    Dialect,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Unicode,
    event,
    select,
    update,
)
from sqlalchemy.dialects import mssql, oracle
from sqlalchemy.engine.interfaces import Compiled
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlalchemy.sql import ClauseElement

from consumers.sgdp.comparison import compared
from consumers.sgdp.database import access_log, access_titulares, metadata
from tests.erp.conftest import tenant
from tests.erp.test_answers import BUYER, buy
from tests.erp.test_law import Deployment
from tests.erp.university import cpf_of
from tests.support.tpd import Tpd

SQL_SERVER: Dialect = mssql.dialect()  # type: ignore[no-untyped-call]
ORACLE: Dialect = oracle.dialect()  # type: ignore[no-untyped-call]
DIALECTS = {"SQL Server": SQL_SERVER, "Oracle": ORACLE}
IDENTIFIERS = {"CPF": cpf_of(60), "RG": "1", "EMAIL": "a@x", "RA": "RA1"}
KINDS = ("CPF", "CNPJ", "RG", "EMAIL")


@dataclass(frozen=True)
class Said:
    """A statement as it was to be executed, with the parameters of each of its runs."""

    statement: ClauseElement
    runs: list[dict[str, Any]]

    def on(self, dialect: Dialect) -> Compiled:
        """Compile it with its lists of values written out, as the driver gets them."""
        return self.statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})


@contextmanager
def overheard(erp: Tpd) -> Iterator[list[Said]]:
    """Catch what is executed meanwhile, but for the making of the product's own tables."""
    said: list[Said] = []

    def remember(
        _connection: Connection,
        statement: object,
        many: Sequence[Mapping[str, object]] | None,
        one: Mapping[str, object] | None,
        _options: object,
    ) -> None:
        if isinstance(statement, ClauseElement) and not isinstance(statement, CreateTable):
            runs = [dict(it) for it in many] if many else [dict(one or {})]
            said.append(Said(statement, runs))

    event.listen(erp.engine, "before_execute", remember)
    try:
        yield said
    finally:
        event.remove(erp.engine, "before_execute", remember)


@pytest.fixture(scope="module")
def said(sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Said]:
    """Every statement of two people's whole story, by the relay, with keys and a retention."""
    path = tmp_path_factory.mktemp("dialects") / "erp.db"
    shutil.copy(sqlite_file, path)
    erp = tenant(f"sqlite:///{path}")
    assert isinstance(erp.secret, dict)
    erp.secret = erp.secret | {"accessLogDays": 30}
    buy(erp, 1_200, "x")
    with overheard(erp) as heard:
        deployment = Deployment(erp)
        for number, command in enumerate(("Data", "Logs", "Mask", "Data", "Logs")):
            for name, who in (("a", IDENTIFIERS), ("b", {"CPF": cpf_of(BUYER)}), ("c", {})):
                if who or command == "Logs":
                    deployment.ask(f"SGDP{command}Command", f"{name}{number}", **who)
            deployment.world.minutes(3)
            long_ago = deployment.world.clock() - timedelta(days=31)
            erp.execute(update(access_log).values(seen_on=long_ago))
        assert deployment.world.live() == {}
    erp.engine.dispose()
    return heard


def texts(said: list[Said], dialect: Dialect) -> set[str]:
    return {str(it.on(dialect)) for it in said if isinstance(it.statement, ClauseElement)}


@pytest.mark.parametrize("name", DIALECTS)
def test_every_statement_compiles(said: list[Said], name: str) -> None:
    """Each statement of the three commands can be said in that database's SQL, values bound."""
    statements = texts(said, DIALECTS[name])
    assert len(statements) > 30
    assert not [sql for sql in statements if cpf_of(60) in sql or cpf_of(BUYER) in sql]
    for beginning in ("SELECT", "INSERT", "UPDATE", "DELETE"):
        assert [sql for sql in statements if sql.startswith(beginning)], beginning


@pytest.mark.parametrize("name", DIALECTS)
def test_nothing_of_another_databases_words(said: list[Said], name: str) -> None:
    """Neither LIMIT nor the like; no `lower`, which goes by the session's language or collation."""
    for sql in texts(said, DIALECTS[name]):
        assert not re.search(r"\b(LIMIT|RETURNING|ILIKE|GLOB|regexp_\w+)\b", sql, re.IGNORECASE)
        assert not re.search(r"\b(lower|upper)\(", sql, re.IGNORECASE), sql
        assert "||" not in sql or name == "Oracle"


@pytest.mark.parametrize(("name", "most"), [("SQL Server", 2_100), ("Oracle", 65_535)])
def test_no_statement_binds_more_than_the_server_takes(
    said: list[Said], name: str, most: int
) -> None:
    """SQL Server takes 2,100 parameters; Oracle 1,000 values in a list."""
    counts, lists = [], []
    for it in said:
        compiled = it.on(DIALECTS[name])
        counts.append(len(compiled.params or ()))
        lists += [found.count(",") + 1 for found in re.findall(r"IN \(([^()]*)\)", str(compiled))]
    assert 400 < max(counts) < most, "a person in many rows makes long lists"
    assert max(lists) <= 1_000


def columns_with(name: str) -> list[Column[Any]]:
    kinds = (String(40), CHAR(40), Unicode(40), NCHAR(40))
    return [Column(f"{name.lower()}_{n}", kind) for n, kind in enumerate(kinds)]


@pytest.mark.parametrize("kind", KINDS)
def test_letters_and_marks_of_sql_server(kind: str) -> None:
    """By a binary collation, as others find é and E equal, or not, by the column's own; and each
    text that is written out is national, or the server would bring it into its code page."""
    for column in columns_with(kind):
        Table("t", MetaData(), column)
        sql = str(compared(kind, column.type).expression(column).compile(dialect=SQL_SERVER))
        assert "COLLATE Latin1_General_BIN2" in sql
        literals = re.findall(r"(N?)'(?:[^']|'')*'", sql)
        assert literals
        assert set(literals) == {"N"}
        assert "CAST(t." in sql


@pytest.mark.parametrize("kind", KINDS)
def test_letters_and_marks_of_oracle(kind: str) -> None:
    """In the national character set, and in ASCII alone: neither NLS_LANG nor the database's own
    character set decides how it is read. No regular expression, which NLS_SORT would steer."""
    for column in columns_with(kind):
        Table("t", MetaData(), column)
        sql = str(compared(kind, column.type).expression(column).compile(dialect=ORACLE))
        assert sql.isascii()
        assert "TO_NCHAR(t." in sql
        assert "UNISTR(" in sql
        assert "REGEXP" not in sql.upper()


@pytest.mark.parametrize("kind", KINDS)
def test_no_empty_text_is_one_in_oracle(kind: str) -> None:
    """There it is NULL, which makes NULL of a whole TRANSLATE, and equals nothing."""
    column = Column("c", String(40))
    Table("t", MetaData(), column)
    expression = compared(kind, column.type).expression(column)
    sql = str(expression.compile(dialect=ORACLE))
    assert "''" not in sql
    assert "<> '" not in sql
    for empty in ("", "  ", "\t", None):
        assert compared(kind, column.type).reference(empty) is None


def test_no_empty_text_is_written_where_one_must_stand(said: list[Said]) -> None:
    """The product's own columns are NOT NULL: Oracle would take an empty text for NULL."""
    own = {table.name: table for table in metadata.sorted_tables}
    inserted = 0
    for it in said:
        table = getattr(it.statement, "table", None)
        if getattr(table, "name", None) in own and str(it.statement).startswith("INSERT"):
            for run in it.runs or [{}]:
                inserted += 1
                assert "" not in run.values()
    assert inserted > 20


@pytest.mark.parametrize("name", DIALECTS)
def test_fixed_length_is_found_padded_and_not(name: str) -> None:
    """Oracle compares CHAR with a bound text blank for blank, SQL Server does not."""
    column = Column("code", CHAR(6))
    Table("t", MetaData(), column)
    condition = compared(None, column.type).among(column, ["ab"])
    compiled = condition.compile(
        dialect=DIALECTS[name], compile_kwargs={"render_postcompile": True}
    )
    assert sorted(compiled.params.values()) == ["ab", "ab    "]


@pytest.mark.parametrize("name", DIALECTS)
def test_a_number_is_compared_as_one(name: str) -> None:
    """Not as a text, which would write it by the session's own marks; nor beyond what it holds."""
    for kind in (BigInteger(), Numeric(11, 0), Numeric(38, 0)):
        column = Column("n", kind)
        Table("t", MetaData(), column)
        found = compared("CPF", column.type)
        condition = found.among(column, [found.value("012.345.678-90"), "9" * 30])
        compiled = condition.compile(
            dialect=DIALECTS[name], compile_kwargs={"render_postcompile": True}
        )
        assert "CHAR" not in str(compiled).upper()
        assert 1_234_567_890 in compiled.params.values()
        assert all(not isinstance(it, str) for it in compiled.params.values())


@pytest.mark.parametrize("name", DIALECTS)
def test_own_names_are_names_there(name: str) -> None:
    """At most 30 characters, as Oracle has it before 12.2; what is reserved is quoted."""
    preparer = DIALECTS[name].identifier_preparer
    for table in metadata.sorted_tables:
        indexes = [str(it.name) for it in table.indexes]
        for own in (table.name, *indexes, *table.c.keys()):
            assert len(own) <= 30, own
            quoted = preparer.quote(own) != own
            assert quoted == (own.lower() in preparer.reserved_words)
        statements: list[ClauseElement] = [CreateTable(table), *map(CreateIndex, table.indexes)]
        for statement in statements:
            assert str(statement.compile(dialect=DIALECTS[name]))


@pytest.mark.parametrize("name", DIALECTS)
def test_odd_names_are_quoted(name: str) -> None:
    """Of an ERP: small and capital letters, blanks, marks, words of the language; a quote in a
    name cannot end it."""
    for odd in ("Pess;oa", "Código", 'C"PF', "C]PF", "select", "D_E_L_E_T_", "order by", "1a"):
        table = Table(odd, MetaData(), Column(odd, Integer), schema="RM Legado")
        sql = str(select(table).compile(dialect=DIALECTS[name]))
        opening, closing = ('"', '"') if name == "Oracle" else ("[", "]")
        inside = odd.replace(closing, closing * 2)
        plain = re.fullmatch(r"[A-Z_]+", odd) is not None or odd == "D_E_L_E_T_"
        if not plain or name == "Oracle":
            assert f"{opening}{inside}{closing}" in sql, sql
        schema = {"SQL Server": "[RM Legado].", "Oracle": '"RM Legado".'}[name]
        assert schema in sql


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("table", [access_log, access_titulares], ids=lambda it: it.name)
def test_the_newest_are_limited_in_that_databases_way(name: str, table: Table) -> None:
    query = select(table.c.id).order_by(table.c.seen_on.desc()).limit(500)
    sql = str(query.compile(dialect=DIALECTS[name]))
    assert ("TOP" in sql) == (name == "SQL Server")
    assert ("FETCH FIRST" in sql) == (name == "Oracle")


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("kind", ["CPF", "CNPJ", "RG", "EMAIL"])
def test_comparisons(name: str, kind: str) -> None:
    """An identifier is compared by constants and deterministic functions, once for each blank."""
    column = Table("p", MetaData(), Column("v", String(20))).c.v
    expression = compared(kind, column.type).expression(column)
    said = str(expression.compile(dialect=DIALECTS[name]))
    assert said.count("(") == said.count(")")
    if name == "SQL Server":
        old, new = re.findall(
            r"TRANSLATE\(.*?BIN2\), (N'.*?'(?: \+ NCHAR\(\d+\))*), (N'.*?')\)", said
        )[0]
        written = re.sub(r" \+ NCHAR\((\d+)\)", lambda it: chr(int(it[1])), old).replace("''", "'")
        # A quote stands before each, and after the first one before its codes.
        assert len(written) == len(new)
        assert "COLLATE Latin1_General_BIN2" in said
    else:
        assert "REGEXP" not in said  # Oracle allows no index on it
        assert "UNISTR" in said
