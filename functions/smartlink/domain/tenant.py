"""A tenant: its credentials, and the slow-changing state of its integration."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from smartlink.domain.pin import Pin

Environment = Literal["development", "staging", "production"]

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")

FAILURES_BEFORE_PAUSE = 3
FIRST_PAUSE = timedelta(minutes=2)  # a pause as long as a tick would skip none
LONGEST_PAUSE = timedelta(minutes=30)
SUCCESS_EVERY = timedelta(minutes=15)
_LATER = timedelta(microseconds=1)


class TenantError(ValueError):
    """A tenant's secret cannot be used; the text names the secret and the fix."""


class Credentials(BaseModel):
    """The payload of the secret `smartlink-tenant-<tenant>`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    client_id: Annotated[str, Field(alias="clientId", min_length=1, max_length=512)]
    client_secret: Annotated[SecretStr, Field(alias="clientSecret", min_length=1, max_length=4_096)]
    environment: Environment
    tenant_id: Annotated[str | None, Field(alias="tenantId", max_length=512)] = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant whose secret was read and found good."""

    name: str
    credentials: Credentials
    pinned: str | None = None  # the tenant id that its tokens have to name, if they name one

    @property
    def enabled(self) -> bool:
        """Whether anything is received, sent or swept for it."""
        return self.credentials.enabled


@dataclass(frozen=True, slots=True)
class TenantEntry:
    """A tenant as the list of secrets shows it; `etag` changes when its secret does."""

    name: str
    etag: str


def check_tenant_name(name: str) -> str:
    """The name, if it can be one: it stands in secrets', documents' and objects' names."""
    if not _NAME.fullmatch(name):
        message = (
            f"{name[:80]!r} is no tenant name: 1 to 63 lower-case letters, digits, '-' or '_', "
            f"beginning and ending with a letter or digit"
        )
        raise TenantError(message)
    return name


def parse_credentials(name: str, payload: bytes, environment: Environment) -> Tenant:
    """The tenant in a secret's payload. Raises TenantError, never with a secret in its text.

    A secret of another environment is refused: a test base that holds production's
    credentials would take production's messages.
    """
    secret = f"secret smartlink-tenant-{name}"
    try:
        credentials = Credentials.model_validate_json(payload)
    except ValidationError as error:
        problems = "; ".join(
            f"{_place(item['loc'])}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        )
        message = f"{secret}: {problems}; add a version with clientId, clientSecret, environment"
        raise TenantError(message) from None
    if credentials.environment != environment:
        message = (
            f"{secret} holds credentials of {credentials.environment}, but this deployment is "
            f"{environment}: activate the tenant in its own environment"
        )
        raise TenantError(message)
    return Tenant(name, credentials)


_FIELDS = frozenset({"clientid", "clientsecret", "environment", "tenantid", "enabled"})


def _place(place: tuple[int | str, ...]) -> str:
    """Where a secret is wrong. A field's name may itself be what somebody wrote into a secret:
    only one that we know, in any casing, is named."""
    if not place:
        return "payload"
    name = str(place[0])
    return name if name.replace("_", "").lower() in _FIELDS else "a field that is not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantState:
    """`tenants/{tenant}`: written when something changes, and at most each 15 minutes else."""

    setup: str = ""  # fingerprint of what setup was last run for
    commands: tuple[str, ...] = ()
    failures: int = 0  # ticks in a row
    paused_until: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    last_success: datetime | None = None
    orphaned: bool = False
    send_failed: datetime | None = None  # last; written for the first one after `sent`
    sent: datetime | None = None  # the first send that was accepted after one failed
    pin: Pin | None = None  # whose the name is; None until its first use
    halted: datetime | None = None  # since when its credentials are another customer's
    adopted: str | None = None  # who said when and why that another one is the same customer
    known: bool = field(default=False, compare=False)  # whether it was ever stored
    unreadable: tuple[str, ...] = field(default=(), compare=False)  # stored fields that are odd

    def paused(self, now: datetime) -> bool:
        """Whether the broker and RAC are to be left alone."""
        return self.paused_until is not None and now < self.paused_until

    def after_halt(self, now: datetime, error: str) -> "TenantState":
        """Its credentials are not those of whom the name belongs to. The same object when that
        is known."""
        if self.halted is not None:
            return self
        return replace(self, halted=now, last_error=error[:1_000], last_error_at=now)

    @property
    def sends(self) -> bool:
        """Whether a send was accepted since one failed: the broker takes what it can take."""
        return self.send_failed is None or self.sent_since(self.send_failed)

    def sent_since(self, failed: datetime) -> bool:
        """Whether a send was accepted after another one failed then."""
        return self.sent is not None and self.sent > failed

    def after_failed_send(self, now: datetime) -> "TenantState":
        """Never before what was accepted before it, whatever the instances' clocks say."""
        known = [it for it in (self.sent, self.send_failed) if it is not None]
        return replace(self, send_failed=max(now, *known) if known else now)

    def after_sent(self, now: datetime) -> "TenantState":
        """Always after what failed before it. The same object when nothing had failed."""
        if self.send_failed is None or self.sends:
            return self
        return replace(self, sent=max(now, self.send_failed + _LATER))

    def after_failure(self, now: datetime, error: str) -> "TenantState":
        """One more tick failed: from the third on the tenant is paused, each time twice as long."""
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

    def after_success(self, now: datetime) -> "TenantState":
        """A tick's broker calls worked. The same object when nothing needs to be written."""
        recovered = self.failures > 0 or self.paused_until is not None or self.orphaned
        stale = self.last_success is None or now - self.last_success >= SUCCESS_EVERY
        if not recovered and not stale:
            return self
        return replace(self, failures=0, paused_until=None, orphaned=False, last_success=now)
