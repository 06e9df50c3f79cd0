"""Bulk acts are jobs: the function `operate` works them off, whoever started them."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from infra.local.emulators import pubsub_emulator
from smartlink.adapters.firestore.calls import FirestoreCalls
from smartlink.adapters.firestore.jobs import FirestoreJobs
from smartlink.domain.message import State
from smartlink.operations.job import Job, JobState
from tests.cli.operating import operating
from tests.cli.place import Place
from tests.cli.samples import dead, pending, waiting
from tests.contract.backends import _text_instead, started

MANY = 5_000
LONG = 400  # seconds that anything may take here; nothing takes nearly so long


@pytest.fixture(scope="module")
def pubsub() -> Iterator[str]:
    with ExitStack() as stack:
        yield started(pubsub_emulator(), stack)


def furnish(place: Place, *tenants: str) -> None:
    for tenant in tenants:
        place.store.save_state(tenant, place.store.states([tenant])[tenant])


def jobs_of(place: Place) -> FirestoreJobs:
    return FirestoreJobs(FirestoreCalls(place.project, emulator=place.hosts.firestore))


def until(place: Place, holds: Callable[[Job], bool]) -> Job:
    """The only job, once it is so."""
    jobs, deadline = jobs_of(place), time.monotonic() + LONG
    while True:
        found = jobs.newest(1)
        if found and isinstance(found[0], Job) and holds(found[0]):
            return found[0]
        assert time.monotonic() < deadline, found


def states(place: Place, tenant: str) -> Counter[State]:
    return Counter(it.message.state for it in place.store.live(tenant, {}))


def test_5000_dead_are_redriven_once_though_it_was_stopped_and_resumed_by_others(
    place: Place, pubsub: str
) -> None:
    """Ana starts it, Rui stops it, Eva resumes it; what does not fit is not touched."""
    place.patience = LONG
    furnish(place, "acme", "globex")
    place.keep("acme", *(dead(f"m-{number:05}") for number in range(MANY)))
    place.keep("acme", dead("other", "No such person"), waiting("w-1"), pending("p-1"))
    place.keep("globex", dead("g-1"))
    untouched = {
        (tenant, it.message.id): it.version
        for tenant in ("acme", "globex")
        for it in place.store.live(tenant, {})
        if not it.message.id.startswith("m-")
    }
    bulk = ("messages", "redrive", "-t", "acme", "--error", "refused", "--yes", "-r", "ERP is back")
    with operating(place, pubsub):
        with place.started(*bulk, "--rate", "1000") as ana:
            job = until(place, lambda it: it.counts.done >= MANY // 10).id
            stopped = place.run("jobs", "stop", job, "-r", "Too early", SMARTLINK_OPERATOR="rui")
            assert stopped.code == 0, stopped.err
            _, err = ana.communicate(timeout=LONG)
        assert ana.returncode == 1
        assert f"rui stopped the job {job} (Too early)" in " ".join(err.split())
        half = until(place, lambda it: it.over)
        assert (half.state, half.at_least) == (JobState.STOPPED, False)
        assert MANY // 10 <= half.counts.done < MANY
        assert states(place, "acme")[State.PENDING] == half.counts.done + 1
        again = place.run(
            *("jobs", "resume", job, "-r", "It was right", "--json"),
            SMARTLINK_OPERATOR="eva",
        )
    assert again.code == 0, again.err
    assert {it: again.json[it] for it in ("job", "done", "atLeast", "left", "stopped")} == {
        "job": job,
        "done": MANY,
        "atLeast": False,
        "left": 0,
        "stopped": False,
    }
    assert states(place, "acme") == {State.PENDING: MANY + 1, State.DEAD: 1, State.WAITING: 1}
    now = {
        (tenant, it.message.id): it.version
        for tenant in ("acme", "globex")
        for it in place.store.live(tenant, {})
        if not it.message.id.startswith("m-")
    }
    assert now == untouched
    lines = Counter(line.message_id for _, line in place.store.newest_lines("acme"))
    assert lines == {f"m-{number:05}": 1 for number in range(MANY)}
    audit = place.run("audit", "--json").json
    assert [(it["act"], it["who"], it["result"]) for it in reversed(audit)] == [
        ("messages redrive", "ana", f"stopped: {half.counts.done} redriven (Too early)"),
        ("job stop", "rui", "asked to stop"),
        ("job resume", "eva", f"{MANY} redriven"),
    ]


def test_ctrl_c_leaves_a_job_running(place: Place, pubsub: str) -> None:
    furnish(place, "acme")
    place.keep("acme", *(dead(f"m-{number:03}") for number in range(60)))
    bulk = ("messages", "discard", "-t", "acme", "--yes", "-r", "Test data", "--rate", "20")
    with operating(place, pubsub):
        with place.started(*bulk) as process:
            job = until(place, lambda it: it.counts.done > 0).id
            process.send_signal(2)
            _, err = process.communicate(timeout=LONG)
        assert process.returncode == 130
        assert f"The job {job} goes on without this screen: smartlink jobs watch {job}" in err
        watched = place.run("jobs", "watch", job)
        assert (watched.code, watched.out) == (0, "60 messages discarded.\n")
    assert states(place, "acme") == {}


def test_a_function_that_knows_no_right_stops_the_job(place: Place, pubsub: str) -> None:
    """The roles are the function's own: nobody else says who may."""
    furnish(place, "acme", "globex")
    for tenant in ("acme", "globex"):
        place.keep(tenant, dead("m-1"))
    roles = json.dumps({"ana@example.com": {"operator": ["acme"]}})
    with operating(place, pubsub, SMARTLINK_ROLES=roles):
        both = place.run(
            *("messages", "redrive", "--all", "--yes", "-r", "x"),
            SMARTLINK_OPERATOR="ana@example.com",
        )
        assert both.code == 4, both
        assert "may not operate globex" in both.err
        one = place.run(
            *("messages", "redrive", "-t", "acme", "--yes", "-r", "x"),
            SMARTLINK_OPERATOR="ana@example.com",
        )
        assert (one.code, one.out) == (0, "1 messages redriven.\n")
    assert states(place, "globex") == {State.DEAD: 1}


