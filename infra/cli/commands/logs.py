"""`smartlink logs`: shows the lines of GTotvsLinkLog."""

import gc
import time
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.screen import Screen
from infra.cli.session import Session, session_of
from infra.cli.zone import instant
from smartlink.domain.message import LogType
from smartlink.i18n import _, joined
from smartlink.operations.log_lines import Follower, FoundLine, LogFilter
from smartlink.operations.names import all_tenants, exists, known_name, unknown_tenant
from smartlink.operations.views import line_view

_SHORT = {LogType.INFORMATION: "INFO", LogType.WARNING: "WARN", LogType.ERROR: "ERRO"}
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
    if follow:
        _follow(session, wanted, since, limit, every)
        return
    found = wanted.lines(deployment, since, limit)
    if screen.as_json:
        screen.json([line_view(it.tenant, it.line) for it in found])
        return
    for it in found:
        _print(screen, it)
    if not found:
        screen.say(_("No line fits."))
    if len(found) == limit:
        screen.note(_("The newest {limit} are shown; for older ones raise --limit.", limit=limit))


def _follow(
    session: Session, wanted: LogFilter, since: datetime | None, limit: int, every: float
) -> None:
    """Show what fits now, and go on with what comes."""
    deployment, screen = session.deployment, session.screen
    if wanted.tenant is not None and not exists(deployment, known_name(wanted.tenant)):
        # Where there is no tenant at all yet, the first one may be waited for.
        if all_tenants(deployment):
            raise unknown_tenant(deployment, wanted.tenant)
        screen.note(
            _("There is no tenant yet: waiting for {tenant}.", tenant=wanted.tenant), "yellow"
        )
        follower = Follower(deployment, wanted)
    else:
        follower = Follower(deployment, wanted)
        found = wanted.lines(deployment, since, limit)
        follower.shown(found)
        for it in found:
            _print(screen, it)
    gc.enable()  # this may run for days
    while True:
        time.sleep(every)
        for it in follower.look():
            _print(screen, it)


def _print(screen: Screen, found: FoundLine) -> None:
    line = found.line
    if screen.as_json:
        screen.line(line_view(found.tenant, line))
        return
    kind = _SHORT[line.type]
    text = joined(" ", (instant(line.at), kind, found.tenant, line.message_id))
    screen.whole(text, _STYLES.get(line.type))
    screen.block(line.text)
