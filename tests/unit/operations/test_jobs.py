"""Jobs: worked off in steps, stopped, resumed, interrupted anywhere; each message once."""

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

import pytest

from smartlink.domain.message import DeadReason, Ending, State
from smartlink.operations.actions import DISCARD, HOLD, REDRIVE, Action
from smartlink.operations.audit import NotRecordedError
from smartlink.operations.errors import ForbiddenError, InvalidError, MissingError, UnreadableError
from smartlink.operations.job import Job, JobState, OddJob
from smartlink.operations.jobs import Order, look, newest, resume, start, stop
from smartlink.operations.operate import (
    MOST_TRIES,
    RESTART,
    Bounds,
    JobError,
    Verdict,
    decode_job,
    lease,
    step,
)
from smartlink.operations.plan import plan
from smartlink.operations.ports import Identity
from smartlink.operations.rights import Roles, parse_roles
from smartlink.operations.select import Filters
from smartlink.ports import PortError, Unavailable
from smartlink.services.polling.standing_jobs import step_of
from tests.support.samples import dead, pending, waiting
from tests.support.world import COMMAND
from tests.unit.operations.desk import Desk, InMemoryAudit

EVERYBODY = Roles(everybody=True)
LEASE = lease(Desk().settings)
ANA = Identity("ana@example.com", verified=True)
RUI = Identity("rui@example.com", verified=True)
IDS = (f"claim-{number}" for number in count())


class KilledError(BaseException):
    """The process of a step is killed."""


@dataclass
class Pace:
    """Waits move the desk's clock; it stops after so many waits, or is killed at one."""

    desk: Desk
    most: int = 1_000_000
    killed_at: int | None = None
    waits: list[float] = field(default_factory=list)

    def is_set(self) -> bool:
        return len(self.waits) >= self.most

    def wait(self, timeout: float) -> bool:
        self.waits.append(timeout)
        self.desk.time += timedelta(seconds=timeout)
        if self.killed_at == len(self.waits):
            raise KilledError
        return self.is_set()


def begun(desk: Desk, action: Action = REDRIVE, **order: object) -> Job:
    filters = order.pop("filters", Filters())
    assert isinstance(filters, Filters)
    ordered = Order(filters=filters, **({"reason": "the ERP is back"} | order))  # type: ignore[arg-type]
    planned = plan(
        desk.deployment,
        action,
        filters,
        ordered.most,
        undone=ordered.undone,
        waiting=ordered.waiting,
    )
    return start(desk.deployment, planned, ordered)


def stepped(
    desk: Desk,
    job: Job,
    pace: Pace | None = None,
    roles: Roles = EVERYBODY,
    bounds: Bounds = Bounds(),  # noqa: B008
) -> Verdict:
    return step(desk.deployment, job.id, roles, lambda: next(IDS), pace or Pace(desk), bounds)


def to_its_end(desk: Desk, job: Job, roles: Roles = EVERYBODY) -> Job:
    for _ in range(1_000):
        if stepped(desk, job, roles=roles) is not Verdict.CONTINUES:
            break
    return look(desk.deployment, job.id)


def desk(*tenants: str, each: int = 5, **parts: object) -> Desk:
    made = Desk(operator=ANA, **parts)  # type: ignore[arg-type]
    for tenant in tenants or ("acme",):
        made.keep(*(dead(f"m-{n:04}", type=COMMAND) for n in range(each)), tenant=tenant)
    return made


def states(made: Desk, tenant: str = "acme") -> list[State]:
    return [it.message.state for it in made.store.live(tenant).values()]


def told(made: Desk) -> list[tuple[str, str, str | None, int | None]]:
    """The audit: act, who, outcome, count."""
    assert isinstance(made.audit, InMemoryAudit)
    return [(it.act, it.who, it.outcome, it.count) for it in made.audit.kept]


