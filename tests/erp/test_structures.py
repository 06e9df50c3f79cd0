"""Tables of every kind either work or are refused, with the reason."""

import pytest

from tests.erp.small import CPF, KEPT_CPF, NULL, column, erp_of, found, masked, refusal, rows, table
from tests.support.tpd import Tpd

NAMED = {"cpf": KEPT_CPF, "name": column(mask=NULL)}
PROVES = "map.tables.t.key: no primary key or unique index of the table says that it names one row"
T = "CREATE TABLE t (id integer, cpf varchar(14), name varchar(40)"
ROW = f"INSERT INTO t VALUES (1, '{CPF}', 'Ana')"  # noqa: S608

UNPROVEN = {
    "partial": ("CREATE UNIQUE INDEX u ON t (id) WHERE name IS NULL", "is partial"),
    "expression": ("CREATE UNIQUE INDEX u ON t ((id + 0))", "is on an expression"),
    "half an expression": ("CREATE UNIQUE INDEX u ON t (id, (id + 0))", "is on an expression"),
}
UNPROVEN_POSTGRESQL = {
    "deferrable": ("ALTER TABLE t ADD CONSTRAINT u UNIQUE (id) DEFERRABLE", "is deferrable"),
    "deferred": (
        "ALTER TABLE t ADD CONSTRAINT u PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED",
        "is deferrable",
    ),
    "exclusion": ("ALTER TABLE t ADD CONSTRAINT u EXCLUDE (id WITH =)", "excludes"),
    "invalid": (
        (
            "CREATE UNIQUE INDEX u ON t (id); "
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'u'::regclass"
        ),
        "is not valid",
    ),
}


@pytest.mark.parametrize("name", UNPROVEN)
def test_a_key_that_proves_nothing(erp: Tpd, name: str) -> None:
    """The index is named, and why it is no proof."""
    statement, why = UNPROVEN[name]
    made = erp_of(erp, {"t": table(NAMED)}, f"{T})", statement)
    assert refusal(made).startswith(f"{PROVES}: the index u {why}")


@pytest.mark.parametrize("name", UNPROVEN_POSTGRESQL)
def test_a_key_that_proves_nothing_on_postgresql(on_postgres: Tpd, name: str) -> None:
    """The same of what PostgreSQL alone has."""
    statement, why = UNPROVEN_POSTGRESQL[name]
    made = erp_of(on_postgres, {"t": table(NAMED)}, f"{T})", statement)
    assert refusal(made).startswith(f"{PROVES}: the index u {why}")


def test_keys_that_prove(erp: Tpd) -> None:
    """A unique index beside a partial one, and one that carries a further column, are proofs."""
    includes = " INCLUDE (name)" if erp.engine.dialect.name == "postgresql" else ""
    statements = (
        f"{T})",
        "CREATE UNIQUE INDEX a ON t (id) WHERE name IS NULL",
        f"CREATE UNIQUE INDEX b ON t (id){includes}",
        ROW,
    )
    made = erp_of(erp, {"t": table(NAMED)}, *statements)
    assert masked(made) == ["Masked 1 rows"]
    assert rows(made, "SELECT name FROM t") == [(None,)]


def test_a_key_without_a_value(erp: Tpd) -> None:
    """A row whose key is NULL can be named by nothing, so the map is refused."""
    statements = (f"{T}, UNIQUE (id))", ROW.replace("(1", "(NULL"))
    made = erp_of(erp, {"t": table(NAMED)}, *statements)
    assert refusal(made).startswith("map.tables.t.key: id is NULL in some rows")


def test_unique_expressions_are_unique(erp: Tpd) -> None:
    """A constant in a column whose lower case is unique would be refused at the second person."""
    constant = {"rule": "constant", "value": "x"}
    entry = table({"cpf": KEPT_CPF, "name": column(mask=constant)})
    statements = (f"{T}, PRIMARY KEY (id))", "CREATE UNIQUE INDEX u ON t (lower(name))")
    assert refusal(erp_of(erp, {"t": entry}, *statements)).startswith(
        "map.tables.t.columns.name.mask: the column is unique"
    )


def test_a_view(erp: Tpd) -> None:
    """It is named as what it is."""
    statements = (f"{T}, PRIMARY KEY (id))", "CREATE VIEW v AS SELECT * FROM t")
    made = erp_of(erp, {"v": table(NAMED)}, *statements)
    assert refusal(made).startswith("map.tables.v: it is a view, whose rows are kept elsewhere")


def test_what_is_no_table(on_postgres: Tpd) -> None:
    """Materialised views and foreign tables hold no rows of their own."""
    made = erp_of(
        on_postgres,
        {"v": table(NAMED)},
        f"{T}, PRIMARY KEY (id))",
        "CREATE MATERIALIZED VIEW v AS SELECT * FROM t",
    )
    assert refusal(made).startswith("map.tables.v: it is a materialised view")
    made = erp_of(
        on_postgres,
        {"f": table(NAMED)},
        "CREATE FOREIGN DATA WRAPPER w",
        "CREATE SERVER s FOREIGN DATA WRAPPER w",
        "CREATE FOREIGN TABLE f (id integer, cpf text, name text) SERVER s",
    )
    assert refusal(made).startswith("map.tables.f: it is a foreign table")


