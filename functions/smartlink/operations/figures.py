"""Counts the messages that were done, that failed and that wait."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartlink.domain.message import Attempt, EndedSummary, Ending, Listed, Result, State, Summary
from smartlink.operations.causes import Failure, add_failure, worst
from smartlink.operations.names import tenants_of
from smartlink.operations.ports import Deployment, EndedQuery

_MOST = 20_000  # of a tenant's history: the newest
_HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Hour:
    """What happened in an hour."""

    done: int = 0
    failed: int = 0  # attempts that failed, of messages that live and that have ended
    retried: int = 0  # attempts after a message's first one
    waited: timedelta = timedelta()  # the longest, from reception to end, of what was done


@dataclass
class Figures:
    """All figures of a period."""

    since: datetime
    until: datetime
    by_hour: dict[datetime, Hour] = field(default_factory=dict)
    attempts: Counter[int] = field(default_factory=Counter)  # of what was done, by their number
    discarded: int = 0
    states: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Failure] = field(default_factory=dict)
    unreadable: int = 0  # live ones, which are in no other figure
    odd_history: int = 0  # what has ended and cannot be read, so that it is in no other figure
    oldest: tuple[str, Summary] | None = None  # waiting the longest, and whose it is
    cut: dict[str, datetime] = field(default_factory=dict)
    """Tenant → since when its history was looked at, where that was too much for all of it."""

    @property
    def done(self) -> int:
        """How many messages were done."""
        return sum(it.done for it in self.by_hour.values())

    def hours(self) -> list[tuple[datetime, Hour]]:
        """Every hour of the time, with what happened in it."""
        first = _hour(self.since)
        count = int((self.until - first) / _HOUR) + 1
        hours = [first + timedelta(hours=number) for number in range(count)]
        return [(hour, self.by_hour.get(hour, Hour())) for hour in hours]

    def worst(self) -> list[Failure]:
        """The failures, the most frequent first."""
        return worst(self.failures.values())

    def at(self, instant: datetime) -> Hour | None:
        """The hour of an instant; None where it is not in the time that is looked at."""
        if not self.since <= instant <= self.until:
            return None
        return self.by_hour.setdefault(_hour(instant), Hour())


def gather(deployment: Deployment, tenant: str | None, period: timedelta) -> Figures:
    """Counts the live messages, and the history of the period."""
    now = deployment.now()
    figures = Figures(now - period, now)
    for name in tenants_of(deployment, tenant):
        for item in deployment.store.scan(name, {}):
            if isinstance(item, Listed):
                _count_live(figures, name, item)
            else:
                figures.unreadable += 1
        wanted = EndedQuery(since=figures.since)
        for number, it in enumerate(deployment.store.scan_ended(name, wanted)):
            if not isinstance(it, EndedSummary):
                figures.odd_history += 1
            else:
                if number >= _MOST:
                    figures.cut[name] = it.ended
                    break
                _count_ended(figures, it)
    return figures


def _count_live(figures: Figures, tenant: str, listed: Listed) -> None:
    message = listed.message
    figures.states[message.state] += 1
    add_failure(figures.failures, message)
    _count_attempts(figures, message.attempts)
    waits = message.state is not State.DEAD
    if waits and (figures.oldest is None or message.received < figures.oldest[1].received):
        figures.oldest = (tenant, message)


def _count_ended(figures: Figures, ended: EndedSummary) -> None:
    _count_attempts(figures, ended.message.attempts)
    hour = figures.at(ended.ended)
    if ended.ending is Ending.DISCARDED or hour is None:
        figures.discarded += ended.ending is Ending.DISCARDED
        return
    hour.done += 1
    hour.waited = max(hour.waited, ended.ended - ended.message.received)
    figures.attempts[ended.message.attempt] += 1


def _count_attempts(figures: Figures, attempts: tuple[Attempt, ...]) -> None:
    for it in attempts:
        hour = figures.at(it.ended)
        if hour is not None:
            hour.failed += it.result is not Result.DONE
            hour.retried += it.number > 1


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
