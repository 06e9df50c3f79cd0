"""Makes a database of invented Brazilians for the demo and the tests.

The same seed gives the same people.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from sqlalchemy import Engine, func, insert, select

from consumers.sgdp.engine import engine_for
from consumers.sgdp.identifiers import punctuated_cpf
from infra.people_tables import create_people_tables, employees, people
from smartlink.types import check_digits

MAP = "demo"  # the map of these tables' personal data
ANONYMISED = "ANONIMIZADO"  # what that map writes for a name
EMPLOYED = 3  # each third person is an employee

_FIRST = "Ana Antônio Beatriz Caio Cecília Davi Elisa Fábio Helena Ícaro João Larissa Márcia"
_LAST = "Almeida Araújo Barbosa Cardoso Conceição Gonçalves Lima Magalhães Oliveira Silva"
_STREETS = "Rua XV de Novembro|Avenida Brasil|Rua das Acácias|Travessa São José|Alameda Santos"
_UNIONS = "Sindicato dos Metalúrgicos|Sindicato dos Comerciários|Sindicato dos Bancários"


@dataclass(frozen=True, slots=True)
class SamplePerson:
    """A person, with the identifiers that a request may use."""

    id: int
    name: str
    cpf: str
    rg: str
    email: str
    employed: bool


def create_people_database(url: str, count: int = 200, seed: int = 1) -> list[SamplePerson]:
    """Make a database at the URL, for TPD's commands; return its people."""
    engine = engine_for(url)
    create_people_tables(engine)
    return add_sample_people(engine, count, seed)


def add_sample_people(engine: Engine, count: int, seed: int) -> list[SamplePerson]:
    """Add invented people to an empty table. Each third person has an employee's record."""
    random = Random(seed)  # noqa: S311  (invented data, the same at each run)
    cpfs, rgs = _cpfs(random, count), _rgs(random, count)
    persons = [_person(random, *item) for item in zip(range(1, count + 1), cpfs, rgs, strict=True)]
    workers = [_employee(random, item) for item in persons if item.employed]
    with engine.begin() as connection:
        if persons:
            connection.execute(insert(people), [_row(random, item) for item in persons])
        if workers:
            connection.execute(insert(employees), workers)
    return persons


def count_people(engine: Engine) -> tuple[int, int]:
    """Return the number of people, and how many of them are anonymised."""
    anonymised = func.count().filter(people.c.name == ANONYMISED)
    with engine.begin() as connection:
        total, masked = connection.execute(
            select(func.count(), anonymised).select_from(people)
        ).one()
    return total, masked


def _person(random: Random, number: int, cpf: str, rg: str) -> SamplePerson:
    name = " ".join((random.choice(_FIRST.split()), *random.sample(_LAST.split(), 2)))
    email = f"Pessoa.{number}@pessoas.example"
    return SamplePerson(number, name, cpf, rg, email, employed=number % EMPLOYED == 0)


def _row(random: Random, person: SamplePerson) -> dict[str, object]:
    number = random.randint(0, 9_999)
    return {
        "id": person.id,
        "name": person.name,
        "cpf": person.cpf,
        "rg": person.rg,
        "email": person.email,
        "phone": f"({random.randint(11, 99)}) 9{random.randint(1000, 9999)}-{number:04}",
        "address": f"{random.choice(_STREETS.split('|'))}, {random.randint(1, 2500)}",
        "birth_date": date(1950, 1, 1) + timedelta(days=random.randrange(20_000)),
    }


def _employee(random: Random, person: SamplePerson) -> dict[str, object]:
    return {
        "id": 10_000 + person.id,
        "person_id": person.id,
        "registration": f"{person.id:06}",
        "cpf": person.cpf.replace(".", "").replace("-", ""),  # without punctuation
        "pis": f"{random.randrange(10**10, 2 * 10**10):011}",
        "work_email": f"pessoa.{person.id}@empresa.example",
        "bank_account": f"001 / {random.randint(1, 9999):04} / {random.randint(10_000, 99_999)}-0",
        "union_name": random.choice(_UNIONS.split("|")),
        "salary": Decimal(random.randint(1_500_00, 20_000_00)) / 100,
        "hired_on": date(2005, 1, 1) + timedelta(days=random.randrange(7_000)),
    }


def _cpfs(random: Random, count: int) -> Iterator[str]:
    """Yield different CPFs with correct check digits."""
    for base in random.sample(range(10_000_000, 999_999_999), count):
        digits = f"{base:09}"
        yield punctuated_cpf(digits + check_digits(digits))


def _rgs(random: Random, count: int) -> Iterator[str]:
    for base in random.sample(range(10_000_000, 99_999_999), count):
        digits = str(base)
        yield f"{digits[:2]}.{digits[2:5]}.{digits[5:]}-{random.choice('0123456789X')}"
