"""What masks write: each type has a rule that works, and what a column refuses is told at once."""

import json
from typing import Any

import pytest

from tests.erp.small import CPF, KEPT_CPF, NULL, column, erp_of, found, masked, refusal, rows, table
from tests.support.tpd import Tpd

UUID = "11111111-1111-1111-1111-111111111111"
HASH, FAKE, REDACT = {"rule": "hash"}, {"rule": "fake"}, {"rule": "redact"}


def constant(value: object) -> dict[str, object]:
    return {"rule": "constant", "value": value}


def with_value(erp: Tpd, kind: str, value: str, mask: dict[str, Any], *before: str) -> Tpd:
    return erp_of(
        erp,
        {"t": table({"cpf": KEPT_CPF, "v": column(mask=mask)})},
        *before,
        f"CREATE TABLE t (id integer PRIMARY KEY, cpf varchar(14), v {kind})",
        f"INSERT INTO t VALUES (1, '{CPF}', {value})",  # noqa: S608
    )


# By type: what the row holds, the rule, and what the database writes afterwards.
WORKS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "jsonb as text": ("jsonb NOT NULL", """'{"a": "Ana"}'""", constant("{}"), "{}"),
    "jsonb as JSON": ("jsonb NOT NULL", "'[1]'", constant({"a": [1, None]}), '{"a": [1, null]}'),
    "json": ("json NOT NULL", "'[1]'", constant([]), "[]"),
    "text[] as text": ("text[] NOT NULL", "'{a,b}'", constant("{}"), "{}"),
    "text[] as JSON": ("text[] NOT NULL", "'{a,b}'", constant(["x", "y"]), "{x,y}"),
    "integer[]": ("integer[] NOT NULL", "'{1,2}'", constant([0]), "{0}"),
    "bytea": ("bytea NOT NULL", "'foto'", constant("x"), "\\x78"),
    "bytea in hexadecimals": ("bytea NOT NULL", "'foto'", constant("\\xff00"), "\\xff00"),
    "uuid": (
        "uuid NOT NULL",
        f"'{UUID}'",
        constant(UUID.replace("1", "0")),
        UUID.replace("1", "0"),
    ),
    "boolean": ("boolean NOT NULL", "true", constant(value=False), "false"),
    "boolean as text": ("boolean NOT NULL", "true", constant("f"), "false"),
    "interval": ("interval NOT NULL", "'3 days'", constant("P0D"), "00:00:00"),
    "time": ("time NOT NULL", "'12:34'", constant("00:00"), "00:00:00"),
    "timetz": ("timetz NOT NULL", "'12:34+03'", constant("00:00+00"), "00:00:00+00"),
    "timestamptz": (
        "timestamptz NOT NULL",
        "now()",
        constant("2000-01-31T00:00:00+00:00"),
        "2000-01-31 00:00:00+00",
    ),
    "inet": ("inet NOT NULL", "'10.0.0.7'", constant("0.0.0.0"), "0.0.0.0/32"),  # noqa: S104
    "cidr": ("cidr NOT NULL", "'10.0.0.0/8'", constant("0.0.0.0/0"), "0.0.0.0/0"),
    "macaddr": (
        "macaddr NOT NULL",
        "'08:00:2b:01:02:03'",
        constant("00:00:00:00:00:00"),
        "00:00:00:00:00:00",
    ),
    "money": ("money NOT NULL", "12.34", constant("0"), "$0.00"),
    "bit": ("bit(3) NOT NULL", "B'101'", constant("000"), "000"),
    "xml": ("xml NOT NULL", "'<a>Ana</a>'", constant("<a/>"), "<a/>"),
    "daterange": ("daterange NOT NULL", "'[2000-05-06,2001-01-01)'", constant("empty"), "empty"),
    "point": ("point NOT NULL", "'(1,2)'", constant("(0,0)"), "(0,0)"),
    "tsvector": ("tsvector NOT NULL", "'ana'", constant(""), ""),
    "real": ("real NOT NULL", "1.5", constant(0), "0"),
    "smallint": ("smallint NOT NULL", "7", constant(-32768), "-32768"),
    "integer with a zero": ("integer NOT NULL", "7", constant(5.0), "5"),
    "numeric": ("numeric(5,2) NOT NULL", "7", constant(999.99), "999.99"),
    "enum": ("colour NOT NULL", "'red'", constant("grey"), "grey"),
    "enum[]": ("colour[] NOT NULL", "'{red}'", constant(["grey"]), "{grey}"),
    "name": ("name NOT NULL", "'ana'", constant("x"), "x"),
    "char": ("char(5) NOT NULL", "'ana'", constant("x"), "x"),
    "jsonb[]": ("jsonb[] NOT NULL", """ARRAY['{"a": "Ana"}'::jsonb]""", constant([{}]), '{"{}"}'),
    "text[][]": ("text[] NOT NULL", "'{{a},{b}}'", constant([['x"y']]), r'{{"x\"y"}}'),
    "composite": ("address NOT NULL", "ROW('Rua', 7)", constant("(X,0)"), "(X,0)"),
    "json by path": (
        "jsonb NOT NULL",
        """'{"nome": "Ana", "pedidos": [{"para": "Ana", "n": 1}], "obs": {"x": "y"}}'""",
        {
            "rule": "json",
            "paths": {"/nome": constant("X"), "/pedidos/*/para": NULL, "/obs": {"rule": "remove"}},
            "others": "keep",
        },
        """{"nome": "X", "pedidos": [{"n": 1, "para": null}]}""",
    ),
    "json, the rest removed": (
        "json NOT NULL",
        """'{"nome": "Ana", "n": 1}'""",
        {"rule": "json", "paths": {"/nome": constant("X")}, "others": "remove"},
        """{"nome": "X"}""",
    ),
    "each, constant": (
        "text[] NOT NULL",
        "'{a,b}'",
        {"rule": "each", "mask": constant("x")},
        "{x,x}",
    ),
    "each, a number": (
        "integer[]",
        "'{1,NULL}'",
        {"rule": "each", "mask": constant(0)},
        "{0,NULL}",
    ),
    "each, null": ("date[]", "'{2000-05-06}'", {"rule": "each", "mask": NULL}, "{NULL}"),
}


