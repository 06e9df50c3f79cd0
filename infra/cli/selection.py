"""Which messages are meant: filters over the live ones, and one message by its id."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from infra.cli.errors import MissingError, UsageError
from infra.cli.options import Situation, Way, span
from infra.cli.world import World
from smartlink.domain.identity import Direction, document_id
from smartlink.domain.message import Ended, Message, Stored
from smartlink.domain.tenant import TenantError, check_tenant_name
from smartlink.ports import Refused

_LOOKED_THROUGH = 2_000  # documents of a tenant's history, when they are sifted here


@dataclass(frozen=True, slots=True)
class Selected:
    """A live message and whose it is."""

    tenant: str
    stored: Stored

    @property
    def message(self) -> Message:
        """The message."""
        return self.stored.message


@dataclass(frozen=True, slots=True)
class Located:
    """One message, alive or ended, found by its id."""

    tenant: str
    live: Stored | None
    ended: Ended | None

    @property
    def message(self) -> Message:
        """The message, wherever it is."""
        if self.live is not None:
            return self.live.message
        assert self.ended is not None  # noqa: S101  (it was found in one of them)
        return self.ended.message


def last_event(message: Message) -> datetime:
    """When something last happened to it: its last attempt ended, or it was received."""
    return message.attempts[-1].ended if message.attempts else message.received


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """All that are set must hold."""

    tenant: str | None = None
    direction: Way | None = None
    command: str | None = None
    state: Situation | None = None
    older: str | None = None
    newer: str | None = None
    error: str | None = None

    @property
    def narrow(self) -> bool:
        """Whether any is set besides the state."""
        return any((self.tenant, self.direction, self.command, self.older, self.newer, self.error))

    def select(self, world: World) -> Iterator[Selected]:
        """The messages, tenant by tenant."""
        now = world.now()
        latest = now - span(self.older) if self.older else None
        earliest = now - span(self.newer) if self.newer else None
        equal: dict[str, str] = {}
        if self.direction:
            equal["Direcao"] = self.direction.direction
        if self.command:
            equal["Comando"] = self.command
        if self.state:
            equal["Situacao"] = self.state.state
        for tenant in tenants_of(world, self.tenant):
            for stored in world.store.live(tenant, equal):
                at = last_event(stored.message)
                fits = (latest is None or at <= latest) and (earliest is None or at >= earliest)
                if fits and self._says(stored.message.error):
                    yield Selected(tenant, stored)

    def ended(self, world: World, most: int) -> list[tuple[str, Ended]]:
        """What has ended, the newest first; the state does not apply."""
        if self.state or self.older:
            message = "--history goes with neither --state nor --older: use --newer"
            raise UsageError(message)
        since = world.now() - span(self.newer) if self.newer else None
        found = [
            (tenant, it)
            for tenant in tenants_of(world, self.tenant)
            for it in world.store.ended(tenant, since, _LOOKED_THROUGH if self._sifts else most)
            if self._fits(it.message)
        ]
        return sorted(found, key=lambda it: it[1].ended, reverse=True)[:most]

    @property
    def _sifts(self) -> bool:
        return bool(self.direction or self.command or self.error)

    def _fits(self, message: Message) -> bool:
        return (
            (self.direction is None or message.direction is self.direction.direction)
            and (self.command is None or message.type == self.command)
            and self._says(message.error)
        )

    def _says(self, error: str | None) -> bool:
        return not self.error or self.error.casefold() in (error or "").casefold()


def tenants_of(world: World, only: str | None) -> list[str]:
    """The tenant named, or every one that has documents or a secret."""
    if only is not None:
        known_name(only)
        return [only]
    known = set(world.store.known_tenants())
    with suppress(Refused):  # who may read messages need not read secrets
        known |= {entry.name for entry in world.secrets.entries()}
    return sorted(known)


def known_name(tenant: str) -> str:
    """The name, if it can be a tenant's. Raises UsageError."""
    try:
        return check_tenant_name(tenant)
    except TenantError as error:
        raise UsageError(str(error)) from None


def locate(world: World, identity: str, tenant: str | None) -> Located:
    """Find one message by its id, or by its document's (`D-…`, `U-…`). Raises MissingError."""
    found = [item for name in tenants_of(world, tenant) for item in _in(world, name, identity)]
    if not found:
        where = f"of tenant {tenant}" if tenant else "of any tenant"
        message = (
            f"There is no message {identity[:80]!r} {where} in {world.target.title}, neither "
            f"alive nor in the history: check the id, or whether it has expired."
        )
        raise MissingError(message)
    if len(found) > 1:
        places = "; ".join(f"{it.tenant}: {it.message.document}" for it in found[:5])
        message = (
            f"{len(found)} messages have the id {identity[:80]!r} ({places}): "
            f"name one by its document, with --tenant"
        )
        raise UsageError(message)
    return found[0]


def _in(world: World, tenant: str, identity: str) -> list[Located]:
    own = {document_id(way, identity) for way in Direction}
    if identity[:2] in {"D-", "U-"}:
        own.add(identity)
    found: dict[str, Located] = {}
    ended = world.store.history(tenant, sorted(own))
    live = world.store.read(tenant, sorted(own))
    # The same id with another content has a document of its own.
    others, done = world.store.by_id(tenant, identity)
    live |= {it.message.document: it for it in others}
    ended |= {it.message.document: it for it in done}
    for document in sorted(live.keys() | ended.keys()):
        found[document] = Located(tenant, live.get(document), ended.get(document))
    return list(found.values())


def counted(messages: list[Selected]) -> list[tuple[str, str, str, int]]:
    """Count by tenant, command and error."""
    groups = Counter(
        (it.tenant, it.message.type, (it.message.error or "").partition("\n")[0][:200])
        for it in messages
    )
    return [(*group, number) for group, number in sorted(groups.items(), key=lambda it: -it[1])]
