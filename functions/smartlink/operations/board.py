"""What a screen shows of many tenants at once, within a bound of reads.

The other operations go through all that fits, tenant by tenant. A screen is drawn again and again,
and there may be a thousand tenants. So each look here reads no more than a page, in one query over
all tenants or in one for each tenant that may be seen, and says where it stopped. A right is part
of the query: what may not be seen is not read.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Generic, TypeVar

from smartlink.domain.hourly import HOUR, hour_of
from smartlink.domain.identity import Direction, is_document_id
from smartlink.domain.message import (
    EndedSummary,
    Listed,
    State,
    Summary,
    Unreadable,
)
from smartlink.domain.tenant import TenantEntry, TenantState, is_tenant_name
from smartlink.i18n import Text, _, data
from smartlink.operations import configuration
from smartlink.operations.beside import beside
from smartlink.operations.blocked import Blocked, Holding, holding, waits_for
from smartlink.operations.causes import fingerprint
from smartlink.operations.errors import InvalidError, MissingError, UnknownTenantError
from smartlink.operations.hours import AllHours, Hours, hours_of
from smartlink.operations.names import exists, known_name, unknown_tenant
from smartlink.operations.ports import Deployment, EndedQuery, RawDocument, Spot
from smartlink.operations.select import Filters, Selected, last_event
from smartlink.operations.tenants import TenantOverview, brief, enabled_by_secret, last_tick
from smartlink.ports import NotFound, PortError

PAGE = 50
"""Messages that a page shows at most."""
_BLOCKED = 30  # messages of a page that tells what each waits for: a read more for each
TENANTS = 25
"""Tenants that a page shows at most: each takes three reads, and one of its secret now and then."""
LOOKED_AT = 150
"""Documents that one look reads at most."""
COUNTED = 20
"""Tenants that are counted one by one; of more, only a whole deployment is counted."""
_CHARTED = 3  # tenants whose hours are looked at one by one
_HOURS = 24  # that are shown
_FRESH = timedelta(seconds=30)
_CAUSES_FRESH = timedelta(minutes=10)
_SECRETS_FRESH = timedelta(minutes=10)
"""A secret that got a new version without a new etag is read again after this."""
TROUBLED = 10
"""Tenants that need a person and are named; one more says that there are others."""
_EXAMPLES = 5
_HOLDING = 10  # dead messages of which it is asked what they hold back
_SOUGHT = 30  # messages that a search by an id shows, about
_NAME_PART = re.compile("[a-z0-9][a-z0-9_-]*")
_FAILING = (State.DEAD, State.WAITING)

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenants that somebody may see. None: every tenant."""

    tenants: tuple[str, ...] | None = None

    def covers(self, tenant: str) -> bool:
        """Tells whether a tenant is one of them."""
        return self.tenants is None or tenant in self.tenants

    def within(self, deployment: Deployment, tenant: str | None) -> "Scope":
        """Narrows it to one tenant, if one is named.

        Raises UnknownTenantError, with the same words for one that does not exist and for one that
        may not be seen.
        """
        if tenant is None:
            return self
        self.check(deployment, tenant)
        if not exists(deployment, tenant):
            raise self.unknown(deployment, tenant)
        return Scope((tenant,))

    def check(self, deployment: Deployment, tenant: str) -> None:
        """Raises UnknownTenantError unless the tenant may be seen, whether it exists or not."""
        known_name(tenant)
        if not self.covers(tenant):
            raise self.unknown(deployment, tenant)

    def unknown(self, deployment: Deployment, tenant: str) -> UnknownTenantError:
        """Makes the error for a tenant that is not among these."""
        if self.tenants is None:
            return unknown_tenant(deployment, tenant)
        return UnknownTenantError(
            _("There is no tenant {tenant} in {title}", tenant=tenant, title=deployment.title)
        )

    @property
    def parts(self) -> list[str | None]:
        """The tenants to ask for, one after the other; a None asks for all in one query."""
        if self.tenants is None:
            return [None]
        return [*sorted(self.tenants)]


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item]):
    """What was found, with its tenants, and where the next page begins."""

    rows: Sequence[tuple[str, _Item]]
    after: Spot | None = None  # None: nothing is left
    looked: int = 0


Live = Listed | Unreadable
Past = EndedSummary | RawDocument


