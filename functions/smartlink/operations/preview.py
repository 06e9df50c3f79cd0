"""What an act on all messages that match would do, found within a bound of reads.

The database counts what it finds itself. Causes, and what an act leaves out, are found by looking
at the messages: each call of `go_on` looks further. The job that is made of a preview is about its
filters and its instant, however far the look has come: what dies or comes later is left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from uuid import uuid4

from smartlink.domain.message import State, Summary
from smartlink.operations.actions import Action, states_taken
from smartlink.operations.beside import beside
from smartlink.operations.board import COUNTED, Scope, Walk, trim
from smartlink.operations.job import Job, Selection
from smartlink.operations.jobs import Extent
from smartlink.operations.names import all_tenants
from smartlink.operations.plan import Skipped, Unfit, taken, unfit_for
from smartlink.operations.ports import Deployment, Spot
from smartlink.operations.select import Filters, Group, Passed, Selected, add_to, picked

_FEW = 3  # tenants of which each command is counted
_STEPS = 200  # tenants that are found one after the other
_KEPT = 50
_REMEMBERED = 1_000  # jobs that were begun
_FRESH = timedelta(minutes=30)
_LAST = "\U0010ffff"  # behind every document of a tenant


@dataclass(frozen=True, slots=True)
class Matching:
    """Which messages an act is about. The tenant is in the scope, the state in the action."""

    scope: Scope
    action: Action
    filters: Filters
    undone: bool
    waiting: bool

    @property
    def states(self) -> tuple[State | None, ...]:
        """The states of the messages that the act takes; None: any."""
        return states_taken(self.action, waiting=self.waiting)

    def walk(self) -> Walk:
        """Begins a look at what the database finds by state, direction and command."""
        own = Filters(direction=self.filters.direction, command=self.filters.command)
        return Walk([replace(own, state=state) for state in self.states])

    def fits(self, message: Summary, at: datetime) -> bool:
        """Tells whether the message matches, and was there at this instant."""
        later = Selection(at=at, tenants=()).came_later(message, self.action)
        return not later and self.filters.fits(message, at)

    def found(
        self, deployment: Deployment, part: str | None, states: Sequence[State | None], **by: str
    ) -> int:
        """Counts what the database finds: a read for each 1,000."""
        total = deployment.store.total_live
        return sum(total(part, {**self.equal(state), **by}) for state in states)

    def equal(self, state: State | None) -> Mapping[str, str | bool]:
        """What the database filters by."""
        return replace(self.filters, state=state).equal


@dataclass(slots=True)
class Preview:
    """What would be done, as far as the look has come."""

    meant: Matching
    begun: datetime
    walk: Walk
    found: int | None  # by the database; None: too many tenants to count one by one
    commands: Mapping[str, int] = field(default_factory=dict)
    tenants: Mapping[str, int] = field(default_factory=dict)
    fit: int = 0
    looked: int = 0
    groups: dict[tuple[str, str, str], Group] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    finished: bool = False
    alive: Mapping[State, int] = field(default_factory=dict)
    """Where nothing fits: what the database finds that is not dead, by state."""
    lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def worst(self) -> list[Group]:
        """The largest groups first."""
        return sorted(self.groups.values(), key=lambda it: -it.messages)

    @property
    def others(self) -> int:
        """How many the database finds whose type is none of the catalogue's."""
        if self.found is None or not self.commands:
            return 0
        return max(self.found - sum(self.commands.values()), 0)

    def go_on(self, deployment: Deployment) -> None:
        """Looks at further messages, as many as one look reads."""
        with self.lock:
            unfit = unfit_for(deployment, self.meant.action, undone=self.meant.undone)
            for tenant, item in self.walk.further(deployment, self.meant.scope):
                self.looked += 1
                self._add(picked(tenant, item), unfit)
            if self.walk.finished and not self.fit and not self.skipped:
                self.alive = _alive(deployment, self.meant)
            self.finished = self.walk.finished

    def _add(self, item: Selected | Passed, unfit: Callable[[Summary], Unfit | None]) -> None:
        if isinstance(item, Selected) and not self.meant.fits(item.message, self.begun):
            return
        sorted_out = taken(item, unfit)
        if isinstance(sorted_out, Skipped):
            self.skipped.append(sorted_out)
        else:
            self.fit += 1
            add_to(self.groups, sorted_out)


