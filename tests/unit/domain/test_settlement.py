"""What an outcome does to a message: all that one commit writes."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from smartlink.domain.message import DeadReason, Ending, LogType, Message, Result, State
from smartlink.domain.outcome import (
    Answer,
    Done,
    Finished,
    HandBack,
    Line,
    Outcome,
    Reject,
    Retry,
)
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import (
    Retention,
    Settlement,
    lightened,
    refused,
    reply_id,
    sent,
    settle,
)
from tests.support.samples import (
    MINUTE,
    NOW,
    POLICY,
    RETENTION,
    VERSION,
    content,
    running,
    stored,
    upstream,
)

END = NOW + MINUTE
EXPIRES = END + timedelta(days=90)


def settled(outcome: Outcome, message: Message | None = None, *lines: Line) -> Settlement:
    finished = Finished(outcome, END, lines)
    return settle(stored(message or running()), finished, POLICY, RETENTION)


def live(settlement: Settlement) -> Message:
    assert settlement.live is not None
    return settlement.live


@pytest.mark.parametrize(
    ("outcome", "attempt", "state", "reason", "due", "counted", "kind"),
    [
        (Retry("down"), 1, State.WAITING, None, END + 15 * MINUTE, 1, LogType.WARNING),
        (Retry("down"), 4, State.WAITING, None, END + 60 * MINUTE, 4, LogType.WARNING),
        (Retry("down"), 5, State.DEAD, DeadReason.EXHAUSTED, None, 5, LogType.ERROR),
        (Retry("down"), 6, State.DEAD, DeadReason.EXHAUSTED, None, 6, LogType.ERROR),
        (Reject("no"), 1, State.DEAD, DeadReason.REJECTED, None, 1, LogType.ERROR),
        (Reject("no"), 5, State.DEAD, DeadReason.REJECTED, None, 5, LogType.ERROR),
        (HandBack(), 1, State.PENDING, None, END, 0, None),
        (HandBack("bucket down"), 5, State.PENDING, None, END, 4, None),
    ],
)
def test_what_an_outcome_leaves_alive(
    outcome: Retry | Reject | HandBack,
    attempt: int,
    state: State,
    reason: DeadReason | None,
    due: object,
    counted: int,
    kind: LogType | None,
) -> None:
    """Each failure's state, reason, next instant, attempt, and the line that tells of it."""
    settlement = settled(outcome, running(attempt=attempt - 1))
    message = live(settlement)
    assert (message.state, message.dead_reason, message.due) == (state, reason, due)
    assert (message.attempt, message.error) == (counted, outcome.error)
    assert [line.type for line in settlement.logs] == ([] if kind is None else [kind])
    assert settlement.fence == VERSION, "invariant 5: fenced by the claim"
    assert (settlement.history, settlement.created) == (None, ())


def test_done_moves_the_message_to_the_history() -> None:
    """Invariant 5: the live document goes, the history, lines and replies come, in one."""
    answers = (Answer("A", content("1"), "APP"), Answer("B", content("2"), None, "own"))
    settlement = settled(Done(answers))
    assert (settlement.live, settlement.fence) == (None, VERSION)
    assert settlement.history is not None
    assert settlement.history.ending is Ending.DONE
    assert (settlement.history.ended, settlement.history.expires) == (END, EXPIRES)
    assert [attempt.result for attempt in settlement.history.message.attempts] == [Result.DONE]
    first, second = settlement.created
    assert (first.type, first.audience, first.content.text) == ("A", "APP", "1")
    assert (second.type, second.audience, second.correlation_id) == ("B", None, "own")
    assert {first.due, second.due} == {END}
    assert len(settlement.logs) == 1