@pytest.mark.parametrize("name", WORKS)
def test_a_rule_for_each_type(on_postgres: Tpd, name: str) -> None:
    """A NOT NULL column of any type has a rule that works, and works but once."""
    kind, value, mask, written = WORKS[name]
    colour = "CREATE TYPE colour AS ENUM ('red', 'grey')"
    address = "CREATE TYPE address AS (street text, number integer)"
    made = with_value(on_postgres, kind, value, mask, colour, address)
    assert masked(made) == ["Masked 1 rows"]
    assert rows(made, "SELECT CAST(v AS text) FROM t") == [(written,)]
    assert masked(made, "r2")[-1] == "Masked 0 rows"


def test_null_in_a_document(erp: Tpd) -> None:
    """The rule `null` writes SQL's NULL, not JSON's."""
    made = with_value(erp, "json", """'{"a": 1}'""", NULL)
    masked(made)
    assert rows(made, "SELECT v IS NULL FROM t")[0][0] in (True, 1)


PSEUDONYMS = {
    "bigint": ("bigint NOT NULL UNIQUE", "1234567890", "\\d{18}"),
    "numeric": ("numeric(15) NOT NULL UNIQUE", "1234567890", "\\d{15}"),
    "uuid": ("uuid NOT NULL UNIQUE", f"'{UUID}'", "[0-9a-f-]{36}"),
    "bytea": ("bytea NOT NULL UNIQUE", "'foto'", "\\\\x[0-9a-f]{64}"),
    "citext": ("text NOT NULL UNIQUE", "'Ana'", "[a-z2-7]{32}"),
}


@pytest.mark.parametrize("name", PSEUDONYMS)
def test_pseudonyms_of_each_type(on_postgres: Tpd, name: str) -> None:
    """A unique column that must not be NULL gets a pseudonym, once."""
    kind, value, form = PSEUDONYMS[name]
    made = with_value(on_postgres, kind, value, HASH)
    masked(made)
    (first,) = rows(made, "SELECT CAST(v AS text) FROM t")
    assert rows(made, f"SELECT CAST(v AS text) ~ '^{form}$' FROM t") == [(True,)]  # noqa: S608
    assert value not in first
    assert masked(made, "r2")[-1] == "Masked 0 rows"
    assert rows(made, "SELECT CAST(v AS text) FROM t") == [first]


