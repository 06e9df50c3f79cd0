"""The settings: a process parses its environment variables once, at its first call."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    ValidationError,
    model_validator,
)

from smartlink.domain.catalog import Catalog, CatalogError, Command, parse_catalog
from smartlink.domain.copies import Copies, Copy
from smartlink.domain.json_bytes import unmarked
from smartlink.domain.settlement import Retention
from smartlink.domain.tenant import Environment

LEASE_MARGIN = timedelta(seconds=30)
"""How much longer a lease is than the function's time-out, so that it outlasts every call."""

MIN_SECONDS_TO_SETTLE = 5
"""The time that the last messages of a call need to be settled."""

_HOSTS: Mapping[Environment, tuple[str, str]] = {
    "development": ("https://link.dev.totvs.app", "https://admin.rac.dev.totvs.app"),
    "staging": ("https://link.staging.totvs.app", "https://admin.rac.staging.totvs.app"),
    # link.totvs.app follows the pattern of the others; no public source confirms it.
    "production": ("https://link.totvs.app", "https://admin.rac.totvs.app"),
}
_TOKEN_PATH = "/totvs.rac/connect/token"  # noqa: S105  (a path)
_CHECKOUT_CATALOG = Path(__file__).parents[2] / "infra" / "catalog.json"
_THIS_MACHINE = {"127.0.0.1", "localhost"}
_NOT_IN_URLS = frozenset(' "<>\\^`{|}')


class SettingsError(ValueError):
    """An environment variable is missing or wrong. The text names the variable and the fix."""


def check_url(value: str) -> str:
    """Returns the URL if calls can go there. Raises ValueError, whose text quotes nothing of it: it
    may hold a password.

    Errors, logs and screens name the server that failed. So a URL that holds a credential is
    refused.
    """
    if not value:
        return value
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        message = "it is no URL, or its port is none (1 to 65535)"
        raise ValueError(message) from None
    if not (parts.scheme == "https" and host) and not (
        parts.scheme == "http" and host in _THIS_MACHINE
    ):
        message = "it must be an https URL (http only on this machine)"
    elif "@" in parts.netloc:
        message = "it holds a user or a password, which errors and logs would show: leave them out"
    elif "?" in value or "#" in value:
        message = "it has a query or a fragment, which no call would carry: leave it out"
    elif port == 0 or parts.netloc.endswith(":"):
        message = "its port is none: give one from 1 to 65535, or leave the colon out"
    elif not value.isascii() or not value.isprintable() or set(value) & _NOT_IN_URLS:
        message = "it has a blank or another sign that no URL can hold"
    else:
        return value
    raise ValueError(message)


def _unmarked(value: object) -> object:
    return unmarked(value) if isinstance(value, str) else value


def _catalog(text: str) -> Catalog:
    """Parses the catalogue, which Terraform and the local stack pass; a checkout has it in
    `infra/`."""
    if text:
        return parse_catalog(text)
    if not _CHECKOUT_CATALOG.is_file():
        message = "it is not set: pass the JSON text of infra/catalog.json"
        raise CatalogError(message)
    return parse_catalog(_CHECKOUT_CATALOG.read_bytes())


_Call = Annotated[str, Field(pattern=r"^[A-Za-z]+ /")]


_Body = Annotated[str, Field(max_length=2_000)]


