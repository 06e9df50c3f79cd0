"""`smartlink stats`: shows throughput, attempts, failures and the oldest waiting message."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.chart import html, svg
from infra.cli.errors import UsageError
from infra.cli.screen import Screen
from infra.cli.session import session_of
from infra.cli.zone import instant, local, zone_name
from smartlink.operations.figures import Figures, Hour, gather
from smartlink.operations.retries import in_words
from smartlink.operations.views import figures_view

_BARS = 30  # characters of the longest bar


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
    title = f"Smart Link: {deployment.title}, until {instant(figures.until)}"
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
        message = f"{path} cannot be written: {error.strerror}"
        raise UsageError(message) from None


def _show(screen: Screen, figures: Figures) -> None:
    oldest = figures.oldest
    screen.facts(
        (
            ("Done", figures.done),
            ("Discarded", figures.discarded),
            *((f"Live, {state}", number) for state, number in sorted(figures.states.items())),
            ("Oldest waiting", oldest and f"{instant(oldest[1].received)} {oldest[1].id}"),
        )
    )
    busy = [(hour, its) for hour, its in figures.hours() if its != Hour()][-24:]
    if busy:
        top = max(max(its.done, its.failed) for _, its in busy)
        rows = (
            (
                f"{local(hour):%m-%d %H}h",
                its.done,
                its.failed,
                its.retried,
                in_words(its.waited) if its.done else None,
                _bar(its.done, top, "#") + _bar(its.failed, top, "x"),
            )
            for hour, its in busy
        )
        head = f"Hour ({zone_name(figures.until)})"
        columns = (head, "#Done", "#Failed", "#Retried", "#Longest wait", "# done, x failed")
        screen.table((*columns[:-1], f" {columns[-1]}"), rows)
        screen.table(("#Attempts", "#Messages"), sorted(figures.attempts.items()))
    if figures.failures:
        failed = ((it.messages, it.dead, it.code, it.pattern) for it in figures.worst())
        screen.table(("#Msgs", "#Dead", "Print", "~Error"), failed, "Failures")
    for tenant, since in figures.cut.items():
        text = (
            f"{tenant} had too much for one look: its history was counted back to {instant(since)}."
        )
        screen.note(text, "yellow")


def _bar(number: int, top: int, mark: str) -> str:
    return mark * max(1, number * _BARS // (2 * top)) if number else ""
