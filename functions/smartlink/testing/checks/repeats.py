"""Checks that a message may run again: as a duplicate, after a lost settlement, in another
order."""

from collections.abc import Sequence

from smartlink.domain.order import WHOLE, NoKeyError, key_of
from smartlink.testing.checks.again import HELD, same, still, worth_it
from smartlink.testing.examination import Examination, FailedError, NotRunError
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
    """Delivers several messages forwards and backwards, and compares the replies.

    The messages of one key of an ordered command keep their order, as in the relay.
    """
    texts = [exam.text, *exam.others]
    groups = _by_key(exam, texts)
    worth_it(exam)
    if len(texts) == 1:
        reason = "there is one payload: give others=[…] that the consumer accepts"
        raise NotRunError(reason)
    if len(groups) == 1:
        return f"{len(texts)} messages of one key: the relay keeps their order"
    scenario = exam.scenario()
    forwards = _delivered(scenario, list(enumerate(texts)))
    backwards = _delivered(scenario, [it for group in reversed(groups) for it in group])
    for number in range(len(texts)):
        same(forwards[number], backwards[number], f"payload {number + 1}, in another order,")
    return f"{len(texts)} messages, forwards and backwards: the same replies"


def _by_key(exam: Examination, texts: Sequence[str]) -> list[list[tuple[int, str]]]:
    """Returns the numbered messages in groups: those of one key together, others alone.

    Raises FailedError if a message has no key: the relay would not run it.
    """
    by = WHOLE if exam.options.ordered is True else exam.options.ordered
    groups: dict[str, list[tuple[int, str]]] = {}
    for number, text in enumerate(texts):
        key = str(number)
        if by:
            try:
                key = key_of("tenant", exam.consumer.command, by, text, personal=False)
            except NoKeyError as error:
                advice = f"a message without {by} is dead in the relay: give payloads that have it."
                found = f"payload {number + 1}: {error}"
                raise FailedError(found, advice) from None
        groups.setdefault(key, []).append((number, text))
    return list(groups.values())


def _delivered(scenario: Scenario, texts: list[tuple[int, str]]) -> dict[int, Seen]:
    name = scenario.arrival.message_id
    return {
        number: scenario.deliver(text, message_id=f"{name}-of-{number}") for number, text in texts
    }
