"""What `doctor` says of the function `publish`, of jobs and of alerts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

import pytest

from smartlink.operations.fixes import ADVICE
from smartlink.operations.health import Fix, checks
from smartlink.operations.job import JobState
from smartlink.operations.ports import DeclaredIndex, FiringAlert
from tests.contract.test_jobs import PLAIN
from tests.unit.operations.desk import Desk, Ground


@dataclass
class Cloud(Ground):
    """A cloud whose `publish` answers a call without an identity so."""

    status: int | None = None
    firing: Sequence[FiringAlert] | None = ()
    states: Sequence[str] = ("READY",)

    def disabled_apis(self, names: Sequence[str]) -> list[str]:
        assert names
        return []

    def indexes(self) -> Sequence[DeclaredIndex]:
        return [DeclaredIndex(f"d: C ({place})", state) for place, state in enumerate(self.states)]

    def need_topic(self, topic: str) -> None:
        assert topic

    def need_subscription(self, subscription: str) -> None:
        assert subscription

    def functions(self) -> Mapping[str, bool]:
        return {"smartlink-publish": True}

    def publish_status(self) -> int | None:
        return self.status

    def alerts(self) -> Sequence[FiringAlert] | None:
        return self.firing


@pytest.mark.parametrize(
    ("firing", "holds", "said"),
    [
        (None, True, "not known here: the emulators have no alerts"),
        ((), True, "none fires"),
        (
            (FiringAlert("Polls fail", "2026-03-09T12:30:00Z"), FiringAlert("Setup", "x")),
            False,
            "2 fire: Polls fail (since 2026-03-09T12:30:00Z), Setup (since x)",
        ),
    ],
)
def test_alerts_that_fire(firing: Sequence[FiringAlert] | None, said: str, *, holds: bool) -> None:
    desk = replace(Desk(), platform=Cloud(firing=firing))
    found = next(it for it in checks(cast("Any", desk)) if it.name == "alerts")
    assert (found.holds, found.text) == (holds, said)
    assert (found.fix is Fix.READ_ALERTS) is not holds


SAID = "d: C (1) is missing; d: C (2) is being made; d: C (3) is in the state NEEDS_REPAIR"


@pytest.mark.parametrize(
    ("states", "holds", "said"),
    [
        (("READY", "READY"), True, "2 ready"),
        (
            ("READY", "", "CREATING", "NEEDS_REPAIR"),
            False,
            "3 of 4 are not ready: " + SAID,
        ),
        (
            ("",) * 12,
            False,
            "12 of 12 are not ready: "
            + "; ".join(f"d: C ({place}) is missing" for place in range(10))
            + "; and 2 more",
        ),
    ],
)
def test_indexes_that_are_not_ready_are_named(
    states: Sequence[str], said: str, *, holds: bool
) -> None:
    desk = replace(Desk(), platform=Cloud(states=states))
    found = next(it for it in checks(cast("Any", desk)) if it.name == "indexes")
    assert (found.holds, found.text) == (holds, said)
    assert (found.fix is Fix.DEPLOY_AND_WAIT) is not holds


def test_indexes_that_nobody_declares_are_not_called_ready() -> None:
    desk = replace(Desk(), platform=Cloud(states=()))
    found = next(it for it in checks(cast("Any", desk)) if it.name == "indexes")
    assert (found.holds, found.fix) == (False, Fix.DEPLOY)
    assert "SMARTLINK_INDEXES is not set" in found.text


@pytest.mark.parametrize(
    ("status", "holds", "said"),
    [
        (403, True, "wants an identity token"),
        (401, True, "wants an identity token"),
        (404, True, "callers outside the project's VPC networks get 404"),
        (None, True, "not looked at"),
        (200, False, "answered 200 to a call without an identity"),
        (500, False, "answered 500"),
    ],
)
def test_from_where_publish_answers(status: int | None, said: str, *, holds: bool) -> None:
    desk = replace(Desk(), platform=Cloud(status=status))
    found = next(it for it in checks(cast("Any", desk)) if it.name == "publish")
    assert found.holds is holds
    assert said in found.text


def test_a_job_that_stands_still_or_failed_is_told() -> None:
    """One that has ended, or that waits for its next step, is well."""
    desk = replace(Desk(), platform=Cloud(status=403))

    def found() -> tuple[bool, str, Fix | None]:
        check = next(it for it in checks(cast("Any", desk)) if it.name == "jobs")
        return check.holds, check.text, check.fix

    assert found() == (True, "0 are under way", None)
    desk.jobs.create(replace(PLAIN, id="ended", state=JobState.DONE, due=None))
    desk.jobs.create(replace(PLAIN, id="fresh", due=desk.time - timedelta(minutes=4)))
    assert found() == (True, "1 are under way", None)
    desk.jobs.create(replace(PLAIN, id="lost", due=desk.time - timedelta(minutes=6)))
    desk.jobs.create(replace(PLAIN, id="broken", state=JobState.FAILED, due=None))
    text = "1 stand still, 1 failed: lost, broken"
    assert found() == (False, text, Fix.RUN_JOB)


def test_each_fix_has_its_advice() -> None:
    assert set(ADVICE) == set(Fix)