@dataclass
class Previews:
    """The previews of this process, for who looks further and for who begins the job."""

    _kept: dict[str, Preview] = field(default_factory=dict)
    _begun: dict[str, str] = field(default_factory=dict)  # a preview's id → its job's
    _lock: Lock = field(default_factory=Lock)
    _starts: Lock = field(default_factory=Lock)

    def begin(self, deployment: Deployment, meant: Matching) -> tuple[str, Preview]:
        """Begins a preview, and returns its id too."""
        made, identity = _begin(deployment, meant), uuid4().hex
        with self._lock:
            self._kept[identity] = made
            trim(self._kept, _KEPT)
        return identity, made

    def find(self, identity: str, meant: Matching, now: datetime) -> Preview | None:
        """Returns the preview, if it is of the same messages and not too old."""
        found = self._kept.get(identity)
        if found is None or found.meant != meant or now - found.begun > _FRESH:
            return None
        return found

    def begun(self, identity: str) -> str | None:
        """Returns the job that was begun of a preview, if one was."""
        return self._begun.get(identity) if identity else None

    def once(self, identity: str, begin: Callable[[], Job]) -> str:
        """Begins the job of a preview, and returns its id; if it was begun already, that one's."""
        with self._starts:
            known = self.begun(identity)
            if known is not None:
                return known
            job = begin().id
            if identity:
                self._begun[identity] = job
                trim(self._begun, _REMEMBERED)
            return job


def _begin(deployment: Deployment, meant: Matching) -> Preview:
    """Counts what the database finds, and looks at the first messages."""
    begun, parts, states = deployment.now(), meant.scope.parts, meant.states
    preview = Preview(meant, begun, meant.walk(), None)
    if len(parts) <= COUNTED:
        counts = beside(parts, lambda part: meant.found(deployment, part, states))
        preview.found = sum(counts)
        if len(parts) > 1:
            preview.tenants = {str(k): n for k, n in zip(parts, counts, strict=True) if n}
    if len(parts) <= _FEW and not meant.filters.command:
        names = sorted(deployment.settings.catalog.commands)
        by = beside(
            names, lambda it: sum(meant.found(deployment, p, states, Comando=it) for p in parts)
        )
        preview.commands = {k: n for k, n in zip(names, by, strict=True) if n}
    preview.go_on(deployment)
    return preview


def _alive(deployment: Deployment, meant: Matching) -> dict[State, int]:
    """Counts what is alive beside, by the filters of the database alone."""
    parts = meant.scope.parts
    if len(parts) > COUNTED:
        return {}
    states = [it for it in State if it not in meant.states]
    counts = beside(states, lambda it: sum(meant.found(deployment, p, [it]) for p in parts))
    return {it: n for it, n in zip(states, counts, strict=True) if n}


def extent(deployment: Deployment, preview: Preview) -> Extent:
    """Returns what a job is about that is made of a preview.

    Where the look has not come to its end, the number is what the database finds: a bound.
    """
    meant, count = preview.meant, preview.found
    tenants: set[str]
    if preview.finished:
        tenants, count = {it.tenant for it in preview.groups.values()}, preview.fit
    elif meant.scope.tenants is None:
        tenants = {it for state in meant.states for it in _having(deployment, meant, state)}
    else:
        parts = sorted(meant.scope.tenants)
        counts = beside(parts, lambda it: meant.found(deployment, it, meant.states))
        tenants = {name for name, number in zip(parts, counts, strict=True) if number}
        count = sum(counts) if count is None else count
    assert count is not None  # noqa: S101  (all tenants together are counted)
    return Extent(
        action=meant.action,
        at=preview.begun,
        tenants=tuple(sorted(tenants)),
        count=count,
        bound=not preview.finished,
        before={" + ".join(str(it or "live") for it in meant.states): count},
    )


def _having(deployment: Deployment, meant: Matching, state: State | None) -> set[str]:
    """Finds the tenants, of all, that have such messages: a read each; of very many, every one."""
    equal = meant.equal(state)
    page = deployment.store.page_live
    tenants: set[str] = set()
    spot: Spot | None = None
    for _step in range(_STEPS):
        first = page(None, equal, 1, spot)
        if not first:
            return tenants
        tenants.add(first[0][0])
        spot = Spot(first[0][0], _LAST)
    return set(all_tenants(deployment))


def meant_by(
    scope: Scope, action: Action, filters: Filters, *, undone: bool, waiting: bool
) -> Matching:
    """Says which messages are meant."""
    return Matching(scope, action, replace(filters, tenant=None, state=None), undone, waiting)
