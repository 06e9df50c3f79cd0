"""The small ERP of the guide in `functions/consumers/sgdp/README.md`, on PostgreSQL."""

from datetime import date
from typing import Any

from sqlalchemy import Engine, column, insert, table

from tests.erp import university

ROWS = 300

STATEMENTS = (
    "CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL, cpf varchar(14), phone text)",
    """CREATE TABLE employees (id integer PRIMARY KEY, salary numeric(12, 2) NOT NULL,
    person_id integer NOT NULL REFERENCES people)""",
    "CREATE TABLE visits (number integer PRIMARY KEY, who text, note text, at date)",
    "CREATE TABLE people_old (at timestamptz, name text)",
    """CREATE FUNCTION keep_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO people_old VALUES (now(), OLD.name); RETURN NEW; END $$""",
    "CREATE TRIGGER keep_name AFTER UPDATE ON people FOR EACH ROW EXECUTE FUNCTION keep_name()",
    "CREATE INDEX ON employees (person_id)",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO smartlink",
    "GRANT UPDATE (name) ON people TO smartlink",
    "GRANT CREATE ON SCHEMA public TO smartlink",
)


def fill(engine: Engine) -> None:
    """Add the rows; four of the CPFs are none."""
    people, employees, visits = (
        table(name, *map(column, columns.split()))
        for name, columns in (
            ("people", "id name cpf phone"),
            ("employees", "id salary person_id"),
            ("visits", "number who note at"),
        )
    )
    with engine.begin() as connection:
        for n in range(1, ROWS + 1):
            name, cpf = university.name_of(n), university.cpf_of(n)
            stored = "ISENTO" if n % 75 == 0 else cpf
            phone = f"(11) 9{7000 + n}-{n:04}"
            person = {"id": n, "name": name, "cpf": stored, "phone": phone}
            visit = {"number": n, "who": name, "note": f"CPF {cpf}", "at": date(2026, 3, 2)}
            connection.execute(insert(people), person)
            connection.execute(insert(employees), {"id": n, "salary": 1_500 + n, "person_id": n})
            connection.execute(insert(visits), visit)


def first_map() -> dict[str, Any]:
    """A map in which a person has forgotten some things."""
    name = {"rule": "null"}
    return {
        "purposes": {"c": {"classification": "CONTRACT_EXECUTION", "justification": "Contato"}},
        "tables": {
            "people": {
                "class": "erp.Person",
                "group": "people",
                "description": "Pessoas",
                "key": ["id"],
                "columns": {
                    "name": {"description": "Nome", "purposes": ["c"], "mask": name},
                    "cpf": {
                        "description": "CPF",
                        "purposes": ["c"],
                        "identifier": "CPF",
                        "mask": {"rule": "hash"},
                    },
                },
            },
            "employees": {
                "class": "erp.Employee",
                "group": "employees",
                "description": "Empregados",
                "key": ["id"],
                "references": [{"columns": ["person"], "table": "people"}],
                "columns": {
                    "salary": {"description": "Salário", "purposes": ["c"], "keep": "CLT, art. 41"}
                },
            },
        },
    }


def finished_map() -> dict[str, Any]:
    """The same once everything that the check said is fixed."""
    data_map = first_map()
    tables = data_map["tables"]
    people = tables["people"]["columns"]
    people["name"]["mask"] = {"rule": "constant", "value": "ANONIMIZADO"}
    people["phone"] = {"description": "Telefone", "purposes": ["c"], "mask": {"rule": "null"}}
    tables["employees"]["references"][0]["columns"] = ["person_id"]
    data_map["notPersonal"] = {"visits": "Visitas de teste", "people_old": "Apagada a cada noite"}
    return data_map