@pytest.mark.parametrize(
    ("own", "incoming", "expected"),
    [("mine", "theirs", "mine"), (None, "theirs", "theirs"), (None, None, "m-1")],
)
def test_a_reply_carries_a_correlation_id(
    own: str | None, incoming: str | None, expected: str
) -> None:
    """The reply's own, else the message's, else the message's id."""
    answer = Answer("A", content("{}"), None, own)
    (reply,) = settled(Done((answer,)), running(correlation_id=incoming)).created
    assert reply.correlation_id == expected


@pytest.mark.parametrize("personal", [False, True])
def test_a_reply_is_as_personal_as_its_message(*, personal: bool) -> None:
    """Its history keeps the content's hash and size only, as the message's does."""
    (reply,) = settled(Done((Answer("A", content("{}")),)), running(personal=personal)).created
    assert reply.personal is personal


def test_a_replys_id_does_not_change() -> None:
    """Run again after a lost commit, the message has the same replies: they are stored once."""
    message = running()
    answers = (Answer("A", content("1")), Answer("A", content("1")))
    first, second = settled(Done(answers), message).created
    assert [first.id, second.id] == [reply_id(message, 1), reply_id(message, 2)]
    assert first.document != second.document
    again = settled(Done(answers), running(attempt=3)).created
    assert [reply.document for reply in again] == [first.document, second.document]


def test_the_consumers_lines_come_first() -> None:
    """Of each run that counts, what the consumer logged is kept, before the relay's own line; what
    is handed back is run again, and logs it then."""
    said = Line(LogType.WARNING, "half of it", NOW, "debug")
    for outcome in (Done(), Retry("down"), Reject("no")):
        first, own = settled(outcome, None, said).logs
        assert (first.type, first.text, first.at, first.debug) == (1, "half of it", NOW, "debug")
        assert (first.message_id, first.expires, own.expires) == ("m-1", EXPIRES, EXPIRES)
    for handed_back in (HandBack(), HandBack("bucket down")):
        assert settled(handed_back, None, said).logs == ()


def test_a_failures_debug_is_kept() -> None:
    """The stack of a failure lies in the line's `DATADEBUG`."""
    for outcome in (Retry("down", "stack"), Reject("no", "stack")):
        assert settled(outcome).logs[-1].debug == "stack"


@pytest.mark.parametrize(
    ("days", "redrive", "policy", "expected"),
    [
        (90, 30, POLICY, timedelta(days=90)),
        (1, 30, RetryPolicy(1), timedelta(days=30)),
        (1, 30, POLICY, timedelta(days=30, minutes=150)),
        (7, 1, RetryPolicy(2, Decimal(1), Decimal(7_200)), timedelta(days=11)),  # 14,400 min
    ],
)
def test_the_history_outlives_a_redrive(
    days: int, redrive: int, policy: RetryPolicy, expected: timedelta
) -> None:
    """At least the retry horizon and the time for a redrive: a repeat is still known."""
    assert Retention(days, timedelta(days=redrive)).expires(NOW, policy) == NOW + expected


def test_what_the_broker_took_has_ended() -> None:
    """An upstream message that was sent is history, its attempt counted."""
    settlement = sent(stored(upstream()), END, POLICY, RETENTION)
    assert (settlement.live, settlement.fence, settlement.logs) == (None, VERSION, ())
    assert settlement.history is not None
    assert (settlement.history.message.attempt, settlement.history.expires) == (1, EXPIRES)


@pytest.mark.parametrize(
    ("attempt", "state", "due", "kind"),
    [
        (0, State.WAITING, END + 15 * MINUTE, LogType.WARNING),
        (3, State.WAITING, END + 60 * MINUTE, LogType.WARNING),
        (4, State.DEAD, None, LogType.ERROR),
    ],
)
def test_a_refusal_by_the_broker_counts(
    attempt: int, state: State, due: object, kind: LogType
) -> None:
    """Invariant 7: a refused reply waits by the same formula, and is dead after the last."""
    settlement = refused(stored(upstream(attempt=attempt)), "413", END, POLICY, RETENTION)
    message = live(settlement)
    assert (message.state, message.due, message.attempt) == (state, due, attempt + 1)
    assert [line.type for line in settlement.logs] == [kind]


