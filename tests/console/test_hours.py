"""The figures by hour: what the polls keep, and what is not kept yet, never told as complete."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from smartlink.adapters.firestore import documents
from smartlink.adapters.firestore.writes import put
from smartlink.domain.hourly import HOUR, HourFigures, hour_of, settled_until
from smartlink.domain.message import Ended, Ending, State
from smartlink.domain.settlement import Settlement
from smartlink.domain.tenant import TenantState
from smartlink.operations import hours as operations
from smartlink.operations.board import Board, Scope
from smartlink.operations.hours import UNKNOWN, Count, Hour, Hours
from smartlink.operations.rights import Roles
from tests.cli.place import Hosts, Place
from tests.console.browser import browser_of, text_of
from tests.console.conftest import wired
from tests.support import samples

ALL = Scope()
ACME = Scope(("acme",))


@pytest.fixture
def empty(hosts: Hosts, tmp_path: Path) -> Place:
    place = Place(hosts, tmp_path / "local")
    place.make_buckets()
    return place


@pytest.fixture
def now(empty: Place, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Half past an hour, so that the hour before is settled."""
    at = hour_of(wired(empty).now()) + HOUR / 2
    monkeypatch.setattr("smartlink.operator_wiring.OperatorWiring.now", lambda _: at)
    return at


def counted(place: Place, tenant: str, until: datetime | None, *hours: HourFigures) -> None:
    place.store.keep_hours(tenant, hours)
    place.store.save_state(tenant, replace(TenantState(), counted=until))


def end(place: Place, tenant: str, at: datetime, count: int = 1) -> None:
    for number in range(count):
        message = samples.pending(f"{tenant}-{at.isoformat()}-{number}")
        record = Ended(message, Ending.DONE, at, samples.NEVER)
        settlement = Settlement(document=message.document, fence=None, history=record)
        place.store.commit(tenant, [settlement])


def seen(place: Place, scope: Scope, own: Board | None = None) -> Hours:
    found = (own or Board()).hours(wired(place), scope)
    assert found is not None
    return found


def test_all_tenants_hours_are_summed(empty: Place, now: datetime) -> None:
    """What is complete is a sum of what is kept; of the hour that runs only what is done."""
    settled = settled_until(now)
    at = settled - HOUR
    counted(empty, "acme", settled, HourFigures(at, 3, 2, 1), HourFigures(at - HOUR, done=9))
    counted(empty, "globex", settled, HourFigures(at, 4))
    end(empty, "globex", settled + timedelta(minutes=1), 2)
    hours = seen(empty, ALL)
    assert hours.shown[-3:] == [
        Hour(at - HOUR, Count(9)),
        Hour(at, Count(7), Count(2), Count(1)),
        Hour(settled, Count(2), UNKNOWN, UNKNOWN),
    ]
    assert hours.shown[:-3] == [Hour(settled - n * HOUR) for n in range(23, 2, -1)]
    assert (hours.missing, hours.whole_until) == (0, settled)


@pytest.mark.parametrize("behind", [HOUR, None])
def test_a_tenant_that_is_not_counted_is_told(
    empty: Place, now: datetime, behind: timedelta | None
) -> None:
    """What is done is counted all the same; the rest is a lower bound."""
    settled = settled_until(now)
    at = settled - HOUR
    counted(empty, "acme", settled, HourFigures(at, 3, 2, 1))
    counted(empty, "globex", None if behind is None else settled - behind)
    end(empty, "acme", at, 3)
    end(empty, "globex", at)
    own = Board()
    hours = seen(empty, ALL, own)
    assert hours.shown[-2] == Hour(at, Count(4), Count(2, whole=False), Count(1, whole=False))
    assert hours.missing == 1
    assert hours.whole_until == (at if behind else settled - 23 * HOUR)
    page = text_of(browser_of(wired(empty), Roles(everybody=True)).get("/"))
    assert "no mínimo 2" in page
    assert "ainda não foram contadas para 1 tenant" in page

    counted(empty, "globex", settled, HourFigures(at, 1, 1))
    own.forget()
    assert seen(empty, ALL, own).shown[-2] == Hour(at, Count(4), Count(3), Count(1))


def test_one_tenant_s_hours_that_are_not_kept_are_counted(empty: Place, now: datetime) -> None:
    settled = settled_until(now)
    at = settled - HOUR
    counted(empty, "acme", at, HourFigures(at - HOUR, 5, 1))
    end(empty, "acme", at, 2)
    end(empty, "acme", settled)
    end(empty, "globex", settled)
    line = replace(samples.line(), at=settled, became=State.DEAD)
    empty.store.log("acme", [line])
    hours = seen(empty, ACME)
    assert hours.shown[-3:] == [
        Hour(at - HOUR, Count(5), Count(1)),
        Hour(at, Count(2)),
        Hour(settled, Count(1), dead=Count(1)),
    ]
    both = seen(empty, Scope(("acme", "globex"))).shown
    assert both[-1] == Hour(settled, Count(2), dead=Count(1))
    assert both[0] == Hour(both[0].at, *(Count(0, whole=False) for _ in range(3)))


@pytest.mark.usefixtures("now")
def test_of_hours_long_uncounted_the_newest_are_counted(empty: Place) -> None:
    """The others are said to be unknown: a look is bounded."""
    counted(empty, "acme", None)
    shown = seen(empty, ACME).shown
    assert [it.done for it in shown] == [*[UNKNOWN] * 20, *[Count()] * 4]


def test_figures_that_cannot_be_read_are_no_zero(empty: Place, now: datetime) -> None:
    settled = settled_until(now)
    counted(empty, "acme", settled)
    name = f"tenants/acme/{documents.HOURS}/{documents.hour_id(settled - HOUR)}"
    calls = empty.store._more  # noqa: SLF001  (a hand that breaks a document)

    def text(fields: object, _: object) -> None:
        fields["Hora"].string_value = "somebody's"  # type: ignore[index]

    calls.write_each("break an hour", [put(f"{calls.root}/{name}", text, None)])
    assert seen(empty, ACME).shown[-2] == Hour(settled - HOUR, UNKNOWN, UNKNOWN, UNKNOWN)


def test_a_count_that_was_cut_is_a_lower_bound(
    empty: Place, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = settled_until(now)
    counted(empty, "acme", settled)
    end(empty, "acme", settled, 3)
    monkeypatch.setattr(operations, "_most", lambda _: 2)
    cut = Count(2, whole=False)
    assert [seen(empty, it).shown[-1].done for it in (ALL, ACME)] == [cut, cut]
