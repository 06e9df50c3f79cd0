"""A tenant: its credentials, and the state of its integration."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from smartlink.domain.identity import is_no_id
from smartlink.domain.json_bytes import unmarked
from smartlink.domain.pin import Pin
from smartlink.domain.said import said, said_together
from smartlink.domain.shape import refused

Environment = Literal["development", "staging", "production"]

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")

ACCEPTANCE_TENANT = "smartlink-acceptance"
"""The tenant of an acceptance, whose broker and RAC are the simulator. Nobody else has the name."""

FAILURES_BEFORE_PAUSE = 3
FIRST_PAUSE = timedelta(minutes=2)  # a pause of one minute would skip no tick
LONGEST_PAUSE = timedelta(minutes=30)
SUCCESS_EVERY = timedelta(minutes=15)
_LATER = timedelta(microseconds=1)


class TenantError(ValueError):
    """A tenant's secret cannot be used. The text names the secret and the fix."""


def _named(tenant_id: str | None) -> str | None:
    """Takes nothing, or blanks, for no tenant id. A GUID of zeros is somebody's mistake."""
    if tenant_id is None or not tenant_id.strip():
        return None
    if is_no_id(tenant_id):
        message = said("a GUID of zeros is no tenant id: give RAC's, or leave it out")
        raise ValueError(message)
    return tenant_id


class Credentials(BaseModel):
    """The payload of the secret `smartlink-tenant-<tenant>`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    client_id: Annotated[str, Field(alias="clientId", min_length=1, max_length=512)]
    client_secret: Annotated[SecretStr, Field(alias="clientSecret", min_length=1, max_length=4_096)]
    environment: Environment
    tenant_id: Annotated[
        str | None, Field(alias="tenantId", max_length=512), AfterValidator(_named)
    ] = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant whose secret was read and is valid."""

    name: str
    credentials: Credentials
    pinned: str | None = None  # the tenant id that its tokens must name, if they name one

    @property
    def enabled(self) -> bool:
        """Whether the relay receives, sends and sweeps for the tenant."""
        return self.credentials.enabled


@dataclass(frozen=True, slots=True)
class TenantEntry:
    """A tenant as the list of secrets shows it. `etag` changes when its secret changes."""

    name: str
    etag: str


def is_tenant_name(name: str) -> bool:
    """Tells whether a text can be a tenant's name."""
    return _NAME.fullmatch(name) is not None


def check_tenant_name(name: str) -> str:
    """Returns the name if it is valid; raises TenantError if not.

    The name becomes a part of the names of secrets, documents and objects.
    """
    if not is_tenant_name(name):
        message = said(
            "{name} is no tenant name: 1 to 63 lower-case letters, digits, '-' or '_', "
            "beginning and ending with a letter or digit",
            name=repr(name[:80]),
        )
        raise TenantError(message)
    return name


