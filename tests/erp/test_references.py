"""References over identifiers: rows belong together however the identifier is written."""

from typing import Any

import pytest

from tests.erp.small import CPF, KEPT_CPF, NULL, column, erp_of, found, masked, refusal, rows, table
from tests.support.tpd import Tpd

NAME = column(mask=NULL)
CPFS = [
    *(CPF, "012.345.678-90", "1234567890", "012345678-90", "012 345 678 90", "  01234567890  "),
    *("012.345.678/90", "\t01234567890", "012.345.678\u201390", "012\u00a0345\u00a0678\u00a090"),
    *("0001234567890", "1234567890.0", "012_345_678_90", "'01234567890"),
]
EMAILS = ["ana@x.invalid", "Ana@X.invalid", " ana@x.invalid", "ANA@x.INVALID  ", "<ana@x.invalid>;"]


def reference(columns: list[str], to: list[str], *, same: bool = True) -> dict[str, Any]:
    entry = {"columns": columns, "table": "people", "to": to, "samePerson": same}
    return {"references": [entry]}


def people_and(
    erp: Tpd,
    kinds: tuple[str, str],
    child: dict[str, Any],
    values: list[str],
    *,
    column_name: str = "cpf",
    stored: str = CPF,
) -> Tpd:
    """One person, somebody else, and a child row for each value."""
    parent = table(
        {"cpf": KEPT_CPF, "name": NAME}
        if column_name == "cpf"
        else {"cpf": KEPT_CPF, column_name: column(identifier="EMAIL", keep="law"), "name": NAME}
    )
    own = "" if column_name == "cpf" else f", {column_name} {kinds[0]}"
    more = "" if column_name == "cpf" else f", '{stored}'"
    kind = kinds[0] if column_name == "cpf" else "varchar(20)"
    children = (
        f"INSERT INTO child VALUES ({number}, '{value.replace(chr(39), chr(39) * 2)}', 'Ana')"  # noqa: S608
        for number, value in enumerate(values)
    )
    return erp_of(
        erp,
        {"people": parent, "child": child},
        "DROP TABLE people" + (" CASCADE" if erp.engine.dialect.name == "postgresql" else ""),
        f"CREATE TABLE people (id integer PRIMARY KEY, cpf {kind}{own}, name text)",
        f"INSERT INTO people VALUES (1, '{CPF if column_name != 'cpf' else stored}'{more}, 'Ana')",  # noqa: S608
        f"INSERT INTO people VALUES (2, '98765432100'{more and ', NULL'}, 'Bia')",  # noqa: S608
        f"CREATE TABLE child (id integer PRIMARY KEY, {column_name} {kinds[1]}, name text)",
        *children,
        f"INSERT INTO child VALUES (900, NULL, 'Bia')",  # noqa: F541
    )


def names(erp: Tpd) -> list[tuple[str]]:
    return rows(erp, "SELECT name FROM people UNION ALL SELECT name FROM child ORDER BY 1")  # type: ignore[return-value]


@pytest.mark.parametrize("declared", ["both", "child", "parent"])
def test_by_cpf(erp: Tpd, declared: str) -> None:
    """It is enough that one of the two columns is declared as an identifier."""
    columns = {"name": NAME} if declared == "parent" else {"cpf": KEPT_CPF, "name": NAME}
    child = table(columns, **reference(["cpf"], ["cpf"]))
    made = people_and(erp, ("varchar(20)", "varchar(20)"), child, CPFS)
    if declared == "child":
        assert isinstance(made.secret, dict)
        made.secret["map"]["tables"]["people"]["columns"].pop("cpf")
    assert found(made) == {"people": 1, "child": len(CPFS)}
    masked(made)
    left = rows(made, "SELECT name FROM people UNION ALL SELECT name FROM child")
    assert sorted(name for (name,) in left if name) == ["Bia", "Bia"]


@pytest.mark.parametrize(
    ("parent", "child", "stored", "values"),
    [
        ("bigint", "varchar(20)", "1234567890", CPFS),
        ("numeric(11,0)", "varchar(20)", "1234567890", CPFS),
        ("double precision", "varchar(20)", "1234567890", CPFS),
        ("varchar(20)", "bigint", "012.345.678-90", ["1234567890"] * 3),
        ("char(14)", "numeric(14,2)", "012345678-90", ["1234567890"] * 3),
        ("bigint", "double precision", "1234567890", ["1234567890"] * 3),
        ("char(20)", "char(30)", " 12.345.678-90", CPFS),
    ],
)
def test_numbers_and_texts(
    erp: Tpd, parent: str, child: str, stored: str, values: list[str]
) -> None:
    """A CPF as a number, with decimals or without, joins one that is a text."""
    entry = table({"cpf": KEPT_CPF, "name": NAME}, **reference(["cpf"], ["cpf"]))
    made = people_and(erp, (parent, child), entry, values, stored=stored)
    assert found(made) == {"people": 1, "child": len(values)}


def test_by_email(erp: Tpd) -> None:
    """Down from the person by CPF, and up from a child's e-mail to the person."""
    email = column(identifier="EMAIL", keep="law")
    child = table({"email": email, "name": NAME}, **reference(["email"], ["email"]))
    more: dict[str, Any] = {"column_name": "email", "stored": " Ana@x.Invalid "}
    made = people_and(erp, ("varchar(40)", "varchar(40)"), child, EMAILS, **more)
    assert found(made) == {"people": 1, "child": len(EMAILS)}
    assert found(made, EMAIL="ANA@X.INVALID") == {"people": 1, "child": len(EMAILS)}


