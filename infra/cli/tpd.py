"""What `smartlink tpd check|draft|trace` do, and what they show."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import Progress
from sqlalchemy.exc import SQLAlchemyError

from consumers.sgdp.failures import described
from consumers.sgdp.inspection.check import Report, check
from consumers.sgdp.inspection.draft import draft
from consumers.sgdp.inspection.findings import Finding, Level, Topic
from consumers.sgdp.inspection.tables import reading
from consumers.sgdp.trace import trace
from infra.cli.erp_options import ErpOptions
from infra.cli.erp_source import erp_source, loaded_map
from infra.cli.errors import CliError, UsageError
from infra.cli.screen import Screen, numbers
from infra.cli.session import Session
from smartlink.i18n import _, data, joined, told

_LONG_FIX = 2_000  # characters; SQLite has no function that strips several marks
_TITLES = {
    Topic.DATABASE: _("The database"),
    Topic.MAP: _("The map"),
    Topic.RIGHTS: _("Rights"),
    Topic.STORED_FORMS: _("Stored forms"),
    Topic.UNMAPPED: _("Looks personal and is not in the map"),
    Topic.COPIES: _("Copies"),
    Topic.INDEXES: _("Indexes"),
}
_MARKS = {Level.FAULT: ("✗", "red"), Level.WARNING: ("!", "yellow"), Level.NOTE: ("✓", "green")}


def check_map(
    session: Session, options: ErpOptions, named: str | None, sample: int, *, strict: bool
) -> None:
    """Checks a map and shows what is found. Raises CliError at a fault."""
    found = erp_source(session, options)
    loaded = loaded_map(named, found)
    screen = session.screen
    with _told(), screen.progress() as bar:
        today = datetime.now(UTC).date()
        report = check(found.engine, loaded, found.salt, sample, today, _Bar(bar).tell)
    show_report(screen, report)
    faults, warnings = report.count(Level.FAULT), report.count(Level.WARNING)
    if faults or (strict and warnings):
        message = _("{faults} faults, {warnings} warnings.", faults=faults, warnings=warnings)
        raise CliError(message)


def draft_map(session: Session, options: ErpOptions, sample: int) -> None:
    """Writes a first map to stdout."""
    found = erp_source(session, options)
    screen = session.screen
    with _told(), screen.progress() as bar:
        written = draft(found.engine, sample, datetime.now(UTC).date(), _Bar(bar).tell)
    screen.json(written)
    count = json.dumps(written).count('"decide": "') + 2  # the purpose has two questions
    screen.note(
        _(
            "{count} questions are left: answer each, take its line out, then tpd check.",
            count=count,
        )
    )


def trace_person(session: Session, options: ErpOptions, values: str) -> None:
    """Shows where a person's values stand. Raises CliError if they do, or a table is not read."""
    if values == "-" and "-" in (options.secret_file, options.url_file):
        message = _("stdin is asked for twice: give the values or the database's URL as a file.")
        raise UsageError(message)
    wanted = _values(values)
    found = erp_source(session, options)
    screen = session.screen
    with _told(), reading(found.engine) as connection:
        seen = list(trace(connection, wanted))
    unread = [it for it in seen if it.problem]
    if screen.as_json:
        screen.json([asdict(it) for it in seen])
    elif seen:
        columns = (_("Schema"), _("Table"), _("Column"), numbers(_("Rows")), _("Not read"))
        rows = ((it.schema, it.table, it.column, it.rows, it.problem) for it in seen)
        screen.table(columns, rows)
    else:
        screen.say(_("None of the values stands in any table."), "green")
    if seen:
        message = _(
            "Found in {found} columns; {count} could not be read.",
            found=len(seen) - len(unread),
            count=len(unread),
        )
        raise CliError(message)


def show_report(screen: Screen, report: Report) -> None:
    """Draws what a check found, the faults of each topic first."""
    if screen.as_json:
        screen.json(report.as_json())
        return
    looked = _("up to {rows} rows of each", rows=report.rows) if report.rows else _("no rows")
    text = _(
        "Looked at {database}, {tables} tables, {mapped} of them mapped; {looked}.",
        database=report.database,
        tables=report.tables,
        mapped=report.mapped,
        looked=looked,
    )
    screen.say(text)
    for topic, title in _TITLES.items():
        its = [it for it in report.findings if it.topic is topic]
        if its:
            screen.say(data(""))
            screen.say(title, "bold")
            _show(screen, its)
    screen.say(data(""))


def _show(screen: Screen, findings: Sequence[Finding]) -> None:
    """Writes findings one a line; a fix that several of them have, once after the last of these.

    What a note would have one do can wait: it stands in the JSON.
    """
    for number, finding in enumerate(findings):
        mark, style = _MARKS[finding.level]
        screen.say(joined("", (mark, " ", finding.place, ": ", finding.text)), style)
        if finding.level is Level.NOTE or not finding.fix:
            continue
        if finding.fix not in {it.fix for it in findings[number + 1 :]}:
            long = len(finding.fix) > _LONG_FIX
            fix = _("(its SQL is long: see --json)") if long else data(finding.fix)
            screen.say(joined("", ("  → ", fix)))


class _Bar:
    """Progress over the tables, on stderr."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task(told(_("tables")), total=None)

    def tell(self, done: int, of: int) -> None:
        self._bar.update(self._task, completed=done, total=of)


def _values(file: str) -> list[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = _("{file} cannot be read ({kind}).", file=file, kind=type(error).__name__)
        raise UsageError(message) from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found or not all(any(char.isalnum() for char in it) for it in found):
        message = _("Give the person's values, one a line, each with a letter or digit at least.")
        raise UsageError(message)
    return found


@contextmanager
def _told() -> Iterator[None]:
    """Turns a database's failure into one sentence."""
    try:
        yield
    except SQLAlchemyError as error:
        message = _(
            "The database failed ({described}): see that it runs, can be reached, and that "
            "the URL and the user's rights are right.",
            described=described(error),
        )
        raise CliError(message) from None
