"""`smartlink tpd check|draft|trace`: a personal data map, before a person's request needs it."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from sqlalchemy.exc import SQLAlchemyError

from consumers.sgdp.failures import described
from consumers.sgdp.inspection.check import Report, check
from consumers.sgdp.inspection.draft import draft
from consumers.sgdp.inspection.findings import Finding, Level, Topic
from consumers.sgdp.inspection.tables import reading
from consumers.sgdp.trace import trace
from infra.cli import erp_source as erp
from infra.cli.errors import CliError, UsageError
from infra.cli.screen import Screen
from infra.cli.session import session_of

_Sample = Annotated[
    int,
    typer.Option("--sample", min=0, max=100_000, help="Rows of each table to look at; 0: none."),
]
_TITLES = {
    Topic.DATABASE: "The database",
    Topic.MAP: "The map",
    Topic.RIGHTS: "Rights",
    Topic.STORED_FORMS: "Stored forms",
    Topic.UNMAPPED: "Looks personal and is not in the map",
    Topic.COPIES: "Copies",
    Topic.INDEXES: "Indexes",
}
_MARKS = {Level.FAULT: ("✗", "red"), Level.WARNING: ("!", "yellow"), Level.NOTE: ("✓", "green")}


def check_map(
    context: typer.Context,
    data_map: Annotated[
        str | None,
        typer.Argument(metavar="[MAP]", help="A map's file, or a deployed map's name."),
    ] = None,
    *,
    tenant: erp.TenantOption = None,
    secret_file: erp.SecretFile = None,
    url_env: erp.UrlEnv = None,
    url_file: erp.UrlFile = None,
    sample: _Sample = 1_000,
    strict: Annotated[
        bool, typer.Option("--strict", help="A warning fails the check as well.")
    ] = False,
    unproven: erp.Unproven = False,
) -> None:
    """Check a map on its database: errors, stored forms, what it leaves out, copies, rights.

    It writes nothing, and no value of the database is in its output. Exit code 0: no fault; 1: at
    least one, or the database cannot be read; 2: wrong usage; 4: a database without proof.
    """
    session = session_of(context)
    found = erp.erp_source(
        session,
        erp.Options(
            tenant=tenant,
            secret_file=secret_file,
            url_env=url_env,
            url_file=url_file,
            unproven=unproven,
        ),
    )
    loaded = erp.loaded_map(data_map, found)
    screen = session.screen
    with _told(), screen.progress() as bar:
        today = datetime.now(UTC).date()
        report = check(found.engine, loaded, found.salt, sample, today, _Bar(bar).tell)
    show_report(screen, report)
    faults, warnings = report.count(Level.FAULT), report.count(Level.WARNING)
    if faults or (strict and warnings):
        message = f"{faults} faults, {warnings} warnings."
        raise CliError(message)


def draft_map(
    context: typer.Context,
    *,
    tenant: erp.TenantOption = None,
    secret_file: erp.SecretFile = None,
    url_env: erp.UrlEnv = None,
    url_file: erp.UrlFile = None,
    sample: _Sample = 300,
    unproven: erp.Unproven = False,
) -> None:
    """Write a first map of a database to stdout, for a person to finish.

    Each question is a line "decide"; a map that has one left is refused.
    """
    session = session_of(context)
    found = erp.erp_source(
        session,
        erp.Options(
            tenant=tenant,
            secret_file=secret_file,
            url_env=url_env,
            url_file=url_file,
            unproven=unproven,
        ),
    )
    screen = session.screen
    with _told(), screen.progress() as bar:
        written = draft(found.engine, sample, datetime.now(UTC).date(), _Bar(bar).tell)
    screen.json(written)
    count = json.dumps(written).count('"decide": "') + 2  # the purpose has two questions
    screen.note(f"{count} questions are left: answer each, take its line out, then tpd check.")


def trace_person(
    context: typer.Context,
    *,
    values: Annotated[
        str, typer.Option("--values", help="File of the person's values, one a line; - is stdin.")
    ] = "-",
    tenant: erp.TenantOption = None,
    secret_file: erp.SecretFile = None,
    url_env: erp.UrlEnv = None,
    url_file: erp.UrlFile = None,
    unproven: erp.Unproven = False,
) -> None:
    """Search a whole database for a person's values: name, CPF, e-mail, phone.

    Tells table, column and count, never a value. Reads every row: it takes as long as it takes.
    Exit code 1: something is found, or a table cannot be read.
    """
    session = session_of(context)
    if values == "-" and "-" in (secret_file, url_file):
        message = "stdin is asked for twice: give the values or the database's URL as a file."
        raise UsageError(message)
    wanted = _values(values)
    found = erp.erp_source(
        session,
        erp.Options(
            tenant=tenant,
            secret_file=secret_file,
            url_env=url_env,
            url_file=url_file,
            unproven=unproven,
        ),
    )
    screen = session.screen
    with _told(), reading(found.engine) as connection:
        seen = list(trace(connection, wanted))
    unread = [it for it in seen if it.problem]
    if screen.as_json:
        screen.json([asdict(it) for it in seen])
    elif seen:
        columns = ("Schema", "Table", "Column", "#Rows", "Not read")
        rows = ((it.schema, it.table, it.column, it.rows, it.problem) for it in seen)
        screen.table(columns, rows)
    else:
        screen.say("None of the values stands in any table.", "green")
    if seen:
        message = f"Found in {len(seen) - len(unread)} columns; {len(unread)} could not be read."
        raise CliError(message)


def show_report(screen: Screen, report: Report) -> None:
    """Draw what a check found, the faults of each topic first."""
    if screen.as_json:
        screen.json(report.as_json())
        return
    looked = f"up to {report.rows} rows of each" if report.rows else "no rows"
    told = f"{report.database}, {report.tables} tables, {report.mapped} of them mapped; {looked}"
    screen.say(f"Looked at {told}.")
    for topic, title in _TITLES.items():
        its = [it for it in report.findings if it.topic is topic]
        if its:
            screen.say(f"\n{title}", "bold")
            _show(screen, its)
    screen.say("")


def _show(screen: Screen, findings: Sequence[Finding]) -> None:
    """Write them one a line; a fix that several of them have, once after the last of these."""
    for number, finding in enumerate(findings):
        mark, style = _MARKS[finding.level]
        screen.say(f"{mark} {finding.place}: {finding.text}", style)
        if finding.fix and finding.fix not in {it.fix for it in findings[number + 1 :]}:
            screen.say(f"  → {finding.fix}")


class _Bar:
    """Progress over the tables, on stderr."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("tables", total=None)

    def tell(self, done: int, of: int) -> None:
        self._bar.update(self._task, completed=done, total=of)


def _values(file: str) -> list[str]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{file} cannot be read ({type(error).__name__})."
        raise UsageError(message) from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found or not all(any(char.isalnum() for char in it) for it in found):
        message = "Give the person's values, one a line, each with a letter or digit at least."
        raise UsageError(message)
    return found


@contextmanager
def _told() -> Iterator[None]:
    """A database's failure as one sentence."""
    try:
        yield
    except SQLAlchemyError as error:
        message = (
            f"The database failed ({described(error)}): see that it runs, can be reached, "
            f"and that the URL and the user's rights are right."
        )
        raise CliError(message) from None