def test_nobody_is_joined_by_nothing(erp: Tpd) -> None:
    """Empty values, placeholders and what is punctuation alone belong to nobody."""
    child = table({"cpf": KEPT_CPF, "name": NAME}, **reference(["cpf"], ["cpf"]))
    nobody = ["", " ", "-", "...-", "0", "000.000.000-00", "111.111.111-11"]
    made = people_and(erp, ("varchar(20)", "varchar(20)"), child, nobody)
    for number, value in enumerate(nobody):
        erp_of(made, {}, f"INSERT INTO people VALUES ({10 + number}, '{value}', 'Nobody')")  # noqa: S608
    assert found(made) == {"people": 1}


def test_another_identifier_with_zeros(erp: Tpd) -> None:
    """A registration joins as a number where one of the columns is a number, else as it is."""
    ra = column(identifier="RA", keep="law")
    entry = table({"cpf": ra, "name": NAME}, **reference(["cpf"], ["cpf"]))
    made = people_and(erp, ("bigint", "varchar(20)"), entry, ["00123", "1.23", "123"], stored="123")
    assert isinstance(made.secret, dict)
    made.secret["map"]["tables"]["people"]["columns"]["cpf"] = ra
    assert found(made, RA="123") == {"people": 1, "child": 3}
    assert found(made, RA="0123") == {"people": 1, "child": 3}


def test_composite_references(erp: Tpd) -> None:
    """Each column of a reference compares as what it holds."""
    made = erp_of(
        erp,
        {
            "person": table({"cpf": KEPT_CPF, "name": NAME}),
            "entry": table(
                {"name": NAME},
                references=[
                    {"columns": ["branch", "doc"], "table": "person", "to": ["branch", "cpf"]}
                ],
            ),
        },
        "CREATE TABLE person (id integer PRIMARY KEY, branch char(4), cpf varchar(20), name text)",
        "CREATE TABLE entry (id integer PRIMARY KEY, branch varchar(8), doc bigint, name text)",
        f"INSERT INTO person VALUES (1, '01', '{CPF}', 'Ana'), (2, '02', '9', 'Bia')",  # noqa: S608
        "INSERT INTO entry VALUES (1, '01', 1234567890, 'Ana'), (2, '02', 1234567890, 'Bia')",
        "INSERT INTO entry VALUES (3, '01  ', 1234567890, 'Ana'), (4, '01', NULL, 'Bia')",
    )
    assert found(made) == {"person": 1, "entry": 2}


def test_columns_that_cannot_be_equal(erp: Tpd) -> None:
    """A text and a number that are no identifiers, or two identifiers, are refused."""
    entry = table({"name": column(identifier="XX", keep="law")}, **reference(["cpf"], ["id"]))
    made = people_and(erp, ("varchar(20)", "varchar(20)"), entry, [])
    assert refusal(made).startswith("map.tables.child.references.0.columns: cpf is VARCHAR")
    other = column(identifier="RG", keep="law")
    entry = table({"cpf": other, "name": NAME}, **reference(["cpf"], ["cpf"]))
    assert isinstance(made.secret, dict)
    made.secret["map"]["tables"]["child"] = {**entry, "class": "child"}
    assert refusal(made).startswith(
        "map.tables.child.references.0.columns: cpf and cpf hold different identifiers"
    )


def test_keys_that_differ_in_padding_alone(erp: Tpd) -> None:
    """Two rows whose keys differ by a blank are two rows: both are masked."""
    made = erp_of(
        erp,
        {"t": table({"cpf": KEPT_CPF, "name": NAME}, "code")},
        "CREATE TABLE t (code varchar(9) PRIMARY KEY, cpf text, name text)",
        f"INSERT INTO t VALUES ('a', '{CPF}', 'Ana'), ('a ', '{CPF}', 'Ana')",  # noqa: S608
    )
    assert masked(made) == ["Masked 2 rows"]
    assert rows(made, "SELECT DISTINCT name FROM t") == [(None,)]


def test_alphanumeric_cnpj(erp: Tpd) -> None:
    """The CNPJ of 2026 has letters, which are written in either case."""
    cnpj = column(identifier="CNPJ", mask={"rule": "hash"})
    written = ["12.abc.345/01de-35", "12ABC34501DE35", "12abc34501de35 "]
    made = erp_of(
        erp,
        {"t": table({"cnpj": cnpj, "name": NAME})},
        "CREATE TABLE t (id integer PRIMARY KEY, cnpj varchar(20), name text)",
        *(f"INSERT INTO t VALUES ({n}, '{it}', 'Ana')" for n, it in enumerate(written)),  # noqa: S608
        "INSERT INTO t VALUES (9, '12.345.678/0001-95', 'Bia')",
    )
    masked(made, CNPJ="12.ABC.345/01DE-35")
    assert rows(made, "SELECT id FROM t WHERE name IS NOT NULL") == [(9,)]
    assert len(set(rows(made, "SELECT cnpj FROM t WHERE id < 9"))) == 1
    masked(made, "r2", CNPJ=12345678000195)
    assert rows(made, "SELECT id FROM t WHERE name IS NOT NULL") == []