def test_inheritance(on_postgres: Tpd) -> None:
    """A table from which others inherit has a key in no index; one that inherits has its own."""
    statements = (
        f"{T}, PRIMARY KEY (id))",
        "CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (t)",
        ROW.replace("INTO t", "INTO heir"),
    )
    made = erp_of(on_postgres, {"t": table(NAMED)}, *statements)
    assert refusal(made).startswith("map.tables.t: heir inherits from it, and no key holds")
    made = erp_of(on_postgres, {"heir": table(NAMED)})
    assert masked(made) == ["Masked 1 rows"]
    assert rows(made, "SELECT name FROM heir") == [(None,)]


PARTITIONED = (
    f"{T}, PRIMARY KEY (id, cpf)) PARTITION BY LIST (cpf)",
    f"CREATE TABLE t_ana PARTITION OF t FOR VALUES IN ('{CPF}')",
    "CREATE TABLE t_rest PARTITION OF t DEFAULT",
    ROW,
    ROW.replace(CPF, "012.345.678-90"),
)


def test_a_partitioned_table(on_postgres: Tpd) -> None:
    """It works as a whole; a part of it is refused."""
    made = erp_of(on_postgres, {"t": table(NAMED, "id", "cpf")}, *PARTITIONED)
    assert masked(made) == ["Masked 2 rows"]
    assert rows(made, "SELECT DISTINCT name FROM t") == [(None,)]
    made = erp_of(on_postgres, {"t_ana": table(NAMED, "id", "cpf")})
    assert refusal(made).startswith("map.tables.t_ana: it is a partition of t")


def test_row_security(on_postgres: Tpd) -> None:
    """Rows that are hidden from the user would be missed: the table is refused."""
    made = erp_of(
        on_postgres,
        {"t": table(NAMED)},
        f"{T}, PRIMARY KEY (id))",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "DROP ROLE IF EXISTS guarded",
        "CREATE ROLE guarded LOGIN",
        "GRANT SELECT, UPDATE ON t TO guarded",
    )
    assert isinstance(made.secret, dict)
    made.secret["databaseUrl"] = made.url.replace("postgres@", "guarded@")
    assert refusal(made).startswith("map.tables.t: row security hides rows of it")
    made.engine.dispose()


def test_domains(on_postgres: Tpd) -> None:
    """A domain is what is under it, and what it demands is asked of every mask."""
    statements = (
        "CREATE DOMAIN digits AS varchar(14) CHECK (VALUE ~ '^[0-9]+$')",
        "CREATE DOMAIN document AS digits",
        "CREATE DOMAIN present AS varchar(40) NOT NULL",
        "CREATE TABLE t (id integer PRIMARY KEY, cpf document, name present)",
        ROW,
    )
    constant = {"rule": "constant", "value": "ANONIMIZADO"}
    names = {"cpf": KEPT_CPF, "name": column(mask=constant)}
    made = erp_of(on_postgres, {"t": table(names)}, *statements)
    assert found(made) == {"t": 1}
    assert masked(made) == ["The person's data is in 1 rows", "Masked 1 rows"]
    for columns, said in (
        ({"cpf": KEPT_CPF, "name": column(mask=NULL)}, "columns.name.mask: the column is NOT NULL"),
        (
            {"cpf": column(identifier="CPF", mask={"rule": "hash"})},
            "columns.cpf.mask: it is no value of the column, document (CheckViolation)",
        ),
    ):
        assert refusal(erp_of(on_postgres, {"t": table(columns)})).startswith(
            f"map.tables.t.{said}"
        )


def test_unreached_tables(erp: Tpd) -> None:
    """A table to which no identifier leads, itself or by references, is refused by name."""
    statements = [
        f"CREATE TABLE {name} (id integer PRIMARY KEY, up integer, cpf varchar(14), "
        f"name varchar(40))"
        for name in ("a", "b", "c")
    ]
    only_name = {"name": column(mask=NULL)}

    def up(to: str, *, same: bool = True) -> dict[str, object]:
        return {"references": [{"columns": ["up"], "table": to, "samePerson": same}]}

    made = erp_of(erp, {"a": table(NAMED), "b": table(only_name)}, *statements)
    assert refusal(made).startswith("map.tables.b: nothing leads to its rows")
    chain = {
        "a": table(only_name),
        "b": table(only_name, **up("a")),
        "c": table(only_name, **up("b")),
    }
    assert refusal(erp_of(erp, chain)).startswith("map.tables.a: nothing leads")
    other = {"a": table(only_name), "b": table(NAMED, **up("a", same=False))}
    assert refusal(erp_of(erp, other)).startswith("map.tables.a: nothing leads")
    for number in range(3):
        tables = {**chain, "abc"[number]: {**chain["abc"[number]], "columns": NAMED}}
        assert found(erp_of(erp, tables)) == {}
