"""The tables: the ERP's people and employees, and what TPD's commands keep beside them."""

from sqlalchemy import (
    JSON,
    Column,
    Date,
    DateTime,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Uuid,
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

access_log = Table(
    "access_log",
    metadata,
    Column("uuid", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("timestamp", DateTime(timezone=True), nullable=False),
    Column("user", String(60), nullable=False),
    Column("code", String(120), nullable=False),
    Column("model", String(120), nullable=False),
    Column("ids", JSON, nullable=False),
    Column("person_id", Integer, nullable=False),
    Column("action", String(20), nullable=False),
    Index("ix_access_log_newest", "tenant", "timestamp"),
)

# What was answered to each mask request. After it the identifiers may find nobody, so a repeated
# delivery can be answered from here only. Holds no personal data.
masked_requests = Table(
    "masked_requests",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("request_id", String(200), primary_key=True),
    Column("masked_on", DateTime(timezone=True), nullable=False),
    Column("rows", Integer, nullable=False),
    Column("answer", JSON, nullable=False),
)


def create_schema(engine: Engine) -> None:
    """Create the tables that are missing. For the demo and tests: an ERP has its own."""
    metadata.create_all(engine)
