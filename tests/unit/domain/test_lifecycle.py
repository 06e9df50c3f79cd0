"""What may happen to a live message, as a table: state, cause, what becomes of it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartlink.domain import lifecycle
from smartlink.domain.identity import Direction, derived_ids, document_id
from smartlink.domain.lifecycle import CRASHED, grace, swept
from smartlink.domain.message import Claim, DeadReason, Message, Result, State
from smartlink.domain.retry import RetryPolicy
from tests.support.samples import (
    CLAIM,
    LEASE,
    MINUTE,
    NOW,
    REFUSED,
    SHARED,
    content,
    everything_set,
    pending,
    running,
    upstream,
    waiting,
)

BASE = 2 * MINUTE
LATER = NOW + timedelta(hours=1)
FIVE = RetryPolicy(attempts=5)


def test_a_received_message_is_pending() -> None:
    """It is due when its dispatch's grace ends; no attempt is counted yet."""
    message = pending("m/1", due=NOW + BASE)
    assert (message.direction, message.document) == (Direction.DOWNSTREAM, "D-m%2F1")
    assert (message.state, message.due) == (State.PENDING, NOW + BASE)
    assert (message.attempt, message.dispatches, message.claim) == (0, 0, None)


def test_an_upstream_message_is_due_at_once() -> None:
    """The next poll sends it."""
    message = upstream()
    assert (message.direction, message.document) == (Direction.UPSTREAM, "U-u-1")
    assert (message.state, message.due) == (State.PENDING, NOW)


@pytest.mark.parametrize("before", [pending(), pending(dispatches=4), waiting()])
def test_a_claim_counts_the_attempt(before: Message) -> None:
    """Invariant 4: the attempt counts before the message runs, until the end of the lease."""
    message = lifecycle.claimed(before, CLAIM, LEASE)
    assert (message.state, message.due) == (State.RUNNING, NOW + LEASE)
    assert message.attempt == before.attempt + 1
    assert (message.dispatches, message.claim) == (0, CLAIM)


def test_a_hand_back_returns_the_attempt() -> None:
    """Invariant 6: what was not started is pending, due at once, as if it had not been claimed."""
    message = lifecycle.handed_back(running(), LATER)
    assert (message.state, message.due, message.attempt) == (State.PENDING, LATER, 0)
    assert message.attempts == ()
    assert message.error is None
    again = lifecycle.handed_back(running(error="the last one"), LATER)
    assert again.error == "the last one"
    assert lifecycle.handed_back(running(), LATER, "bucket down").error == "bucket down"


def test_a_failure_waits_for_its_next_attempt() -> None:
    """It keeps the error, and the attempt is written down."""
    message = lifecycle.failed(running(), LATER, NOW + MINUTE, "no connection")
    assert (message.state, message.due, message.error) == (State.WAITING, LATER, "no connection")
    (attempt,) = message.attempts
    assert (attempt.number, attempt.result, attempt.error) == (1, Result.RETRY, "no connection")
    assert (attempt.started, attempt.ended) == (NOW, NOW + MINUTE)


def test_a_failure_without_a_next_attempt_is_dead() -> None:
    """It keeps its reason, and no sweep takes it."""
    message = lifecycle.failed(running(attempt=4), None, NOW, "no connection")
    assert (message.state, message.due) == (State.DEAD, None)
    assert message.dead_reason is DeadReason.EXHAUSTED
    assert (message.attempt, message.error) == (5, "no connection")


@pytest.mark.parametrize(
    ("before", "cause", "attempt", "dispatches", "alone"),
    [
        (pending(), "lost-dispatch", 0, 1, False),
        (pending(dispatches=2), "lost-dispatch", 0, 3, False),
        (pending(alone=True), "lost-dispatch", 0, 1, True),
        (waiting(), "retry", 1, 0, False),
        (running(), "crash", 1, 0, False),
        (running(SHARED), "shared-crash", 0, 0, True),
        (running(SHARED, attempt=3), "shared-crash", 3, 0, True),
    ],
)
def test_the_sweep_makes_a_due_message_pending(
    before: Message, cause: str, attempt: int, dispatches: int, *, alone: bool
) -> None:
    """Each cause; only a crash alone counts, and what crashed together is dispatched alone."""
    found = swept(before, LATER, FIVE, BASE)
    message = found.message
    assert found.cause == cause
    assert message.state is State.PENDING
    assert (message.attempt, message.dispatches, message.alone) == (attempt, dispatches, alone)
    assert message.due == LATER + grace(BASE, dispatches)


def test_a_crash_is_written_down() -> None:
    """The attempt that a crash ended shows in the history, with its cause."""
    message = swept(running(), LATER, FIVE, BASE).message
    (attempt,) = message.attempts
    assert (attempt.number, attempt.result, attempt.error) == (1, Result.CRASHED, CRASHED)
    assert swept(running(SHARED), LATER, FIVE, BASE).message.attempts == ()


