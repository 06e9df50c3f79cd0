"""The product's own tables in an ERP's database: the access log, and what was masked.

They hold no personal data in the open: keys of rows, hashes, and texts of the map.
"""

import json

from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UnicodeText,
    Uuid,
    inspect,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeDecorator


class JsonText(TypeDecorator[object]):
    """JSON in a text column: not each database has a type for it."""

    impl = UnicodeText
    cache_ok = True

    def process_bind_param(self, value: object, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write it."""
        return None if value is None else json.dumps(value, ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> object:  # noqa: ARG002
        """Read it."""
        return None if value is None else json.loads(value)


metadata = MetaData()

access_log = Table(
    "smartlink_access_log",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("seen_on", DateTime(timezone=True), nullable=False),
    Column("seen_by", String(60), nullable=False),
    Column("code", String(120), nullable=False),
    Column("class", String(128), nullable=False),
    Column("ids", JsonText, nullable=False),
    Column("person", String(64), nullable=False),  # digest of the person's row
    Column("action", String(20), nullable=False),
    Index("ix_smartlink_access_newest", "tenant", "seen_on"),
    Index("ix_smartlink_access_person", "person"),
)

# By what the people of the access log were known: keyed hashes, as after a mask the identifiers
# find nobody. Each message has rows of its own, so that no two write one row.
access_titulares = Table(
    "smartlink_access_titulares",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("seen_on", DateTime(timezone=True), nullable=False),
    Column("titular", String(64), nullable=False),  # HMAC-SHA256 of kind and value
    Column("kind", String(30), nullable=False),
    Column("person", String(64), nullable=False),
    Index("ix_smartlink_titulares_newest", "tenant", "seen_on"),
    Index("ix_smartlink_titulares", "tenant", "titular"),
    Index("ix_smartlink_titulares_person", "person"),
)

# What was answered to each mask request. After it the identifiers may find nobody, so a repeated
# delivery can be answered from here only.
masked_requests = Table(
    "smartlink_masked_requests",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("request_id", String(200), primary_key=True),
    Column("masked_on", DateTime(timezone=True), nullable=False),
    Column("row_count", Integer, nullable=False),
    Column("answer", JsonText, nullable=False),
)

# The rows that hold pseudonyms, each column's with a hash: it would be masked again only if it has
# changed since. What else a mask writes can be told by looking at it.
masked_rows = Table(
    "smartlink_masked_rows",
    metadata,
    Column("row_digest", String(64), primary_key=True),
    Column("masked_on", DateTime(timezone=True), nullable=False),
    Column("pseudonyms", JsonText, nullable=False),
)


class OwnTablesError(Exception):
    """The product's own tables are missing, and the user may not create them."""


def create_own_tables(engine: Engine) -> None:
    """Create those that are missing. Raises OwnTablesError if that is refused."""
    missing = _missing(engine)
    if not missing:
        return
    try:
        with engine.begin() as connection:
            metadata.create_all(connection, tables=missing)
    except SQLAlchemyError as error:
        # Somebody else may have created them just now.
        left = ", ".join(table.name for table in _missing(engine))
        if left:
            raise OwnTablesError(left) from error


def _missing(engine: Engine) -> list[Table]:
    with engine.connect() as connection:
        inspector = inspect(connection)
        return [it for it in metadata.sorted_tables if not inspector.has_table(it.name)]