@pytest.mark.parametrize("text", ["x" * 1_000, "ç" * 1_000, "😀" * 1_000, "\ud800" * 1_000])
def test_the_weight_is_not_too_low(text: str) -> None:
    """What a commit is grouped by is at least the bytes of the texts in it, and its writes."""
    line = Line(LogType.INFORMATION, text, NOW, text)
    answers = (Answer("A", content(text)),) * 3
    message = replace(running(), id=text, content=content(text), attempt=2, error=text)
    size, writes = settled(Done(answers), message, line).weight
    bytes_each = len(text.encode("utf-8", "surrogatepass"))
    assert size >= (3 + 1 + 1 + 1 + 1) * bytes_each  # replies, content, id, line, debug
    assert writes == 1 + 1 + 3 + 2  # the delete, the history, the replies, the lines


def test_a_settlement_weighs_what_it_moves_and_creates() -> None:
    """Settlements are grouped by their weight: an estimate, but never beneath what is written."""
    large = content("x" * 100_000)
    settlement = settled(Done((Answer("A", large), Answer("B", large))), running(text="y" * 50_000))
    size, writes = settlement.weight
    assert 250_000 < size < 260_000
    assert writes == 5, "the live document, the history, two replies, a line"


@pytest.mark.parametrize("part", ["id", "type", "audience", "correlation_id", "error"])
def test_every_text_of_a_message_has_its_weight(part: str) -> None:
    """What is left out could grow beyond what a request may hold."""
    slim, fat = (
        settled(Done(()), replace(running(), **{part: "x" * size}))  # type: ignore[arg-type]
        for size in (1, 1_001)
    )
    assert fat.weight[0] - slim.weight[0] >= 1_000


def test_the_kinds_of_log_lines_are_rms() -> None:
    """RM's `LOGTYPE`."""
    assert [int(kind) for kind in LogType] == [0, 1, 2]


def test_each_document_that_is_written_or_deleted_is_a_write() -> None:
    """A commit takes so many at most."""
    said = Line(LogType.WARNING, "half of it", NOW)
    ended = settled(Done((Answer("Reply", content("{}"), "RM", None),)), None, said, said)
    # The history, the deletion, a reply, two lines of the consumer's and the relay's own.
    assert ended.weight[1] == len(ended.logs) + 3
    again = settled(Retry("later"))
    assert again.weight[1] == len(again.logs) + 1
    made = Settlement(document="U-1", fence=None, live=upstream())
    assert made.weight[1] == 1


def test_what_is_missing_weighs_nothing() -> None:
    without = Settlement(document="U-1", fence=None, live=upstream(audience=None))
    assert without.weight == replace(without, live=upstream(audience="")).weight
    assert without.weight[0] + 1 == replace(without, live=upstream(audience="a")).weight[0]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_lines_are_shed_from_the_first_that_has_no_room(number: int) -> None:
    """With room for all of them, and for the note that would say what is missing, all stay; with
    a byte less the last one goes, also where it is the only one."""
    line = Line(LogType.INFORMATION, "x" * 10_000, NOW, None)
    settlement = settled(Done(()), None, *(line,) * number)
    fewer = settled(Done(()), None, *(line,) * (number - 1))
    note = lightened(settlement, 0).weight[0] - settled(Done(())).weight[0]
    assert note > 0
    enough = settlement.weight[0] + note
    assert lightened(settlement, enough) == settlement
    lighter = lightened(settlement, enough - 1)
    *kept, told, own = lighter.logs
    assert kept == list(fewer.logs[:-1])
    assert told.text == "1 log lines are missing here: with them it could not be stored"
    assert own == settlement.logs[-1]
    assert lighter.missing == 1
    assert lighter.weight[0] == fewer.weight[0] + note < enough