def live_page(
    deployment: Deployment,
    scope: Scope,
    filters: Filters,
    after: Spot | None = None,
    *,
    size: int = PAGE,
    most: int = LOOKED_AT,
) -> Page[Live]:
    """Returns the next live messages that fit, by tenant and document; it reads `most`."""
    now, equal = deployment.now(), filters.equal

    def ask(tenant: str | None, wanted: int, spot: Spot | None) -> list[tuple[str, Live]]:
        return deployment.store.page_live(tenant, equal, wanted, spot)

    def fits(item: Live) -> bool:
        return isinstance(item, Unreadable) or filters.fits(item.message, now)

    return _page(scope, ask, fits, _live_spot, after, size, most, sifts=_sifts(filters))


def _sifts(filters: Filters) -> bool:
    aged = (filters.older, filters.newer, filters.received_after)
    return filters.sifts or any(it is not None for it in aged)


def blocked_page(
    deployment: Deployment, scope: Scope, filters: Filters, after: Spot | None = None
) -> tuple[Page[Live], dict[tuple[str, str], Blocked]]:
    """Returns the next live messages that wait for their turn, and what each waits for.

    What is not among the latter has had its turn by now.
    """
    page = live_page(deployment, scope, replace(filters, queued=True), after, size=_BLOCKED)
    listed = [(tenant, it.message) for tenant, it in page.rows if isinstance(it, Listed)]
    found = beside(listed, lambda it: waits_for(deployment, *it))
    return page, {(it.tenant, it.message.document): it for it in found if it is not None}


def _live_spot(tenant: str, item: Live) -> Spot:
    document = item.document if isinstance(item, Unreadable) else item.message.document
    return Spot(tenant, document)


def ended_page(
    deployment: Deployment,
    scope: Scope,
    filters: Filters,
    after: Spot | None = None,
    *,
    size: int = PAGE,
) -> Page[Past]:
    """Returns the next messages of the history that fit, the newest first; those of named tenants
    come tenant by tenant. Raises MissingError if nobody knows any longer where the page begins."""
    now = deployment.now()
    wanted = EndedQuery(
        filters.equal,
        now - filters.newer if filters.newer is not None else None,
        now - filters.older if filters.older is not None else None,
    )

    def ask(tenant: str | None, most: int, spot: Spot | None) -> list[tuple[str, Past]]:
        return deployment.store.page_ended(tenant, wanted, most, spot)

    def fits(item: Past) -> bool:
        return not isinstance(item, EndedSummary) or filters.says(item.message.error)

    try:
        return _page(scope, ask, fits, _ended_spot, after, size, LOOKED_AT, sifts=filters.sifts)
    except NotFound:  # what the page before ended with has expired
        raise MissingError(_("There is no such page: begin with the first one")) from None


def _ended_spot(tenant: str, item: Past) -> Spot:
    document = item.message.document if isinstance(item, EndedSummary) else item.document
    return Spot(tenant, document, item.ended)


def _page(
    scope: Scope,
    ask: Callable[[str | None, int, Spot | None], list[tuple[str, _Item]]],
    fits: Callable[[_Item], bool],
    spot_of: Callable[[str, _Item], Spot],
    after: Spot | None,
    size: int,
    most: int,
    *,
    sifts: bool,
) -> Page[_Item]:
    rows: list[tuple[str, _Item]] = []
    looked = 0
    for part, begin in _from(scope, after):
        spot = begin
        while True:
            left = most - looked
            if left <= 0:
                return Page(rows, spot or Spot(part or "", ""), looked)
            wanted = left if sifts else min(size - len(rows), left)
            found = ask(part, wanted, spot)
            looked += max(len(found), 1)
            for tenant, item in found:
                spot = spot_of(tenant, item)
                if fits(item):
                    rows.append((tenant, item))
                if len(rows) == size:
                    return Page(rows, spot, looked)
            if len(found) < wanted:
                break
            if looked >= most:
                return Page(rows, spot, looked)
    return Page(rows, None, looked)


def _from(scope: Scope, after: Spot | None) -> Iterator[tuple[str | None, Spot | None]]:
    """Yields the parts that are left, the first one with the place at which it goes on."""
    begin = after if after is not None and after.document else None
    for part in scope.parts:
        if part is None:
            yield None, begin
        elif after is None or part > after.tenant:
            yield part, None
        elif part == after.tenant:
            yield part, begin


@dataclass(frozen=True, slots=True)
class Sought:
    """The messages that have an id, as their own, as correlation id or as request id."""

    live: Sequence[tuple[str, Live]]
    ended: Sequence[tuple[str, Past]]
    cut: bool = False  # not all tenants that may be seen were looked at
    more: bool = False  # there may be more


