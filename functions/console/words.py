"""Texts, numbers and instants in the reader's form."""

import os
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_date, format_datetime, format_timedelta
from flask import Request
from markupsafe import Markup, escape

from smartlink.domain.message import DeadReason, Ending, LogType, Result, State
from smartlink.i18n import Language, Text, _, current, forms, joined, plural, told
from smartlink.operations.act import Report
from smartlink.operations.job import JobState
from smartlink.operations.operate import LATER
from smartlink.operations.plan import Unfit
from smartlink.operations.tenants import Status
from smartlink.operations.visible import clean_lines

_of_template, _plural_of_template = _, plural  # the templates mark their texts themselves
LANGUAGE_COOKIE = "smartlink_language"
_BRASILIA = timezone(timedelta(hours=-3), "-03")
_CODES = {"pt-br": Language.PORTUGUESE, "pt": Language.PORTUGUESE, "en": Language.ENGLISH}

STATES: Mapping[State | Ending, tuple[str, Text]] = {
    # the tone of its mark, and its name
    State.PENDING: ("plain", _("Pending (Pendente)")),
    State.RUNNING: ("busy", _("Running (Executando)")),
    State.WAITING: ("warn", _("Waiting (Aguardando)")),
    State.DEAD: ("bad", _("Dead (Morta)")),
    Ending.DONE: ("good", _("Done (Concluida)")),
    Ending.DISCARDED: ("plain", _("Discarded (Descartada)")),
}
STATUSES: Mapping[Status, tuple[str, Text]] = {
    Status.ACTIVE: ("good", _("Active")),
    Status.PAUSED: ("warn", _("Paused")),
    Status.DISABLED: ("plain", _("Disabled")),
    Status.HALTED: ("bad", _("Halted: another customer's credentials")),
    Status.ORPHANED: ("bad", _("Orphaned: its secret is gone")),
    Status.UNUSABLE: ("bad", _("Unusable secret")),
    Status.UNKNOWN: ("warn", _("Unknown")),
}
REASONS: Mapping[DeadReason, Text] = {
    DeadReason.EXHAUSTED: _("no attempt is left"),
    DeadReason.REJECTED: _("its consumer rejected it"),
    DeadReason.UNKNOWN_COMMAND: _("no consumer is deployed for its command"),
    DeadReason.MALFORMED: _("its envelope is malformed"),
    DeadReason.ID_REUSED: _("the same id came with another content"),
    DeadReason.UNKNOWN_OUTCOME: _("it may have been done: a person has to look"),
    DeadReason.UNWRITTEN_OUTCOME: _("it was done, but that can never be stored"),
    DeadReason.STEPS_EXHAUSTED: _("its work has had all its steps: it was not run"),
}
JOBS: Mapping[JobState, tuple[str, Text]] = {
    JobState.WAITING: ("plain", _("Waits for its next step")),
    JobState.RUNNING: ("busy", _("Under way")),
    JobState.STOPPING: ("warn", _("Stops")),
    JobState.STOPPED: ("warn", _("Stopped")),
    JobState.FAILED: ("bad", _("It failed")),
    JobState.DONE: ("good", _("It is done")),
}
ACTS: Mapping[str, Text] = {
    "redrive": _("Redrive"),
    "discard": _("Discard"),
    "hold": _("Hold"),
}
RESULTS: Mapping[Result, Text] = {
    Result.DONE: _("succeeded"),
    Result.RETRY: _("failed"),
    Result.REJECTED: _("rejected"),
    Result.CRASHED: _("broken off"),
    Result.UNKNOWN: _("outcome unknown"),
}
LOG_TYPES: Mapping[LogType, tuple[str, Text]] = {
    LogType.INFORMATION: ("plain", _("Information")),
    LogType.WARNING: ("warn", _("Warning")),
    LogType.ERROR: ("bad", _("Error")),
}
UNFIT: Mapping[Unfit, Text] = {
    Unfit.MALFORMED: _("its envelope is malformed: ask the sender, then discard it"),
    Unfit.NO_CONSUMER: _("no consumer is deployed for its command: deploy one, or discard it"),
    Unfit.MAY_HAVE_RUN: _("it may have been done: find out, then say that it was not done"),
    Unfit.HELD: _("it is held already"),
    Unfit.NEVER_RUNS: _("its envelope is malformed: it never runs"),
    Unfit.UNREADABLE: _("it cannot be read: fix it, or discard it by itself"),
}


