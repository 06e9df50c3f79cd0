"""What is in a settlement's way is told from what it has written itself."""

from datetime import UTC, datetime, timedelta

import pytest

from smartlink.adapters.in_memory import InMemoryMessages
from smartlink.domain import lifecycle
from smartlink.domain.message import Claim, DeadReason, Ended, Ending, Message, Stored, Version
from smartlink.domain.outcome import Done, Finished
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Retention, Settlement, settle
from smartlink.services.contents import inline
from smartlink.services.settle import Pending, settle_all
from tests.support.world import COMMAND

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
LEASE = timedelta(minutes=9)


def claimed(messages: InMemoryMessages) -> tuple[Message, Version]:
    """A message that a consumer has claimed."""
    message = lifecycle.received(
        message_id="one", command=COMMAND, content=inline("{}"), now=NOW, due=NOW
    )
    (version,) = messages.create("acme", [message])
    assert version is not None
    running = lifecycle.claimed(message, Claim("claim", 1, NOW), LEASE)
    (version,) = messages.swap("acme", [Stored(running, version)])
    assert version is not None
    return running, version


@pytest.mark.parametrize("ending", Ending)
def test_only_the_end_that_it_wrote_is_its_own(ending: Ending) -> None:
    """A run outlives its lease; the sweep declares its message dead under the same claim, and an
    operator discards that: the run's outcome was lost, it did not end the message."""
    messages = InMemoryMessages()
    running, version = claimed(messages)
    stored = Stored(running, version)
    outcome = settle(stored, Finished(Done(), NOW), RetryPolicy(), Retention(1, LEASE))
    history = Ended(running, ending, NOW, NOW + LEASE)
    theirs = Settlement(document=running.document, fence=version, history=history)
    messages.commit("acme", [theirs])
    settled = settle_all(messages, "acme", [Pending(outcome, "claim", stored)])
    own = ending is Ending.DONE
    assert (len(settled.written), len(settled.lost)) == ((1, 0) if own else (0, 1))


def test_a_death_that_was_discarded_before_its_answer_came_was_written() -> None:
    """The commit's answer gets lost, an operator discards what it wrote, the commit is repeated."""
    messages = InMemoryMessages()
    running, version = claimed(messages)
    dead = lifecycle.dead(running, DeadReason.REJECTED, "No.")
    death = Settlement(document=running.document, fence=version, live=dead)
    messages.commit("acme", [death])
    written = messages.read("acme", [running.document])[running.document]
    history = Ended(dead, Ending.DISCARDED, NOW, NOW + LEASE)
    messages.commit(
        "acme", [Settlement(document=running.document, fence=written.version, history=history)]
    )
    again = Pending(death, "claim", Stored(running, version))
    settled = settle_all(messages, "acme", [again])
    assert (settled.written, settled.lost) == ([death], [])
    others = settle_all(messages, "acme", [Pending(death, "another", Stored(running, version))])
    assert (others.written, others.lost) == ([], [death])
