"""Hourly figures: what happened to a tenant, counted by hours, and kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from smartlink.domain.hourly import HOUR, HourFigures
from smartlink.domain.message import Ended, Ending, LogType, State
from smartlink.domain.settlement import Settlement
from tests.contract.backends import Store
from tests.support.samples import LATER, line, pending

AT = datetime(2026, 3, 9, 12, tzinfo=UTC)
LAST = AT + HOUR - timedelta(microseconds=1)
BEFORE = AT - timedelta(microseconds=1)


def end(store: Store, at: datetime, ending: Ending = Ending.DONE, tenant: str = "acme") -> None:
    message = pending(f"{tenant}-{ending}-{at.isoformat()}")
    record = Ended(message, ending, at, LATER)
    store.commit(tenant, [Settlement(document=message.document, fence=None, history=record)])


def say(store: Store, at: datetime, became: State | None, tenant: str = "acme") -> None:
    store.log(tenant, [replace(line(), at=at, became=became)])


def test_whether_anything_happened(store: Store) -> None:
    """From the first instant on, up to but without the last; in the history, or in the log."""
    assert not store.happened("acme", AT, AT + HOUR)
    end(store, BEFORE)
    say(store, AT + HOUR, State.DEAD)
    end(store, AT, tenant="other")
    assert not store.happened("acme", AT, AT + HOUR)
    say(store, LAST, None)
    assert store.happened("acme", AT, AT + HOUR)
    assert store.happened("acme", BEFORE, AT)
    assert not store.happened("acme", AT, LAST)


def test_an_hour_is_counted_from_its_first_instant_to_its_last(store: Store) -> None:
    """What was done, not what was discarded; what the relay tells, not what authors warn of."""
    for at in (BEFORE, AT, LAST, AT + HOUR):
        end(store, at)
        say(store, at, State.WAITING)
    end(store, AT, Ending.DISCARDED)
    end(store, AT, tenant="other")
    say(store, AT, State.DEAD)
    store.log("acme", [replace(line(), at=AT, type=kind) for kind in LogType])
    assert store.count_hour("acme", AT) == HourFigures(AT, done=2, retried=2, dead=1)
    assert store.count_hour("acme", AT, 1) == HourFigures(AT, done=1, retried=1, dead=1)
    assert store.count_hour("acme", AT + 5 * HOUR) == HourFigures(AT + 5 * HOUR)


def test_who_keeps_an_hour_again_writes_over_it(store: Store) -> None:
    first, second = HourFigures(AT, done=3), HourFigures(AT + HOUR, retried=1, dead=2)
    store.keep_hours("acme", [first, second])
    store.keep_hours("acme", [first])
    store.keep_hours("other", [replace(first, done=9)])
    assert store.hours("acme") == {AT: first, AT + HOUR: second}