def test_a_job_does_what_was_planned_and_its_result_is_on_record() -> None:
    made = desk("acme", "globex", each=45)
    made.keep(pending("not-dead"), dead("other", "No such person", type=COMMAND))
    job = begun(made, filters=Filters(error="refused"))
    assert (job.state, job.matched, job.selection.tenants) == ("Aguardando", 90, ("acme", "globex"))
    assert states(made).count(State.DEAD) == 46, "nothing is done before a step"
    [(topic, asked)] = made.publisher.published
    assert (topic, decode_job(asked.data)) == ("topic-operate", job.id)
    ended = to_its_end(made, job)
    assert (ended.state, ended.counts.done, ended.counts.looked) == (JobState.DONE, 90, 91)
    assert (ended.at_least, ended.due, ended.claim) == (False, None, None)
    assert ended.expires is not None
    assert states(made).count(State.PENDING) == 46
    assert made.store.standing_job(made.time + LEASE) is None
    assert told(made) == [
        ("messages redrive", ANA.name, None, 90),
        ("messages redrive", ANA.name, "90 redriven", 90),
    ]
    texts = {it.text for it in made.store.logs("acme")}
    assert texts == {
        "Redriven after 5 attempts (attempts-exhausted) by ana@example.com: the ERP is back"
    }
    assert stepped(made, job) is Verdict.NONE, "a push that comes again finds it ended"
    assert len(told(made)) == 2


def test_a_step_is_bounded_and_keeps_to_the_rate() -> None:
    made = desk(each=100)
    job = begun(made, rate=10)
    pace = Pace(made)
    assert stepped(made, job, pace, bounds=Bounds(seconds=3)) is Verdict.CONTINUES
    assert pace.waits == [1.0, 1.0, 1.0], "ten messages a second"
    after = look(made.deployment, job.id)
    assert (after.counts.done, after.state, after.claim) == (30, JobState.WAITING, None)
    assert after.due == made.time + RESTART
    assert stepped(made, job, bounds=Bounds(looked=40)) is Verdict.CONTINUES
    assert look(made.deployment, job.id).counts.done == 70
    assert to_its_end(made, job).counts.done == 100


def test_what_was_redriven_and_dies_again_is_not_taken_again() -> None:
    """Nor what dies or comes after the job was made: it is counted, and left."""
    made = desk(each=3)
    job = begun(made)
    made.time += timedelta(seconds=5)
    made.keep(dead("m-9", type=COMMAND, received=made.time))
    again = made.store.live("acme")["D-m-0002"]
    died = replace(again.message, redriven=made.time)
    made.store.swap("acme", [replace(again, message=died)])
    ended = to_its_end(made, job)
    assert (ended.counts.done, dict(ended.counts.skipped)) == (2, {"later": 2})


def test_a_redrive_and_a_discard_and_a_hold_leave_out_what_they_must() -> None:
    made = desk(each=1)
    made.keep(
        dead("perhaps", type=COMMAND, dead_reason=DeadReason.UNKNOWN_OUTCOME),
        dead("nonsense", type=COMMAND, dead_reason=DeadReason.MALFORMED),
        waiting("waits", type=COMMAND),
        pending("m"),
    )
    made.store.make_unreadable("acme", "D-nonsense")
    first = to_its_end(made, begun(made))
    assert (first.counts.done, dict(first.counts.skipped)) == (
        1,
        {"unreadable": 1, "may-have-run": 1},
    )
    held = to_its_end(made, begun(made, HOLD, filters=Filters(tenant="acme")))
    assert held.counts.done == 3
    gone = to_its_end(made, begun(made, DISCARD, waiting=True))
    assert gone.counts.done == 4
    assert {it.ending for it in made.store.ended("acme").values()} == {Ending.DISCARDED}
    assert [it.message.id for it in made.store.live("acme").values()] == ["nonsense"]


def test_what_waits_is_discarded_after_what_is_dead() -> None:
    made = desk(each=2)
    made.keep(waiting("a-waits"), waiting("z-waits"), pending("m"))
    ended = to_its_end(made, begun(made, DISCARD, waiting=True))
    assert ended.counts.done == 4
    assert states(made) == [State.PENDING]


def test_it_does_no_more_than_it_was_told_to() -> None:
    made = desk(each=30)
    ended = to_its_end(made, begun(made, most=25))
    assert (ended.counts.done, ended.more, ended.state) == (25, True, JobState.DONE)
    assert states(made).count(State.DEAD) == 5
    exact = to_its_end(made, begun(made, most=5))
    assert (exact.counts.done, exact.more) == (5, False)


