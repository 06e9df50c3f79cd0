"""`smartlink stats`: shows throughput, attempts, failures and the oldest waiting message."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.chart import html, svg
from infra.cli.errors import UsageError
from infra.cli.screen import Screen, instant
from infra.cli.session import session_of
from smartlink.operations.figures import Figures, gather
from smartlink.operations.views import figures_view

_BARS = 40  # characters of the longest bar


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
            ("Done", sum(figures.done.values())),
            ("Discarded", figures.discarded),
            *((f"Live, {state}", number) for state, number in sorted(figures.states.items())),
            ("Oldest waiting", oldest and f"{oldest[1].received:%Y-%m-%d %H:%M} {oldest[1].id}"),
        )
    )
    top = max(figures.done.values(), default=0)
    if top:
        busy = [(hour, number) for hour, number in figures.hours() if number][-24:]
        rows = ((f"{hour:%m-%d %H}h", n, "#" * max(1, n * _BARS // top)) for hour, n in busy)
        screen.table(("Hour (UTC)", "#Done", "Messages"), rows)
        screen.table(("#Attempts", "#Messages"), sorted(figures.attempts.items()))
    if figures.failures:
        failed = ((it.messages, it.dead, it.code, it.pattern) for it in figures.worst())
        screen.table(("#Msgs", "#Dead", "Print", "~Error"), failed, "Failures")
    if figures.cut:
        screen.note("A tenant had more than 5,000 in this time: the newest were counted.", "yellow")
