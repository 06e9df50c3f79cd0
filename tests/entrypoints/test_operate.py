"""`operate`, as Pub/Sub pushes to it: a step of a job, and the push of its next one."""

import json
from dataclasses import dataclass

import pytest

from smartlink.entrypoints import operate as entry
from smartlink.operations.actions import REDRIVE
from smartlink.operations.job import JobState
from smartlink.operations.jobs import Order, look, start
from smartlink.operations.plan import plan
from smartlink.operations.ports import Identity
from smartlink.operations.select import Filters
from smartlink.ports import Envelope, Unavailable
from tests.entrypoints.deployment import CANARY, Deployment, push
from tests.support.samples import dead
from tests.support.world import COMMAND
from tests.unit.operations.desk import Desk


@dataclass
class Operated:
    """The function on the desk's adapters; Pub/Sub pushes what was published."""

    deployment: Deployment
    desk: Desk

    def pushed(self) -> int:
        """Deliver what waits; the status of the last answer."""
        status = 0
        for topic, envelope in self.desk.publisher.take():
            assert topic == "topic-operate"
            status = self.deployment.call("operate", json=push(envelope)).status_code
        return status


@pytest.fixture
def operated(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Operated:
    desk = Desk(operator=Identity("ana@example.com", verified=True))
    entry._roles.cache_clear()  # noqa: SLF001  (a cold start)
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:9")
    monkeypatch.setattr(entry, "_desk", lambda: desk)
    deployment.forget()
    return Operated(deployment, desk)


def job_of(desk: Desk, *, messages: int) -> str:
    desk.keep(*(dead(f"m-{n:03}", f"{CANARY} {n}", type=COMMAND) for n in range(messages)))
    filters = Filters(tenant="acme")
    planned = plan(desk.deployment, REDRIVE, filters, 1_000)
    return start(desk.deployment, planned, Order(filters=filters, reason="back", rate=1_000)).id


def test_a_push_works_a_job_off(operated: Operated) -> None:
    job = job_of(operated.desk, messages=50)
    assert operated.pushed() == 200
    ended = look(operated.desk.deployment, job)
    assert (ended.state, ended.counts.done) == (JobState.DONE, 50)
    assert operated.desk.publisher.published == []
    told = operated.deployment.logs
    end = told.of("job_ended")
    assert (end["job"], end["done"], end["state"]) == (job, 50, "Concluida")
    assert CANARY not in told.text


def test_a_step_asks_for_the_next_one(operated: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    from smartlink.operations import operate as job  # noqa: PLC0415

    monkeypatch.setattr(job.Bounds, "of", lambda _: job.Bounds(looked=20))
    identity = job_of(operated.desk, messages=50)
    assert operated.pushed() == 200
    [(topic, asked)] = operated.desk.publisher.published
    assert (topic, json.loads(asked.data)) == ("topic-operate", {"job": identity})
    while operated.desk.publisher.published:
        assert operated.pushed() == 200
    assert look(operated.desk.deployment, identity).counts.done == 50


def test_roles_are_asked_of_the_functions_own_environment(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTLINK_ROLES", '{"ana@example.com": {"operator": ["globex"]}}')
    operated.deployment.forget()
    job = job_of(operated.desk, messages=3)
    assert operated.pushed() == 200
    stopped = look(operated.desk.deployment, job)
    assert (stopped.state, stopped.counts.done) == (JobState.STOPPED, 0)
    assert "may not operate acme" in (stopped.problem or "")


def test_roles_that_are_wrong_end_every_push_by_name(
    operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTLINK_ROLES", '{"group:ops@example.com": {}}')
    operated.deployment.forget()
    job = job_of(operated.desk, messages=3)
    assert operated.pushed() == 500
    assert "group:ops@example.com" in operated.deployment.logs.of("delivery_invalid")["message"]
    assert look(operated.desk.deployment, job).counts.done == 0


def test_what_fails_comes_again(operated: Operated) -> None:
    job = job_of(operated.desk, messages=3)
    operated.desk.jobs.faults.fail("read", Unavailable("down"))
    [(_, envelope)] = operated.desk.publisher.take()
    deployment = operated.deployment
    assert deployment.call("operate", json=push(envelope)).status_code == 500
    assert deployment.call("operate", json=push(envelope)).status_code == 200
    assert look(operated.desk.deployment, job).counts.done == 3
    assert deployment.call("operate", json=push(envelope)).status_code == 200, "and once more"
    assert deployment.call("operate", json=push(Envelope(b"{}", {}))).status_code == 500
