"""The rule `draw`: unique columns that are too short for a pseudonym."""

import pytest
from sqlalchemy import text

from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import FatalError
from tests.erp.small import CPF, KEPT_CPF, column, erp_of, masked, refusal, rows, table
from tests.support.tpd import Tpd

DRAW = column(mask={"rule": "draw"})
KINDS = ["smallint", "integer", "bigint", "numeric(5, 0)", "char(4)", "varchar(6)"]
PERSON = "INSERT INTO t VALUES ({}, '{}', {})"


def made(erp: Tpd, kind: str, *values: str) -> Tpd:
    """A table whose rows with an even number are the person's."""
    return erp_of(
        erp,
        {"t": table({"cpf": KEPT_CPF, "code": DRAW})},
        f"CREATE TABLE t (id integer PRIMARY KEY, cpf varchar(14), code {kind} UNIQUE NOT NULL)",
        *(
            PERSON.format(number, "98765432100" if number % 2 else CPF, value)
            for number, value in enumerate(values)
        ),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_gets_a_value_of_its_own(erp: Tpd, kind: str) -> None:
    """Nobody else's row changes; masked again, the drawn values stay."""
    values = [f"'{it}'" if "char" in kind else it for it in ("101", "102", "103", "104", "105")]
    it = made(erp, kind, *values)
    before = rows(it, "SELECT code FROM t ORDER BY id")
    assert masked(it) == ["Masked 3 rows"]
    after = rows(it, "SELECT code FROM t ORDER BY id")
    assert after[1::2] == before[1::2]
    assert not set(after[::2]) & set(before)
    assert len(set(after)) == 5
    assert masked(it, "r2")[-1] == "Masked 0 rows"
    assert rows(it, "SELECT code FROM t ORDER BY id") == after


def test_a_column_whose_values_are_in_use(erp: Tpd) -> None:
    """It is said in words, and nothing is masked."""
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    it = made(erp, "char(1)", *(f"'{letter}'" for letter in letters))
    with pytest.raises(FatalError, match=r"no value is free for t\.code among 50 that were drawn"):
        it.run(mask, {"requestID": "r1", "identifiers": {"CPF": CPF}})
    assert "".join(code for (code,) in rows(it, "SELECT code FROM t ORDER BY id")) == letters


def test_a_value_that_is_taken_is_drawn_again(erp: Tpd) -> None:
    """Of 32 values 24 are in use: one of the others is found."""
    letters = "abcdefghijklmnopqrstuvwx"
    it = made(erp, "char(1)", "'!'", *(f"'{letter}'" for letter in letters))
    it.execute(text("UPDATE t SET cpf = '98765432100' WHERE id > 0"))
    assert masked(it) == ["Masked 1 rows"]
    (code,) = rows(it, "SELECT code FROM t WHERE id = 0")
    assert code[0] in "yz234567"


@pytest.mark.parametrize("kind", ["numeric(2, 2)", "date", "boolean"])
def test_what_cannot_be_drawn_is_refused(on_postgres: Tpd, kind: str) -> None:
    assert refusal(made(on_postgres, kind)).startswith(
        "map.tables.t.columns.code.mask: draw needs a column of texts or whole numbers"
    )