_LATER = _("it came, died or was redriven after the selection")


def left_out(name: str) -> Text | str:
    """Says why a job left messages out, by the name under which it counts them."""
    if name == LATER:
        return _LATER
    return UNFIT[Unfit(name)] if name in list(Unfit) else name


def language_of(request: Request) -> Language:
    """Returns the language that the reader chose, or the browser's, or else Portuguese."""
    own = request.cookies.get(LANGUAGE_COOKIE, "").casefold()
    if own in _CODES:
        return _CODES[own]
    best = request.accept_languages.best_match(["pt-BR", "pt", "en"], default="pt-BR")
    return _CODES[str(best).casefold()]


@cache
def zone() -> tzinfo:
    """The zone in which instants are shown: SMARTLINK_CONSOLE_ZONE, or São Paulo's."""
    try:
        return ZoneInfo(os.environ.get("SMARTLINK_CONSOLE_ZONE") or "America/Sao_Paulo")
    except (ZoneInfoNotFoundError, ValueError):
        return _BRASILIA


def when(at: datetime | None, form: str = "medium") -> str:
    """Writes an instant to the second, or in the `short` form to the minute."""
    if at is None:
        return "—"
    written = format_datetime(at, form, tzinfo=zone(), locale=current().locale)
    return written.replace("\u202f", " ")  # English has this narrow space before PM


def zone_name() -> str:
    """Names the zone as `UTC-03:00`."""
    offset = datetime.now(UTC).astimezone(zone()).isoformat()[-6:]
    return f"UTC{offset}"


def ago(at: datetime | None, now: datetime) -> str:
    """Writes how long ago something was, or in what time it will be."""
    if at is None:
        return "—"
    return format_timedelta(at - now, locale=current().locale, add_direction=True, threshold=1.2)


def lasted(since: datetime, now: datetime) -> str:
    """Writes how long something has lasted."""
    return format_timedelta(now - since, locale=current().locale, threshold=1.2)


def seen(value: object) -> object:
    """Writes a value on a page: our texts in the reader's language, others' without what steers."""
    if isinstance(value, Markup) or hasattr(value, "__html__"):
        return value
    if value is None:
        return ""
    if callable(value):
        return value
    return clean_lines(told(value))


def exact(value: object) -> Markup:
    """Writes a value that a form gives back: every character as it is."""
    return Markup("") + escape(str(value))


def say(msgid: str, /, **fields: object) -> str:
    """Writes a text of a template in the reader's language."""
    return told(_of_template(msgid, **fields))


def say_number(one: str, more: str, number: int, /, **fields: object) -> str:
    """Writes a text of a template whose form depends on a number."""
    return told(_plural_of_template(one, more, number, **fields))


def decimal(value: float) -> str:
    """Writes a number that is no whole one in the reader's form: 0.2 or 0,2."""
    return forms.decimal(value, "", current())


def outcome(done: Text, report: Report) -> Text:
    """Says what became of an act on messages."""
    text = plural("{number} message: {done}.", "{number} messages: {done}.", report.done, done=done)
    refused, unknown = len(report.refused), len(report.unanswered)
    changed = _("{number} were changed by somebody else meanwhile.", number=report.changed)
    more = (
        (report.changed, changed),
        (refused, _("{number} were refused.", number=refused)),
        (unknown, _("Of {number} the database gave no answer: look again.", number=unknown)),
        (
            report.second,
            _(
                "{number} had ended before under the same id: that record stays.",
                number=report.second,
            ),
        ),
    )
    return joined(" ", [text, *(it for number, it in more if number)])


def clock(at: datetime) -> str:
    """Writes the hour of an instant."""
    return format_datetime(at, "HH:mm", tzinfo=zone(), locale=current().locale)


def by_day(hours: Mapping[datetime, int]) -> list[tuple[str, int]]:
    """Adds the hours up to the reader's days."""
    days: Counter[date] = Counter()
    for hour, count in hours.items():
        days[hour.astimezone(zone()).date()] += count
    form = "dd/MM" if current() is Language.PORTUGUESE else "MMM d"
    return [
        (format_date(day, form, locale=current().locale), count)
        for day, count in sorted(days.items())
    ]
