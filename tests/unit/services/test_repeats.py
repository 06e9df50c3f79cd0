"""What a message repeats is looked up in an order in which nothing can slip through."""

from datetime import UTC, datetime, timedelta

import pytest

from smartlink.adapters.in_memory import InMemoryContents, InMemoryMessages
from smartlink.domain import lifecycle
from smartlink.domain.identity import derived_ids
from smartlink.domain.message import Claim, Message, Stored, Version
from smartlink.domain.outcome import Done, Finished
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Retention, settle
from smartlink.services.contents import inline
from smartlink.services.repeats import Repeats
from tests.support.world import COMMAND, Interruptions

MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
LATE = datetime(2026, 11, 27, 9, 50, tzinfo=UTC)


def nameless(now: datetime) -> Message:
    content = inline("same")
    message_id, _ = derived_ids(COMMAND, content.sha256, now)
    return lifecycle.received(
        message_id=message_id, command=COMMAND, content=content, now=now, due=now + MINUTE
    )


class Store:
    """Two messages of one content, in two hours of the clock; the first one is being executed and
    ends right before the second look that is taken."""

    def __init__(self) -> None:
        self.messages = InMemoryMessages()
        first, second = nameless(LATE), nameless(LATE + 20 * MINUTE)
        (self.version,) = self.messages.create("acme", [first])
        (version,) = self.messages.create("acme", [second])
        assert version is not None
        self.repeat = Stored(second, version)
        self.first = lifecycle.claimed(first, Claim("claim", 1, LATE), 9 * MINUTE)
        assert self.version is not None
        (claimed,) = self.messages.swap("acme", [Stored(self.first, self.version)])
        assert claimed is not None
        self.claimed: Version = claimed
        self._looks = 0
        interruptions = self.messages.faults = Interruptions()
        for look in ("before read", "before history"):
            interruptions.at(look, self._look)

    def _look(self) -> None:
        self._looks += 1
        if self._looks == 2:
            self.end()

    def end(self) -> None:
        stored = Stored(self.first, self.claimed)
        finished = Finished(Done(), LATE + 20 * MINUTE)
        ended = settle(stored, finished, RetryPolicy(), Retention(1, MINUTE))
        self.messages.commit("acme", [ended])


def test_what_ends_between_two_looks_is_found_as_what_came_before() -> None:
    """It is neither live any more nor in the history yet, if that is read first."""
    store = Store()
    repeats = Repeats(store.messages, store.messages, InMemoryContents())
    assert repeats.before("acme", [store.repeat]).keys() == {store.repeat.message.document}


def test_what_ends_between_two_looks_has_overtaken() -> None:
    """The same, seen from the one that was stored late."""
    store = Store()
    repeats = Repeats(store.messages, store.messages, InMemoryContents())
    store.first, late = store.repeat.message, Stored(store.first, store.claimed)
    store.first = lifecycle.claimed(store.first, Claim("claim", 1, LATE), 9 * MINUTE)
    (claimed,) = store.messages.swap("acme", [Stored(store.first, store.repeat.version)])
    assert claimed is not None
    store.claimed = claimed
    overtaken, undecided = repeats.overtaken("acme", [late], LATE + 20 * MINUTE)
    assert overtaken.keys() == {late.message.document}
    assert undecided == set()


@pytest.mark.parametrize(
    ("apart", "repeated"), [(lifecycle.REPEAT, False), (lifecycle.REPEAT - MICROSECOND, True)]
)
def test_what_comes_again_in_less_than_an_hour_is_a_repeat(
    apart: timedelta, *, repeated: bool
) -> None:
    """Seen from both: from the later one, and from the first one if that was stored later."""
    messages = InMemoryMessages()
    repeats = Repeats(messages, messages, InMemoryContents())
    first, second = nameless(LATE), nameless(LATE + apart)
    one, other = map(Stored, (first, second), map(Version, "12"))
    messages.create("acme", [first, second])
    before = repeats.before("acme", [other])
    overtaken, undecided = repeats.overtaken("acme", [one], LATE + apart)
    assert before.keys() == ({second.document} if repeated else set())
    assert overtaken == {}
    assert undecided == ({first.document} if repeated else set())
