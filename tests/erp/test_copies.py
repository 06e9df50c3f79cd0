"""What keeps a copy of what a mask takes away is told, with its table and column.

What is left of the person in the map rolls the mask back.
"""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import FatalError
from tests.erp.test_indexes import create, needed
from tests.erp.test_masking import request, without_ours
from tests.erp.test_rights import database_of
from tests.erp.university import cpf_of, name_of
from tests.support.tpd import Tpd

WHO = 60

AUDITED = (
    "CREATE TABLE audit (at_ text, before_ text, note text)",
    "INSERT INTO audit VALUES ('x', 'nobody', 'y')",
)
FUNCTION = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN {body}; RETURN NEW; END $$
"""
BY_TRIGGER = {
    "the row as JSON": "INSERT INTO audit VALUES ('now', row_to_json(OLD)::text, NULL)",
    "the name alone": "INSERT INTO audit VALUES ('now', upper(OLD.name), NULL)",
    "the CPF as digits": (
        "INSERT INTO audit VALUES ('now', regexp_replace(OLD.cpf, '[^0-9]', '', 'g'), NULL)"
    ),
    "in a block of its own": (
        "BEGIN INSERT INTO audit VALUES ('now', OLD.name, NULL); "
        "EXCEPTION WHEN others THEN NULL; END"
    ),
    "in a row that was there": "UPDATE audit SET before_ = OLD.name",
}


def postgresql(erp: Tpd, *statements: str) -> None:
    erp.execute(*map(text, statements))


def watched(body: str, when: str = "AFTER UPDATE ON people FOR EACH ROW") -> tuple[str, ...]:
    kind = "CONSTRAINT TRIGGER" if "DEFERRED" in when else "TRIGGER"
    return (
        FUNCTION.format(name="watch", body=body),
        f"CREATE {kind} watch {when} EXECUTE FUNCTION watch()",
    )


def told(erp: Tpd, number: int = WHO, request_id: str = "r1") -> dict[str, list[str]]:
    """The places outside the map that the answer and the log tell, the same in both."""
    erp.lines.clear()
    answer = erp.run(mask, request(number, request_id), request_id)["exceptionAttributes"]
    outside = {
        name: sorted(it["attributes"])
        for name, it in answer.items()
        if it["description"] == "Fora do mapa de dados pessoais"
    }
    for table, columns in outside.items():
        for column in columns:
            assert any(f"{table}.{column}" in line for line in erp.lines), erp.lines
    everything = f"{answer} {erp.lines}"
    assert name_of(number).split()[1] not in everything
    assert cpf_of(number) not in everything
    return outside


@pytest.mark.parametrize("body", BY_TRIGGER.values(), ids=BY_TRIGGER)
@pytest.mark.parametrize(
    "when",
    [
        "AFTER UPDATE ON people FOR EACH ROW",
        "BEFORE UPDATE ON people FOR EACH ROW",
        "AFTER UPDATE ON people DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
    ],
)
def test_what_a_trigger_writes_is_told(on_postgres: Tpd, body: str, when: str) -> None:
    """However it writes it, and when: also what waits for the commit."""
    postgresql(on_postgres, *AUDITED, *watched(body, when))
    assert told(on_postgres) == {"audit": ["before_"]}
    assert on_postgres.lines[0] == "Masked 9 rows"


def test_what_a_rule_writes_is_told(on_postgres: Tpd) -> None:
    """A rule is no trigger; a table in another schema is named with it."""
    postgresql(
        on_postgres,
        "CREATE SCHEMA history",
        "CREATE TABLE history.people (LIKE public.people)",
        "CREATE RULE keep AS ON UPDATE TO people DO ALSO INSERT INTO history.people SELECT OLD.*",
    )
    columns = told(on_postgres)["history.people"]
    assert {"name", "cpf", "email", "mother_name"} <= set(columns)


def test_older_rows_of_what_a_trigger_writes_are_looked_into(on_postgres: Tpd) -> None:
    """It writes the new values alone, yet has written the old ones when they were new."""
    body = "INSERT INTO audit VALUES ('now', 'changed', NULL)"
    postgresql(
        on_postgres,
        *AUDITED,
        f"INSERT INTO audit SELECT 'before', NULL, name FROM people WHERE id = {WHO}",  # noqa: S608
        *watched(body),
    )
    assert told(on_postgres) == {"audit": ["note"]}


def test_a_trigger_that_copies_nothing_is_not_told(on_postgres: Tpd) -> None:
    """A counter, a date of change: no copy, no word."""
    postgresql(
        on_postgres, *AUDITED, *watched("INSERT INTO audit VALUES (now()::text, OLD.id::text, 'x')")
    )
    assert told(on_postgres) == {}


def test_a_copy_that_may_not_be_read_is_told_as_such(
    on_postgres: Tpd, run: Callable[..., None]
) -> None:
    """A trigger with its owner's rights writes where the product's user may not look."""
    database = database_of(on_postgres)
    role = "humble_reader"
    function, trigger = watched("INSERT INTO audit VALUES ('now', OLD.name, NULL)")
    run(
        *AUDITED,
        function.replace("LANGUAGE", "SECURITY DEFINER LANGUAGE"),
        trigger,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT CREATE ON SCHEMA public TO {role}",
        f"REVOKE ALL ON audit FROM {role}",
        database=database,
    )
    assert isinstance(on_postgres.secret, dict)
    url = on_postgres.url.replace("postgres@", f"{role}@")
    humble = Tpd("acme", on_postgres.secret | {"databaseUrl": url})
    try:
        assert told(humble) == {"audit": ["*"]}
        assert "GRANT SELECT ON audit" in " ".join(humble.lines)
    finally:
        humble.engine.dispose()
        run(f"DROP OWNED BY {role}", f"DROP ROLE {role}", database=database)


def test_a_table_of_the_map_that_a_trigger_writes_is_masked_too(
    on_postgres: Tpd, data_map: dict[str, Any]
) -> None:
    """The history is in the map, so what the mask itself has added there is masked after it."""
    postgresql(
        on_postgres,
        "CREATE TABLE history (id serial PRIMARY KEY, cpf varchar(14), name varchar(120))",
        *watched("INSERT INTO history (cpf, name) VALUES (OLD.cpf, OLD.name)"),
    )
    column = {"description": "d", "purposes": ["lei"]}
    data_map["tables"]["history"] = {
        "class": "erp.History",
        "group": "people",
        "description": "d",
        "key": ["id"],
        "columns": {
            "cpf": column | {"identifier": "CPF", "mask": {"rule": "hash"}},
            "name": column | {"mask": {"rule": "null"}},
        },
    }
    assert isinstance(on_postgres.secret, dict)
    erp = Tpd("acme", on_postgres.secret | {"map": data_map})
    assert told(erp) == {}
    (row,) = erp.everything()["history"]
    assert (row.name, len(row.cpf)) == (None, 14)
    assert row.cpf.isalnum()


LARGE_HISTORY = (
    (
        "CREATE TABLE history (id int PRIMARY KEY, cpf varchar(14), note text, wide text) "
        "WITH (fillfactor = 50)"
    ),
    (
        "INSERT INTO history SELECT n, CAST(n AS text), 'x', repeat('x', 1500) "
        "FROM generate_series(1, 3000) AS n"
    ),
)
HISTORY_BY = {
    # By the trigger; by it twice; at the beginning of the table, of somebody else's row.
    "INSERT INTO history VALUES (-1, OLD.cpf, OLD.name, NULL)": "told",
    "INSERT INTO history VALUES (-1, OLD.cpf, 'y', NULL); "
    "UPDATE history SET note = 'z' WHERE id = -1": "nothing",
    "UPDATE history SET note = OLD.name WHERE id = 1": "told",
    "INSERT INTO history VALUES (-1, OLD.cpf, 'y', NULL); "
    "UPDATE history SET note = OLD.name WHERE id = 1": "told",
}


@pytest.mark.parametrize(("body", "then"), HISTORY_BY.items())
def test_wherever_a_trigger_writes_in_a_large_table_of_the_map(
    on_postgres: Tpd, data_map: dict[str, Any], body: str, then: str
) -> None:
    """In its last pages, which are read first, or far before them."""
    own = f"UPDATE history SET cpf = '{cpf_of(WHO)}' WHERE id IN (5, 7, 2999)"  # noqa: S608
    postgresql(on_postgres, *LARGE_HISTORY, own, *watched(body))
    columns = {
        "cpf": {
            "description": "d",
            "purposes": ["lei"],
            "identifier": "CPF",
            "mask": {"rule": "hash"},
        }
    }
    entry = {"class": "erp.History", "group": "people", "description": "d", "key": ["id"]}
    data_map["tables"]["history"] = {**entry, "columns": columns}
    assert isinstance(on_postgres.secret, dict)
    erp = Tpd("acme", on_postgres.secret | {"map": data_map})
    assert told(erp) == ({"history": ["note"]} if then == "told" else {})
    with erp.engine.begin() as connection:
        left = "SELECT count(*) FROM history WHERE cpf = :cpf"
        assert connection.scalar(text(left), {"cpf": cpf_of(WHO)}) == 0


@pytest.mark.parametrize("body", ["NEW.name := OLD.name", "NEW.email := OLD.email", "NEW := OLD"])
def test_a_trigger_that_writes_the_old_value_back_rolls_back(on_postgres: Tpd, body: str) -> None:
    """The rows are read back: what did not stay masked is no success, and is named."""
    postgresql(on_postgres, *watched(body, "BEFORE UPDATE ON people FOR EACH ROW"))
    before = without_ours(on_postgres)
    column = "email" if "email" in body else "name"
    with pytest.raises(FatalError, match=rf"people\.{column}"):
        on_postgres.run(mask, request(WHO))
    assert without_ours(on_postgres) == before


def test_a_trigger_that_writes_pseudonyms_otherwise_is_no_fault(on_postgres: Tpd) -> None:
    """It writes them in capitals: the next mask knows them, and makes no pseudonyms of them."""
    body = "NEW.cpf := upper(NEW.cpf); NEW.social_name := upper(NEW.social_name)"
    postgresql(on_postgres, *watched(body, "BEFORE UPDATE ON people FOR EACH ROW"))
    assert told(on_postgres) == {}
    after = without_ours(on_postgres)
    assert told(on_postgres, request_id="r2") == {}
    assert without_ours(on_postgres) == after


def test_columns_that_no_map_names(erp: Tpd) -> None:
    """A column beside the mapped ones that repeats the name is told; in a dry run too."""
    erp.execute(
        text("ALTER TABLE people ADD COLUMN search_name varchar(200)"),
        text("ALTER TABLE people ADD COLUMN remark varchar(200)"),
        text("UPDATE people SET search_name = upper(name), remark = 'nothing'"),
    )
    dry = erp.run(mask, request(WHO, toVerify=True))["exceptionAttributes"]
    assert sorted(dry["people"]["attributes"]) == ["search_name"]
    assert told(erp) == {"people": ["search_name"]}


PARTITIONED = {
    "purposes": {"p": {"classification": "CONSENTMENT", "justification": "x"}},
    "tables": {
        "sales": {
            "class": "sale",
            "group": "g",
            "description": "d",
            "key": ["year", "id"],
            "columns": {
                "cpf": {"description": "d", "purposes": ["p"], "identifier": "CPF", "keep": "law"},
                "mail": {"description": "d", "purposes": ["p"], "mask": {"rule": "null"}},
            },
        }
    },
}


@pytest.mark.parametrize("audited", [False, True])
def test_partitions_are_their_tables(on_postgres: Tpd, audited: bool) -> None:  # noqa: FBT001
    """What the mask itself writes into a partition is no copy; what a trigger writes there is."""
    postgresql(
        on_postgres,
        "CREATE TABLE sales (year int, id int, cpf varchar(14), mail varchar(60), other text, "
        "PRIMARY KEY (year, id)) PARTITION BY LIST (year)",
        "CREATE TABLE sales_1 PARTITION OF sales FOR VALUES IN (1)",
        "CREATE TABLE sales_2 PARTITION OF sales FOR VALUES IN (2)",
        "CREATE INDEX ON sales (mail)",
        "CREATE INDEX ON sales (cpf)",
        f"INSERT INTO sales SELECT n, 1, '{cpf_of(WHO)}', 'ana@x.example', 'x' "  # noqa: S608
        "FROM generate_series(1, 2) n",
    )
    if audited:
        body = "INSERT INTO sales VALUES (OLD.year, OLD.id + 1, NULL, NULL, OLD.mail)"
        when = "AFTER UPDATE ON sales FOR EACH ROW WHEN (OLD.id = 1)"
        postgresql(on_postgres, *watched(body, when))
    assert isinstance(on_postgres.secret, dict)
    erp = Tpd("acme", on_postgres.secret | {"map": PARTITIONED})
    expected = {"sales_1": ["other"], "sales_2": ["other"]} if audited else {}
    assert told(erp) == expected
    assert [row.mail for row in erp.everything()["sales_1"]] == [None] * (1 + audited)


def test_generated_columns_follow(erp: Tpd) -> None:
    """What the database computes of a masked column is masked with it."""
    kind = "STORED" if erp.engine.dialect.name == "postgresql" else "VIRTUAL"
    erp.execute(
        text(
            f"ALTER TABLE people ADD COLUMN twice varchar(300) "
            f"GENERATED ALWAYS AS (lower(mother_name)) {kind}"
        )
    )
    assert told(erp) == {}


def test_indexed_columns_outside_the_map(erp: Tpd) -> None:
    """What an index finds at once: the CPF, e-mail and phone that were, in tables of no map."""
    person = next(row for row in erp.everything()["people"] if row.id == WHO)
    erp.execute(
        text("CREATE TABLE leads (id integer PRIMARY KEY, mail varchar(200), tel varchar(30))"),
        text("CREATE INDEX leads_mail ON leads (mail)"),
        text("CREATE INDEX leads_tel ON leads (tel)"),
        text("CREATE TABLE sms (number bigint, at_ integer)"),
        text("CREATE UNIQUE INDEX sms_number ON sms (number, at_)"),
        text("CREATE TABLE docs (doc varchar(20) PRIMARY KEY)"),
        text("INSERT INTO leads VALUES (1, :mail, 'x')").bindparams(mail=person.email.lower()),
        text("INSERT INTO docs VALUES (:cpf)").bindparams(cpf=cpf_of(WHO)),
        text("INSERT INTO sms VALUES (:tel, 1)").bindparams(
            tel=int("".join(filter(str.isdigit, person.phone)))
        ),
    )
    assert told(erp) == {"leads": ["mail"], "docs": ["doc"], "sms": ["number"]}


def test_somebody_elses_equal_value_is_told_and_stays(erp: Tpd) -> None:
    """A family's phone and e-mail: neither is changed in the other's row, nor the mask undone."""
    person = next(row for row in erp.everything()["people"] if row.id == WHO)
    erp.execute(
        text("CREATE INDEX people_phone ON people (phone)"),
        text("UPDATE people SET phone = :phone, email = :email WHERE id = 61").bindparams(
            phone=person.phone, email=person.email
        ),
    )
    assert told(erp) == {}
    assert "people.phone" in erp.lines[-1]
    assert "people.email" in erp.lines[-1]
    other = next(row for row in erp.everything()["people"] if row.id == 61)
    assert (other.phone, other.email) == (person.phone, person.email)


def test_so_it_is_by_the_indexes_that_the_check_prints(on_postgres: Tpd) -> None:
    """They are on expressions, which belong to a column of the map like any other."""
    create(on_postgres, [index for index in needed(on_postgres) if not index.exists])
    test_somebody_elses_equal_value_is_told_and_stays(on_postgres)


def test_what_triggers_write_on_sqlite(on_sqlite: Tpd) -> None:
    """SQLite names the tables that it would write, those of a trigger's trigger too."""
    on_sqlite.execute(
        text('CREATE TABLE "old names" (what text)'),
        text("CREATE TABLE audit (before_ text)"),
        text("CREATE TABLE never (name text)"),
        text(
            "CREATE TRIGGER first AFTER UPDATE OF name ON people BEGIN "
            'INSERT INTO "old names" VALUES (OLD.name); END'
        ),
        text(
            'CREATE TRIGGER second AFTER INSERT ON "old names" BEGIN '
            "REPLACE INTO audit VALUES (lower(NEW.what)); END"
        ),
        text(
            "CREATE TRIGGER other AFTER DELETE ON people BEGIN "
            "INSERT INTO never VALUES (OLD.name); END"
        ),
    )
    assert told(on_sqlite) == {"old names": ["what"], "audit": ["before_"]}


def test_a_dry_run_names_the_triggers_that_it_does_not_set_off(erp: Tpd) -> None:
    """They might write what no rollback takes back."""
    if erp.engine.dialect.name == "postgresql":
        postgresql(erp, *AUDITED, *watched("INSERT INTO audit VALUES ('now', OLD.name, NULL)"))
    else:
        erp.execute(
            text(AUDITED[0]),
            text(
                "CREATE TRIGGER watch AFTER UPDATE ON people BEGIN "
                "INSERT INTO audit VALUES ('now', OLD.name, NULL); END"
            ),
        )
    erp.run(mask, request(WHO, toVerify=True))
    assert "people: watch" in erp.lines[-1]


def test_told_again_when_delivered_again(on_postgres: Tpd) -> None:
    """The answer is kept with what it told."""
    postgresql(on_postgres, *AUDITED, *watched("INSERT INTO audit VALUES ('now', OLD.name, NULL)"))
    assert told(on_postgres) == {"audit": ["before_"]}
    answer = on_postgres.run(mask, request(WHO), "m2")["exceptionAttributes"]
    assert sorted(answer["audit"]["attributes"]) == ["before_"]
