"""Selects messages: by filters, or one message by its id."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartlink.domain.identity import Direction, document_id, is_document_id
from smartlink.domain.message import (
    Ended,
    EndedSummary,
    Ending,
    Listed,
    Message,
    State,
    Stored,
    Summary,
    Unreadable,
)
from smartlink.i18n import _
from smartlink.operations.causes import code_of, fingerprint
from smartlink.operations.errors import AmbiguousError, MissingError, UnreadableError
from smartlink.operations.names import existing_command, tenants_of
from smartlink.operations.ports import Deployment, EndedQuery, RawDocument

LOOKED_AT = 20_000
"""Messages of each tenant that a list looks at, unless it is asked for all."""
PAGE = 200


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


def picked(tenant: str, item: Listed | Unreadable) -> Selected | Passed:
    """Returns what a list of live messages has, with its tenant."""
    return Selected(tenant, item) if isinstance(item, Listed) else Passed(tenant, item)


@dataclass(slots=True)
class Look:
    """The live messages that fit, and how far the look went."""

    found: list[Selected] = field(default_factory=list)
    unreadable: list[Passed] = field(default_factory=list)
    looked: int = 0
    cut: dict[str, int] = field(default_factory=dict)  # tenant → messages not looked at


@dataclass(slots=True)
class EndedLook:
    """The ended messages that fit, and how far the look went."""

    found: list[tuple[str, EndedSummary]] = field(default_factory=list)
    unreadable: list[tuple[str, RawDocument]] = field(default_factory=list)
    total: int = 0  # that fit, where the database can count them
    more: bool = False  # than were asked for
    cut: dict[str, datetime | None] = field(default_factory=dict)
    """Tenant → the instant of the last message that was looked at: older ones were not."""


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
        message = _(
            "{document} of {tenant} cannot be read: {why}.",
            document=self.raw.document,
            tenant=self.tenant,
            why=self.raw.why,
        )
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
    ending: Ending | None = None  # of what has ended; not together with `state`
    older: timedelta | None = None
    newer: timedelta | None = None
    error: str | None = None
    cause: str | None = None  # the code of an error's fingerprint
    received_after: datetime | None = None
    request: str | None = None  # the id by which the sender knows the request
    queued: bool = False  # what waits for its turn behind others of its key, alone

    @property
    def narrow(self) -> bool:
        """Whether any is set besides the state."""
        sifted = (self.older, self.newer, self.error, self.cause, self.received_after)
        named = (self.tenant, self.direction, self.command, self.request)
        return any(it not in (None, "") for it in (*named, *sifted))

    def check_names(self, deployment: Deployment) -> list[str]:
        """Returns the tenants that are meant. Raises UnknownTenantError, UnknownCommandError and
        InvalidError."""
        tenants = tenants_of(deployment, self.tenant)
        if self.command:
            existing_command(deployment, self.command, tenants)
        return tenants

    def select(self, deployment: Deployment) -> Iterator[Selected]:
        """Returns the messages, tenant by tenant."""
        return (it for it in self.scan(deployment) if isinstance(it, Selected))

    def scan(self, deployment: Deployment) -> Iterator[Selected | Passed]:
        """Returns the messages, and what cannot be read, however many there are.

        Whether what cannot be read fits is told by the database alone, so it is told of rather than
        hidden.
        """
        tenants = self.check_names(deployment)
        return (it for name in tenants for it in self._scan_one(deployment, name) if it is not None)

    def _scan_one(self, deployment: Deployment, tenant: str) -> Iterator[Selected | Passed | None]:
        """Yields None for a message that the database found and that does not fit."""
        now = deployment.now()
        for listed in deployment.store.scan(tenant, self.equal):
            if isinstance(listed, Unreadable):
                yield Passed(tenant, listed)
            else:
                yield Selected(tenant, listed) if self.fits(listed.message, now) else None

    def look(self, deployment: Deployment, bound: int | None) -> "Look":
        """Returns every message that fits, the oldest first; no more than `bound` of each tenant
        are looked at."""
        look = Look()
        for tenant in self.check_names(deployment):
            looked = 0
            for item in self._scan_one(deployment, tenant):
                if looked == bound:
                    look.cut[tenant] = deployment.store.count_live(tenant, self.equal) - looked
                    break
                looked += 1
                if isinstance(item, Selected):
                    look.found.append(item)
                elif item is not None:
                    look.unreadable.append(item)
            look.looked += looked
        look.found.sort(key=lambda it: (it.message.received, it.tenant, it.message.document))
        return look

    @property
    def equal(self) -> dict[str, str | bool]:
        """What the database filters by."""
        named: dict[str, str | bool | None] = {
            "Direcao": self.direction,
            "Comando": self.command,
            "Situacao": self.state or self.ending,
            "SolicitacaoId": self.request,
            "NaFila": self.queued,
        }
        return {name: value for name, value in named.items() if value}

    def ended(self, deployment: Deployment, most: int, bound: int | None) -> "EndedLook":
        """Returns the newest `most` messages of the history that fit, the newest first.

        The database filters by everything but the error: of that, `bound` messages of each tenant
        are looked at.
        """
        now = deployment.now()
        wanted = EndedQuery(
            self.equal,
            now - self.newer if self.newer is not None else None,
            now - self.older if self.older is not None else None,
        )
        look = EndedLook()
        for tenant in self.check_names(deployment):
            self._ended_of(deployment, tenant, wanted, most, bound, look)
        look.found.sort(key=lambda it: it[1].ended, reverse=True)
        look.more |= len(look.found) > most
        del look.found[most:]
        return look

    def _ended_of(
        self,
        deployment: Deployment,
        tenant: str,
        wanted: EndedQuery,
        most: int,
        bound: int | None,
        look: "EndedLook",
    ) -> None:
        found = looked = 0
        last: datetime | None = None
        page = PAGE if self.sifts else min(most + 1, PAGE)
        for item in deployment.store.scan_ended(tenant, wanted, page=page):
            if found == most:
                look.more = True
                break
            if looked == bound:
                look.cut[tenant] = last
                break
            looked += 1
            if not isinstance(item, EndedSummary):
                look.unreadable.append((tenant, item))
                continue
            last = item.ended
            if self.says(item.message.error):
                look.found.append((tenant, item))
                found += 1
        if not self.sifts:
            look.total += deployment.store.count_ended(tenant, wanted)

    @property
    def sifts(self) -> bool:
        """Tells whether the history is filtered by what the database cannot find."""
        return bool(self.error or self.cause)

    def fits(self, message: Summary, now: datetime) -> bool:
        """Tells whether a live message that the database found fits what it cannot find."""
        at = last_event(message)
        return (
            (self.older is None or at <= now - self.older)
            and (self.newer is None or at >= now - self.newer)
            and (self.received_after is None or message.received >= self.received_after)
            and self.says(message.error)
        )

    def says(self, error: str | None) -> bool:
        """Tells whether an error has the text and the cause that are wanted."""
        if self.error and self.error.casefold() not in (error or "").casefold():
            return False
        return self.cause is None or code_of(error) == self.cause


def locate(deployment: Deployment, identity: str, tenant: str | None) -> Located:
    """Finds one message by its id or by its document's id (`D-…`, `U-…`).

    Raises MissingError and AmbiguousError.
    """
    found = [
        item for name in tenants_of(deployment, tenant) for item in _in(deployment, name, identity)
    ]
    if not found:
        where = _("of tenant {tenant}", tenant=tenant) if tenant else _("of any tenant")
        message = _(
            "There is no message {identity!r} {where} in {title}, neither alive nor in the "
            "history: check the id, or whether it has expired.",
            identity=identity[:80],
            where=where,
            title=deployment.title,
        )
        raise MissingError(message)
    if len(found) > 1:
        places = "; ".join(f"{it.tenant}: {it.document}" for it in found[:5])
        message = _(
            "{count} messages have the id {identity!r} ({places})",
            count=len(found),
            identity=identity[:80],
            places=places,
        )
        raise AmbiguousError(message)
    return found[0]


def _in(deployment: Deployment, tenant: str, identity: str) -> list[Located]:
    own = {document_id(way, identity) for way in Direction}
    if is_document_id(identity):
        own.add(identity)
    whole = deployment.store.find(tenant, sorted(own), identity)
    raw = {it.document: it for it in whole.raw}
    return [
        Located(identity, tenant, whole.live.get(name), whole.ended.get(name), raw.get(name))
        for name in sorted(whole.live.keys() | whole.ended.keys() | raw.keys())
    ]


def counted(messages: Sequence[Selected]) -> list["Group"]:
    """Groups messages by tenant, command and cause, the largest group first."""
    groups: dict[tuple[str, str, str], Group] = {}
    for it in messages:
        add_to(groups, it)
    return sorted(groups.values(), key=lambda it: -it.messages)


def add_to(groups: dict[tuple[str, str, str], "Group"], it: Selected) -> None:
    """Counts one more message."""
    code, pattern = fingerprint(it.message.error) if it.message.error else ("", "")
    key = (it.tenant, it.message.type, code)
    group = groups.setdefault(key, Group(it.tenant, it.message.type, code, pattern))
    group.messages += 1


@dataclass(slots=True)
class Group:
    """Messages of one tenant and command that failed alike."""

    tenant: str
    command: str
    code: str  # "": they have no error
    pattern: str
    messages: int = 0
