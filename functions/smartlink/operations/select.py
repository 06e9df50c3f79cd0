"""Selects messages: by filters, or one message by its id."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from smartlink.domain.identity import Direction, document_id
from smartlink.domain.message import (
    Ended,
    EndedSummary,
    Listed,
    Message,
    State,
    Stored,
    Summary,
    Unreadable,
)
from smartlink.domain.tenant import TenantError, check_tenant_name
from smartlink.operations.errors import (
    AmbiguousError,
    InvalidError,
    MissingError,
    UnreadableError,
)
from smartlink.operations.ports import Deployment, RawDocument
from smartlink.ports import Refused

_LOOKED_THROUGH = 2_000  # records of a tenant's history, if they are filtered here


@dataclass(frozen=True, slots=True)
class Selected:
    """A live message and its tenant."""

    tenant: str
    listed: Listed

    @property
    def message(self) -> Summary:
        """The message, without its content."""
        return self.listed.message


@dataclass(frozen=True, slots=True)
class Passed:
    """An unreadable live document and its tenant."""

    tenant: str
    document: Unreadable


@dataclass(frozen=True, slots=True)
class Located:
    """One message, alive or ended, found by its id."""

    identity: str  # the id by which it was asked for
    tenant: str
    live: Stored | None
    ended: Ended | None
    raw: RawDocument | None = None  # its unreadable document

    @property
    def message(self) -> Message:
        """The live or ended message. Raises UnreadableError if its document is unreadable."""
        if self.live is not None:
            return self.live.message
        if self.ended is not None:
            return self.ended.message
        assert self.raw is not None  # noqa: S101  (it was found in one of them)
        message = f"{self.raw.document} of {self.tenant} cannot be read: {self.raw.why}."
        raise UnreadableError(message)

    @property
    def document(self) -> str:
        """The document's id."""
        return self.raw.document if self.raw is not None else self.message.document


def last_event(message: Summary) -> datetime:
    """Returns when its last attempt ended; if it had none, when it was received."""
    return message.attempts[-1].ended if message.attempts else message.received


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """A filter: a message fits if it has all the values that are set."""

    tenant: str | None = None
    direction: Direction | None = None
    command: str | None = None
    state: State | None = None
    older: timedelta | None = None
    newer: timedelta | None = None
    error: str | None = None
    received_after: datetime | None = None

    @property
    def narrow(self) -> bool:
        """Whether any value besides the state is set."""
        sifted = (self.older, self.newer, self.error, self.received_after)
        return any(
            it not in (None, "") for it in (self.tenant, self.direction, self.command, *sifted)
        )

    def select(self, deployment: Deployment) -> Iterator[Selected]:
        """Yields the live messages that fit, tenant by tenant."""
        return (it for it in self.scan(deployment) if isinstance(it, Selected))

    def scan(self, deployment: Deployment) -> Iterator[Selected | Passed]:
        """Yields the live messages that fit, and the unreadable documents that may fit.

        Only the database has compared an unreadable document, so it is shown and not hidden.
        """
        now = deployment.now()
        latest = now - self.older if self.older is not None else None
        earliest = now - self.newer if self.newer is not None else None
        equal: dict[str, str] = {}
        if self.direction:
            equal["Direcao"] = self.direction
        if self.command:
            equal["Comando"] = self.command
        if self.state:
            equal["Situacao"] = self.state
        for tenant in tenants_of(deployment, self.tenant):
            for listed in deployment.store.scan(tenant, equal):
                if isinstance(listed, Unreadable):
                    yield Passed(tenant, listed)
                    continue
                at = last_event(listed.message)
                fits = (latest is None or at <= latest) and (earliest is None or at >= earliest)
                if fits and self._received(listed.message) and self._says(listed.message.error):
                    yield Selected(tenant, listed)

    def ended(
        self, deployment: Deployment, most: int
    ) -> tuple[list[tuple[str, EndedSummary]], list[tuple[str, RawDocument]]]:
        """Returns the ended messages that fit, the newest first; and the unreadable records.

        `state` and `older` do not apply.
        """
        since = deployment.now() - self.newer if self.newer is not None else None
        found: list[tuple[str, EndedSummary]] = []
        raw: list[tuple[str, RawDocument]] = []
        for tenant in tenants_of(deployment, self.tenant):
            ended, its = deployment.store.scan_ended(
                tenant, since, _LOOKED_THROUGH if self._sifts else most
            )
            found += [(tenant, it) for it in ended if self._fits(it.message)]
            raw += [(tenant, it) for it in its]
        return sorted(found, key=lambda it: it[1].ended, reverse=True)[:most], raw

    @property
    def _sifts(self) -> bool:
        return bool(self.direction or self.command or self.error)

    def _received(self, message: Summary) -> bool:
        return self.received_after is None or message.received >= self.received_after

    def _fits(self, message: Summary) -> bool:
        return (
            (self.direction is None or message.direction is self.direction)
            and (self.command is None or message.type == self.command)
            and self._says(message.error)
        )

    def _says(self, error: str | None) -> bool:
        return not self.error or self.error.casefold() in (error or "").casefold()


def tenants_of(deployment: Deployment, only: str | None) -> list[str]:
    """Returns the named tenant, or every tenant that has documents or a secret."""
    if only is not None:
        known_name(only)
        return [only]
    known = set(deployment.store.known_tenants())
    with suppress(Refused):  # a person who may read messages may lack the right to read secrets
        known |= {entry.name for entry in deployment.secrets.entries()}
    return sorted(known)


def known_name(tenant: str) -> str:
    """Returns the name. Raises InvalidError if no tenant can have it."""
    try:
        return check_tenant_name(tenant)
    except TenantError as error:
        raise InvalidError(str(error)) from None


def locate(deployment: Deployment, identity: str, tenant: str | None) -> Located:
    """Finds one message by its id or by its document's id (`D-…`, `U-…`).

    Raises MissingError and AmbiguousError.
    """
    found = [
        item for name in tenants_of(deployment, tenant) for item in _in(deployment, name, identity)
    ]
    if not found:
        where = f"of tenant {tenant}" if tenant else "of any tenant"
        message = (
            f"There is no message {identity[:80]!r} {where} in {deployment.title}, neither "
            f"alive nor in the history: check the id, or whether it has expired."
        )
        raise MissingError(message)
    if len(found) > 1:
        places = "; ".join(f"{it.tenant}: {it.document}" for it in found[:5])
        message = f"{len(found)} messages have the id {identity[:80]!r} ({places})"
        raise AmbiguousError(message)
    return found[0]


def _in(deployment: Deployment, tenant: str, identity: str) -> list[Located]:
    own = {document_id(way, identity) for way in Direction}
    if identity.startswith(("D-", "U-", "~")) and "/" not in identity:
        own.add(identity)
    whole = deployment.store.find(tenant, sorted(own), identity)
    raw = {it.document: it for it in whole.raw}
    return [
        Located(identity, tenant, whole.live.get(name), whole.ended.get(name), raw.get(name))
        for name in sorted(whole.live.keys() | whole.ended.keys() | raw.keys())
    ]


def counted(messages: Sequence[Selected]) -> list[tuple[str, str, str, int]]:
    """Counts messages by tenant, command and error, the most frequent first."""
    groups = Counter(
        (it.tenant, it.message.type, (it.message.error or "").partition("\n")[0][:200])
        for it in messages
    )
    return [(*group, number) for group, number in sorted(groups.items(), key=lambda it: -it[1])]