def test_a_job_of_a_request_names_its_messages() -> None:
    """A function of an older release, which knows no such filter, does nothing to others either."""
    made = desk("acme", "globex")
    made.keep(*(dead(f"r-{n}", type=COMMAND, request_id="r 1") for n in range(2)))
    made.keep(dead("r-0", type=COMMAND, request_id="r 1"), tenant="globex")
    ended = to_its_end(made, begun(made, filters=Filters(request="r 1")))
    assert ended.selection.chosen == {"acme": ("D-r-0", "D-r-1"), "globex": ("D-r-0",)}
    assert ended.target == "3 chosen messages --request r 1"
    assert (ended.counts.done, ended.counts.looked) == (3, 3)
    assert states(made).count(State.PENDING) == 2


def test_chosen_messages_alone() -> None:
    made = desk("acme", "globex", each=60)
    chosen = {"acme": tuple(f"D-m-{n:04}" for n in range(0, 60, 2)), "globex": ("D-m-0001", "D-x")}
    ended = to_its_end(made, begun(made, chosen=chosen))
    assert ended.counts.done == 31
    redriven = {
        f"{tenant}/{it.message.document}"
        for tenant in ("acme", "globex")
        for it in made.store.live(tenant).values()
        if it.message.state is State.PENDING
    }
    wanted = {f"acme/{it}" for it in chosen["acme"]} | {"globex/D-m-0001"}
    assert redriven == wanted
    assert ended.target == "32 chosen messages"


def test_a_stop_is_seen_by_the_step_that_works_and_a_resumption_goes_on() -> None:
    """Another stops it; a third resumes it, and answers for the rest."""
    made = desk(each=200)
    job = begun(made, rate=10)

    class StopsOnTheWay(Pace):
        def wait(self, timeout: float) -> bool:
            if len(self.waits) == 4:
                made.operator = RUI
                stop(made.deployment, job.id, "wrong tenant", warn=pytest.fail)
                assert look(made.deployment, job.id).state is JobState.STOPPING
            return super().wait(timeout)

    assert stepped(made, job, StopsOnTheWay(made)) is Verdict.ENDED
    stopped = look(made.deployment, job.id)
    assert (stopped.state, stopped.stopped_by) == (JobState.STOPPED, RUI.name)
    assert stopped.problem == "wrong tenant"
    assert 50 <= stopped.counts.done <= 70
    assert states(made).count(State.PENDING) == stopped.counts.done
    assert stepped(made, job) is Verdict.NONE, "a late push starts nothing"
    with pytest.raises(ForbiddenError, match="nothing to stop"):
        stop(made.deployment, job.id, "again", warn=pytest.fail)
    resumed = resume(made.deployment, job.id, "it was right")
    assert (resumed.state, resumed.who, resumed.made_by) == ("Aguardando", RUI.name, ANA.name)
    with pytest.raises(ForbiddenError, match="only a stopped or failed one"):
        resume(made.deployment, job.id, "twice")
    ended = to_its_end(made, job)
    assert (ended.counts.done, ended.state, ended.problem) == (200, JobState.DONE, None)
    assert set(states(made)) == {State.PENDING}
    done = stopped.counts.done
    assert told(made) == [
        ("messages redrive", ANA.name, None, 200),
        ("job stop", RUI.name, None, None),
        ("job stop", RUI.name, "asked to stop", None),
        ("messages redrive", ANA.name, f"stopped: {done} redriven (wrong tenant)", done),
        ("job resume", RUI.name, None, 200 - done),
        ("job resume", RUI.name, "200 redriven", 200),
    ]
    by = {it.text.partition(" by ")[2].partition(":")[0] for it in made.store.logs("acme")}
    assert by == {ANA.name, RUI.name}
    assert len(made.store.logs("acme")) == 200


def test_a_job_that_no_step_works_at_stops_at_its_next_step() -> None:
    made = desk()
    job = begun(made)
    made.publisher.take()
    stop(made.deployment, job.id, "a mistake", warn=pytest.fail)
    assert [decode_job(it.data) for _, it in made.publisher.take()] == [job.id]
    assert made.store.standing_job(made.time) == job.id
    assert stepped(made, job) is Verdict.ENDED
    assert (look(made.deployment, job.id).state, set(states(made))) == ("Parada", {State.DEAD})