@pytest.mark.parametrize(
    ("before", "limit", "error"),
    [
        (running(attempt=4), 5, CRASHED),  # the crash was the last attempt
        (waiting(attempt=5), 5, REFUSED),  # the last error stays
        (waiting(attempt=3), 2, REFUSED),  # the limit was lowered
        (pending(attempt=3), 3, "The attempt limit was lowered to 3"),
        (running(SHARED, attempt=4), 3, "The attempt limit was lowered to 3"),
    ],
)
def test_the_sweep_declares_dead_what_is_beyond_the_limit(
    before: Message, limit: int, error: str
) -> None:
    """Invariant 8: what a crash or a lowered limit left beyond the limit is dead."""
    message = swept(before, LATER, RetryPolicy(attempts=limit), BASE).message
    assert (message.state, message.due) == (State.DEAD, None)
    assert message.dead_reason is DeadReason.EXHAUSTED
    assert message.error == error


def test_a_shared_crash_at_the_limit_is_tried_alone() -> None:
    """Its last attempt is returned: another message of the batch may be the culprit."""
    message = swept(running(SHARED, attempt=4), LATER, FIVE, BASE).message
    assert (message.state, message.attempt, message.alone) == (State.PENDING, 4, True)


@pytest.mark.parametrize(
    ("base", "dispatches", "minutes"),
    [(2, 0, 2), (2, 1, 4), (2, 4, 32), (2, 5, 60), (2, 10_000, 60), (90, 0, 90), (90, 3, 90)],
)
def test_the_grace_doubles_up_to_an_hour(base: int, dispatches: int, minutes: int) -> None:
    """A dispatch that nobody takes is repeated ever less often; never below its own base."""
    assert grace(base * MINUTE, dispatches) == minutes * MINUTE


def test_a_lease_of_an_upstream_message_counts_nothing() -> None:
    """Invariant 7: only the broker's refusal counts as an attempt."""
    message = lifecycle.leased(upstream(), CLAIM, LEASE)
    assert (message.state, message.due) == (State.RUNNING, NOW + LEASE)
    assert (message.attempt, message.claim) == (0, CLAIM)
    back = lifecycle.unsent(message, LATER, "the broker is down")
    assert (back.state, back.due, back.attempt) == (State.PENDING, LATER, 0)
    assert back.error == "the broker is down"
    assert lifecycle.unsent(back, LATER).error == "the broker is down"


def test_a_dead_message_keeps_everything() -> None:
    """An operator finds content, attempts and reason."""
    before = everything_set()
    message = lifecycle.dead(before, DeadReason.REJECTED, "no such employee")
    assert message == replace(
        before,
        state=State.DEAD,
        due=None,
        queued=False,
        dead_reason=DeadReason.REJECTED,
        error="no such employee",
    )


@given(st.text(max_size=3_000))
def test_an_error_is_stored_short(error: str) -> None:
    """At most 1,000 characters, and what fits is left alone."""
    short = lifecycle.shorten(error)
    assert len(short) == min(len(error), 1_000)
    assert short == error or short[:-1] == error[:999]


def test_the_last_attempts_are_kept() -> None:
    """A message that fails forever does not outgrow its document: 50 attempts stay."""
    message = pending()
    for number in range(70):
        claim = Claim(f"c{number}", 1, NOW)
        message = lifecycle.failed(lifecycle.claimed(message, claim, LEASE), NOW, NOW, "down")
    assert [attempt.number for attempt in message.attempts] == list(range(21, 71))


def test_the_hour_before_of_a_message_without_an_id() -> None:
    """Only what came without an id is looked for under the id of the hour before."""
    body = content("x")
    own, before = derived_ids("Probe", body.sha256, NOW)
    derived = pending(own, "x", "Probe")
    assert lifecycle.hour_before(derived) == document_id(Direction.DOWNSTREAM, before)
    assert lifecycle.hour_before(pending("m-1", "x")) is None
    assert lifecycle.hour_before(upstream(id=own)) is None


def test_the_hour_after_of_a_message_without_an_id() -> None:
    """From when the hour may have turned for another instance, whose clock is ahead: until then
    nothing can have been stored there."""
    body = content("x")
    own, _ = derived_ids("Probe", body.sha256, NOW)
    after, _ = derived_ids("Probe", body.sha256, NOW + timedelta(hours=1))
    derived = pending(own, "x", "Probe")
    turn = NOW.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    early = turn - lifecycle.CLOCKS
    assert lifecycle.hour_after(derived, early - timedelta(microseconds=1)) is None
    assert lifecycle.hour_after(derived, early) == document_id(Direction.DOWNSTREAM, after)
    assert lifecycle.hour_after(derived, turn) == document_id(Direction.DOWNSTREAM, after)
    assert lifecycle.hour_after(pending("m-1", "x"), turn) is None
    assert lifecycle.hour_after(upstream(id=own), turn) is None


def test_each_send_that_fails_doubles_the_wait_up_to_half_an_hour() -> None:
    """It counts from the failure; who was not tried waits no longer."""
    message = pending()
    assert lifecycle.send_again(message, NOW) == NOW
    waits = []
    for _ in range(8):
        message = lifecycle.send_failed(message, NOW)
        waits.append((lifecycle.send_again(message, NOW) - NOW) // timedelta(minutes=1))
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30]
    later = NOW + timedelta(hours=1)
    assert lifecycle.send_again(message, later) == later
