"""A tenant's ERP: its database and what in it is personal, both by the tenant's own secret."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from sqlalchemy import Connection, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from consumers.sgdp.binding import bind
from consumers.sgdp.database import OwnTablesError, create_own_tables
from consumers.sgdp.engine import engine_for
from consumers.sgdp.failures import FailedAt, StructureChangedError, described, explained
from consumers.sgdp.map_error import NO_TABLES, MapError, refuse
from consumers.sgdp.maps import named_map, parse_map
from consumers.sgdp.model import Models
from consumers.sgdp.proof import UnprovenError, check_proven
from smartlink.consumer import Context, RetryableError

ERPS = 32  # kept by a process; the longest unused is forgotten

_SHAPE = '{"databaseUrl": "<dialect>+<driver>://…", "map": …, "salt": "…"}'


class ErpSecret(BaseModel):
    """The payload of the secret `smartlink-erp-<tenant>`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    database_url: Annotated[SecretStr, Field(alias="databaseUrl", min_length=1)]
    data_map: Annotated[str | dict[str, Any], Field(alias="map")]  # a name under maps/, or a map
    salt: Annotated[SecretStr | None, Field(min_length=16)] = None
    access_log_days: Annotated[int | None, Field(alias="accessLogDays", ge=1, le=36_500)] = None
    unproven: bool = False  # also a database on which nothing was ever run


@dataclass(frozen=True, slots=True)
class Erp:
    """What a TPD command works on."""

    tenant: str
    engine: Engine
    models: Models
    access_log_days: int | None = None  # None: the access log is kept without an end

    def oldest_access(self, now: datetime) -> datetime | None:
        """Since when entries of the access log are kept; None: since ever."""
        if self.access_log_days is None:
            return None
        return now.astimezone(UTC) - timedelta(days=self.access_log_days)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Commit everything or nothing.

        The database's failures become RetryableError; those that would come again at each
        attempt, as a missing right, become FatalError.
        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, FailedAt) as error:
            failure = explained(self.tenant, self.engine, self.models, error)
            if isinstance(failure, StructureChangedError):
                _models.cache_clear()
            raise failure from None


def open_erp(context: Context, *, looks_for_a_person: bool = True) -> Erp:
    """Find the ERP of the context's tenant; no message decides which it is.

    At the first call of a process it connects, creates the product's own tables if they are
    missing, and checks the map. Raises RetryableError at whatever an operator can fix: also at a
    map without tables, if a person is looked for, for "nobody found" would not be true.
    """
    tenant = context.tenant
    try:
        secret = ErpSecret.model_validate_json(context.erp_secret())
        value = secret.data_map
        loaded = named_map(value) if isinstance(value, str) else value
        url = secret.database_url.get_secret_value()
        check_proven(make_url(url), unproven=secret.unproven)
        engine = engine_for(url)
        salt = secret.salt.get_secret_value() if secret.salt else ""
        with _translated(tenant):
            models = _models(url, json.dumps(loaded, sort_keys=False), salt)
        if looks_for_a_person and not models.parents_first:
            refuse("map.tables", NO_TABLES)
        return Erp(tenant, engine, models, secret.access_log_days)
    except (
        ValidationError,
        MapError,
        SQLAlchemyError,
        ImportError,
        ValueError,
        TypeError,
    ) as error:
        message = (
            f"the secret smartlink-erp-{tenant} cannot be used ({_problem(error)}): add a version "
            f"{_SHAPE}, its driver being installed; functions/consumers/sgdp/README.md tells more"
        )
        raise RetryableError(message) from None
    except UnprovenError as error:
        message = f"the secret smartlink-erp-{tenant} names a database without proof: {error}"
        raise RetryableError(message) from None
    except OwnTablesError as error:
        message = (
            f"the ERP database of tenant {tenant} lacks {error}, and the user may not create "
            f"tables: have its DBA run the DDL in functions/consumers/sgdp/README.md"
        )
        raise RetryableError(message) from None


@lru_cache(maxsize=ERPS)
def _models(url: str, data_map: str, salt: str) -> Models:
    engine = engine_for(url)
    parsed = parse_map(json.loads(data_map))
    with engine.begin() as connection:
        models = bind(connection, parsed, salt.encode())
    create_own_tables(engine)
    return models


@contextmanager
def _translated(tenant: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        message = (
            f"the ERP database of tenant {tenant} failed ({described(error)}): see that it "
            f"runs, can be reached and has the tables and rights that it needs, and that the URL "
            f"in the secret smartlink-erp-{tenant} is right"
        )
        raise RetryableError(message) from None


def _problem(error: Exception) -> str:
    if isinstance(error, MapError):
        return str(error)
    if not isinstance(error, ValidationError):
        return f"its databaseUrl: {type(error).__name__}"
    problems = error.errors(include_input=False, include_url=False, include_context=False)
    # An unknown field is left unnamed: its name is what somebody wrote into a secret.
    return "; ".join(
        "a field that is not databaseUrl, map, salt, accessLogDays or unproven"
        if item["type"] == "extra_forbidden"
        else f"{'.'.join(str(part) for part in item['loc'][:1]) or 'payload'}: {item['msg']}"
        for item in problems
    )
