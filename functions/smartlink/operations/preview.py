"""What an act on all messages that match would do, found within a bound of reads.

The database counts what it finds itself. Causes, and what an act leaves out, are found by looking
at the messages: each call of `go_on` looks at LOOKED_AT more. The job that is made of a preview is
about its filters and its instant, however far the look has come: what dies or comes later is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from uuid import uuid4

from smartlink.domain.message import Listed, State
from smartlink.operations.actions import DISCARD, Action
from smartlink.operations.board import COUNTED, LOOKED_AT, Scope, beside, live_page
from smartlink.operations.job import Selection
from smartlink.operations.jobs import Extent
from smartlink.operations.names import all_tenants
from smartlink.operations.plan import Skipped, Unfit, unfit_for
from smartlink.operations.ports import Deployment, Spot
from smartlink.operations.select import Filters, Group, Selected, add_to

_FEW = 3  # tenants of which each command is counted
_STEPS = 200  # tenants that are found one after the other
_KEPT = 50
_FRESH = timedelta(minutes=30)
_LAST = "\U0010ffff"  # behind every document of a tenant


@dataclass(frozen=True, slots=True)
class Meant:
    """Which messages an act is about. The tenant is in the scope, the state in the action."""

    scope: Scope
    action: Action
    filters: Filters
    undone: bool
    waiting: bool

    @property
    def states(self) -> list[State | None]:
        """The states of the messages that the act takes; None: any."""
        if not self.action.dead:
            return [None]
        return [State.DEAD, *([State.WAITING] if self.waiting and self.action is DISCARD else [])]

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

    meant: Meant
    begun: datetime
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
    at: tuple[int, Spot | None] = (0, None)
    lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def worst(self) -> list[Group]:
        """The largest groups first."""
        return sorted(self.groups.values(), key=lambda it: -it.messages)

    def go_on(self, deployment: Deployment) -> None:
        """Looks at up to LOOKED_AT further messages."""
        with self.lock:
            number, spot = self.at
            states, left = self.meant.states, LOOKED_AT
            while number < len(states) and left > 0:
                wanted = Filters(
                    state=states[number],
                    direction=self.meant.filters.direction,
                    command=self.meant.filters.command,
                )
                scope = self.meant.scope
                page = live_page(deployment, scope, wanted, spot, size=left, most=left)
                for tenant, item in page.rows:
                    self._add(deployment, tenant, item)
                left -= max(page.looked, 1)
                spot = page.after
                number += spot is None
                self.at = (number, spot)  # at once: what is counted is never looked at again
            finished = number == len(states)
            if finished and not self.fit and not self.skipped:
                self.alive = _alive(deployment, self.meant)
            self.finished = finished

    def _add(self, deployment: Deployment, tenant: str, item: object) -> None:
        self.looked += 1
        if not isinstance(item, Listed):
            document, why = item.document, item.why  # type: ignore[attr-defined]
            self.skipped.append(Skipped(tenant, document, None, Unfit.UNREADABLE, why))
            return
        message, meant = item.message, self.meant
        at = Selection(at=self.begun, tenants=())
        if not meant.filters.fits(message, self.begun) or at.came_later(message, meant.action):
            return
        unfit = unfit_for(deployment, meant.action, undone=meant.undone)(message)
        if unfit is not None:
            reason = str(message.dead_reason)
            self.skipped.append(Skipped(tenant, message.document, message.id, unfit, reason))
            return
        self.fit += 1
        add_to(self.groups, Selected(tenant, item))


@dataclass
class Previews:
    """The previews of this process, for who looks further and for who begins the job."""

    _kept: dict[str, Preview] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def begin(self, deployment: Deployment, meant: Meant) -> tuple[str, Preview]:
        """Begins a preview, and returns its id too."""
        made, identity = _begin(deployment, meant), uuid4().hex
        with self._lock:
            self._kept[identity] = made
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return identity, made

    def find(self, identity: str, meant: Meant, now: datetime) -> Preview | None:
        """Returns the preview, if it is of the same messages and not too old."""
        found = self._kept.get(identity)
        if found is None or found.meant != meant or now - found.begun > _FRESH:
            return None
        return found


def _begin(deployment: Deployment, meant: Meant) -> Preview:
    """Counts what the database finds, and looks at the first messages."""
    begun, parts, states = deployment.now(), meant.scope.parts, meant.states
    preview = Preview(meant, begun, None)
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


def _alive(deployment: Deployment, meant: Meant) -> dict[State, int]:
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


def _having(deployment: Deployment, meant: Meant, state: State | None) -> set[str]:
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
) -> Meant:
    """Says which messages are meant."""
    return Meant(scope, action, replace(filters, tenant=None, state=None), undone, waiting)
