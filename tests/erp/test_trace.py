"""The scan of a whole database: each type, long cells, what it may not read, and how much it holds."""

import json
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, create_engine, insert, text

from consumers.sgdp.engine import engine_for
from consumers.sgdp.trace import Found, trace
from tests.erp import university
from tests.erp.test_rights import database_of
from tests.erp.university import cpf_of, name_of
from tests.support.tpd import Tpd

NAME, CPF = "João D'Ávila", "012.345.678-90"


def found(engine: Engine, *values: str) -> dict[str, int | str]:
    """Where the values stand: by schema, table and column the rows, or the problem."""
    with engine.connect() as connection:
        return {
            f"{it.schema}.{it.table}.{it.column}": it.problem or it.rows
            for it in trace(connection, values)
        }


def test_a_person_of_the_university(erp: Tpd) -> None:
    """Every column that holds the name or the CPF is named, with its rows."""
    places = found(erp.engine, name_of(60), cpf_of(60))
    assert {place.partition(".")[2]: rows for place, rows in places.items()} == {
        "SNOTAS.REMARK": 0,
    }


POSTGRESQL = {
    "char(40)": f"'{NAME.replace(chr(39), 2 * chr(39))}'",
    "text": "'cadastro: JOAO D AVILA (titular)'",
    "json": r"""'{"nome": "Jo\u00e3o D''\u00c1vila"}'""",
    "jsonb": """'[{"a": {"b": "joão d''ávila"}}]'""",
    "text[]": """array['x', 'João D''Ávila']""",
    "bytea": """convert_to('João D''Ávila', 'LATIN1')""",
    "bytea[]": """array[convert_to('João D''Ávila', 'UTF8')]""",
    "xml": """'<p>Jo&#227;o D&#39;&#193;vila</p>'""",
    "hstore": """'nome => "João D''Ávila"'""",
    "int8": "1234567890",
    "numeric": "1234567890",
    "tsvector": "to_tsvector('simple', '01234567890')",
    "int8range": "'[1234567890, 1234567999)'",
    "party": "row('01234567890', 2)",
    "cpf_domain": "'012345678-90'",
}
