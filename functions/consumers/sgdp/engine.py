"""Engines: a database's connections, and how long one of them may wait."""

from functools import lru_cache
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from consumers.sgdp.lenient import read_leniently

ENGINES = 32  # kept by a process; the longest unused is forgotten
_RECYCLE_SECONDS = 900  # firewalls drop idle connections silently

# A message past its time-out ends the process, so the database has to give up earlier.
_CONNECT_SECONDS = 10
STATEMENT_TIMEOUT = "40s"
_BEGIN_POSTGRESQL = (
    "SELECT set_config('lock_timeout', '10s', true), "
    f"set_config('statement_timeout', '{STATEMENT_TIMEOUT}', true)"
)


@lru_cache(maxsize=ENGINES)
def engine_for(url: str) -> Engine:
    """Make a database's engine at the first call, and return the same one at each further call."""
    parsed = make_url(url)
    engine = create_engine(
        parsed,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_recycle=_RECYCLE_SECONDS,
        **_own(parsed),
    )
    # First of all: SQLAlchemy itself reads texts when a connection is new.
    event.listen(engine, "connect", _read_leniently, insert=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _leave_begin_to_us)
        event.listen(engine, "begin", _begin_to_write)
    elif engine.dialect.name == "postgresql":
        event.listen(engine, "begin", _begin_to_wait_briefly)
    return engine


def _own(url: URL) -> dict[str, Any]:
    """What one database's engine needs and no other's; what the URL says itself stays."""
    if url.get_backend_name() != "postgresql":
        return {}
    # A person is read table by table: all of them as of one instant. Who would write what another
    # transaction has changed since gets an error, and tries again.
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ"}
    if url.get_driver_name() == "psycopg":
        # Poolers that hand a connection on after each transaction lose prepared statements.
        arguments = {"connect_timeout": _CONNECT_SECONDS, "prepare_threshold": None}
        wanted = {name: value for name, value in arguments.items() if name not in url.query}
        options["connect_args"] = wanted
    return options


def _read_leniently(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    read_leniently(connection)


def _leave_begin_to_us(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None


def _begin_to_write(connection: Connection) -> None:
    # SQLite's driver begins at the first write: what was read before it could have changed.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_to_wait_briefly(connection: Connection) -> None:
    connection.exec_driver_sql(_BEGIN_POSTGRESQL)