class Paths(BaseModel):
    """Verbs, paths and bodies of Smart Link Server's calls, as it wants them.

    Of the public sources only the paths and the body of `setup` are certain: a correction is
    SMARTLINK_PATHS='{"ack": "POST /api/v1/link/ack"}', without a change of code, and `smartlink
    broker discover` finds it. Filled in are, in a path or a query, `{type}`, `{audience}` and
    `{tag}`, escaped; in a body `{commands}` (a JSON list), `{tag}`, `{content}` (as it is) or
    `{text}` (the content as a JSON text).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    setup: _Call = "POST /api/v1/link/setup"
    get: _Call = "GET /api/v1/link/get"
    ack: _Call = "POST /api/v1/link/ack"
    send: _Call = "POST /api/v1/link/send/{type}"
    send_audience: _Call = "POST /api/v1/link/send/{type}/{audience}"
    nack: _Call | Literal[""] = ""  # empty: nobody has proven that there is one
    setup_body: _Body = '{"subscriptions": {commands}}'
    ack_body: _Body = '{"deliveryTag": {tag}, "ack": true}'
    send_body: _Body = "{content}"
    nack_body: _Body = '{"deliveryTag": {tag}, "ack": false}'

    @model_validator(mode="after")
    def _filled_in(self) -> Self:
        """Refuse a form that could not carry what the call is about."""
        for needed, forms in (
            (("{commands}",), ("setup_body",)),
            (("{tag}",), ("ack", "ack_body")),
            (("{tag}",), ("nack", "nack_body")),
            (("{content}", "{text}"), ("send_body",)),
            (("{type}",), ("send", "send_body")),
            (("{type}",), ("send_audience", "send_body")),
            (("{audience}",), ("send_audience", "send_body")),
        ):
            text = " ".join(getattr(self, name) for name in forms)
            if not any(it in text for it in needed):
                message = f"{' or '.join(forms)} needs {' or '.join(needed)}"
                raise ValueError(message)
        return self


_Count = Annotated[int, Field(ge=1, le=10_000)]
_Seconds = Annotated[float, Field(gt=0, le=86_400)]
_Url = Annotated[str, AfterValidator(check_url)]
_Days = Annotated[int, Field(ge=0, le=3_650)]


class Settings(BaseModel):
    """All settings. The environment variable of `poll_seconds` is SMARTLINK_POLL_SECONDS."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    environment: Environment
    config_uri: Annotated[str, Field(pattern=r"^gs://[^/]+/.+$")]
    command: str | None = None
    rac_token_url: _Url = ""
    base_url: _Url = ""
    acceptance_url: _Url = ""
    """The simulator, while an acceptance is on: for the acceptance's own tenant alone."""
    paths: Annotated[Json[Paths], BeforeValidator(_unmarked)] = Paths()
    unknown_command: Literal["keep", "nack"] = "keep"
    """What becomes of a message of a command that nobody knows: it is kept as dead, or handed to
    the broker's own dead-letter queue."""
    catalog: Annotated[Catalog, BeforeValidator(_catalog), Field(default="", validate_default=True)]
    project: Annotated[str, Field(min_length=1)]
    firestore_database: str = "(default)"
    audit_database: str = "smartlink-audit"
    contents_bucket: str = ""
    roles: str = ""  # who may do what, for `operate` and the console: operations/rights.py reads it
    iap_audience: str = ""  # of the console's service: whose assertions of IAP are believed
    console_hosts: str = ""  # further hosts under which the console is reached, between blanks
    indexes: str = ""
    """What infra/firestore.json declares of indexes, for the console's page Health."""
    history_days: Annotated[int, Field(ge=1, le=3_650)] = 90
    redrive_days: Annotated[int, Field(ge=1, le=3_650)] = 30

    # How long copies live on; 0: there are none. Terraform passes what it has set up.
    backup_days: _Days = 7  # of each daily backup of Firestore
    recovery_days: _Days = 7  # point-in-time recovery of Firestore
    soft_delete_days: _Days = 7  # objects that were deleted
    topic_days: _Days = 1  # a dispatch that waits in Pub/Sub
    dead_letter_days: _Days = 7  # a dispatch that could not be delivered

    poll_seconds: _Seconds = 45  # no turn begins later; a poll answers within 5 s more
    shard_tenants: _Count = 200
    poll_threads: _Count = 32
    idle_poll_seconds: Annotated[float, Field(ge=0, le=900)] = 0
    """Seconds after which a silent tenant is asked again at the latest; 0: at each tick."""
    receivers: _Count = 8  # sessions at once for one tenant
    receive_batch: _Count = 100  # messages stored at once
    receive_seconds: _Seconds = 2
    """Seconds that a batch may take, from its first `get` to its last ack. It may take longer only
    if so few dispatches are left that they would otherwise be used up too early."""
    dispatch_batch: _Count = 100  # messages in one Pub/Sub message
    dispatches: _Count = 50  # Pub/Sub messages for each tenant, command and tick
    grace_seconds: _Seconds = 120  # how long the first dispatch may stay unclaimed
    due_page: _Count = 160  # eight sessions send 20 messages each
    due_by_bucket: bool = True
    """One due query for all tenants of a bucket. False until every live document carries its
    bucket and Firestore has the index; `smartlink doctor` tells both."""
    tenants_refresh_seconds: _Seconds = 300
    payload_refresh_seconds: _Seconds = 3_600
    state_refresh_seconds: _Seconds = 270  # so in every fifth tick, whatever jitter ticks have
    connect_seconds: _Seconds = 5
    read_seconds: _Seconds = 15  # from a sent request to its answer
    silence_seconds: _Seconds = 10  # within which a body must move by 1 KiB
    response_limit: Annotated[int, Field(ge=1_024)] = 67_108_864  # bytes

    firestore_emulator: str = ""
    pubsub_emulator: str = ""
    storage_emulator: str = ""
    secret_manager_emulator: str = ""

    @model_validator(mode="after")
    def _complete(self) -> "Settings":
        if self.command is not None and self.command not in self.catalog.commands:
            message = (
                f"SMARTLINK_COMMAND is {self.command!r}, which is not in the catalogue: "
                f"it has {', '.join(self.catalog.commands)}"
            )
            raise ValueError(message)
        if self.unknown_command == "nack" and not self.paths.nack:
            message = (
                "SMARTLINK_UNKNOWN_COMMAND is nack, and SMARTLINK_PATHS names no nack: `smartlink "
                "broker discover` finds out whether there is one; until then, keep"
            )
            raise ValueError(message)
        if self.acceptance_url and self.environment == "production":
            message = (
                "SMARTLINK_ACCEPTANCE_URL is set in production, where no simulator may serve: "
                "leave it out"
            )
            raise ValueError(message)
        return self

    @property
    def local(self) -> bool:
        """Whether the deployment is a local stack."""
        return bool(self.firestore_emulator)

    @property
    def smart_link_url(self) -> str:
        """The URL of Smart Link Server."""
        return (self.base_url or _HOSTS[self.environment][0]).rstrip("/")

    @property
    def token_url(self) -> str:
        """The URL at which RAC gives tokens."""
        default = f"{_HOSTS[self.environment][1]}{_TOKEN_PATH}"
        return self.rac_token_url or default

    @property
    def acceptance_token_url(self) -> str:
        """The URL at which the simulator gives tokens, while an acceptance is on."""
        return f"{self.acceptance_url.rstrip('/')}{_TOKEN_PATH}"

    @property
    def bucket(self) -> str:
        """The bucket of large contents."""
        return self.contents_bucket or f"{self.project}-smartlink-contents"

    @property
    def lease(self) -> timedelta:
        """How long a claim is valid: the time-out of `consume` and a margin."""
        return timedelta(seconds=self.catalog.functions.consume.timeout) + LEASE_MARGIN

    @property
    def in_flight(self) -> int:
        """How many bytes of contents and answers a poll holds at once: a twentieth of its memory.

        The memory holds a content several times while it is stored: as bytes, as a text, in a
        request.
        """
        functions = self.catalog.functions
        return min(functions.poll.memory, functions.poll_shard.memory) * 1_048_576 // 20

    @property
    def retention(self) -> Retention:
        """How long the history and the logs are kept."""
        return Retention(self.history_days, timedelta(days=self.redrive_days))

    @property
    def copies(self) -> Copies:
        """Where copies of a message live on, and how long."""
        return Copies(
            {
                Copy.BACKUPS: self.backup_days,
                Copy.RECOVERY: self.recovery_days,
                Copy.SOFT_DELETED: self.soft_delete_days,
                Copy.TOPICS: self.topic_days,
                Copy.DEAD_LETTERS: self.dead_letter_days,
            }
        )

    def consuming(self) -> tuple[str, Command]:
        """Returns the command that this function consumes. Raises SettingsError if none is set."""
        if self.command is None:
            message = "SMARTLINK_COMMAND is not set: name the command that this function consumes"
            raise SettingsError(message)
        return self.command, self.catalog.commands[self.command]


