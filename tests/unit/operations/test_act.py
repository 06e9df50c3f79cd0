"""What an act would do, and what it leaves out."""

from dataclasses import replace
from datetime import timedelta

import pytest

from smartlink.domain.identity import Direction
from smartlink.domain.message import DeadReason, Ending, State
from smartlink.domain.settlement import Settlement
from smartlink.operations.act import perform
from smartlink.operations.actions import DISCARD, HOLD, REDRIVE
from smartlink.operations.audit import note
from smartlink.operations.errors import AmbiguousError, ForbiddenError, InvalidError
from smartlink.operations.plan import Idle, Unfit, plan, plan_one
from smartlink.operations.ports import MessageDocuments
from smartlink.operations.select import Filters, Located, locate
from tests.support.samples import NOW, dead, done, pending, upstream, waiting
from tests.support.world import COMMAND
from tests.unit.operations.desk import Desk


def desk() -> Desk:
    """Of each kind one, all of tenant acme."""
    made = Desk()
    made.keep(
        dead("again", type=COMMAND),
        dead("perhaps-done", type=COMMAND, dead_reason=DeadReason.UNKNOWN_OUTCOME),
        dead("nonsense", type=COMMAND, dead_reason=DeadReason.MALFORMED),
        dead("unknown", type="Nobodys", dead_reason=DeadReason.UNKNOWN_COMMAND),
        waiting("waits"),
    )
    return made


def test_a_redrive_leaves_out_what_must_not_run_and_says_why() -> None:
    planned = plan(desk().deployment, REDRIVE, Filters(), 100)
    assert [it.message.id for it in planned.messages] == ["again"]
    assert {it.id: it.unfit for it in planned.skipped} == {
        "nonsense": Unfit.MALFORMED,
        "perhaps-done": Unfit.MAY_HAVE_RUN,
        "unknown": Unfit.NO_CONSUMER,
    }
    told = plan(desk().deployment, REDRIVE, Filters(), 100, undone=True)
    assert {it.message.id for it in told.messages} == {"again", "perhaps-done"}


def test_what_cannot_be_read_is_left_out_and_told_of() -> None:
    made = desk()
    made.store.make_unreadable("acme", "D-again")
    planned = plan(made.deployment, DISCARD, Filters(), 100)
    [skipped] = [it for it in planned.skipped if it.unfit is Unfit.UNREADABLE]
    assert (skipped.document, skipped.id) == ("D-again", None)
    assert skipped.detail


def test_a_hold_takes_live_messages_and_what_is_dead_for_another_reason() -> None:
    planned = plan(desk().deployment, HOLD, Filters(), 100)
    assert {it.message.id for it in planned.messages} == {"again", "unknown", "waits"}
    assert {it.id: it.unfit for it in planned.skipped} == {
        "nonsense": Unfit.NEVER_RUNS,
        "perhaps-done": Unfit.HELD,
    }


def test_an_act_is_a_part_of_its_messages_trace(caplog: pytest.LogCaptureFixture) -> None:
    """The line has no name and no reason: those stand in `GTotvsLinkLog`."""
    caplog.set_level("INFO", logger="smartlink")
    made, trace = Desk(), "4bf92f3577b34da6a3ce929d0e0e4736"
    made.keep(dead("m", type=COMMAND, trace=f"00-{trace}-00f067aa0ba902b7-01"))
    planned = plan(made.deployment, REDRIVE, Filters(), 100)
    own = note(made.deployment, "ana", "the ERP is back")
    perform(made.deployment, REDRIVE, "acme", planned.messages, own)
    [record] = caplog.records
    fields = vars(record)["fields"]
    assert (fields["action"], fields["act"], fields["tenant"]) == (
        "message_operated",
        "redrive",
        "acme",
    )
    assert fields["logging.googleapis.com/trace"].endswith(f"/traces/{trace}")
    assert "ana" not in f"{record.getMessage()} {fields}"
    [live] = made.store.live("acme").values()
    assert live.message.trace == f"00-{trace}-00f067aa0ba902b7-01"


def test_what_another_changed_meanwhile_is_left_to_them() -> None:
    made = Desk()
    made.keep(dead("m", type=COMMAND))
    planned = plan(made.deployment, DISCARD, Filters(), 100)
    own = note(made.deployment, "ana", "x")
    for number in (0, 1):
        report = perform(made.deployment, DISCARD, "acme", planned.messages, own)
        assert (report.done, report.changed) == (1 - number, number)


def test_one_message_that_is_not_dead_or_has_ended() -> None:
    made = Desk()
    made.keep(waiting("waits"), pending("m"))
    made.store.commit("acme", done(dead("over")))
    for name, action in (("waits", REDRIVE), ("m", REDRIVE), ("m", DISCARD)):
        live = made.store.live("acme")[f"D-{name}"]
        alive = plan_one(made.deployment, action, Located(name, "acme", live, None))
        assert (alive.idle, alive.messages) == (Idle.ALIVE, ())
    ended = made.store.ended("acme")["D-over"]
    with pytest.raises(ForbiddenError, match=r"over of acme has ended \(Concluida\)"):
        plan_one(made.deployment, DISCARD, Located("over", "acme", None, ended))


