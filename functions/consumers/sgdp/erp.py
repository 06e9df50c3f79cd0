"""A tenant's ERP: its database, by the URL in its secret, and what in it is personal."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from consumers.sgdp.personal_data import MODELS, Model
from smartlink.consumer import Context, RetryableError

ENGINES = 32  # kept by a process; the longest unused is forgotten


class ErpSecret(BaseModel):
    """The payload of the secret `smartlink-erp-<tenant>`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    database_url: Annotated[SecretStr, Field(alias="databaseUrl", min_length=1)]


@dataclass(frozen=True, slots=True)
class Erp:
    """What a TPD command works on."""

    tenant: str
    engine: Engine
    models: tuple[Model, ...] = MODELS

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit everything or nothing; the database's failures become RetryableError.

        A driver's text may quote values and the URL, so only the names of its error get out.
        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            message = (
                f"the ERP database of tenant {self.tenant} failed ({_name(error)}): see that it "
                f"runs, can be reached and has the tables, and that the URL in the secret "
                f"smartlink-erp-{self.tenant} is right"
            )
            raise RetryableError(message) from None


def open_erp(context: Context) -> Erp:
    """Find the ERP of the context's tenant, without connecting; no message decides which it is."""
    tenant = context.tenant
    try:
        secret = ErpSecret.model_validate_json(context.erp_secret())
        engine = engine_for(secret.database_url.get_secret_value())
    except (ValidationError, SQLAlchemyError, ImportError, ValueError, TypeError) as error:
        message = (
            f"the secret smartlink-erp-{tenant} cannot be used ({_problem(error)}): add a version "
            f'{{"databaseUrl": "<dialect>+<driver>://…"}}, its driver being installed'
        )
        raise RetryableError(message) from None
    return Erp(tenant, engine)


@lru_cache(maxsize=ENGINES)
def engine_for(url: str) -> Engine:
    """Make a database's engine at the first call, and return the same one at each further call."""
    engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _leave_begin_to_us)
        event.listen(engine, "begin", _begin_to_write)
    return engine


def _leave_begin_to_us(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None


def _begin_to_write(connection: Connection) -> None:
    # SQLite's driver begins at the first write: what was read before it could have changed.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _name(error: SQLAlchemyError) -> str:
    if not isinstance(error, DBAPIError) or error.orig is None:
        return type(error).__name__
    codes = (getattr(error.orig, name, None) for name in ("sqlite_errorname", "sqlstate"))
    return " ".join([type(error.orig).__name__, *(str(code) for code in codes if code)])


def _problem(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return f"its databaseUrl: {type(error).__name__}"
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    # An unknown field is left unnamed: its name is what somebody wrote into a secret.
    return "; ".join(
        "a field that is not databaseUrl"
        if item["type"] == "extra_forbidden"
        else f"{'.'.join(str(part) for part in item['loc']) or 'payload'}: {item['msg']}"
        for item in problems
    )
