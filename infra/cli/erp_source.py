"""Which ERP a `smartlink tpd` command works on: its database and its map.

A database's URL holds a password, and other users of a machine see a command's arguments: it is
read from an environment variable, a file, stdin, or a tenant's secret.
"""

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import Engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from consumers.sgdp.engine import engine_for
from consumers.sgdp.erp import ErpSecret
from consumers.sgdp.map_error import MapError
from consumers.sgdp.maps import named_map
from consumers.sgdp.proof import UnprovenError, check_proven
from infra.cli.erp_options import ErpOptions
from infra.cli.errors import CliError, ForbiddenError, MissingError, UsageError, os_words
from infra.cli.session import Session
from smartlink.i18n import _, data
from smartlink.operations.names import known_name

_FIELDS = ("databaseUrl", "map", "salt", "accessLogDays", "unproven")
_SIZE = 65_536  # bytes of a secret's payload


@dataclass(frozen=True, slots=True)
class ErpSource:
    """A database, and what goes with it."""

    engine: Engine
    data_map: object | None = None  # as JSON has it, or a deployed map's name
    salt: bytes | None = field(default=None, repr=False)  # None: the secret is not at hand
    unproven: bool = False  # the secret says that it may be used all the same


def erp_source(session: Session, options: ErpOptions) -> ErpSource:
    """Finds the database and the map. Raises UsageError; ForbiddenError if nothing proves it."""
    given = [options.tenant, options.secret_file, options.url_env, options.url_file]
    if sum(it is not None for it in given) != 1:
        message = _("Say which database: one of --tenant, --secret-file, --url-env and --url-file.")
        raise UsageError(message)
    if options.tenant is not None:
        known_name(options.tenant)
        payload = session.deployment.secrets.erp(options.tenant)
        found = of_secret(payload, f"smartlink-erp-{options.tenant}")
    elif options.secret_file is not None:
        found = of_secret(_read(options.secret_file), _called(options.secret_file))
    elif options.url_env is not None:
        url = os.environ.get(options.url_env, "")
        found = ErpSource(
            _engine(url, _("the environment variable {url_env}", url_env=options.url_env))
        )
    else:
        file = options.url_file or ""
        found = ErpSource(_engine(_text(_read(file), file), _called(file)))
    try:
        check_proven(found.engine.url, unproven=options.unproven or found.unproven)
    except UnprovenError as error:
        message = _("{error}; here, --unproven says it too.", error=error)
        raise ForbiddenError(message) from None
    return found


def of_secret(payload: bytes, place: str) -> ErpSource:
    """Reads a secret's payload. Raises UsageError, without anything of the payload."""
    try:
        secret = ErpSecret.model_validate_json(payload)
    except ValidationError as error:
        fields = {str(it["loc"][0]) if it["loc"] else "payload" for it in error.errors()}
        known = sorted(fields & {*_FIELDS, "payload"}) or [_("a field too many")]
        message = _(
            '{place} is no ERP secret ({known}): {{"databaseUrl": '
            '"<dialect>+<driver>://…", "map": …, "salt": "…"}}',
            place=place,
            known=", ".join(known),
        )
        raise UsageError(message) from None
    salt = secret.salt.get_secret_value().encode() if secret.salt else b""
    engine = _engine(secret.database_url.get_secret_value(), place)
    return ErpSource(engine, secret.data_map, salt, secret.unproven)


def loaded_map(named: str | None, found: ErpSource) -> object:
    """Returns the map that is meant: a file, a deployed map's name, else the secret's own."""
    chosen = found.data_map if named is None else named
    if chosen is None:
        message = _("Say which map: a file, or a deployed map's name (the URL alone has none).")
        raise UsageError(message)
    if not isinstance(chosen, str):
        return chosen
    if named is not None and (Path(named).is_file() or named.endswith(".json")):
        return _json(named)
    try:
        return named_map(chosen)
    except MapError as error:
        message = _("{error}.", error=error)
        raise MissingError(message) from None


def _json(file: str) -> object:
    try:
        loaded: object = json.loads(_read(file))
    except ValueError as error:
        problem = (
            _("line {lineno}", lineno=error.lineno)
            if isinstance(error, json.JSONDecodeError)
            else data("UTF-8")
        )
        message = _("{file} is no JSON ({problem}).", file=file, problem=problem)
        raise UsageError(message) from None
    return loaded


def _engine(url: str, place: str) -> Engine:
    try:
        return engine_for(url.strip())
    except NoSuchModuleError:
        problem = _("names a database that SQLAlchemy does not know")
    except (ArgumentError, ValueError):
        problem = _("is empty or no database URL")
    except ImportError as error:
        message = _(
            "What is in {place} needs a driver that is not installed here ({name}).",
            place=place,
            name=error.name,
        )
        raise CliError(message) from None
    message = _(
        "What is in {place} {problem}: <dialect>+<driver>://user:password@host/database",
        place=place,
        problem=problem,
    )
    raise UsageError(message) from None


def _called(file: str) -> str:
    return "stdin" if file == "-" else file


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read(_SIZE) if file == "-" else Path(file).read_bytes()
    except OSError as error:
        message = _("{file} cannot be read: {problem}", file=file, problem=os_words(error))
        raise UsageError(message) from None


def _text(data: bytes, file: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        message = _("{called} is not UTF-8", called=_called(file))
        raise UsageError(message) from None