def test_a_right_that_is_taken_away_stops_the_job_with_the_reason() -> None:
    made = desk("acme", "globex", each=40, local=False)
    both = parse_roles(f'{{"{ANA.name}": {{"operator": ["acme", "globex"]}}}}', local=False)
    one = parse_roles(f'{{"{ANA.name}": {{"operator": ["acme"]}}}}', local=False)
    job = begun(made)
    assert stepped(made, job, roles=both, bounds=Bounds(looked=20)) is Verdict.CONTINUES
    assert stepped(made, job, roles=one) is Verdict.ENDED
    stopped = look(made.deployment, job.id)
    assert (stopped.state, stopped.counts.done) == (JobState.STOPPED, 20)
    assert stopped.problem is not None
    assert stopped.problem.startswith(f"{ANA.name} may not operate globex")
    assert told(made)[-1][2] == f"stopped: 20 redriven ({stopped.problem})"
    resume(made.deployment, job.id, "the right is back")
    assert to_its_end(made, job, both).counts.done == 80


def test_nobody_may_anything_in_the_cloud_unless_it_is_given() -> None:
    made = desk(local=False)
    job = begun(made)
    assert to_its_end(made, job, parse_roles("", local=False)).state is JobState.STOPPED
    made.operator = Identity(ANA.name, verified=False)
    unverified = to_its_end(made, begun(made))
    assert unverified.state is JobState.STOPPED
    assert "nobody has verified" in (unverified.problem or "")
    assert set(states(made)) == {State.DEAD}


def test_of_two_steps_at_once_one_works() -> None:
    made = desk(each=60)
    job = begun(made)
    verdicts: list[Verdict] = []

    class Twice(Pace):
        def wait(self, timeout: float) -> bool:
            if not verdicts:
                verdicts.append(stepped(made, job))
            return super().wait(timeout)

    assert stepped(made, job, Twice(made)) is Verdict.ENDED
    assert verdicts == [Verdict.HELD]
    assert look(made.deployment, job.id).counts.done == 60


def test_a_step_that_outlived_its_lease_writes_nothing_more() -> None:
    """What it did to messages stays done, once; the job is the other step's."""
    made = desk(each=60)
    job = begun(made)
    other: list[Verdict] = []

    class Frozen(Pace):
        def wait(self, timeout: float) -> bool:
            if not other:
                made.time += LEASE
                other.append(stepped(made, job))
            return super().wait(timeout)

    assert stepped(made, job, Frozen(made)) is Verdict.LOST
    assert other == [Verdict.ENDED]
    ended = look(made.deployment, job.id)
    assert (ended.state, ended.at_least, ended.counts.done) == (JobState.DONE, True, 40)
    assert set(states(made)) == {State.PENDING}
    assert len(made.store.logs("acme")) == 60
    assert told(made)[-1][2] == "at least 40 redriven"


@pytest.mark.parametrize("killed_at", range(1, 8))
def test_a_step_may_be_killed_at_any_wait(killed_at: int) -> None:
    """The lease passes, a poll finds the job, and each message is redriven once."""
    made = desk("acme", "globex", each=70)
    job = begun(made)
    with pytest.raises(KilledError):
        stepped(made, job, Pace(made, killed_at=killed_at))
    assert stepped(made, job) is Verdict.HELD
    assert made.store.standing_job(made.time) is None
    made.time += LEASE
    assert made.store.standing_job(made.time) == job.id
    ended = to_its_end(made, job)
    assert (ended.state, ended.at_least) == (JobState.DONE, True)
    assert ended.counts.done <= 140
    for tenant in ("acme", "globex"):
        assert set(states(made, tenant)) == {State.PENDING}
        assert len(made.store.logs(tenant)) == 70


