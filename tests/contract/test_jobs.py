"""The jobs of operators: kept whole, fenced, found by a poll while a step of theirs is overdue."""

from dataclasses import fields, replace
from datetime import timedelta

from smartlink.domain.identity import Direction
from smartlink.operations.job import Counts, Cursor, Job, JobState, OddJob, Selection
from smartlink.ports import RelayState
from tests.contract.backends import OddJobs
from tests.support.samples import LATER, NOW

MINUTE = timedelta(minutes=1)
SELECTION = Selection(
    at=NOW,
    tenants=("acme", "globex"),
    direction=Direction.DOWNSTREAM,
    command="SGDPDataCommand",
    older=timedelta(0),
    newer=timedelta(days=2),
    error="refused \ud800",
    cause="00dfdf50",
    received_after=NOW - MINUTE,
    waiting=True,
    undone=True,
    chosen={"acme": ("D-m-1", "D-with.dots/and%2F"), "globex": ()},
)
PLAIN = Job(
    id="20260309-123015-abcdef",
    action="redrive",
    selection=Selection(at=NOW, tenants=("acme",)),
    target="--all",
    matched=5,
    most=100,
    rate=50,
    made_by="ana@example.com",
    made=NOW,
    who="ana@example.com",
    verified=False,
    reason="the ERP is back",
    intent="20260309T123015123457-0f0f0f0f",
    due=NOW,
    updated=NOW,
)
FULL = replace(
    PLAIN,
    id="full",
    action="discard",
    bound=True,
    selection=SELECTION,
    made=NOW - MINUTE,
    state=JobState.STOPPING,
    verified=True,
    resumed=True,
    due=LATER,
    updated=LATER,
    steps=3,
    tries=2,
    claim="f00d",
    lease=LATER,
    cursor=Cursor(1, "D-m-1"),
    counts=Counts(9, 8, 7, 6, 5, {"may-have-run": 4, "later": 3}),
    at_least=True,
    more=True,
    refusals=("too large",),
    problem="wrong tenant",
    stopped_by="rui@example.com",
    ended=LATER,
    expires=LATER,
)
Backend = tuple[OddJobs, RelayState]


def test_a_job_comes_back_whole(jobs: Backend) -> None:
    store, _ = jobs
    bare = {it.name for it in fields(Job) if getattr(FULL, it.name) == getattr(PLAIN, it.name)}
    assert bare == {"target", "matched", "most", "rate", "made_by", "who", "reason", "intent"}
    for job in (PLAIN, FULL):
        store.create(job)
        found = store.read(job.id)
        assert found is not None
        assert found[0] == job
    assert store.read("nobody") is None


def test_a_job_is_made_once_and_saved_at_its_version_alone(jobs: Backend) -> None:
    store, _ = jobs
    store.create(PLAIN)
    store.create(replace(PLAIN, reason="another try, whose answer was lost"))
    found = store.read(PLAIN.id)
    assert found is not None
    job, version = found
    assert job == PLAIN
    saved = store.save(replace(FULL, id=PLAIN.id), version)
    assert saved not in {None, version}
    assert store.save(PLAIN, version) is None
    again = store.read(PLAIN.id)
    assert again is not None
    there, newest = again
    assert newest == saved
    assert isinstance(there, Job)
    assert there.selection == PLAIN.selection, "what it is about never changes"
    assert (there.state, there.counts, there.cursor) == (FULL.state, FULL.counts, FULL.cursor)
    assert saved is not None
    emptied = replace(PLAIN, due=None)
    assert store.save(emptied, saved) is not None
    last = store.read(PLAIN.id)
    assert last is not None
    assert last[0] == emptied, "nothing stays of what is not set any more"
    assert store.save(replace(PLAIN, id="nobody"), version) is None


def test_a_poll_finds_the_job_whose_step_is_overdue_for_longest(jobs: Backend) -> None:
    store, relay = jobs
    assert relay.standing_job(LATER) is None
    for number, due in enumerate((NOW + 2 * MINUTE, NOW + MINUTE, None)):
        store.create(replace(PLAIN, id=f"job-{number}", due=due))
    assert relay.standing_job(NOW) is None
    assert relay.standing_job(NOW + MINUTE) == "job-1"
    assert relay.standing_job(LATER) == "job-1"


def test_the_jobs_of_some_tenants_are_listed_newest_first_and_each_once(jobs: Backend) -> None:
    """Also of more tenants than one query takes, and read page by page."""
    store, _ = jobs
    of = (("acme",), ("globex",), ("acme", "globex"), ("other",), ("acme",))
    for number, tenants in enumerate(of):
        about = Selection(at=NOW, tenants=tenants)
        made = NOW + number * MINUTE
        store.create(replace(PLAIN, id=f"job-{number}", made=made, selection=about))
    many = ["acme", *(f"t{number}" for number in range(40)), "globex"]
    for page in (1, 2, 50):
        for asked, found in (
            (["acme"], [4, 2, 0]),
            (["globex"], [2, 1]),
            (many, [4, 2, 1, 0]),
            (["nobody"], []),
            ([], []),
        ):
            listed = [it.id for it in store.about(asked, page=page)]
            assert listed == [f"job-{number}" for number in found]


def test_jobs_are_listed_newest_first_and_one_that_cannot_be_read_is_told(jobs: Backend) -> None:
    store, relay = jobs
    assert store.newest(5) == []
    for number in range(4):
        store.create(replace(PLAIN, id=f"job-{number}", made=NOW + number * MINUTE))
    assert [it.id for it in store.newest(2)] == ["job-3", "job-2"]
    store.make_unreadable("job-0")
    [odd] = [it for it in store.newest(9) if isinstance(it, OddJob)]
    assert (odd.id, bool(odd.why)) == ("job-0", True)
    found = store.read("job-0")
    assert found is not None
    assert found[0] == odd
    assert relay.standing_job(NOW) is not None
    store.fail(odd, found[1], LATER)
    for number in range(1, 4):
        there = store.read(f"job-{number}")
        assert there is not None
        assert isinstance(there[0], Job)
        store.save(replace(there[0], due=None), there[1])
    assert relay.standing_job(LATER) is None
