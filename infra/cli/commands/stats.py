"""`smartlink stats`: shows throughput, attempts, failures and the oldest waiting message."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.chart import html, svg
from infra.cli.errors import UsageError, os_words
from infra.cli.screen import Screen, folds, numbers
from infra.cli.session import session_of
from infra.cli.zone import hour as hour_of
from infra.cli.zone import instant, zone_name
from smartlink.i18n import _, data, joined
from smartlink.operations.figures import Figures, Hour, gather
from smartlink.operations.retries import in_words
from smartlink.operations.views import figures_view

_BARS = 30  # characters of the longest bar
_HOURS = 24  # that the screen shows: the last ones in which something happened


def stats(
    context: typer.Context,
    *,
    tenant: opt.Tenant = None,
    period: Annotated[str, typer.Option("--period", help="The time looked at: 6h, 2d.")] = "24h",
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Write a page with the chart to this file.")
    ] = None,
    svg_file: Annotated[
        Path | None, typer.Option("--svg", help="Write the chart alone to this file.")
    ] = None,
) -> None:
    """Show what was done, after how many attempts, what failed and how, and what waits longest.

    Failures that differ only in numbers, ids or quoted texts have the same fingerprint.
    """
    session = session_of(context)
    deployment, screen = session.deployment, session.screen
    figures = gather(deployment, tenant, opt.span(period))
    title = _(
        "Smart Link: {title}, until {until}", title=deployment.title, until=instant(figures.until)
    )
    if html_file:
        _write(html_file, html(figures, title))
    if svg_file:
        _write(svg_file, svg(figures))
    if screen.as_json:
        screen.json(figures_view(figures))
        return
    _show(screen, figures)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        message = _("{path} cannot be written: {problem}", path=path, problem=os_words(error))
        raise UsageError(message) from None


def _show(screen: Screen, figures: Figures) -> None:
    oldest = figures.oldest
    screen.facts(
        (
            (_("Done"), figures.done),
            (_("Discarded"), figures.discarded),
            *(
                (_("Live, {state}", state=state), number)
                for state, number in sorted(figures.states.items())
            ),
            (_("Live, unreadable"), figures.unreadable or None),
            (_("History, unreadable"), figures.odd_history or None),
            (
                _("Oldest waiting"),
                oldest and joined(" ", (instant(oldest[1].received), oldest[1].id)),
            ),
        )
    )
    every = [(hour, its) for hour, its in figures.hours() if its != Hour()]
    busy = every[-_HOURS:]
    if busy:
        top = max(max(its.done, its.failed) for _at, its in busy)
        rows = (
            (
                hour_of(at),
                its.done,
                its.failed,
                its.retried,
                in_words(its.waited) if its.done else None,
                _bar(its.done, top, "#") + _bar(its.failed, top, "x"),
            )
            for at, its in busy
        )
        head = _("Hour ({zone_name})", zone_name=zone_name(figures.until))
        columns = (
            head,
            numbers(_("Done")),
            numbers(_("Failed")),
            numbers(_("Retried")),
            numbers(_("Longest wait")),
            joined("", (" ", _("# done, x failed"))),
        )
        screen.table(columns, rows)
        if len(every) > len(busy):
            screen.note(
                _(
                    "Only the last {shown} hours in which something happened are shown, of "
                    "{count}: --html or --json has all.",
                    shown=len(busy),
                    count=len(every),
                )
            )
        screen.table(
            (numbers(_("Attempts")), numbers(_("Messages"))), sorted(figures.attempts.items())
        )
    if figures.failures:
        failed = ((it.messages, it.dead, it.code, it.pattern) for it in figures.worst())
        screen.table(
            (numbers(_("Msgs")), numbers(_("Dead")), data("Print"), folds(_("Error"))),
            failed,
            _("Failures"),
        )
    for tenant, since in figures.cut.items():
        text = _(
            "{tenant} had too much for one look: its history was counted back to {since}.",
            tenant=tenant,
            since=instant(since),
        )
        screen.note(text, "yellow")


def _bar(number: int, top: int, mark: str) -> str:
    return mark * max(1, number * _BARS // (2 * top)) if number else ""