def test_jobs_on_the_screen(place: Place) -> None:
    """What is shown of them, and what is refused."""
    furnish(place, "acme")
    place.keep("acme", dead("m-1"), dead("m-2", "No such person"))
    done = place.run("messages", "redrive", "-t", "acme", "--yes", "-r", "ERP is back", "--json")
    job = done.json["job"]
    listed, shown, as_json, missing, over, unreasoned = place.run_all(
        "jobs list",
        f"jobs show {job}",
        f"jobs show {job} --json",
        "jobs watch nobody",
        f"jobs stop {job} -r x",
        f"jobs resume {job}",
    )
    assert job in listed.out
    assert "Concluida" in listed.out
    for text in ("ERP is back", "--tenant acme", "Concluida", "ana (not verified)"):
        assert text in shown.out
    assert as_json.json["done"] == 2
    assert (missing.code, over.code, unreasoned.code) == (3, 4, 2)
    assert "There is no job 'nobody'" in missing.err
    assert "nothing to stop" in over.err
    assert "--reason" in unreasoned.err


def test_a_list_of_jobs_says_that_there_are_more(place: Place) -> None:
    """And of one that cannot be read, what may help: it is no message."""
    furnish(place, "acme")
    for number in range(2):
        place.keep("acme", dead(f"m-{number}"))
        made = place.run("messages", "redrive", "-t", "acme", "--yes", "-r", "x", "--json")
        assert made.code == 0, made
    calls = place.store._calls  # noqa: SLF001
    name = f"{calls.root}/Tarefa/{made.json['job']}"
    calls.write_each("break it", [_text_instead(name, "Situacao")])
    few, every, odd = place.run_all(
        "jobs list --limit 1", "jobs list --limit 2", f"jobs show {made.json['job']}"
    )
    assert "raise --limit" in few.err
    assert "raise --limit" not in every.err
    assert "unreadable" in few.out
    assert odd.err.rstrip().endswith("; the version that made it may read it.")
