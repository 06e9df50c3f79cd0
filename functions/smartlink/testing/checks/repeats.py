"""Checks that a message may run again: as a duplicate, after a lost settlement, in another
order."""

from smartlink.testing.checks.again import HELD, same, still, worth_it
from smartlink.testing.examination import Examination, NotRunError
from smartlink.testing.scenario import Scenario, Seen


def repeat(exam: Examination) -> str:
    """Delivers the same message twice, at the same attempt."""
    return _twice(exam, attempt=1)


def lost_settlement(exam: Examination) -> str:
    """Runs a message to its end, and runs it again as if the process had ended before it
    settled."""
    return _twice(exam, attempt=2)


def _twice(exam: Examination, attempt: int) -> str:
    if not exam.repeats:
        raise NotRunError(HELD)
    scenario = exam.scenario()
    one = scenario.deliver(exam.text)
    before = scenario.snapshot()
    other = scenario.deliver(exam.text, attempt=attempt)
    same(one, other, "the second run")
    still(before, scenario.snapshot(), "the second run")
    return "the same replies and effects" if exam.options.effects else "the same replies"


def order(exam: Examination) -> str:
    """Delivers several messages forwards and backwards, and compares the replies."""
    worth_it(exam)
    texts = [exam.text, *exam.others]
    if len(texts) == 1:
        reason = "there is one payload: give others=[…] that the consumer accepts"
        raise NotRunError(reason)
    scenario = exam.scenario()
    forwards = _delivered(scenario, list(enumerate(texts)))
    backwards = _delivered(scenario, list(reversed(list(enumerate(texts)))))
    for number in range(len(texts)):
        same(forwards[number], backwards[number], f"payload {number + 1}, in another order,")
    return f"{len(texts)} messages, forwards and backwards: the same replies"


def _delivered(scenario: Scenario, texts: list[tuple[int, str]]) -> dict[int, Seen]:
    name = scenario.arrival.message_id
    return {
        number: scenario.deliver(text, message_id=f"{name}-of-{number}") for number, text in texts
    }
