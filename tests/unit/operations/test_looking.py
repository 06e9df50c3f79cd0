"""Figures, log lines, purges and retries: what an operator looks at."""

from datetime import datetime, timedelta

import pytest

from smartlink.domain.message import LogLine, LogType
from smartlink.operations.causes import fingerprint
from smartlink.operations.errors import (
    ForbiddenError,
    UnknownCommandError,
    UnknownTenantError,
)
from smartlink.operations.log_lines import Follower, LogFilter
from smartlink.operations.names import tenants_of
from smartlink.operations.ports import Purgeable
from smartlink.operations.purge import older, remove
from smartlink.operations.retries import InvalidConfigError, check, in_words, schedule
from smartlink.operations.select import Filters
from tests.support.samples import NOW, dead, done, line
from tests.support.world import config_file
from tests.unit.operations.desk import Desk, Told

SECOND = timedelta(seconds=1)


def test_a_fingerprint_leaves_out_what_differs() -> None:
    one, other = (f"Row {n} of 'Ana {n}' is locked by {n:032x}" for n in (1, 22))
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one)[1] == "Row <n> of <text> is locked by <id>"
    assert fingerprint("Other")[0] != fingerprint(one)[0]


def following(made: Desk) -> Follower:
    """What there is is shown; what comes is not yet."""
    wanted = LogFilter()
    follower = Follower(made.deployment, wanted)
    follower.shown(wanted.lines(made.deployment, None, 1))
    return follower


def keys(follower: Follower) -> list[str]:
    return [it.key for it in follower.look()]


def said(key: str, at: datetime, kind: LogType = LogType.INFORMATION) -> tuple[str, LogLine]:
    return key, line(key, message_id="m", at=at, type=kind)


def test_following_shows_each_line_once_in_whatever_order_it_comes() -> None:
    made = Desk()
    made.keep(dead("m"))
    now = made.time
    made.store.lines = [said("0", now - 2 * SECOND), said("1", now)]
    follower = following(made)
    assert keys(follower) == []
    made.store.lines += [said("2", now), said("3", now + 9 * SECOND)]
    assert keys(follower) == ["2", "3"]
    assert keys(follower) == []


def test_following_finds_what_was_said_before_the_last_line_and_stored_after_it() -> None:
    """An attempt of nine minutes stores its lines when it ends; clocks differ."""
    made = Desk()
    made.keep(dead("m"))
    now = made.time
    made.store.lines = [said("long ago", now - 300 * SECOND), said("1", now)]
    follower = following(made)
    made.store.lines += [said("late", now - 30 * SECOND), said("ahead", now + 600 * SECOND)]
    assert keys(follower) == ["late", "ahead"]
    made.time = now + 70 * SECOND
    made.store.lines += [said("very late", now - 500 * SECOND), said("2", made.time)]
    assert keys(follower) == ["very late", "2"]
    made.time = now + 7_200 * SECOND
    made.store.lines += [said("after a silence", made.time)]
    assert keys(follower) == ["after a silence"]
    assert keys(follower) == []


def test_following_sifts_what_comes() -> None:
    made = Desk()
    made.keep(dead("m"))
    wanted = LogFilter(least=LogType.ERROR)
    follower = Follower(made.deployment, wanted)
    made.store.lines = [said("0", made.time), said("1", made.time, LogType.ERROR)]
    assert keys(follower) == ["1"]


def test_a_name_that_does_not_exist_is_an_error() -> None:
    made = Desk()
    made.keep(dead("m"))
    with pytest.raises(UnknownTenantError, match="did you mean acme\\?"):
        tenants_of(made.deployment, "acm")
    with pytest.raises(UnknownTenantError, match="it has acme"):
        tenants_of(made.deployment, "globex")
    with pytest.raises(UnknownCommandError, match="did you mean ProbeCommand"):
        Filters(command="probecomand").check_names(made.deployment)
    assert Filters(command="ProbeCommand").check_names(made.deployment) == ["acme"]


def test_a_log_filter_takes_what_is_worse_too() -> None:
    made = Desk()
    made.keep(dead("m"))
    made.store.lines = [
        (str(kind.value), line(kind.name, message_id="m", type=kind)) for kind in LogType
    ]
    found = LogFilter(least=LogType.WARNING).lines(made.deployment, None, 10)
    assert [it.line.type for it in found] == [LogType.WARNING, LogType.ERROR]


def test_a_purge_goes_no_further_than_it_may() -> None:
    made = Desk()
    made.keep(dead("m"))
    made.store.old = {Purgeable.HISTORY: 250, Purgeable.LOGS: 30}
    found = older(made.deployment, None, 60)
    assert found.total == 280
    advanced: list[int] = []
    assert remove(made.deployment, found, 260, Told(99), advanced.append) == 260
    assert advanced == [200, 50, 10]
    assert (
        remove(made.deployment, older(made.deployment, None, 60), 99, Told(0), advanced.append) == 0
    )
    with pytest.raises(ForbiddenError, match="would be executed again"):
        older(made.deployment, None, 7)


def test_a_schedule_that_outlives_the_history_cannot_work() -> None:
    settings = Desk().settings
    policy = check(config_file(3, 1, 10), "g", settings)
    waits = [in_words(it.wait) for it in schedule(policy)]
    assert waits == ["0s", "30m", "1h"]
    assert schedule(policy)[-1].since == policy.horizon == timedelta(minutes=90)
    with pytest.raises(InvalidConfigError, match="the history is kept for"):
        check(config_file(10, 1, 500), "g", settings)


def test_a_look_tells_how_far_it_went() -> None:
    """What the database cannot find is sifted up to a bound, and the bound is told."""
    made = Desk()
    made.keep(*(dead(f"m-{number}", f"Row {number} is locked") for number in range(7)))
    wanted = Filters(error="row 6")
    whole = wanted.look(made.deployment, None)
    assert ([it.message.id for it in whole.found], whole.looked, whole.cut) == (["m-6"], 7, {})
    cut = wanted.look(made.deployment, 5)
    assert (cut.found, cut.looked, cut.cut) == ([], 5, {"acme": 2})
    exact = wanted.look(made.deployment, 7)
    assert (len(exact.found), exact.cut) == (1, {})


def test_a_look_goes_by_age() -> None:
    made = Desk()
    made.keep(*(dead(name, received=NOW - n * SECOND) for n, name in enumerate("cab")))
    assert [it.message.id for it in Filters().look(made.deployment, None).found] == ["b", "a", "c"]


def test_a_look_at_the_history_tells_how_far_it_went() -> None:
    """Every filter but the error is the database's; the newest that fit come first."""
    made = Desk()
    made.keep()
    for number in range(7):
        at = NOW + number * SECOND
        made.store.commit("acme", done(dead(f"m-{number}", f"Row {number} is locked"), ended=at))
    wanted = Filters(error="row 0")
    whole = wanted.ended(made.deployment, 10, None)
    assert ([it.message.id for _, it in whole.found], whole.cut) == (["m-0"], {})
    cut = wanted.ended(made.deployment, 10, 5)
    assert (cut.found, cut.cut) == ([], {"acme": NOW + 2 * SECOND})
    few = Filters(error="locked").ended(made.deployment, 2, None)
    assert ([it.message.id for _, it in few.found], few.more) == (["m-6", "m-5"], True)
