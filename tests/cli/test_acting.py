"""`messages redrive|discard`: a dry run first; then all or some, stopped and gone on with."""

import time

from smartlink.domain.message import DeadReason, State
from tests.cli.place import Place, golden
from tests.cli.samples import dead, pending

COMMITS = 10  # messages a second: slow enough to be stopped on the way


def states(place: Place, tenant: str) -> dict[str, State]:
    return {it.message.id: it.message.state for it in place.store.live(tenant, {})}


def furnish(place: Place, *tenants: str) -> None:
    for tenant in tenants:
        place.store.save_state(tenant, place.store.states([tenant])[tenant])


def test_a_dry_run_changes_nothing_and_counts(place: Place) -> None:
    """Counts by tenant, command and error; what cannot be redriven is named."""
    furnish(place, "acme", "globex")
    place.keep("acme", dead("a-1"), dead("a-2"), dead("a-3", "No such person"), pending("a-4"))
    place.keep("globex", dead("g-1"), dead("g-2", dead_reason=DeadReason.MALFORMED))
    ran = place.run("messages", "redrive", "--all")
    assert ran.code == 0
    assert "Skipped D-g-2 of globex: its envelope is malformed" in ran.err
    golden("redrive_dry_run", ran.out)
    assert list(states(place, "acme").values()).count(State.DEAD) == 3


def test_redrive_starts_anew_and_says_who_and_why(place: Place) -> None:
    """Pending, due now, no attempt made, the old ones kept; the log line is in the same commit."""
    furnish(place, "acme")
    place.keep("acme", dead("a-1"), dead("a-2", "No such person"))
    ran = place.run(
        "messages", "redrive", "-t", "acme", "--error", "refused", "--yes", "-r", "ERP is back"
    )
    assert (ran.code, ran.out) == (0, "1 messages redriven.\n")
    [stored] = [it for it in place.store.live("acme", {}) if it.message.id == "a-1"]
    message = stored.message
    assert (message.state, message.attempt, message.dead_reason) == (State.PENDING, 0, None)
    assert message.due is not None
    assert len(message.attempts) == 1
    assert [(it.text, it.at) for it in place.store.lines_of("acme", "a-1")] == [
        ("Redriven after 5 attempts (attempts-exhausted) by ana: ERP is back", message.due)
    ]
    assert states(place, "acme")["a-2"] is State.DEAD
    again = place.run("messages", "redrive", "a-1", "--yes", "--reason", "x")
    assert again.code == 0
    assert "is Pendente, not Morta: nothing to do" in again.err


def test_discard_moves_to_the_history(place: Place) -> None:
    """Discarded once: the second time there is nothing to do, and no redrive is possible."""
    furnish(place, "acme")
    place.keep("acme", dead("a-1"))
    ran = place.run("messages", "discard", "a-1", "--yes", "-r", "Test data", "--json")
    assert ran.json["done"] == 1
    ended = place.store.history("acme", ["D-a-1"])["D-a-1"]
    assert ended.ending.value == "Descartada"
    assert states(place, "acme") == {}
    assert "Discarded by ana: Test data" in place.store.lines_of("acme", "a-1")[0].text
    again, redrive = place.run_all(
        "messages discard a-1 --yes -r x", "messages redrive a-1 --yes -r x"
    )
    assert (again.code, redrive.code) == (0, 4)
    assert "never executed twice" in redrive.err


def test_ctrl_c_in_a_bulk_redrive_and_its_resumption(place: Place) -> None:
    """Stopped between two commits, with 130; the same command goes on; each message once."""
    furnish(place, "acme")
    place.keep("acme", *(dead(f"a-{number:03}") for number in range(60)))
    bulk = ("messages", "redrive", "-t", "acme", "--yes", "-r", "Outage")
    with place.started(*bulk, "--rate", str(COMMITS)) as process:
        deadline = time.monotonic() + 30
        while place.store.count_live("acme", {"Situacao": "Pendente"}) == 0:
            assert time.monotonic() < deadline
        process.send_signal(2)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    assert "the same command again goes on" in err
    left = list(states(place, "acme").values()).count(State.DEAD)
    assert 0 < left < 60
    again = place.run(*bulk, "--rate", "1000", "--json")
    assert (again.code, again.json["done"]) == (0, left)
    assert set(states(place, "acme").values()) == {State.PENDING}
    lines = place.store.newest_lines("acme", None, 1_000)
    assert len(lines) == 60


def test_wrong_usage(place: Place) -> None:
    """Exit code 2, and the mend."""
    calls = {
        "messages redrive": "say which to redrive",
        "messages redrive --all --yes": "--yes needs --reason",
        "messages list --older soon": "'soon' is no age",
        "messages list --state gone": "Invalid value",
        "messages list --tenant NOPE!": "is no tenant name",
    }
    for call, ran in zip(calls, place.run_all(*calls), strict=True):
        assert ran.code == 2, call
        assert calls[call] in ran.err
        assert "Traceback" not in ran.err
