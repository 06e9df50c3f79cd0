"""The end-to-end bench's peers are held to the same promises, and counted in full."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from smartlink.domain.retry import RetryPolicy
from tests.bench.cpu import tree_seconds
from tests.bench.ledger import Ledger, LedgerError, Place, Places
from tests.bench.peers import job

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACES = Places(Place("waiting"), Place("history"), Place("replies"), Place("logs"))


@dataclass
class InMemoryBooks:
    rows: dict[str, dict[str, datetime]] = field(default_factory=dict)

    def read(self, place: Place) -> dict[str, datetime]:
        return place.ids(self.rows.get(place.collection, {}))

    def count(self, place: Place) -> int:
        return len(self.read(place))


def balanced() -> dict[str, dict[str, datetime]]:
    return {
        "history": {"a": NOW, "b": NOW},
        "replies": {"a": NOW, "b": NOW},
        "logs": {"1": NOW, "2": NOW, "3": NOW, "4": NOW},
    }


@pytest.mark.parametrize("attempt", range(1, job.ATTEMPTS + 1))
def test_the_peers_wait_as_rm_does(attempt: int) -> None:
    """They retry by the same formula, as often, as the relay's defaults."""
    policy = RetryPolicy()
    due = policy.next_attempt_at(NOW, attempt)
    wait = job.delay(attempt, float(policy.interval))
    assert (wait and NOW + wait) == due


def test_the_peers_answer_what_the_consumer_answers() -> None:
    assert job.run('{"content": {"requestID": "7"}}') == '{"requestID": "7", "status": "done"}'


def test_books_that_balance_tell_when_the_last_thing_was_stored() -> None:
    ledger = Ledger(InMemoryBooks(balanced()), PLACES)
    assert ledger.ended() == 2
    assert ledger.settled(["a", "b"]) == NOW


@pytest.mark.parametrize(
    "wrong",
    [
        {"history": {"a": NOW}},
        {"history": {"a": NOW, "b": NOW, "c": NOW}},
        {"replies": {"a": NOW}},
        {"logs": {"1": NOW}},
        {"waiting": {"b": NOW}},
    ],
)
def test_a_time_counts_for_nothing_if_a_message_is_lost_repeated_or_invented(
    wrong: dict[str, dict[str, datetime]],
) -> None:
    ledger = Ledger(InMemoryBooks(balanced() | wrong), PLACES)
    with pytest.raises(LedgerError):
        ledger.settled(["a", "b"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has used")
def test_what_a_child_used_counts_after_its_end() -> None:
    """A server's connections are processes that come and go: their time is the server's."""
    before = tree_seconds([os.getpid()])[os.getpid()]
    busy = "import time\nwhile time.process_time() < 0.15: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert tree_seconds([os.getpid()])[os.getpid()] >= before + 0.1
