"""What happened by the hour, within a bound of reads: what the polls keep of hours that are over,
and counts of those that nobody keeps yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import add

from smartlink.domain.hourly import HOUR, HourFigures, settled_until
from smartlink.operations.beside import beside
from smartlink.operations.ports import Deployment

_UNKEPT = 4  # hours of a tenant that are counted because no poll keeps them yet
_COUNTS = 40  # reads that such counts take at most; one each at least


@dataclass(frozen=True, slots=True)
class Count:
    """A figure that may be told too low, or not be known at all."""

    number: int | None = 0  # None: nobody has counted it yet
    whole: bool = True  # else it is a lower bound

    def __add__(self, other: "Count") -> "Count":
        """Adds another tenant's: what is not known makes the sum a lower bound."""
        known = [it.number for it in (self, other) if it.number is not None]
        return Count(sum(known) if known else None, self.whole and other.whole)


UNKNOWN = Count(None, whole=False)
_NOTHING = (UNKNOWN, UNKNOWN, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Hour:
    """What happened in an hour. What was tried again and what died is told by the log."""

    at: datetime
    done: Count = Count()
    retried: Count = Count()
    dead: Count = Count()

    def __add__(self, other: "Hour") -> "Hour":
        """Adds another tenant's hour."""
        return Hour(
            self.at,
            self.done + other.done,
            self.retried + other.retried,
            self.dead + other.dead,
        )

    @property
    def whole(self) -> bool:
        """Whether every figure is complete."""
        return self.done.whole and self.retried.whole and self.dead.whole


@dataclass(frozen=True, slots=True)
class Hours:
    """The last hours, the oldest first."""

    shown: Sequence[Hour]
    missing: int = 0  # tenants that are not counted in an hour that should be

    @property
    def whole_until(self) -> datetime:
        """Until when every figure is complete, the last hour's apart, which is not over."""
        return next((it.at for it in self.shown if not it.whole), self.shown[-1].at)


@dataclass
class AllHours:
    """The hours of all tenants together. One of which every tenant is kept never changes again."""

    _whole: Mapping[datetime, Hour] = field(default_factory=dict)

    def of(self, deployment: Deployment, wanted: Sequence[datetime], now: datetime) -> Hours:
        """Sums what is kept, and counts what was done in the other hours."""
        store, known = deployment.store, self._whole
        asked = [it for it in wanted if it not in known]
        missing = _missing(deployment, [it for it in asked if it + HOUR <= settled_until(now)])
        most = _most(sum(missing.get(it) != 0 for it in asked))

        def ask(at: datetime) -> Hour:
            if missing.get(at) == 0:
                return _kept(store.sum_hour(at))
            done = _bounded(store.done_in(at, most), most)
            if at not in missing:
                return Hour(at, done, UNKNOWN, UNKNOWN)
            part = store.sum_hour(at)
            return Hour(at, done, Count(part.retried, whole=False), Count(part.dead, whole=False))

        hours = {**known, **{it.at: it for it in beside(asked, ask)}}
        self._whole = {it: hours[it] for it in wanted if it in known or missing.get(it) == 0}
        return Hours([hours[it] for it in wanted], max(missing.values(), default=0))


def _kept(hour: HourFigures) -> Hour:
    return Hour(hour.at, Count(hour.done), Count(hour.retried), Count(hour.dead))


def _missing(deployment: Deployment, over: Sequence[datetime]) -> dict[datetime, int]:
    """Returns for each of these hours how many tenants are not counted in it.

    Whoever is counted in an hour is counted in those before it. Those that are counted are asked
    for first, so that a tenant that comes meanwhile is missing.
    """
    missing = dict.fromkeys(over, 0)
    for at in reversed(over):
        counted = deployment.store.total_tenants(at + HOUR)
        missing[at] = max(deployment.store.total_tenants() - counted, 0)
        if not missing[at]:
            break
    return missing


def _most(counts: int) -> int:
    """Returns up to which number each of these counts may go."""
    return max(_COUNTS // max(counts, 1), 1) * 1_000


def _bounded(number: int, most: int) -> Count:
    return Count(number, whole=number < most)


def hours_of(deployment: Deployment, tenants: Sequence[str], wanted: Sequence[datetime]) -> Hours:
    """Reads what is kept of a few tenants, and counts their newest hours that are not."""
    states = deployment.store.states(tenants)
    unkept = {
        name: [at for at in wanted if (mark := states[name].counted) is None or at + HOUR > mark]
        for name in tenants
    }
    most = _most(3 * sum(min(len(its), _UNKEPT) for its in unkept.values()))
    lists = beside(tenants, lambda it: _one(deployment, it, wanted, unkept[it], most))
    return Hours([reduce(add, hours) for hours in zip(*lists, strict=True)])


def _one(
    deployment: Deployment,
    tenant: str,
    wanted: Sequence[datetime],
    unkept: Sequence[datetime],
    most: int,
) -> list[Hour]:
    kept = deployment.store.kept_hours(tenant, wanted[0], wanted[-1] + HOUR)
    found = {at: _kept(it) if it else Hour(at, *_NOTHING) for at, it in kept.items()}
    found.update({at: Hour(at, *_NOTHING) for at in unkept})
    for at in unkept[-_UNKEPT:]:
        its = deployment.store.count_hour(tenant, at, most)
        found[at] = Hour(at, *(_bounded(it, most) for it in (its.done, its.retried, its.dead)))
    return [found.get(at) or Hour(at) for at in wanted]