def test_a_discard_takes_what_waits_if_it_is_asked_to() -> None:
    """By its id, or where the filters are told to; never a message that runs or is to run."""
    made = desk()
    made.keep(pending("m"))
    live = made.store.live("acme")["D-waits"]
    one = plan_one(made.deployment, DISCARD, Located("waits", "acme", live, None))
    assert [it.message.id for it in one.messages] == ["waits"]
    dead_ones = {"again", "perhaps-done", "nonsense", "unknown"}
    unasked = plan(made.deployment, DISCARD, Filters(), 100)
    assert {it.message.id for it in unasked.messages} == dead_ones
    asked = plan(made.deployment, DISCARD, Filters(), 100, waiting=True)
    assert {it.message.id for it in asked.messages} == {*dead_ones, "waits"}
    redriven = plan(made.deployment, REDRIVE, Filters(), 100, waiting=True)
    assert [it.message.id for it in redriven.messages] == ["again"]


def test_what_waited_never_runs_again_and_its_reason_is_kept() -> None:
    """It leaves the live ones; the history has its attempts, and the log who and why."""
    made = Desk()
    made.keep(waiting("waits"))
    before = made.store.live("acme")["D-waits"]
    planned = plan_one(made.deployment, DISCARD, Located("waits", "acme", before, None))
    own = note(made.deployment, "ana", "the customer cancelled")
    report = perform(made.deployment, DISCARD, "acme", planned.messages, own)
    assert report.done == 1
    assert made.store.live("acme") == {}
    ended = made.store.ended("acme")["D-waits"]
    assert (ended.ending, ended.message.due) == (Ending.DISCARDED, None)
    assert ended.message.attempts == before.message.attempts
    assert ended.message.error == before.message.error
    [line] = made.store.logs("acme")
    assert line.text == "Discarded after 1 attempts (Aguardando) by ana: the customer cancelled"


def test_what_is_taken_up_meanwhile_is_not_discarded() -> None:
    """The sweep came first: its dispatch goes on, and the discard says so."""
    made = Desk()
    made.keep(waiting("waits"))
    planned = plan(made.deployment, DISCARD, Filters(), 100, waiting=True)
    swept = replace(waiting("waits"), state=State.PENDING)
    live = made.store.live("acme")["D-waits"]
    settlement = Settlement(document="D-waits", fence=live.version, live=swept)
    made.store.commit("acme", [settlement])
    own = note(made.deployment, "ana", "x")
    report = perform(made.deployment, DISCARD, "acme", planned.messages, own)
    assert (report.done, report.changed) == (0, 1)
    assert "D-waits" in made.store.live("acme")


def test_filters_hold_all_at_once() -> None:
    made = Desk()
    made.keep(
        dead("m-1", "Row 7 is locked"),
        dead("m-2", "No such person"),
        waiting("m-3"),
        upstream("u-1"),
    )

    def found(**filters: object) -> list[str]:
        wanted = Filters(**filters)  # type: ignore[arg-type]
        return [it.message.id for it in wanted.select(made.deployment)]

    down, up = ["m-1", "m-2", "m-3"], ["u-1"]
    assert found(state=State.DEAD) == ["m-1", "m-2"]
    assert found(error="row") == ["m-1"]
    assert found(state=State.DEAD, error="row") == ["m-1"]
    assert found(state=State.WAITING, error="row") == []
    assert found(direction=Direction.UPSTREAM) == up
    assert found(direction=Direction.DOWNSTREAM, command="ProbeCommand") == []
    assert found(command=waiting("m-3").type) == down
    assert found(older=timedelta(days=2)) == []
    assert found(newer=timedelta(days=2)) == [*down, *up]
    assert found(received_after=NOW - timedelta(microseconds=1), direction=Direction.UPSTREAM) == up
    assert found(received_after=NOW + timedelta(days=1)) == []
    assert found(tenant="acme", state=State.DEAD) == ["m-1", "m-2"]
    assert not Filters(state=State.DEAD).narrow
    assert Filters(older=timedelta(0)).narrow
    with pytest.raises(InvalidError, match="no tenant name"):
        found(tenant="No Such")


def test_an_id_that_two_messages_have_is_asked_back(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Desk()
    made.keep(dead("m"), dead("n"))
    live = made.store.live("acme")
    both = MessageDocuments(live, {}, [])
    monkeypatch.setattr(made.store, "find", lambda *_: both, raising=False)
    with pytest.raises(AmbiguousError, match="2 messages have the id 'm'"):
        locate(made.deployment, "m", "acme")