STORE_CALLS = ("commit", "read", "scan")
JOB_CALLS = ("read", "save")


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("at", range(6))
@pytest.mark.parametrize("call", [*(f"store {it}" for it in STORE_CALLS), "jobs read", "jobs save"])
@pytest.mark.parametrize("error", [Unavailable("down"), KilledError()], ids=["down", "killed"])
def test_any_call_may_fail_or_be_the_last(
    call: str, at: int, error: Exception, *, applied: bool
) -> None:
    """Whether it took effect or not: nothing is done twice or passed over, and no count lies."""
    made = desk("acme", "globex", each=50)
    made.keep(dead("kept", "No such person", type=COMMAND))
    job = begun(made, filters=Filters(error="refused"))
    where, name = call.split()
    faults = made.store.faults if where == "store" else made.jobs.faults
    left = iter(range(at, -1, -1))
    faults.fail(name, error, applied=applied, when=lambda _: next(left, 1) == 0)
    for _ in range(30):
        with suppress(PortError, KilledError):
            stepped(made, job, bounds=Bounds(looked=40))
            if look(made.deployment, job.id).over:
                break
        made.time += LEASE
    faults.clear()
    ended = look(made.deployment, job.id)
    assert ended.state is JobState.DONE
    for tenant in ("acme", "globex"):
        live = made.store.live(tenant).values()
        assert {it.message.id for it in live if it.message.state is State.DEAD} <= {"kept"}
        assert len(made.store.logs(tenant)) == 50
    assert ended.counts.done == 100 or (ended.at_least and ended.counts.done < 100)
    [result] = [it[2] for it in told(made)][1:]
    assert result is not None
    assert result.removeprefix("at least ") == f"{ended.counts.done} redriven"
    assert result.startswith("at least") or ended.counts.done == 100


def test_without_the_audit_nothing_begins_and_nothing_is_said_to_have_ended() -> None:
    made = desk()
    assert isinstance(made.audit, InMemoryAudit)
    made.audit.failing = [True]
    with pytest.raises(NotRecordedError):
        begun(made)
    assert newest(made.deployment, 10) == []
    job = begun(made)
    made.audit.failing = [True]
    with pytest.raises(Unavailable):
        stepped(made, job)
    assert not look(made.deployment, job.id).over
    made.time += LEASE
    assert stepped(made, job) is Verdict.ENDED
    assert [it[2] for it in told(made)] == [None, "at least 5 redriven"]


def test_a_job_whose_steps_always_die_fails_and_can_be_resumed() -> None:
    made = desk()
    job = begun(made)
    for _ in range(MOST_TRIES):
        made.store.faults.fail("scan", KilledError())  # type: ignore[arg-type]
        with pytest.raises(KilledError):
            stepped(made, job)
        made.time += LEASE
    assert stepped(made, job) is Verdict.ENDED
    failed = look(made.deployment, job.id)
    assert (failed.state, failed.counts.done) == (JobState.FAILED, 0)
    assert "without coming forward" in (failed.problem or "")
    resume(made.deployment, job.id, "the cause is gone")
    assert to_its_end(made, job).counts.done == 5


def test_a_job_that_cannot_be_read_stands_in_nobodys_way() -> None:
    made = desk()
    job = begun(made)
    made.jobs.make_unreadable(job.id)
    assert made.store.standing_job(made.time + LEASE) == job.id
    [odd] = newest(made.deployment, 10)
    assert isinstance(odd, OddJob)
    with pytest.raises(UnreadableError, match="cannot be read"):
        look(made.deployment, job.id)
    assert stepped(made, job) is Verdict.ENDED
    assert made.store.standing_job(made.time + LEASE) is None


def test_a_push_that_is_lost_costs_nothing_but_time() -> None:
    made = desk()
    made.publisher.faults.fail("publish", Unavailable("down"))
    job = begun(made)
    assert made.publisher.published == []
    assert made.store.standing_job(made.time) is None
    assert made.store.standing_job(made.time + RESTART) == job.id


def test_what_is_no_job_and_what_is_no_order() -> None:
    made = desk()
    for identity in ("nobody", "", "a/b"):
        with pytest.raises(MissingError, match="There is no job"):
            look(made.deployment, identity)
    assert step(made.deployment, "x", EVERYBODY, lambda: "c", Pace(made), Bounds()) is Verdict.NONE
    for wrong, text in (
        ({"reason": " "}, "needs a reason"),
        ({"rate": 0}, "1 to 1,000 messages a second"),
        ({"filters": Filters(tenant="acme", error="no such text")}, "nothing fits"),
        ({"chosen": {"acme": tuple(map(str, range(3_000)))}}, "2,000 messages at most"),
    ):
        with pytest.raises(InvalidError, match=text):
            begun(made, **wrong)
    assert told(made) == []
    for data in (b"", b"[]", b'{"job": 1}', b'{"job": ""}', b'{"job": "a/b"}', b"[" * 100_000):
        with pytest.raises(JobError):
            decode_job(data)
    assert json.loads(step_of("j").data) == {"job": "j"}
