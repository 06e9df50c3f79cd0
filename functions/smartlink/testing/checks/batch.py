"""Checks that messages that run together come to what each comes to alone."""

from smartlink.consumer import BatchConsumer
from smartlink.testing.examination import Examination, FailedError, NotRunError
from smartlink.testing.odd_payloads import odd_payloads
from smartlink.testing.scenario import Seen

_ODD = 3  # payloads of others that are no good
_SHOWN = 300  # characters
_ADVICE = (
    "say of each item what became of it, by what happened to it alone: item.done, item.retry or "
    "item.fatal. Raise only if nothing was done for any of them."
)


def batch(exam: Examination) -> str:
    """Runs the sample in one call with the others and with odd payloads, and then each alone."""
    consumer = exam.consumer
    if not isinstance(consumer, BatchConsumer):
        reason = "it takes one message at a time"
        raise NotRunError(reason)
    odd = [text for _, text in odd_payloads(exam.text, consumer.payload)][:_ODD]
    texts = [exam.text, *exam.others, *odd][: consumer.at_most]
    names = [f"{exam.arrival.message_id}-of-{number}" for number in range(len(texts))]
    together = exam.scenario().deliver_together(dict(zip(names, texts, strict=True)))
    scenario = exam.scenario()
    for number, (name, text) in enumerate(zip(names, texts, strict=True)):
        one = scenario.deliver(text, message_id=name)
        if together[number].result != one.result:
            what = f"payload {number + 1} of {len(texts)} in one batch"
            detail = f"{what} came to {_shown(together[number])}, alone to {_shown(one)}"
            raise FailedError(detail, _ADVICE)
    return f"{len(texts)} messages at once come to what each comes to alone"


def _shown(seen: Seen) -> str:
    name, replies = seen.result
    reason = f" ({seen.delivered.reason})" if seen.delivered.reason else ""
    return f"{name}{reason} with replies {replies}"[:_SHOWN]