def seek(deployment: Deployment, scope: Scope, identity: str) -> Sought:
    """Finds messages by their id, their correlation id, or their request id."""
    parts = scope.parts
    size = _SOUGHT if len(parts) == 1 else _EXAMPLES
    live: list[tuple[str, Live]] = []
    ended: list[tuple[str, Past]] = []
    looked, more = 0, False
    for part in parts[:COUNTED]:
        if len(live) + len(ended) >= _SOUGHT:
            break
        alive, past = deployment.store.sought(part, identity, size)
        more |= len(alive) >= size or len(past) >= size
        live += alive
        ended += past
        looked += 1
    return Sought(live, ended, cut=looked < len(parts), more=more)


@dataclass(frozen=True, slots=True)
class Tally:
    """A command's live messages."""

    command: str
    live: int
    dead: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether it works, as the first page shows it."""

    at: datetime  # when it was counted
    tick: datetime | None
    states: dict[State, int] | None  # None: too many tenants to count one by one
    outgoing: int  # of these: Upstream
    commands: Sequence[Tally]
    oldest: tuple[str, Summary] | None  # the live message whose turn came first
    troubled: Sequence[tuple[str, TenantState]]
    holding: Sequence[Holding] = ()  # dead messages that hold others back
    more_holding: bool = False  # there may be more of these

    @property
    def live(self) -> int:
        """All live messages."""
        return sum((self.states or {}).values())

    @property
    def dead(self) -> int:
        """The dead ones."""
        return (self.states or {}).get(State.DEAD, 0)

    @property
    def others(self) -> tuple[int, int]:
        """The live and the dead messages whose type is none of `commands`."""
        live = self.live - sum(it.live for it in self.commands)
        return live, self.dead - sum(it.dead for it in self.commands)


@dataclass(slots=True)
class Cause:
    """What failed alike."""

    code: str
    pattern: str
    messages: int = 0
    dead: int = 0
    tenants: set[str] = field(default_factory=set)
    commands: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None
    example: tuple[str, str] | None = None  # tenant, document
    by_hour: Counter[datetime] = field(default_factory=Counter)

    def add(self, tenant: str, message: Summary) -> None:
        """Counts one more message."""
        at = last_event(message)
        self.messages += 1
        self.dead += message.state is State.DEAD
        self.tenants.add(tenant)
        self.commands.add(message.type)
        self.first = min(self.first or at, at)
        if self.last is None or at >= self.last:
            self.last, self.example = at, (tenant, message.document)
        self.by_hour[hour_of(at)] += 1


@dataclass(slots=True)
class Walk:
    """How far a look at live messages has come that goes on from call to call."""

    wanted: Sequence[Filters]  # one after the other
    done: int = 0  # of these
    after: Spot | None = None  # where the next one goes on

    @property
    def finished(self) -> bool:
        """Whether nothing is left."""
        return self.done == len(self.wanted)

    def further(self, deployment: Deployment, scope: Scope) -> Iterator[tuple[str, Live]]:
        """Yields up to LOOKED_AT further messages.

        If the database fails, the next call goes on behind what was yielded before.
        """
        left = LOOKED_AT
        while not self.finished and left > 0:
            wanted = self.wanted[self.done]
            page = live_page(deployment, scope, wanted, self.after, size=left, most=left)
            yield from page.rows
            left -= max(page.looked, 1)
            self.after = page.after
            self.done += page.after is None


@dataclass(slots=True)
class CauseLook:
    """The causes, as far as the look has come; each call of `go_on` looks further."""

    begun: datetime
    total: int | None
    causes: dict[str, Cause] = field(default_factory=dict)
    looked: int = 0
    unreadable: int = 0  # of these: they are in no cause
    silent: int = 0  # of these: they have no error, so they are in no cause
    walk: Walk = field(default_factory=lambda: Walk([Filters(state=it) for it in _FAILING]))
    lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def finished(self) -> bool:
        """Whether all of them were looked at."""
        return self.walk.finished

    def worst(self) -> list[Cause]:
        """The most frequent causes first."""
        return sorted(self.causes.values(), key=lambda it: (-it.messages, it.code))

    def go_on(self, deployment: Deployment, scope: Scope) -> None:
        """Looks at up to LOOKED_AT further messages that are dead or wait."""
        with self.lock:
            for tenant, item in self.walk.further(deployment, scope):
                self.looked += 1
                if isinstance(item, Unreadable):
                    self.unreadable += 1
                elif not item.message.error:
                    self.silent += 1
                else:
                    code, pattern = fingerprint(item.message.error)
                    cause = self.causes.setdefault(code, Cause(code, pattern))
                    cause.add(tenant, item.message)


@dataclass
class Board:
    """The looks that are cached, for all that read the same screen."""

    _hours: dict[Scope, tuple[datetime, Hours]] = field(default_factory=dict)
    _all_hours: AllHours = field(default_factory=AllHours)
    _standing: dict[Scope, tuple[datetime, Standing]] = field(default_factory=dict)
    _causes: dict[Scope, CauseLook] = field(default_factory=dict)
    _entries: tuple[datetime, Mapping[str, TenantEntry]] | None = None
    _enabled: dict[TenantEntry, tuple[datetime, bool]] = field(default_factory=dict)
    _config: tuple[datetime, Text | None] | None = None
    _lock: Lock = field(default_factory=Lock)

    def standing(self, deployment: Deployment, scope: Scope) -> Standing:
        """Returns whether it works; counted at most every 30 seconds."""
        now = deployment.now()
        kept = self._standing.get(scope)
        if kept is not None and now - kept[0] < _FRESH:
            return kept[1]
        found = _standing(deployment, scope)
        with self._lock:
            self._standing[scope] = (now, found)
            trim(self._standing, 100)
        return found

    def forget(self) -> None:
        """Counts anew at the next look, because somebody has just acted."""
        with self._lock:
            self._standing.clear()
            self._hours.clear()
            self._causes.clear()
            self._entries = self._config = None
            self._enabled.clear()

    def hours(self, deployment: Deployment, scope: Scope) -> Hours | None:
        """Returns the last hours. None: too many tenants to look at one by one.

        They are looked at at most every 30 seconds.
        """
        if scope.tenants is not None and len(scope.tenants) > _CHARTED:
            return None
        now = deployment.now()
        kept = self._hours.get(scope)
        if kept is not None and now - kept[0] < _FRESH:
            return kept[1]
        newest = hour_of(now)
        wanted = [newest - number * HOUR for number in reversed(range(_HOURS))]
        if scope.tenants is None:
            found = self._all_hours.of(deployment, wanted, now)
        else:
            found = hours_of(deployment, sorted(scope.tenants), wanted)
        with self._lock:
            self._hours[scope] = (now, found)
            trim(self._hours, 100)
        return found

    def causes(self, deployment: Deployment, scope: Scope, *, anew: bool = False) -> CauseLook:
        """Returns the causes of what is dead or waits, a step further than at the last look."""
        now = deployment.now()
        look = self._causes.get(scope)
        if look is None or anew or now - look.begun > _CAUSES_FRESH:
            look = CauseLook(now, _counted(deployment, scope, _FAILING))
            with self._lock:
                self._causes[scope] = look
                trim(self._causes, 20)
        if not look.finished:
            look.go_on(deployment, scope)
        return look

    def tenants(
        self, deployment: Deployment, scope: Scope, after: str = "", part: str = ""
    ) -> tuple[list[TenantOverview], str | None]:
        """Returns the next tenants by name, and where the page after them begins.

        `part`: only those that have it in their name; of those whose secret is gone, only those
        whose name begins so, as the database finds no others.
        """
        if after and not is_tenant_name(after):
            raise InvalidError(_("There is no such page: begin with the first one"))
        part = part.casefold()
        if scope.tenants is not None:
            names = sorted(scope.tenants)
        else:
            known = _with_state(deployment, after, part)
            names = sorted({*self._secrets(deployment), *known})
        fit = [it for it in names if it > after and part in it]
        shown = fit[:TENANTS]
        following = shown[-1] if len(fit) > TENANTS else None
        secrets = self._secrets(deployment)

        def enabled(name: str) -> bool | None:
            return self._enables(deployment, secrets[name])

        return brief(deployment, shown, secrets, enabled), following

    def _secrets(self, deployment: Deployment) -> Mapping[str, TenantEntry]:
        now, kept = deployment.now(), self._entries
        if kept is None or now - kept[0] > _FRESH:
            kept = now, {it.name: it for it in deployment.secrets.entries()}
            with self._lock:
                self._entries = kept
                self._enabled = {
                    entry: says
                    for entry, says in self._enabled.items()
                    if kept[1].get(entry.name) == entry
                }
        return kept[1]

    def _enables(self, deployment: Deployment, entry: TenantEntry) -> bool | None:
        """A secret that can be used is read again when its etag changes, and now and then. One
        that cannot is read at each look, because somebody may be at it."""
        now, kept = deployment.now(), self._enabled.get(entry)
        if kept is not None and now - kept[0] < _SECRETS_FRESH:
            return kept[1]
        says = enabled_by_secret(deployment, entry.name)
        if says is not None:
            with self._lock:
                self._enabled[entry] = now, says
        return says

    def config_problem(self, deployment: Deployment) -> Text | None:
        """Returns what is wrong with the configuration file; looked at at most every 30
        seconds."""
        now, kept = deployment.now(), self._config
        if kept is None or now - kept[0] >= _FRESH:
            kept = self._config = now, _config_problem(deployment)
        return kept[1]


def _config_problem(deployment: Deployment) -> Text | None:
    try:
        return configuration.problem_of(deployment.config.current(), deployment.settings)
    except PortError as error:
        return data(error)


def _with_state(deployment: Deployment, after: str, begin: str) -> list[str]:
    """Returns the next tenants that have a state and whose name begins so: enough for a page."""
    if begin and _NAME_PART.fullmatch(begin) is None:
        return []
    page = deployment.store.page_tenants
    found = page(TENANTS + 1, max(after, begin))
    if begin > after and deployment.store.states([begin])[begin].known:
        found = [begin, *found]
    return [it for it in found if it.startswith(begin)]


def _counted(deployment: Deployment, scope: Scope, states: Iterable[State]) -> int | None:
    if len(scope.parts) > COUNTED:
        return None
    count = deployment.store.total_live
    return sum(count(part, {"Situacao": state}) for part in scope.parts for state in states)


def _standing(deployment: Deployment, scope: Scope) -> Standing:
    at, store, parts = deployment.now(), deployment.store, scope.parts
    states: dict[State, int] | None = None
    outgoing = 0
    commands: list[Tally] = []
    oldest: list[tuple[str, Summary]] = []
    if len(parts) <= COUNTED:
        found = beside(list(State), lambda state: _counted(deployment, scope, [state]) or 0)
        states = dict(zip(State, found, strict=True))
        up = {"Direcao": str(Direction.UPSTREAM)}
        outgoing = sum(beside(parts, lambda part: store.total_live(part, up)))
        first = beside(parts, store.longest_due)
        oldest = [(it[0], it[1].message) for it in first if it and isinstance(it[1], Listed)]
    if len(parts) <= _CHARTED:
        names = list(deployment.settings.catalog.commands)
        commands = beside(names, lambda name: _tally(deployment, parts, name))
    oldest.sort(key=lambda it: it[1].due or deployment.now())
    return Standing(
        at,
        last_tick(deployment),
        states,
        outgoing,
        commands,
        oldest[0] if oldest else None,
        troubled(deployment, scope),
        *holding(deployment, parts[:COUNTED], _HOLDING),
    )


def _tally(deployment: Deployment, parts: Sequence[str | None], name: str) -> Tally:
    count, by = deployment.store.total_live, {"Comando": name}
    live = sum(count(part, by) for part in parts)
    dead = sum(count(part, {**by, "Situacao": State.DEAD}) for part in parts)
    return Tally(name, live, dead)


def troubled(deployment: Deployment, scope: Scope) -> list[tuple[str, TenantState]]:
    """Returns the tenants that a person may have to look at: halted, paused, or failing now."""
    if scope.tenants is None:
        now = deployment.now()
        names = deployment.store.troubled(now, now - 24 * HOUR, TROUBLED + 1)
    else:
        names = sorted(scope.tenants)[: 2 * COUNTED]
    found = deployment.store.states(names)
    now = deployment.now()
    bad = [
        (name, state)
        for name, state in ((it, found[it]) for it in names)
        if state.halted is not None or state.paused(now) or state.failures or state.orphaned
    ]
    return bad[: TROUBLED + 1]


def chosen(deployment: Deployment, scope: Scope, marks: Iterable[str]) -> list[Selected]:
    """Returns the live messages that were ticked on a list, each as `tenant/document@version`.

    One that has changed since, or that may not be seen, is left out.
    """
    found: list[Selected] = []
    by_tenant: dict[str, dict[str, str]] = {}
    for mark in marks:
        name, _, version = mark.rpartition("@")
        tenant, _, document = name.partition("/")
        if is_document_id(document) and is_tenant_name(tenant) and scope.covers(tenant):
            by_tenant.setdefault(tenant, {})[document] = version
    for tenant, documents in by_tenant.items():
        stored = deployment.store.read(tenant, list(documents))
        found += [
            Selected(tenant, Listed(it.message, it.version))
            for name, it in stored.items()
            if it.version == documents[name]
        ]
    return found


def trim(kept: dict[_Item, _Answer], most: int) -> None:
    """Forgets what was kept first, as far as there is more than this."""
    while len(kept) > most:
        del kept[next(iter(kept))]