def parse_credentials(name: str, payload: bytes, environment: Environment) -> Tenant:
    """Parses a secret's payload. Raises TenantError, whose text holds no secret.

    A secret of another environment is refused: a test base that holds production's credentials
    would take production's messages.
    """
    secret = f"secret smartlink-tenant-{name}"
    try:
        credentials = Credentials.model_validate_json(unmarked(payload))
    except ValidationError as error:
        problems = [
            said("{place}: {problem}", place=_place(item["loc"]), problem=refused(item["msg"]))
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        message = said(
            "{secret}: {problems}; add a version with clientId, clientSecret, environment",
            secret=secret,
            problems=said_together("; ", problems),
        )
        raise TenantError(message) from None
    if credentials.environment != environment:
        message = said(
            "{secret} holds credentials of {theirs}, but this deployment is "
            "{environment}: activate the tenant in its own environment",
            secret=secret,
            theirs=credentials.environment,
            environment=environment,
        )
        raise TenantError(message)
    return Tenant(name, credentials)


_FIELDS = frozenset({"clientid", "clientsecret", "environment", "tenantid", "enabled"})


def _place(place: tuple[int | str, ...]) -> str:
    """Names the field in which a secret's payload is wrong.

    The name of a field may itself be a secret that somebody wrote in the wrong place. So it tells
    only the names that we know, in any casing.
    """
    if not place:
        return said("payload")
    name = str(place[0])
    return name if name.replace("_", "").lower() in _FIELDS else said("a field that is not known")


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantState:
    """The document `tenants/{tenant}`.

    It is written when something changes, and otherwise every 15 minutes at most.
    """

    setup: str = ""  # fingerprint of the last setup: URL, client and commands
    commands: tuple[str, ...] = ()
    failures: int = 0  # failed ticks in a row
    paused_until: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    last_success: datetime | None = None
    orphaned: bool = False
    send_failed: datetime | None = None  # stored only if it is the first after `sent`
    sent: datetime | None = None  # the first send that was accepted after one failed
    pin: Pin | None = None  # to whom the name belongs; None until its first use
    halted: datetime | None = None  # since when its credentials are another customer's
    adopted: str | None = None  # who adopted other credentials, when and why
    ordered: bool = False  # messages of an ordered command have come: one session receives
    counted: datetime | None = None  # its hourly figures are kept up to here
    known: bool = field(default=False, compare=False)  # whether it was ever stored
    unreadable: tuple[str, ...] = field(default=(), compare=False)  # stored fields

    def paused(self, now: datetime) -> bool:
        """Tells whether the tenant is paused, so that the relay calls neither the broker nor
        RAC."""
        return self.paused_until is not None and now < self.paused_until

    def after_halt(self, now: datetime, error: str) -> "TenantState":
        """Returns the state after the credentials turned out to be another customer's.

        Returns the same object if the name is halted already.
        """
        if self.halted is not None:
            return self
        return replace(self, halted=now, last_error=error[:1_000], last_error_at=now)

    @property
    def sends(self) -> bool:
        """Whether the broker accepts messages: no send has failed, or one was accepted since."""
        return self.send_failed is None or self.sent_since(self.send_failed)

    def sent_since(self, failed: datetime) -> bool:
        """Tells whether a send was accepted after the instant `failed`."""
        return self.sent is not None and self.sent > failed

    def after_failed_send(self, now: datetime) -> "TenantState":
        """Returns the state after a failed send.

        The instant of the failure is never before an earlier send, even if the processes' clocks
        differ.
        """
        known = [it for it in (self.sent, self.send_failed) if it is not None]
        return replace(self, send_failed=max(now, *known) if known else now)

    def after_sent(self, now: datetime) -> "TenantState":
        """Returns the state after an accepted send; the same object if no send had failed.

        The instant of the send is always after the failure before it.
        """
        if self.send_failed is None or self.sends:
            return self
        return replace(self, sent=max(now, self.send_failed + _LATER))

    def after_failure(self, now: datetime, error: str) -> "TenantState":
        """Returns the state after one more tick failed. The third failure in a row pauses the
        tenant, and each further one pauses it for twice as long."""
        failures = self.failures + 1
        beyond = failures - FAILURES_BEFORE_PAUSE
        pause = min(FIRST_PAUSE * 2 ** min(max(beyond, 0), 10), LONGEST_PAUSE)
        return replace(
            self,
            failures=failures,
            paused_until=now + pause if beyond >= 0 else None,
            last_error=error[:1_000],
            last_error_at=now,
        )

    def stale(self, now: datetime) -> bool:
        """Tells whether the last success is so old that the next one is written."""
        return self.last_success is None or now - self.last_success >= SUCCESS_EVERY

    def after_success(self, now: datetime) -> "TenantState":
        """Returns the state after a successful tick; the same object if nothing need be written."""
        recovered = self.failures > 0 or self.paused_until is not None or self.orphaned
        if not recovered and not self.stale(now):
            return self
        return replace(self, failures=0, paused_until=None, orphaned=False, last_success=now)
