"""Figures, log lines, purges and retries: what an operator looks at."""

from datetime import timedelta

import pytest

from smartlink.domain.message import LogType
from smartlink.operations.errors import ForbiddenError
from smartlink.operations.figures import fingerprint
from smartlink.operations.log_lines import Follower, LogFilter
from smartlink.operations.ports import Purgeable
from smartlink.operations.purge import older, remove
from smartlink.operations.retries import InvalidConfigError, check, in_words, schedule
from tests.support.samples import NOW, dead, line
from tests.support.world import config_file
from tests.unit.operations.desk import Desk, Told

SECOND = timedelta(seconds=1)


def test_a_fingerprint_leaves_out_what_differs() -> None:
    one, other = (f"Row {n} of 'Ana {n}' is locked by {n:032x}" for n in (1, 22))
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one)[1] == "Row <n> of <text> is locked by <id>"
    assert fingerprint("Other")[0] != fingerprint(one)[0]


def test_following_shows_each_line_once_in_whatever_order_it_comes() -> None:
    made = Desk()
    made.keep(dead("m"))
    made.store.lines = [("1", line("first", message_id="m"))]
    wanted = LogFilter(least=LogType.INFORMATION)
    shown = wanted.lines(made.deployment, None, 10)
    follower = Follower(made.deployment, wanted, shown)
    assert follower.look() == []
    made.store.lines += [
        ("2", line("at the same instant", message_id="m")),
        ("3", line("x", message_id="m", at=NOW + 9 * SECOND)),
    ]
    assert [it.key for it in follower.look()] == ["2", "3"]
    assert follower.look() == []


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
