"""`smartlink logs`: the lines of GTotvsLinkLog."""

import gc
import time
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.screen import Screen, instant
from infra.cli.selection import tenants_of
from infra.cli.session import session_of
from infra.cli.views import LOG_TYPES, line_view
from infra.cli.world import World
from smartlink.domain.message import LogLine

_STYLES = {1: "yellow", 2: "red"}


class Kind(StrEnum):
    """`LOGTYPE`, as an option: this and what is worse."""

    INFORMATION = "information"
    WARNING = "warning"
    ERROR = "error"


_Line = tuple[str, str, LogLine]  # tenant, the line's own id, the line


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

    With --json an array; with --json --follow one document on each line.
    """
    session = session_of(context)
    world, screen = session.world, session.screen
    least = list(Kind).index(kind)
    since = world.now() - opt.span(newer) if newer else None
    look = _Look(world, tenant, message, least)
    found = look.lines(since, limit)[-limit:]
    if screen.as_json and not follow:
        screen.json([line_view(name, line) for name, _, line in found])
        return
    for it in found:
        _print(screen, it)
    if not found and not follow:
        screen.say("No line fits.")
    for it in _following(look, found, every) if follow else ():
        _print(screen, it)


class _Look:
    """One filter, asked again and again."""

    def __init__(self, world: World, tenant: str | None, message: str | None, least: int) -> None:
        self.world = world
        self._tenant = tenant
        self._message = message
        self._least = least

    def lines(self, since: datetime | None, most: int) -> list[_Line]:
        """What fits, the oldest first."""
        store = self.world.store
        found: list[_Line] = []
        for tenant in tenants_of(self.world, self._tenant):
            if self._message is not None:
                own = store.lines_of(tenant, self._message)
                found += [(tenant, f"{at.at}{at.text}", at) for at in own]
            else:
                newest = store.newest_lines(tenant, since, most)
                found += [(tenant, identity, line) for identity, line in newest]
        return sorted(
            (
                it
                for it in found
                if it[2].type >= self._least and (since is None or it[2].at >= since)
            ),
            key=lambda it: it[2].at,
        )


def _following(look: _Look, shown: list[_Line], every: float) -> Iterator[_Line]:
    """Look again from a little before the last: lines of one instant come in any order."""
    gc.enable()  # this may run for days
    seen = {it[1] for it in shown}
    since = shown[-1][2].at if shown else look.world.now()
    while True:
        time.sleep(every)
        for it in look.lines(since, 1_000):
            if it[1] not in seen:
                seen.add(it[1])
                since = max(since, it[2].at)
                yield it


def _print(screen: Screen, found: _Line) -> None:
    tenant, _, line = found
    if screen.as_json:
        screen.line(line_view(tenant, line))
        return
    text = f"{instant(line.at)} {LOG_TYPES[line.type][:4].upper()} {tenant} {line.message_id}"
    screen.say(text, _STYLES.get(line.type))
    screen.say(f"    {line.text}")
