"""`smartlink logs`: shows the lines of GTotvsLinkLog."""

import gc
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.screen import Screen, instant
from infra.cli.session import session_of
from smartlink.domain.message import LogType
from smartlink.operations.log_lines import Follower, FoundLine, LogFilter
from smartlink.operations.views import line_view, log_type

_STYLES = {1: "yellow", 2: "red"}


class Kind(StrEnum):
    """`LOGTYPE` as an option: it means this type and worse ones."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


def logs(
    context: typer.Context,
    *,
    tenant: opt.Tenant = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="IDMENSAGEM: one message's lines.")
    ] = None,
    kind: Annotated[
        Kind, typer.Option("--type", case_sensitive=False, help="LOGTYPE: this, and what is worse.")
    ] = Kind.INFORMATION,
    newer: opt.Newer = None,
    limit: opt.Limit = 100,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written; Ctrl-C ends it.")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0.2, help="Seconds between two looks, with --follow.")
    ] = 3.0,
) -> None:
    """Show log lines (GTotvsLinkLog), the newest last. LOGTYPE: 0 information, 1 warning, 2 error.

    --json prints an array; --json --follow prints one document on each line.
    """
    session = session_of(context)
    deployment, screen = session.deployment, session.screen
    wanted = LogFilter(tenant=tenant, message_id=message, least=LogType[kind.name])
    since = deployment.now() - opt.span(newer) if newer else None
    found = wanted.lines(deployment, since, limit)[-limit:]
    if screen.as_json and not follow:
        screen.json([line_view(it.tenant, it.line) for it in found])
        return
    for it in found:
        _print(screen, it)
    if not found and not follow:
        screen.say("No line fits.")
    for it in _following(Follower(deployment, wanted, found), every) if follow else ():
        _print(screen, it)


def _following(follower: Follower, every: float) -> Iterator[FoundLine]:
    gc.enable()  # this may run for days
    while True:
        time.sleep(every)
        yield from follower.look()


def _print(screen: Screen, found: FoundLine) -> None:
    line = found.line
    if screen.as_json:
        screen.line(line_view(found.tenant, line))
        return
    kind = log_type(line.type)[:4].upper()
    text = f"{instant(line.at)} {kind} {found.tenant} {line.message_id}"
    screen.say(text, _STYLES.get(line.type))
    screen.say(f"    {line.text}")