# What the column holds, the constant, and what the error says beside the place.
REFUSED: dict[str, tuple[str, str, object, str]] = {
    "smallint": ("smallint", "1", 99999, "NumericValueOutOfRange"),
    "integer": ("integer", "1", 2**31, "NumericValueOutOfRange"),
    "integer, a fraction": ("integer", "1", 1.5, "no value of the column"),
    "numeric": ("numeric(3,0)", "1", 999999, "no value of the column"),
    "numeric, cut": ("numeric(3,1)", "1", 1.25, "no value of the column"),
    "date": ("date", "now()", "31/01/2000", "no value of the column"),
    "date, not there": ("date", "now()", "2001-02-29", "no value of the column"),
    "timestamp": ("timestamp", "now()", "x", "no value of the column"),
    "uuid": ("uuid", f"'{UUID}'", "x", "InvalidTextRepresentation"),
    "enum": ("colour", "'red'", "blue", "InvalidTextRepresentation"),
    "enum[]": ("colour[]", "'{red}'", ["blue"], "InvalidTextRepresentation"),
    "boolean": ("boolean", "true", "perhaps", "InvalidTextRepresentation"),
    "jsonb": ("jsonb", "'{}'", "x", "InvalidTextRepresentation"),
    "array": ("text[]", "'{}'", "x", "InvalidTextRepresentation"),
    "items too long": ("varchar(2)[]", "'{}'", ["abc"], "cut or round"),
    "bit": ("bit(3)", "B'101'", "1", "cut or round"),
    "inet": ("inet", "'10.0.0.1'", "x", "InvalidTextRepresentation"),
    "interval": ("interval", "'1 day'", "x", "InvalidDatetimeFormat"),
    "time": ("time", "'10:00'", "25:00", "DatetimeFieldOverflow"),
    "char": ("char(2)", "'a'", "abc", "no value of the column"),
    "check": ("varchar(1) CHECK (v IN ('M', 'F'))", "'M'", "X", "t_v_check"),
    "check of a number": ("integer CHECK (v BETWEEN 1 AND 5)", "1", 9, "t_v_check"),
    "check with a colon": ("text CHECK (v ~ '^:a')", "':a'", "x", "t_v_check"),
    "check of a length": ("text CHECK (length(v) > 3)", "'abcd'", "x", "t_v_check"),
    "check of another column": ("text CHECK (v <> cpf)", "'a'", CPF, "t_check"),
    "generated": ("text GENERATED ALWAYS AS ('a') STORED", "DEFAULT", "x", "computes the column"),
    "identity": ("integer GENERATED ALWAYS AS IDENTITY", "DEFAULT", 1, "computes the column"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_constant_that_is_refused(on_postgres: Tpd, name: str) -> None:
    """The map is refused at start, and nothing was written in order to know."""
    kind, value, written, said = REFUSED[name]
    colour = "CREATE TYPE colour AS ENUM ('red', 'grey')"
    made = with_value(on_postgres, kind, value, constant(written), colour)
    told = refusal(made)
    assert told.startswith("map.tables.t.columns.v.mask"), told
    assert said in told


ON_SQLITE: dict[str, tuple[str, str, object]] = {
    "check": ("varchar(1) CHECK (v IN ('M', 'F'))", "'M'", "X"),
    "smallint": ("smallint", "1", 99999),
    "numeric": ("numeric(3,0)", "1", 999999),
    "date": ("date", "'2000-05-06'", "31/01/2000"),
    "boolean": ("boolean", "1", "x"),
    "json": ("json", "'{}'", "x"),
    "check of another column": ("text CHECK (v <> cpf)", "'a'", CPF),
}


@pytest.mark.parametrize("name", ON_SQLITE)
def test_a_constant_that_is_refused_on_sqlite(on_sqlite: Tpd, name: str) -> None:
    """The same, where the database itself would take nearly anything."""
    kind, value, written = ON_SQLITE[name]
    told = refusal(with_value(on_sqlite, kind, value, constant(written)))
    assert told.startswith("map.tables.t.columns.v.mask"), told


@pytest.mark.parametrize(
    ("kind", "value", "mask"),
    [
        ("varchar(40) CHECK (length(v) < 20)", "'ana'", HASH),
        ("varchar(40) CHECK (v IS NOT NULL)", "'ana'", NULL),
        ("integer", "1", HASH),
        ("integer", "1", REDACT),
        ("integer", "1", {"rule": "json", "paths": {"/a": NULL}, "others": "keep"}),
        ("varchar(40)", "'a'", {"rule": "each", "mask": NULL}),
        ("varchar(40) UNIQUE", "'a'", REDACT),
    ],
)
def test_other_masks_that_are_refused(
    erp: Tpd, kind: str, value: str, mask: dict[str, Any]
) -> None:
    """What a CHECK or a type forbids is known before any row is masked, of any rule."""
    entry = {"cpf": KEPT_CPF, "v": column(mask=mask), "name": column(keep="law", holds="name")}
    made = erp_of(
        erp,
        {"t": table(entry)},
        f"CREATE TABLE t (id integer PRIMARY KEY, cpf text, name text, v {kind})",
        f"INSERT INTO t VALUES (1, '{CPF}', 'Ana', {value})",  # noqa: S608
    )
    assert refusal(made).startswith("map.tables.t.columns.v.mask: ")


@pytest.mark.parametrize("kind", ["colour", "colour[]", "boolean", "date"])
@pytest.mark.parametrize("mask", [FAKE, REDACT, {"rule": "each", "mask": FAKE}])
def test_rules_for_texts_alone(on_postgres: Tpd, kind: str, mask: dict[str, Any]) -> None:
    """An enumeration's labels are no texts."""
    entry = {"cpf": KEPT_CPF, "v": column(mask=mask), "name": column(keep="law", holds="name")}
    made = erp_of(
        on_postgres,
        {"t": table(entry)},
        "CREATE TYPE colour AS ENUM ('red', 'grey')",
        f"CREATE TABLE t (id integer PRIMARY KEY, cpf text, name text, v {kind})",
    )
    assert refusal(made).startswith("map.tables.t.columns.v.mask: ")


def test_checks_of_several_columns(erp: Tpd) -> None:
    """Each mask alone would pass; together they are refused."""
    entry = {"cpf": KEPT_CPF, "email": column(mask=NULL), "phone": column(mask=NULL)}
    statement = (
        "CREATE TABLE t (id integer PRIMARY KEY, cpf text, email text, phone text, "
        "CONSTRAINT reachable CHECK (email IS NOT NULL OR phone IS NOT NULL))"
    )
    told = refusal(erp_of(erp, {"t": table(entry)}, statement))
    assert told.startswith("map.tables.t.columns.email.mask: the CHECK reachable (")
    alone = {"cpf": KEPT_CPF, "email": column(mask=NULL)}
    made = erp_of(erp, {"t": table(alone)}, f"INSERT INTO t VALUES (1, '{CPF}', 'a', 'b')")  # noqa: S608
    assert masked(made) == ["Masked 1 rows"]
    made = erp_of(
        erp,
        {"t": table({**alone, "id": column(keep="law")})},
        "INSERT INTO t VALUES (2, 'x', 'a', NULL)",
    )
    assert refusal(made).startswith("map.tables.t.columns.email.mask: the CHECK reachable (")


NOTE = "Ligar p/ ANA, CPF 012 345 678 90, tel. 91234-5678 (Joao Lima atende), ANA@x.invalid."


def test_free_texts(erp: Tpd) -> None:
    """The person's own name, CPF, e-mail and phone are replaced, in texts, documents and lists."""
    postgres = erp.engine.dialect.name == "postgresql"
    kind, value = ("text[]", "ARRAY['Ana Lima', 'x']") if postgres else ("text", "'x'")
    people = table(
        {
            "cpf": KEPT_CPF,
            "email": column(identifier="EMAIL", mask=HASH),
            "name": column(mask=constant("ANONIMIZADO"), holds="name"),
            "phone": column(mask=NULL, holds="phone"),
        }
    )
    document = {"rule": "json", "paths": {"/*": REDACT}, "others": "keep"}
    notes = table(
        {
            "note": column(mask=REDACT),
            "document": column(mask=document),
            "said": column(mask={"rule": "each", "mask": REDACT} if postgres else REDACT),
        },
        references=[{"columns": ["of"], "table": "people"}],
    )
    written = json.dumps({"a": "Sra. Lima", "b": ["ana"], "c": 7})
    made = erp_of(
        erp,
        {"people": people, "notes": notes},
        "DROP TABLE IF EXISTS people CASCADE" if postgres else "DROP TABLE people",
        "CREATE TABLE people (id integer PRIMARY KEY, cpf text, email varchar(40), name text, "
        "phone text)",
        f"INSERT INTO people VALUES (1, '{CPF}', 'ana@x.invalid', 'Ana de Lima', "  # noqa: S608
        f"'(11) 91234-5678')",
        f'CREATE TABLE notes (id integer PRIMARY KEY, "of" integer, note text, document text, '
        f"said {kind})",
        f"INSERT INTO notes VALUES (1, 1, '{NOTE}', '{written}', {value})",  # noqa: S608
    )
    masked(made)
    (row,) = rows(made, "SELECT note, document, said FROM notes")
    assert row[0] == "Ligar p/ ***, CPF ***, tel. *** (Joao *** atende), ***."
    assert json.loads(row[1]) == {"a": "Sra. ***", "b": ["***"], "c": 7}
    assert row[2] == (["***", "x"] if postgres else "x")
    assert masked(made, "r2")[-1] == "Masked 0 rows"


def test_a_name_to_look_for(erp: Tpd) -> None:
    """A map that says of no column that it holds the name cannot redact."""
    made = with_value(erp, "text", "'Ana'", REDACT)
    assert refusal(made).startswith("map.tables.t.columns.v.mask: no column says which name")


def test_nothing_is_written_at_start(on_postgres: Tpd) -> None:
    """The check of a map fires no trigger and takes no number of a sequence."""
    made = with_value(
        on_postgres,
        "serial",
        "DEFAULT",
        constant(7),
        "CREATE TABLE fired (n serial)",
        "CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO fired DEFAULT VALUES; RETURN NEW; END $$",
    )
    erp_of(made, {}, "CREATE TRIGGER f BEFORE INSERT OR UPDATE ON t EXECUTE FUNCTION fire()")
    before = rows(made, "SELECT last_value, is_called FROM fired_n_seq")
    assert found(made) == {"t": 1}
    assert rows(made, "SELECT last_value, is_called FROM fired_n_seq") == before
