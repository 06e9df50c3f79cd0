"""Hourly figures: the polls keep what was done, tried again and dead in each hour of each tenant.

The mark `counted` of a tenant's state says up to where its hours are kept. A turn that finds it
behind counts the hours since; the mark is written with the tenant's next success, which is written
every 15 minutes anyway. An hour is counted only once it is settled, so whoever counts it, and
however often, writes the same. A process that ends before the mark is written costs one more count.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from smartlink.domain.hourly import HOUR, hour_of, hours_between, settled_until
from smartlink.domain.tenant import TenantState
from smartlink.observability import WARNING, event, surprise
from smartlink.ports import HourlyFigures, PortError

_BACK = timedelta(hours=48)
"""How far back hours are counted: more than anybody is shown, after a stop of the polls."""
_AT_ONCE = 4  # hours that one turn counts, because others wait for it


class Hourly:
    """Counts a tenant's hours that are over and not kept yet."""

    def __init__(self, figures: HourlyFigures) -> None:
        self._figures = figures

    def due(self, state: TenantState, now: datetime) -> bool:
        """Tells whether to count now.

        One hour waits for the tick in which the tenant's state is written anyway.
        """
        end = settled_until(now)
        if state.counted is None or end - state.counted > HOUR:
            return True
        return state.counted < end and state.stale(now)

    def count(self, tenant: str, state: TenantState, now: datetime) -> TenantState:
        """Keeps the figures of up to four hours; returns the state with its new mark.

        It raises nothing, because a turn goes on without it; the mark then stays. To a tenant that
        has no state yet nothing has happened.
        """
        end = settled_until(now)
        if not state.known:
            return replace(state, counted=end)
        begin = end - _BACK
        if state.counted is not None:
            begin = max(hour_of(state.counted), begin)
        try:
            return replace(state, counted=self._count(tenant, begin, end))
        except PortError as error:
            event("hours_not_counted", f"A later tick counts them: {error}", WARNING)
        except Exception as error:  # noqa: BLE001  (figures must never stop messages)
            surprise("hours_not_counted", "Unexpected: a later tick counts them", error)
        return state

    def _count(self, tenant: str, begin: datetime, end: datetime) -> datetime:
        if begin >= end or not self._figures.happened(tenant, begin, end):
            return end
        until = min(end, begin + _AT_ONCE * HOUR)
        counted = (self._figures.count_hour(tenant, at) for at in hours_between(begin, until))
        kept = [it for it in counted if not it.empty]
        if kept:
            self._figures.keep_hours(tenant, kept)
        return until
