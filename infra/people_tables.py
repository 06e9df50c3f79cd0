"""The tables of the sample ERP, which `functions/consumers/sgdp/maps/demo.json` describes."""

from sqlalchemy import (
    Column,
    Date,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    func,
)

metadata = MetaData()

people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("cpf", String(14), index=True),
    Column("rg", String(20)),
    Column("email", String(254)),
    Column("phone", String(20)),
    Column("address", String(200)),
    Column("birth_date", Date),
)
Index("ix_people_email", func.lower(people.c.email))

employees = Table(
    "employees",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person_id", ForeignKey("people.id"), nullable=False, index=True),
    Column("registration", String(10), nullable=False, unique=True),
    Column("cpf", String(14), nullable=False, index=True),
    Column("pis", String(14), nullable=False),
    Column("work_email", String(254)),
    Column("bank_account", String(30)),
    Column("union_name", String(80)),
    Column("salary", Numeric(12, 2), nullable=False),
    Column("hired_on", Date, nullable=False),
)
Index("ix_employees_work_email", func.lower(employees.c.work_email))


def create_people_tables(engine: Engine) -> None:
    """Create the missing tables."""
    metadata.create_all(engine)
