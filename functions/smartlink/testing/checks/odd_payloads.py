"""Checks that every odd payload comes to a verdict that the author chose."""

from smartlink.consumer import RetryableError, UnknownOutcomeError
from smartlink.domain.outcome import Done, Reject
from smartlink.testing.examination import Examination, FailedError
from smartlink.testing.odd_payloads import odd_payloads as made_of
from smartlink.testing.scenario import OverdueError, Seen

_SHOWN = 5  # failures
_ADVICE = {
    "KeyError": "name the field in the payload model, with its type and default.",
    "IndexError": "a list may be empty: give the model's field a min_length.",
    "AttributeError": "a field may be null or of another kind: give it its type in the model.",
    "TypeError": "a field may be null or of another kind: give it its type in the model.",
    "ValueError": "let the model parse it (int, date, Enum): what does not fit is then fatal.",
    "ValidationError": "a payload that never fits is fatal: catch it, raise FatalError.",
    "JSONDecodeError": "take a payload model instead of the text, or raise FatalError.",
    "UnicodeEncodeError": "a text may hold half of a surrogate pair: refuse it by FatalError.",
    "RecursionError": "bound the depth that you follow, or raise FatalError.",
}
_OTHER = "raise FatalError where it will never work, RetryableError where it may."


def odd_payloads(exam: Examination) -> str:
    """Delivers odd payloads: empty, cut off, huge, deep, of other types, with odd characters.

    None of them may raise an unexpected exception.
    """
    scenario = exam.scenario()
    problems: dict[str, list[str]] = {}
    number = 0
    for number, (name, text) in enumerate(made_of(exam.text, exam.consumer.payload), start=1):
        try:
            seen = scenario.deliver(text, message_id=f"odd-{number}")
        except OverdueError as error:
            detail = f"{name}: it still runs after {exam.options.timeout:g} s"
            advice = "bound loops and regular expressions by the payload's size, or refuse it."
            raise FailedError(detail, advice) from error
        if kind := _surprise(seen):
            problems.setdefault(kind, []).append(name)
    if not problems:
        return f"each of {number} came to a verdict that somebody chose"
    raise FailedError(_told(problems, number), _advice(problems))


def _surprise(seen: Seen) -> str | None:
    """Returns the unexpected exception's name, or the relay's reason; None for a chosen verdict."""
    if isinstance(seen.delivered.verdict, (Done, Reject)):
        return None
    raised = seen.watch.raised
    if isinstance(raised, (RetryableError, UnknownOutcomeError)):
        return None if str(raised).strip() else f"{type(raised).__name__} without a text"
    return type(raised).__name__ if raised else seen.delivered.reason


def _told(problems: dict[str, list[str]], number: int) -> str:
    parts = [
        f"{kind} by {len(names)} ({', '.join(names[:_SHOWN])}{', …' if names[_SHOWN:] else ''})"
        for kind, names in problems.items()
    ]
    return f"of {number} odd payloads: {'; '.join(parts)}"


def _advice(problems: dict[str, list[str]]) -> str:
    return " ".join(
        advice if len(problems) == 1 else f"{kind}: {advice}"
        for kind in problems
        for advice in [_ADVICE.get(kind, _OTHER)]
    )
