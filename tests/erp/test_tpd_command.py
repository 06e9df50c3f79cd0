"""`smartlink tpd check|draft|trace` on both databases."""

import io
import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import create_engine, insert, text

from consumers.sgdp.maps import FOLDER
from infra.cli.app import main
from infra.cli.session import CURRENT
from tests.cli.place import COMMAND, PATIENCE, Ran, environment
from tests.erp import guide, university
from tests.erp.postgres import PostgresServer
from tests.support.tpd import SALT, Tpd

SGDP = FOLDER.parent
AUDIT = (
    "CREATE TABLE people_audit (at timestamptz, who text, doc text)",
    """CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    /* UPDATE nothing */ PERFORM 1 FROM people WHERE id = NEW.id FOR UPDATE;
    INSERT INTO people_audit VALUES (now(), OLD.name, OLD.cpf);
    RETURN NEW; END $$""",
    "CREATE TRIGGER keep AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION audit()",
)


@dataclass(frozen=True)
class Shell:
    """The command, with a database's URL in its environment.

    It runs in this process, as each process of its own takes seconds to begin; `installed` runs the
    launcher that `make` writes.
    """

    folder: Path
    url: str
    installed: bool = False

    def __call__(self, *arguments: str, text: str | None = None, **more: str) -> Ran:
        variables = environment(self.folder, {"ERP_URL": self.url, **more})
        if not self.installed:
            return in_this_process(["tpd", *arguments], text, variables)
        ran = subprocess.run(
            [COMMAND, "tpd", *arguments],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=variables,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def check(self, data_map: object, *arguments: str, **more: str) -> Ran:
        file = self.folder / "map.json"
        file.write_text(json.dumps(data_map))
        # As wide as a pipe: no line is folded.
        return self("check", str(file), "--url-env", "ERP_URL", *arguments, COLUMNS="1000", **more)

    def findings(self, data_map: object, *arguments: str) -> dict[str, list[dict[str, str]]]:
        """What a check finds, by topic, notes aside."""
        ran = self.check(data_map, "--json", *arguments)
        assert ran.code in (0, 1), ran.err
        found: dict[str, list[dict[str, str]]] = {}
        for item in ran.json["findings"]:
            if item["level"] != "note":
                found.setdefault(item["topic"], []).append(item)
        assert ran.code == (1 if ran.json["faults"] else 0)
        return found


def in_this_process(arguments: list[str], text: str | None, variables: dict[str, str]) -> Ran:
    """Run the command as its launcher does; what it raises ends it as it would end a process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    CURRENT.clear()
    with (
        patch.dict(os.environ, variables, clear=True),
        patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO((text or "").encode()))),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        except Exception:  # noqa: BLE001  (it is told as the interpreter does)
            err.write(traceback.format_exc())
            code = 1
    return Ran(code, out.getvalue(), err.getvalue())


@pytest.fixture
def shell(erp: Tpd, tmp_path: Path) -> Shell:
    return Shell(tmp_path, erp.url)


@pytest.fixture
def installed_shell(on_postgres: Tpd, tmp_path: Path) -> Shell:
    return Shell(tmp_path, on_postgres.url, installed=True)


@pytest.fixture
def sqlite_shell(on_sqlite: Tpd, tmp_path: Path) -> Shell:
    return Shell(tmp_path, on_sqlite.url)


@pytest.fixture
def postgres_shell(on_postgres: Tpd, tmp_path: Path) -> Shell:
    return Shell(tmp_path, on_postgres.url)


def test_a_map_that_is_right(shell: Shell, data_map: dict[str, Any]) -> None:
    """No fault, exit code 0, and of the stored forms every one is found."""
    ran = shell.check(data_map, "--json")
    assert ran.code == 0, ran.out
    assert ran.json["faults"] == ran.json["warnings"] == 0
    told = [it for it in ran.json["findings"] if it["topic"] == "storedForms"]
    assert len(told) == 12
    assert {"people.cpf", "students.cpf", "students.ra"} <= {it["place"] for it in told}
    people = next(it for it in told if it["place"] == "people.cpf")
    assert people["text"] == "CPF: a request finds 1000 of 1000 values"


def test_every_error_of_a_map_at_once(shell: Shell, data_map: dict[str, Any]) -> None:
    """Each with its place; what is wrong only because of another is not told."""
    tables = data_map["tables"]
    tables["people"]["columns"]["name"]["mask"] = {"rule": "null"}
    tables["people"]["columns"]["cpf"]["mask"] = {"rule": "scramble"}
    tables["people"]["columns"]["birth_date"]["purposes"] = ["nowhere"]
    tables["people"]["columns"]["birth_date"]["mask"] = {"rule": "constant", "value": "soon"}
    tables["people"]["columns"]["shoe_size"] = tables["people"]["columns"]["phone"]
    del tables["people"]["columns"]["notes"]["mask"]
    tables["students"]["class"] = tables["people"]["class"]
    tables["employees"]["key"] = ["salary"]  # dependants refer to it
    tables["library_cards"]["name"] = "cards_of_the_library"
    tables["addresses"]["references"][0]["table"] = "persons"
    tables["invoices"]["columns"]["delivery"]["decide"] = "keep it?"
    data_map["purposes"]["lei"]["classification"] = "decide"
    found = shell.findings(data_map, "--sample", "0")
    places = [it["place"] for it in found["map"]]
    assert sorted(places) == sorted(
        [
            "map.purposes.lei.classification",
            "map.tables.addresses.references.0.table",
            "map.tables.employees.key",
            "map.tables.invoices.columns.delivery.decide",
            "map.tables.library_cards",
            "map.tables.people.columns.birth_date.mask.value",
            "map.tables.people.columns.birth_date.purposes",
            "map.tables.people.columns.cpf.mask",
            "map.tables.people.columns.name.mask",
            "map.tables.people.columns.notes",
            "map.tables.people.columns.shoe_size",
            "map.tables.people.class",
        ]
    )


def test_a_map_without_tables_is_a_fault(shell: Shell, data_map: dict[str, Any]) -> None:
    """SGDPLogsCommand alone could use it."""
    data_map["tables"] = {}
    ran = shell.check(data_map)
    assert ran.code == 1
    assert "map.tables: it names no table" in " ".join(ran.out.split())
    [found] = shell.findings(data_map, "--sample", "0")["map"]
    assert (found["place"], found["level"]) == ("map.tables", "fault")


@pytest.mark.parametrize("broken", ["[]", "{}", '{"tables": 1}', '"demo"', "null", "{"])
def test_what_is_no_map_at_all(tmp_path: Path, broken: str) -> None:
    """An error, and no traceback."""
    (tmp_path / "map.json").write_text(broken)
    shell = Shell(tmp_path, f"sqlite:///{tmp_path / 'empty.db'}")
    ran = shell("check", str(tmp_path / "map.json"), "--url-env", "ERP_URL")
    assert ran.code in (1, 2, 3)
    assert "Traceback" not in ran.err


def test_what_the_map_leaves_out(shell: Shell, data_map: dict[str, Any]) -> None:
    """Columns and tables that look personal; `notPersonal` says which are nobody's, and why."""
    tables = data_map["tables"]
    for column in ("phone", "notes", "rg"):
        del tables["people"]["columns"][column]
    del tables["library_cards"]
    found = shell.findings(data_map)
    assert {(it["place"], it["level"]) for it in found["unmapped"]} == {
        ("people.phone", "fault"),
        ("people.notes", "fault"),
        ("people.rg", "fault"),
        ("library_cards.holder_cpf", "fault"),
        ("library_cards.holder_name", "fault"),
    }
    said = "Cartões de teste"
    data_map["notPersonal"] = {"library_cards": said, "people.phone": said, "PEOPLE.RG": said}
    data_map["notPersonal"]["people.telephone"] = said
    found = shell.findings(data_map)
    assert [it["place"] for it in found["unmapped"]] == ["people.notes"]
    assert [(it["place"], it["level"]) for it in found["map"]] == [
        ("map.notPersonal.people.telephone", "warning")
    ]


def test_stored_forms_that_name_nobody(shell: Shell, erp: Tpd, data_map: dict[str, Any]) -> None:
    """Their share and their shape, never a value."""
    odd = ("ISENTO", "12345678000195", "EM ANDAMENTO")
    row = {"customer_name": "X", "delivery": None, "amount": 1}
    erp.execute(
        insert(university.invoices).values(
            [{"number": 5_000 + n, "customer_cpf": it, **row} for n, it in enumerate(odd)]
        )
    )
    ran = shell.check(data_map, "--json")
    found = {it["place"]: it for it in ran.json["findings"] if it["topic"] == "storedForms"}
    told = found["invoices.customer_cpf"]
    assert told["level"] == "warning"
    assert "900 of 903 values" in told["text"]
    assert "aaaaaa (1)" in told["text"]
    assert "99999999999999 (1)" in told["text"]
    assert not any(it in ran.out for it in odd)
    assert ran.code == 0
    assert shell.check(data_map, "--strict").code == 1


def test_no_value_of_the_database_gets_out(shell: Shell) -> None:
    """Neither on the screen nor as JSON, with a map that leaves everything out."""
    columns = {"code": {"description": "c", "purposes": ["p"], "keep": "nobody's"}}
    purposes = {"p": {"classification": "CONSENTMENT", "justification": "x"}}
    table = {"class": "S", "group": "s", "description": "s", "key": ["code"], "columns": columns}
    data_map = {"purposes": purposes, "tables": {"subjects": table}}
    ran = [shell.check(data_map), shell.check(data_map, "--json")]
    ran.append(shell("draft", "--url-env", "ERP_URL"))
    shown = "".join(it.out + it.err for it in ran)
    for number in (1, 8, 9, 40, 1_000):
        assert university.name_of(number).split(maxsplit=1)[1] not in shown
        assert university.cpf_of(number) not in shown
        assert f"essoa.{number}@" not in shown


def test_triggers_rules_and_views(
    postgres_shell: Shell, on_postgres: Tpd, run: Callable[..., None], data_map: dict[str, Any]
) -> None:
    """What copies a mapped table's rows elsewhere is a fault until the map decides on it."""
    database = str(on_postgres.engine.url.database)
    run(
        *AUDIT,
        "CREATE RULE also AS ON UPDATE TO students DO ALSO "
        "INSERT INTO people_audit VALUES (now(), OLD.full_name, NULL)",
        "CREATE VIEW names AS SELECT name FROM people",
        "CREATE MATERIALIZED VIEW held AS SELECT id, cpf FROM people",
        "CREATE PUBLICATION warehouse FOR TABLE invoices",
        database=database,
    )
    ran = postgres_shell.check(data_map, "--json")
    copies = {it["place"]: it for it in ran.json["findings"] if it["topic"] == "copies"}
    assert {place: it["level"] for place, it in copies.items()} == {
        "people, trigger keep": "fault",
        "students, rule also": "fault",
        "people, view held": "warning",
        "invoices, publication warehouse": "warning",
        "people, view names": "note",
    }
    assert copies["people, trigger keep"]["text"].startswith("writes to people_audit,")
    left_out = {it["place"] for it in ran.json["findings"] if it["topic"] == "unmapped"}
    assert "held.cpf" in left_out
    data_map["notPersonal"] = {"people_audit": "Some says so", "held": "Refreshed each night"}
    found = postgres_shell.findings(data_map)
    assert {it["level"] for it in found["copies"]} == {"warning"}


def test_triggers_and_views_on_sqlite(
    on_sqlite: Tpd, tmp_path: Path, data_map: dict[str, Any]
) -> None:
    on_sqlite.execute(
        text("CREATE TABLE kept (what TEXT)"),
        text(
            "CREATE TRIGGER keep AFTER UPDATE ON people BEGIN "
            "INSERT INTO kept VALUES (OLD.name); END"
        ),
        text("CREATE TRIGGER stamp AFTER UPDATE ON people BEGIN SELECT 1; END"),
        text("CREATE VIEW names AS SELECT name FROM people"),
    )
    ran = Shell(tmp_path, on_sqlite.url).check(data_map, "--json")
    copies = {it["place"]: it["level"] for it in ran.json["findings"] if it["topic"] == "copies"}
    assert copies == {
        "people, trigger keep": "fault",
        "people, trigger stamp": "note",
        "people, view names": "note",
    }


def test_missing_rights_come_with_their_grants(
    postgres: PostgresServer,
    on_postgres: Tpd,
    run: Callable[..., None],
    tmp_path: Path,
    data_map: dict[str, Any],
) -> None:
    """Once the DBA has run what the check printed, nothing is missing."""
    database = str(on_postgres.engine.url.database)
    run("DROP ROLE IF EXISTS checked", "CREATE ROLE checked LOGIN")
    run("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database=database)
    shell = Shell(tmp_path, postgres.url(database, "checked"))
    missing = shell.findings(data_map)["rights"]
    fixes = [it["fix"] for it in missing]
    assert 'GRANT UPDATE ("REMARK") ON "SNOTAS" TO checked;' in fixes
    assert any("own tables" in it["text"] for it in missing)
    run(*(it for it in fixes if it.startswith("GRANT")), database=database)
    run("GRANT CREATE ON SCHEMA public TO checked", database=database)
    assert "rights" not in shell.findings(data_map)
    run("DROP OWNED BY checked", "DROP ROLE checked", database=database)


def test_missing_indexes_come_with_their_cost(
    postgres_shell: Shell, on_postgres: Tpd, run: Callable[..., None], data_map: dict[str, Any]
) -> None:
    """What a lookup reads without them; once they are made, nothing."""
    database = str(on_postgres.engine.url.database)
    run(
        "INSERT INTO invoices SELECT n, lpad(CAST(n AS text), 11, '0'), 'X', NULL, 1 "
        "FROM generate_series(10000, 160000) AS n",
        "ANALYZE invoices",
        database=database,
    )
    ran = postgres_shell.check(data_map, "--json")
    missing = {it["place"]: it for it in ran.json["findings"] if it["topic"] == "indexes"}
    told = missing["invoices (customer_cpf)"]
    # How long it takes, and so its level, is the machine's: test_index_cost.py has the levels.
    assert re.fullmatch(
        r"no index: a lookup reads 150,\d{3} rows \(\d+ [kM]B\)(, which takes about [\d.]+ s)?",
        told["text"],
    )
    assert missing["people (cpf)"]["level"] == "note"
    run(*(it["fix"] for it in missing.values()), database=database)
    ran = postgres_shell.check(data_map, "--json")
    assert not [it for it in ran.json["findings"] if it["topic"] == "indexes"]


def test_a_table_that_may_not_be_read_is_told(
    postgres: PostgresServer,
    on_postgres: Tpd,
    run: Callable[..., None],
    tmp_path: Path,
    data_map: dict[str, Any],
) -> None:
    """Its columns' names are looked at all the same; of a schema that is closed, its right."""
    database = str(on_postgres.engine.url.database)
    run("CREATE SCHEMA hr", "CREATE TABLE hr.staff (id int PRIMARY KEY)", database=database)
    columns = {"id": {"description": "x", "purposes": ["lei"], "identifier": "RA", "keep": "x"}}
    table = {"class": "erp.S", "group": "s", "description": "s", "key": ["id"], "columns": columns}
    data_map["tables"]["staff"] = {"schema": "hr", **table}
    run("DROP ROLE IF EXISTS blind", "CREATE ROLE blind LOGIN")
    run("CREATE TABLE patients (id int PRIMARY KEY, cpf text, memo text)", database=database)
    found = Shell(tmp_path, postgres.url(database, "blind")).findings(data_map)
    assert any(it["place"] == "patients" for it in found["database"])
    assert "GRANT USAGE ON SCHEMA hr TO blind;" in {it["fix"] for it in found["rights"]}
    assert ("patients.cpf", "fault") in {(it["place"], it["level"]) for it in found["unmapped"]}
    run("DROP ROLE blind", database=database)


def test_schemas_partitions_and_odd_values(
    postgres_shell: Shell, on_postgres: Tpd, run: Callable[..., None], data_map: dict[str, Any]
) -> None:
    """Every schema is looked at, a partitioned table once, and no value is beyond reading."""
    run(
        "CREATE SCHEMA hr",
        "CREATE TABLE hr.staff (id int PRIMARY KEY, nome text, nasc date, doc jsonb, tags text[], "
        "salary numeric)",
        "INSERT INTO hr.staff SELECT id, name, CASE id WHEN 1 THEN date 'infinity' WHEN 2 THEN "
        "date '0044-03-15 BC' ELSE birth_date END, jsonb_build_object('mail', email), "
        "ARRAY[cpf], 'NaN' FROM people",
        "CREATE TABLE parts (id int, doc text) PARTITION BY RANGE (id)",
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000000)",
        "INSERT INTO parts SELECT id, cpf FROM people",
        database=str(on_postgres.engine.url.database),
    )
    found = postgres_shell.findings(data_map)
    assert {it["place"] for it in found["unmapped"]} == {
        "hr.staff.nome",
        "hr.staff.nasc",
        "hr.staff.doc",
        "hr.staff.tags",
        "hr.staff.salary",
        "parts.doc",
    }


@pytest.mark.parametrize(
    ("arguments", "more", "code", "told"),
    [
        (("check", "demo"), {}, 2, "one of --tenant"),
        (("check", "demo", "--url-env", "ERP_URL", "--url-file", "x"), {}, 2, "one of --tenant"),
        (("check", "demo", "--url-env", "NONE"), {}, 2, "variable NONE is empty"),
        (("check", "demo", "--url-file", "/none"), {}, 2, "/none cannot be read"),
        (("check", "--url-env", "ERP_URL"), {}, 2, "Say which map"),
        (("check", "nowhere", "--url-env", "ERP_URL"), {}, 3, "no map of that name"),
        (("check", "demo", "--url-env", "U"), {"U": "mssql+pymssql://u:pw7@h/d"}, 1, "driver"),
        (("check", "demo", "--url-env", "U"), {"U": "nonsense:pw7"}, 2, "no database URL"),
        (("check", "demo", "--url-env", "U"), {"U": "clay://u:pw7@h/d"}, 2, "does not know"),
        (
            ("check", "demo", "--url-env", "U"),
            {"U": "postgresql+psycopg://u:pw7@/d?host=/none"},
            1,
            "The database failed (OperationalError",
        ),
        (("check", "demo", "--secret-file", "-"), {}, 2, "stdin is no ERP secret"),
    ],
)
def test_wrong_usage_says_what_is_missing(
    tmp_path: Path, arguments: tuple[str, ...], more: Mapping[str, str], code: int, told: str
) -> None:
    """Nothing of a URL is told: it holds a password."""
    ran = Shell(tmp_path, f"sqlite:///{tmp_path / 'e.db'}")(*arguments, text="{}", **more)
    assert (ran.code, told in ran.err) == (code, True), ran.err
    assert "pw7" not in ran.out + ran.err
    assert "Traceback" not in ran.err


def test_the_secret_as_a_file(installed_shell: Shell, on_postgres: Tpd) -> None:
    """As installed: database, map and salt of the secret, before it is stored; a salt that is
    missing is told."""
    shell, secret = installed_shell, json.loads(on_postgres.payload)
    assert shell("check", "--secret-file", "-", text=json.dumps(secret)).code == 0
    del secret["salt"]
    ran = shell("check", "--secret-file", "-", "--sample", "0", text=json.dumps(secret))
    assert ran.code == 1
    assert "salt: the map has masks that draw on it" in ran.out
    assert SALT not in ran.out


def test_a_draft_is_refused_until_a_person_has_decided(shell: Shell) -> None:
    """Each question stands at its place; once they are answered nothing is wrong or left out."""
    ran = shell("draft", "--url-env", "ERP_URL")
    assert ran.code == 0, ran.err
    drafted = ran.json
    found = shell.findings(drafted, "--sample", "0")
    questions = ran.out.count('"decide": "')
    assert questions > 30
    assert len(found["map"]) == questions + 1  # and the purpose's classification
    decided = without_questions(drafted)
    decided["purposes"]["decide"] = {"classification": "CONSENTMENT", "justification": "x"}
    for table in decided["tables"].values():  # dependants, and what hangs on them
        for number, reference in enumerate(table.get("references", ())):
            reference["samePerson"] = number == 0 and "DEPEND" not in table["class"].upper()
    found = shell.findings(decided)
    assert "map" not in found
    assert "unmapped" not in found


def test_the_guide_shows_what_the_commands_print(
    postgres: PostgresServer, run: Callable[..., None], tmp_path: Path
) -> None:
    """Each page in its language, line by line: a line that ends in … is shown in part."""
    run("DROP DATABASE IF EXISTS guide", "DROP ROLE IF EXISTS smartlink")
    run("CREATE DATABASE guide", "CREATE ROLE smartlink LOGIN")
    run(*guide.STATEMENTS, database="guide")
    engine = create_engine(postgres.url("guide"))
    guide.fill(engine)
    engine.dispose()
    run("ANALYZE", database="guide")
    shell = Shell(tmp_path, postgres.url("guide", "smartlink"))
    drafted = shell("draft", "--url-env", "ERP_URL").out
    first = {it: shell.check(guide.first_map(), SMARTLINK_LANG=it) for it in ("en", "pt-BR")}
    run("GRANT UPDATE (name, cpf, phone) ON people TO smartlink", database="guide")
    finished = {it: shell.check(guide.finished_map(), SMARTLINK_LANG=it) for it in first}
    assert {it.code for it in first.values()} == {1}
    assert {it.code for it in finished.values()} == {0}
    run("DROP DATABASE guide WITH (FORCE)", "DROP ROLE smartlink")
    for page, language in (("README.md", "en"), ("README.pt-BR.md", "pt-BR")):
        text = (SGDP / page).read_text(encoding="utf-8")
        blocks = re.findall(r"```text\n((?:Looked at|Olhou) .+?)```", text, re.DOTALL)
        assert len(blocks) == 2, page
        for block, ran in zip(blocks, (first[language], finished[language]), strict=True):
            shown, printed = block.splitlines(), ran.out.rstrip().splitlines()
            assert len(shown) == len(printed), page
            for line, own in zip(shown, printed, strict=True):
                assert own.startswith(line.removesuffix("…")) if line.endswith("…") else own == line
        (excerpt,) = re.findall(r"```json\n(\s+\"cpf\": \{\s+\"decide.+?)```", text, re.DOTALL)
        assert excerpt in drafted, page


def without_questions(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        kept = {name: without_questions(it) for name, it in value.items() if name != "decide"}
        if "decide" in value and isinstance(value["decide"], dict):  # the purpose of that name
            kept["decide"] = value["decide"]
        if "description" in kept and "purposes" in kept and "mask" not in kept:
            kept["keep"] = "Lei"
        return kept
    return [without_questions(it) for it in value] if isinstance(value, list) else value


@pytest.mark.parametrize("way", ["installed_shell", "sqlite_shell"])
def test_trace_finds_a_person_wherever_the_name_stands(
    request: pytest.FixtureRequest, way: str
) -> None:
    """Table, column and count; exit code 1 if something is found, 0 if nothing is."""
    shell: Shell = request.getfixturevalue(way)
    name = university.name_of(8).split(maxsplit=1)[1]
    values = f"{name}\n{university.cpf_of(8)}\n\n"
    ran = shell("trace", "--url-env", "ERP_URL", "--json", text=values)
    assert ran.code == 1, ran.err
    found = {(it["table"], it["column"]): it["rows"] for it in ran.json}
    assert found["people", "name"] == 1
    assert found["people", "cpf"] == 1  # punctuated there
    assert found["SNOTAS", "REMARK"] == 3
    assert name not in ran.out + ran.err
    ran = shell("trace", "--url-env", "ERP_URL", text="Nobody Of That Name\n")
    assert ran.code == 0
    assert "None of the values stands" in ran.out
    ran = shell("trace", "--url-env", "ERP_URL", text="---\n")
    assert ran.code == 2
    assert "one a line" in ran.err
