"""Checks a run of a message that has run before."""

from smartlink.domain.outcome import Done, Unknown
from smartlink.testing.examination import Examination, FailedError, NotRunError
from smartlink.testing.growth import exceeds, growth
from smartlink.testing.scenario import Scenario, Seen

_SHOWN = 300  # characters
HELD = "after a crash the relay holds the message: a person decides, nothing runs again"
_REPLIES = (
    "answer from the message and from what is stored, not from what a run leaves in memory or "
    "makes up (a clock, a random id): take context.received and context.message_id. A field that "
    "may differ goes into volatile=."
)
_EFFECTS = (
    "look before you write (an upsert under a key of the payload), or wrap the effect in "
    'context.once("<its key>", …).'
)


def worth_it(exam: Examination) -> None:
    """Raises NotRunError if the relay never repeats the message, or if a plain repeat fails
    already."""
    if not exam.repeats:
        raise NotRunError(HELD)
    if "repeat" in exam.failed:
        reason = "a plain repeat differs already: fix that first"
        raise NotRunError(reason)


def recovers(
    exam: Examination, scenario: Scenario, start: object, broken: str, doubled: str = ""
) -> bool:
    """Runs the message again after its first run broke off; tells whether it is held for a person.

    `start` is the snapshot before the first run. `broken` says where that run broke off. `doubled`
    is the advice if the effects are doubled. Raises FailedError.
    """
    where = f"the run after {broken}"
    again = scenario.deliver(exam.text, attempt=2)
    after = scenario.snapshot()
    grown = growth(start, after)
    if exceeds(grown, exam.grown):
        detail = f"{where} doubled effects: they grew by {grown}, by {exam.grown} without it"
        raise FailedError(detail, doubled or _EFFECTS)
    if isinstance(again.delivered.verdict, Unknown) and exam.arrival.hold:
        return True
    _finished(exam, again, where)
    last = scenario.deliver(exam.text, attempt=3)
    same(again, last, f"a third run, {where} being the second,")
    still(after, scenario.snapshot(), f"a third run, {where} being the second,")
    return False


def _finished(exam: Examination, again: Seen, where: str) -> None:
    if not isinstance(again.delivered.verdict, Done):
        detail = f"{where} does not end: {again.delivered.reason[:_SHOWN]}"
        raise FailedError(detail, "let the next run find and finish what the last one left.")
    if again.kinds != exam.first.kinds:
        detail = f"{where} replies {again.kinds}, not {exam.first.kinds}"
        advice = "reply also when the work turns out to be done already."
        raise FailedError(detail, advice)


def same(one: Seen, other: Seen, what: str) -> None:
    """Raises FailedError unless outcome and replies are the same."""
    if one.result != other.result:
        detail = f"{what} came to {_shown(other)}, not {_shown(one)}"
        raise FailedError(detail, _REPLIES)


def _shown(seen: Seen) -> str:
    name, replies = seen.result
    reason = f" ({seen.delivered.reason})" if seen.delivered.reason else ""
    return f"{name}{reason} with replies {replies}"[:_SHOWN]


def still(before: object, after: object, what: str) -> None:
    """Raises FailedError if the outside has changed between the two snapshots."""
    if before != after:
        detail = f"{what} changed effects: {str(before)[:_SHOWN]} became {str(after)[:_SHOWN]}"
        raise FailedError(detail, _EFFECTS)