def _explain(place: tuple[int | str, ...], text: str) -> str:
    """Puts the variable's name before the problem, unless the problem names it already."""
    problem = text.removeprefix("Value error, ")
    if not place:
        return problem
    name, *inside = map(str, place)
    variable = "GOOGLE_CLOUD_PROJECT" if name == "project" else f"SMARTLINK_{name.upper()}"
    return f"{'.'.join((variable, *inside))}: {problem}"


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings from the environment. Raises SettingsError, which names each variable."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {
        name.removeprefix("SMARTLINK_").lower(): value
        for name, value in environ.items()
        if name.startswith("SMARTLINK_") and value
    }
    if project := environ.get("GOOGLE_CLOUD_PROJECT"):
        values["project"] = project
    for service in ("firestore", "pubsub", "storage", "secret_manager"):
        values[f"{service}_emulator"] = environ.get(f"{service.upper()}_EMULATOR_HOST", "")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            _explain(item["loc"], item["msg"])
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        )
        message = f"the environment is not complete or not valid: {problems}"
        raise SettingsError(message) from None


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that no setting changes, each with its reason."""

    inline: int = 262_144  # bytes of content in a document; Firestore's limit is 1 MiB
    request: int = 3_670_016  # 3.5 MiB in a request; the emulator refuses 4 MiB
    writes: int = 500  # in a BatchWrite
    page: int = 524_288  # bytes of a page of due messages; each tenant of a shard may have one
    dispatch: int = 1_048_576  # bytes of contents in one Pub/Sub message, 10 MB at most


LIMITS = Limits()
