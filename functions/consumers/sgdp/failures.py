"""Tells an operator what a database's failure was, where, and what fixes it.

A driver's text may quote values and the URL, so none of it gets out but names: of the error, of its
codes, of a constraint, of the table and the columns.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from consumers.sgdp.database import metadata
from consumers.sgdp.model import Models
from consumers.sgdp.rights import grant_for, missing_rights, select_grant
from smartlink.consumer import FatalError, RetryableError
from smartlink.domain.said import Said, said, said_together

Probe = Callable[[Connection, str], object]
"""Does to one column, by its name, what failed for several."""

_NO_RIGHT = ("42501", "229", "230", "ORA-01031", "SQLITE_AUTH", "SQLITE_PERM", "SQLITE_READONLY")
_CHANGED = ("42P01", "42703")  # a table or column that was there when the process looked
# Of SQLSTATE the first two characters are a class: data, integrity, WITH CHECK OPTION, triggers'
# data, PL/pgSQL, syntax and rules.
_LASTING = ("22", "23", "44", "27", "09", "P0", "42", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH")
# What a trigger of the ERP raises by itself may be a state that passes: a period that is closed.
_RAISED = ("P0001", "SQLITE_CONSTRAINT_TRIGGER")


class FailedAt(Exception):  # noqa: N818  (it tells where, the error is in it)
    """What failed at a table of the ERP."""

    def __init__(
        self, doing: str, table: Table, columns: Sequence[str], error: Exception, probe: Probe
    ) -> None:
        super().__init__(f"{doing} {table.fullname}")
        self.doing, self.table, self.columns = doing, table, columns
        self.error, self.probe = error, probe


class StructureChangedError(RetryableError):
    """A table or column is gone that was there when the process read the structure."""


@contextmanager
def failing_at(doing: str, table: Table, columns: Sequence[str], probe: Probe) -> Iterator[None]:
    """Add the place to what the database or its driver raises."""
    try:
        yield
    except (SQLAlchemyError, ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise FailedAt(doing, table, columns, error, probe) from error


def described(error: Exception) -> str:
    """Name the driver's error and its codes: `InsufficientPrivilege 42501`."""
    if not isinstance(error, DBAPIError) or error.orig is None:
        return type(error).__name__
    names = [type(error.orig).__name__, *_codes(error)]
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    return " ".join([*names, *([f"constraint {constraint}"] if constraint else [])])


def unreadable(
    connection: Connection, error: SQLAlchemyError, schema: str | None, name: str
) -> Said:
    """Say why a table could not be read; if a right is missing, the GRANT of it."""
    text = said("could not be read: {error}", error=described(error))
    if any(code in _NO_RIGHT for code in _codes(error)):
        return said_together("; ", [text, Said(select_grant(connection, schema, name))])
    return text


def explained(
    tenant: str, engine: Engine, models: Models, error: SQLAlchemyError | FailedAt
) -> FatalError | RetryableError:
    """Say what failed, where, and what fixes it; fatal is what no further attempt changes."""
    cause = error.error if isinstance(error, FailedAt) else error
    place = f" {error}" if isinstance(error, FailedAt) else ""
    what = f"the ERP database of tenant {tenant} failed{place} ({described(cause)})"
    codes = _codes(cause)
    if any(code in _NO_RIGHT for code in codes):
        grants = _grants(engine, models, cause)
        run = f"have its DBA run {'; '.join(grants)}" if grants else "have its DBA grant it"
        return FatalError(f"{what}: its user lacks a right: {run}, and redrive the message")
    if any(code in _CHANGED for code in codes):
        text = f"{what}: a table or column is gone: see that the map fits the database"
        return StructureChangedError(text)
    if isinstance(error, FailedAt) and _lasting(error):
        columns = _failing(engine, error) or error.columns
        names = ", ".join(f"{error.table.fullname}.{column}" for column in columns)
        text = (
            f"{what}: it will each time. Change the rule or the entry of {names} in the personal "
            f"data map, or the constraint, trigger or value that is in its way, and redrive the "
            f"message"
        )
        return FatalError(text)
    text = (
        f"{what}: see that it runs, can be reached and has the tables, indexes and rights that it "
        f"needs, and that the URL in the secret smartlink-erp-{tenant} is right"
    )
    return RetryableError(text)


def _codes(error: Exception) -> list[str]:
    if not isinstance(error, DBAPIError) or error.orig is None:
        return []
    first = error.orig.args[0] if error.orig.args else None
    codes = [getattr(error.orig, name, None) for name in ("sqlite_errorname", "sqlstate")]
    codes.append(getattr(first, "full_code", None))  # python-oracledb's
    codes.append(str(first) if isinstance(first, int) else None)  # pymssql's
    return [code for code in codes if isinstance(code, str) and code]


def _lasting(failed: FailedAt) -> bool:
    """Tell whether the same statement would fail again: a value or a rule is in its way, not a
    lock or a cut connection."""
    error = failed.error
    if not isinstance(error, DBAPIError):
        return True
    if error.connection_invalidated:
        return False
    codes = _codes(error)
    if codes:
        return any(code.startswith(_LASTING) and code not in _RAISED for code in codes)
    return not isinstance(error, OperationalError)


def _failing(engine: Engine, failed: FailedAt) -> list[str]:
    """Find the columns at which it fails by trying each alone; nothing of it is kept."""
    found = []
    with suppress(SQLAlchemyError), engine.connect() as connection, connection.begin() as trial:
        for column in failed.columns:
            try:
                with connection.begin_nested() as alone:
                    failed.probe(connection, column)
                    alone.rollback()
            except (SQLAlchemyError, ValueError, TypeError, LookupError, ArithmeticError):
                found.append(column)
        trial.rollback()
    return found


def _grants(engine: Engine, models: Models, error: Exception) -> list[str]:
    grants: list[str] = []
    with suppress(SQLAlchemyError), engine.connect() as connection:
        lacking = missing_rights(connection, models, metadata.sorted_tables)
        grants = list(dict.fromkeys(it.grant for it in lacking))
        # What a trigger of the ERP writes is in no map: the server names it.
        server = grant_for(connection, error.orig) if isinstance(error, DBAPIError) else None
        if server and not any(_object(server) == _object(grant) for grant in grants):
            grants.append(server)
    return grants


def _object(grant: str) -> str:
    return grant.partition(" ON ")[2].rpartition(" TO ")[0]
