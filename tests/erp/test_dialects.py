"""The same statements in the SQL of the databases that are documented and not run here."""

import re

import pytest
from sqlalchemy import Column, Connection, Dialect, MetaData, String, Table, event
from sqlalchemy.dialects import mssql, oracle
from sqlalchemy.sql import ClauseElement

from consumers.sgdp.comparison import compared
from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_logs import answer_with_logs as logs
from consumers.sgdp_mask import answer_with_exceptions as mask
from tests.erp.university import cpf_of
from tests.support.tpd import Tpd

DIALECTS: dict[str, Dialect] = {
    "SQL Server": mssql.dialect(),  # type: ignore[no-untyped-call]
    "Oracle": oracle.dialect(),  # type: ignore[no-untyped-call]
}


@pytest.mark.parametrize("name", DIALECTS)
def test_every_statement_compiles(on_sqlite: Tpd, name: str) -> None:
    """Each statement of the three commands can be said in that database's SQL, values bound."""
    executed: list[ClauseElement] = []

    def remember(
        _connection: Connection, statement: object, _many: object, _one: object, _options: object
    ) -> None:
        if isinstance(statement, ClauseElement):
            executed.append(statement)

    event.listen(on_sqlite.engine, "before_execute", remember)
    identifiers = {"CPF": cpf_of(60), "RG": "1", "EMAIL": "a@x", "RA": "RA1"}
    body = {"requestID": "r1", "identifiers": identifiers}
    for consumer in (data, logs, mask):
        on_sqlite.run(consumer, body)
    on_sqlite.run(logs, {"requestID": "r1"})
    statements = {str(statement.compile(dialect=DIALECTS[name])) for statement in executed}
    assert len(statements) > 25
    assert not [sql for sql in statements if cpf_of(60) in sql]
    assert [sql for sql in statements if sql.startswith("UPDATE")]


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
