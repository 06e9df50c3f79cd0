"""A university's ERP: people, employees, dependants, students, and what hangs on them.

A few thousand invented rows, the same at each run; no two people share a text that could be
mistaken for a trace.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from random import Random

from sqlalchemy import (
    CHAR,
    BigInteger,
    Column,
    Date,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    insert,
)

from consumers.sgdp.identifiers import punctuated_cpf
from smartlink.types import check_digits

PEOPLE, EMPLOYED, STUDYING = 1_200, 3, 2  # each third, each second
STRANGERS = 60  # students of whom the ERP has no person
INVOICED = 4  # each fourth

metadata = MetaData()

people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("social_name", String(120)),
    Column("cpf", String(14), nullable=False, unique=True),
    Column("rg", String(20)),
    Column("email", String(254)),
    Column("phone", String(20)),
    Column("mother_name", String(120)),
    Column("birth_date", Date, nullable=False),
    Column("photo", LargeBinary),
    Column("notes", Text),
)
addresses = Table(
    "addresses",
    metadata,
    Column("person_id", ForeignKey("people.id"), primary_key=True),
    Column("kind", String(10), primary_key=True),
    Column("street", String(200), nullable=False),
    Column("zip", CHAR(9), nullable=False),
)
employees = Table(
    "employees",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False),
    Column("manager_id", ForeignKey("employees.id")),
    Column("registration", String(10), nullable=False, unique=True),
    Column("cpf", CHAR(14), nullable=False),  # 11 digits, padded
    Column("pis", String(14), nullable=False),
    Column("work_email", String(254), nullable=False),
    Column("bank_account", String(30)),
    Column("union_name", String(80)),
    Column("salary", Numeric(12, 2), nullable=False),
    Column("hired_on", Date, nullable=False),
)
dependants = Table(
    "dependants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("employee_id", ForeignKey("employees.id"), nullable=False),
    Column("name", String(120), nullable=False),
    Column("cpf", String(14)),
    Column("birth_date", Date, nullable=False),
)
students = Table(
    "students",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", ForeignKey("people.id")),
    Column("ra", String(12), nullable=False, unique=True),
    Column("cpf", BigInteger),
    Column("full_name", String(120), nullable=False),
    Column("email", String(254)),
    Column("guardian_name", String(120)),
    Column("enrolled_at", DateTime, nullable=False),
)
marks = Table(  # as RM writes its names
    "SNOTAS",
    metadata,
    Column("STUDENT", ForeignKey("students.id"), primary_key=True),
    Column("SUBJECT", String(20), primary_key=True),
    Column("MARK", Numeric(4, 2), nullable=False),
    Column("REMARK", String(200)),
)
cards = Table(  # no foreign key: the library knows people by their CPF
    "library_cards",
    metadata,
    Column("card", CHAR(20), primary_key=True),
    Column("holder_cpf", String(14), nullable=False),
    Column("holder_name", String(120), nullable=False),
)
invoices = Table(
    "invoices",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("customer_cpf", String(14), nullable=False),
    Column("customer_name", String(120), nullable=False),
    Column("delivery", String(400)),
    Column("amount", Numeric(12, 2), nullable=False),
)
subjects = Table("subjects", metadata, Column("code", String(20), primary_key=True))

_SYLLABLES = tuple(map("".join, product("bdfglmnp", "ao")))
_TITLES = ("Ana", "Antônio", "Cecília", "Davi", "Fábio", "Ícaro", "João", "Márcia")


def fill(engine: Engine) -> None:
    """Create the tables and their rows."""
    random = Random(20_260_302)
    rows = _rows(random)
    with engine.begin() as connection:
        metadata.create_all(connection)
        for table in metadata.sorted_tables:
            connection.execute(insert(table), rows[table.name])


def cpf_of(number: int) -> str:
    """The digits of the CPF of the person with this number, or of a dependant or stranger."""
    base = f"{(number * 7_919_333 + 104_729) % 899_999_999 + 100_000_000:09}"
    return base + check_digits(base)


def _rows(random: Random) -> dict[str, list[dict[str, object]]]:
    numbers = range(1, PEOPLE + 1)
    workers = [n for n in numbers if n % EMPLOYED == 0]
    learners = [n for n in numbers if n % STUDYING == 0]
    strangers = range(90_000, 90_000 + STRANGERS)
    subject = [f"DISC-{number}" for number in range(8)]
    return {
        "people": [_person(random, n) for n in numbers],
        "addresses": [_address(random, n, kind) for n in numbers for kind in ("home", "work")],
        "employees": [_employee(random, n) for n in workers],
        "dependants": [_dependant(random, n, k) for n in workers for k in range(n % 4)],
        "students": [_student(random, n, n) for n in learners]
        + [_student(random, n, None) for n in strangers],
        "SNOTAS": [_mark(random, n, it) for n in learners for it in random.sample(subject, 3)],
        "library_cards": [_card(n) for n in numbers if n % 5 == 0],
        "invoices": list(_invoices(random)),
        "subjects": [{"code": code} for code in subject],
    }


def name_of(number: int) -> str:
    """A name that nobody else has, nor a part of it but the first."""
    left, syllables = number + 5_000, ""
    while left:
        left, digit = divmod(left, len(_SYLLABLES))
        syllables += _SYLLABLES[digit]
    return f"{_TITLES[number % len(_TITLES)]} {syllables.title()} d'{syllables[::-1].title()}"


def _date(random: Random, first: int) -> date:
    return date(first, 1, 2) + timedelta(days=random.randrange(9_000))


def _person(random: Random, n: int) -> dict[str, object]:
    return {
        "id": n,
        "name": name_of(n),
        "social_name": f"Social {name_of(n)}" if n % 10 == 0 else None,
        "cpf": punctuated_cpf(cpf_of(n)),
        "rg": f"{10 + n % 80}.{100 + n % 900}.{n:03}-{'X' if n % 7 == 0 else n % 10}",
        "email": f"Pessoa.{n}@pessoas.example",
        "phone": f"(11) 9{random.randint(1000, 9999)}-{n:04}",
        "mother_name": f"Mãe de {name_of(n)}",
        "birth_date": _date(random, 1960),
        "photo": name_of(n).encode() if n % 9 == 0 else None,
        "notes": f"Ligar para {name_of(n)} à tarde" if n % 6 == 0 else None,
    }


def _address(random: Random, n: int, kind: str) -> dict[str, object]:
    street = f"Rua {name_of(n)}, {random.randint(1, 2500)}, {kind}"
    return {"person_id": n, "kind": kind, "street": street, "zip": f"{n:05}-{n % 1000:03}"}


def _employee(random: Random, n: int) -> dict[str, object]:
    return {
        "id": 10_000 + n,
        "person_id": n,
        "manager_id": 10_000 + EMPLOYED if n > EMPLOYED else None,
        "registration": f"M{n:06}",
        "cpf": cpf_of(n),
        "pis": f"{random.randrange(10**10, 2 * 10**10):011}",
        "work_email": f"pessoa.{n}@empresa.example",
        "bank_account": f"001 / {random.randint(1, 9999):04} / {n:06}-0",
        "union_name": f"Sindicato {n % 7}" if n % 2 else None,
        "salary": Decimal(random.randint(1_500_00, 20_000_00)) / 100,
        "hired_on": _date(random, 1999),
    }


def _dependant(random: Random, n: int, k: int) -> dict[str, object]:
    number = 20_000 + 10 * n + k
    return {
        "id": number,
        "employee_id": 10_000 + n,
        "name": name_of(number),
        "cpf": punctuated_cpf(cpf_of(number)) if k else None,
        "birth_date": _date(random, 2000),
    }


def _student(random: Random, n: int, person: int | None) -> dict[str, object]:
    enrolled = _date(random, 2001)
    return {
        "id": 40_000 + n,
        "person_id": person,
        "ra": f"RA{n:07}",
        "cpf": int(cpf_of(n)) if n % 4 else None,
        "full_name": name_of(n),
        "email": f"aluno.{n}@alunos.example",
        "guardian_name": f"Responsável por {name_of(n)}",
        "enrolled_at": enrolled,
    }


def _mark(random: Random, n: int, subject: str) -> dict[str, object]:
    mark = Decimal(random.randint(0, 1000)) / 100
    remark = f"Falar com {name_of(n)}" if n % 8 == 0 else None
    return {"STUDENT": 40_000 + n, "SUBJECT": subject, "MARK": mark, "REMARK": remark}


def _card(n: int) -> dict[str, object]:
    cpf = punctuated_cpf(cpf_of(n))
    return {"card": f"C-{n * 31:06}", "holder_cpf": cpf, "holder_name": name_of(n)}


def _invoices(random: Random) -> Iterator[dict[str, object]]:
    for number in range(1, 901):
        n = INVOICED * (number % (PEOPLE // INVOICED) + 1)
        amount = Decimal(random.randint(1, 100_000)) / 100
        delivery = f"Entregar a {name_of(n)}, portaria {number}"
        cpf = cpf_of(n)
        yield {
            "number": number,
            "customer_cpf": cpf,
            "customer_name": name_of(n),
            "delivery": delivery,
            "amount": amount,
        }
