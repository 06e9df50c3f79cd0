"""The conformance suite checks that a consumer may be repeated, has limits, and logs no values."""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, Unpack

from smartlink.consumer import Consumer
from smartlink.domain.outcome import Done
from smartlink.testing.checks.batch import batch
from smartlink.testing.checks.bounds import log_lines, memory, replies, threads
from smartlink.testing.checks.crashes import crash, once
from smartlink.testing.checks.odd_payloads import odd_payloads
from smartlink.testing.checks.privacy import log_templates, tenants
from smartlink.testing.checks.repeats import lost_settlement, order, repeat
from smartlink.testing.delivery import Around, Arrival, check
from smartlink.testing.examination import Examination, FailedError, NotRunError
from smartlink.testing.options import Limits, Options
from smartlink.testing.payloads import Content, as_text
from smartlink.testing.report import Check, Report, Verdict
from smartlink.testing.scenario import OverdueError

_OPTIONS = {field.name for field in fields(Options)}
_GATES = {"time", "replies", "accepted"}  # if one of these fails, the further checks tell nothing
_ONLY_REPLIES = (
    "without effects= only the replies were compared: give a snapshot of what the consumer changes"
)
_NO_RESET = (
    "without reset= a consumer that keeps to a key of the payload has no more to do in the later "
    "scenarios: give what puts the outside back"
)


class Examined(Around, total=False):
    """What surrounds the payload of an examination. Each item is optional."""

    effects: Callable[[], object]  # a snapshot of all that the consumer changes outside
    reset: Callable[[], object]  # puts the outside back, before each scenario
    others: Sequence[Content]  # further payloads that the consumer accepts: for the order
    ordered: str | bool  # the catalogue's `ordered`: each payload must have its key
    volatile: Collection[str]  # replies' fields that may differ; default: generatedOn, time
    limits: Limits


def examine(consumer: Consumer, payload: Content, **around: Unpack[Examined]) -> Report:
    """Delivers the payload, and odd ones, many times; returns a report of all checks.

    The consumer must accept the payload. It runs in threads, as in the deployed function. An error
    of `effects` or `reset` is raised.
    """
    check(consumer)
    given: dict[str, Any] = dict(around)
    options = Options(**{name: given.pop(name) for name in _OPTIONS & given.keys()})
    given["timeout"] = options.timeout
    others = tuple(map(as_text, options.others))
    exam = Examination(consumer, as_text(payload), others, Arrival(**given), options)
    with _quiet():
        checks = tuple(_checked(exam))
    notes = [_ONLY_REPLIES] if options.effects is None else []
    notes += [_NO_RESET] if options.effects is not None and options.reset is None else []
    return Report(consumer.command, checks, tuple(notes))


def conforms(consumer: Consumer, payload: Content, **around: Unpack[Examined]) -> Report:
    """Examines the consumer. Raises AssertionError with the report and advice if a check fails."""
    __tracebackhide__ = True
    report = examine(consumer, payload, **around)
    if not report.ok:
        raise AssertionError(str(report))
    return report


def _checked(exam: Examination) -> Iterator[Check]:
    closed = ""
    for name, examined in CHECKS.items():
        if closed:
            yield Check(name, Verdict.NOT_RUN, f"{closed!r} failed")
            continue
        found, ends = _check(name, examined, exam)
        yield found
        exam.failed |= {name} if found.verdict is Verdict.FAILED else set()
        closed = name if ends else ""


def _check(
    name: str, examined: Callable[[Examination], str], exam: Examination
) -> tuple[Check, bool]:
    """Runs a check; returns its result, and whether no further check makes sense after it."""
    try:
        return Check(name, Verdict.PASSED, examined(exam)), False
    except FailedError as error:
        return Check(name, Verdict.FAILED, str(error), error.advice), name in _GATES
    except NotRunError as error:
        return Check(name, Verdict.NOT_RUN, str(error)), False
    except OverdueError:
        return _overdue(name, exam), True


def _time(exam: Examination) -> str:
    exam.begin()
    return f"within {exam.options.timeout:g} s"


def _overdue(name: str, exam: Examination) -> Check:
    detail = f"a delivery still runs after {exam.options.timeout:g} s"
    advice = (
        "give every call a time-out of its own, shorter than the command's timeoutSeconds: past "
        "that the whole process is ended."
    )
    return Check(name, Verdict.FAILED, detail, advice)


def _accepted(exam: Examination) -> str:
    seen = exam.first
    if not isinstance(seen.delivered.verdict, Done):
        advice = "give a payload that the consumer accepts, and what it needs (erp=…)."
        detail = f"the sample payload was not executed: {seen.delivered}"
        raise FailedError(detail, advice)
    return "the sample payload is executed"


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the relay's own log lines, because hundreds of deliveries fail on purpose."""
    logger = logging.getLogger("smartlink")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


CHECKS: dict[str, Callable[[Examination], str]] = {
    "time": _time,
    "replies": replies,
    "accepted": _accepted,
    "log lines": log_lines,
    "log templates": log_templates,
    "repeat": repeat,
    "lost settlement": lost_settlement,
    "crash": crash,
    "once": once,
    "order": order,
    "batch": batch,
    "tenants": tenants,
    "threads": threads,
    "memory": memory,
    "odd payloads": odd_payloads,
}
"""The checks by name, in the order in which they run."""
