"""`smartlink messages list|show|timeline`: what became of messages."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import options as opt
from infra.cli.screen import Screen, instant, iso
from infra.cli.selection import Filters, Located, Passed, Selected, locate
from infra.cli.session import session_of
from infra.cli.views import (
    LOG_TYPES,
    attempt_view,
    content_view,
    ended_view,
    line_view,
    message_view,
    odd_view,
    unreadable_view,
)
from smartlink.domain.executed import reply_id
from smartlink.domain.identity import Direction, document_id
from smartlink.domain.message import EndedSummary, LogLine, Message, Summary

if TYPE_CHECKING:
    from infra.cli.adapters.messages import Odd, OperatorStore

REPLIES_SOUGHT = 20
_ID = Annotated[
    str,
    typer.Argument(metavar="ID", help="The message's id as its sender wrote it, or D-… / U-…."),
]
_Content = Annotated[
    bool, typer.Option("--content", help="Show the content too: it may hold personal data.")
]
_History = Annotated[
    bool, typer.Option("--history", help="What has ended (GTotvsLinkMessageExec), newest first.")
]


def list_messages(
    context: typer.Context,
    *,
    tenant: opt.Tenant = None,
    direction: opt.Direct = None,
    command: opt.Command = None,
    state: opt.InState = None,
    older: opt.Older = None,
    newer: opt.Newer = None,
    error: opt.ErrorText = None,
    history: _History = False,
    limit: opt.Limit = 50,
) -> None:
    """List live messages (GTotvsLinkMessage); a message that succeeds leaves them."""
    session = session_of(context)
    filters = Filters(
        tenant=tenant,
        direction=direction,
        command=command,
        state=state,
        older=older,
        newer=newer,
        error=error,
    )
    if history:
        _list_history(session.screen, *filters.ended(session.world, limit))
        return
    scanned = list(islice(filters.scan(session.world), limit + 1))
    more, scanned = len(scanned) > limit, scanned[:limit]
    found = [it for it in scanned if isinstance(it, Selected)]
    odd = [
        (it.tenant, it.document.document, it.document.why)
        for it in scanned
        if isinstance(it, Passed)
    ]
    screen = session.screen
    if screen.as_json:
        screen.json(
            [message_view(it.tenant, it.message) for it in found]
            + [unreadable_view(*it) for it in odd]
        )
    elif not found and not odd:
        screen.say("No message fits.")
    else:
        _list_live(screen, found)
        _list_unreadable(screen, odd)
    if more:
        screen.note(f"There are more than {limit}: narrow the filters, or raise --limit.")


def _list_live(screen: Screen, found: Sequence[Selected]) -> None:
    if found:
        rows = (_row(it.tenant, it.message) for it in found)
        screen.table(("Tenant", "~Id", "Command", "Situacao", "#Att.", "Next (UTC)"), rows)
        errors = Counter((it.message.error or "").partition("\n")[0] for it in found)
        del errors[""]
        if errors:
            screen.table(("#Msgs", "~UltimoErro"), ((n, text) for text, n in errors.most_common()))


def _list_unreadable(screen: Screen, odd: Sequence[tuple[str, str, str]]) -> None:
    if odd:
        title = f"{len(odd)} cannot be read: messages show has their fields, discard gives one up"
        screen.table(("Tenant", "~Document", "~Why"), odd, title)


def _row(tenant: str, message: Summary) -> tuple[object, ...]:
    due = message.due and f"{message.due:%m-%d %H:%M}"
    return (tenant, message.id, message.type, message.state, message.attempt, due)


def _list_history(
    screen: Screen, found: list[tuple[str, EndedSummary]], odd: "list[tuple[str, Odd]]"
) -> None:
    unreadable = [(tenant, it.document, it.why) for tenant, it in odd]
    if screen.as_json:
        screen.json(
            [ended_view(tenant, it) for tenant, it in found]
            + [unreadable_view(*it) for it in unreadable]
        )
        return
    rows = (
        (tenant, it.message.id, it.message.type, it.ending, it.message.attempt, it.ended)
        for tenant, it in found
    )
    screen.table(("Tenant", "~Id", "Command", "Situacao", "#Att.", "Ended"), rows)
    if unreadable:
        title = f"{len(unreadable)} cannot be read; they expire as the others do"
        screen.table(("Tenant", "~Document", "~Why"), unreadable, title)


def replies_of(store: "OperatorStore", tenant: str, message: Message) -> list[tuple[str, Message]]:
    """The replies that a message made, with each one's `Situacao`."""
    ids = [reply_id(message, number) for number in range(1, REPLIES_SOUGHT + 1)]
    documents = [document_id(Direction.UPSTREAM, it) for it in ids]
    live, ended = store.read(tenant, documents), store.history(tenant, documents)
    found: list[tuple[str, Message]] = []
    for document in documents:
        if document in ended:
            found.append((ended[document].ending, ended[document].message))
        elif document in live:
            found.append((live[document].message.state, live[document].message))
    return found


def show(
    context: typer.Context, identity: _ID, *, tenant: opt.Tenant = None, content: _Content = False
) -> None:
    """Show all about one message: document, attempts (Tentativas), log lines, replies."""
    session = session_of(context)
    world, screen = session.world, session.screen
    found = locate(world, identity, tenant)
    if found.odd is not None:
        _show_odd(screen, found.tenant, found.odd, content=content)
    if found.live is None and found.ended is None:
        return
    lines = world.store.lines_of(found.tenant, found.message.id)
    replies = replies_of(world.store, found.tenant, found.message)
    if screen.as_json:
        screen.json(whole_view(found, lines, replies, content=content))
        return
    _facts(screen, found, content=content)
    message = found.message
    if message.attempts:
        attempts = ((it.number, it.started, it.result, it.error) for it in message.attempts)
        screen.table(("#No.", "Started", "Resultado", "~Error"), attempts, "Tentativas (attempts)")
    if lines:
        rows = ((line.at, LOG_TYPES[line.type], line.text) for line in lines)
        screen.table(("LOGDATE", "LOGTYPE", "~LOGMENSAGEM"), rows, "GTotvsLinkLog")
    if replies:
        sent = ((it.type, it.audience, state, it.error) for state, it in replies)
        screen.table(("Type", "Audience", "Situacao", "~Error"), sent, "Replies (Upstream)")


def _show_odd(screen: Screen, tenant: str, odd: "Odd", *, content: bool) -> None:
    """A document that cannot be read, as it is."""
    if screen.as_json:
        screen.json(odd_view(tenant, odd, content=content))
        return
    screen.facts(
        (
            ("Tenant", tenant),
            ("Document", f"{odd.collection}/{odd.document}"),
            ("Unreadable", odd.why),
            *odd.shown(content=content).items(),
        )
    )


def whole_view(
    found: Located, lines: list[LogLine], replies: list[tuple[str, Message]], *, content: bool
) -> dict[str, object]:
    """Everything about one message, for programs."""
    own = (
        ended_view(found.tenant, found.ended)
        if found.live is None and found.ended is not None
        else message_view(found.tenant, found.message)
    )
    kept = content_view(found.message.content)
    return {
        **own,
        "content": kept if content else kept | {"text": None},
        "attempts": [attempt_view(it) for it in found.message.attempts],
        "logs": [line_view(found.tenant, line) for line in lines],
        "replies": [
            message_view(found.tenant, it) | {"situacao": str(state)} for state, it in replies
        ],
    }


def _facts(screen: Screen, found: Located, *, content: bool) -> None:
    message, ended = found.message, None if found.live else found.ended
    claim = message.claim
    run = claim and f"{instant(claim.started)}, claim {claim.id}"
    screen.facts(
        (
            ("Tenant", found.tenant),
            ("ID", message.id),
            ("Document", message.document),
            ("Direcao", message.direction),
            ("Comando", message.type),
            ("Situacao", ended.ending if ended else message.state),
            ("Received", message.received),
            ("Ended", ended.ended if ended else None),
            ("Kept until", ended.expires if ended else None),
            ("Attempts made", message.attempt),
            ("Next at", message.due),
            ("Execucao", run),
            ("Redriven", message.redriven),
            ("MotivoMorte", message.dead_reason),
            ("UltimoErro", message.error),
            ("Audience", message.audience),
            ("Correlation", message.correlation_id),
            ("Content", f"{message.content.size} bytes, SHA-256 {message.content.sha256[:16]}…"),
            ("In the bucket", message.content.object),
            ("Text", _text(message) if content else None),
        )
    )


def _text(message: Message) -> str:
    if message.content.text is not None:
        return message.content.text
    if message.content.object:
        return "(in the bucket)"
    return "(not kept: the command is personal)" if message.personal else "(not kept)"


def timeline(context: typer.Context, identity: _ID, *, tenant: opt.Tenant = None) -> None:
    """Tell one message's story in the order of time."""
    session = session_of(context)
    world, screen = session.world, session.screen
    found = locate(world, identity, tenant)
    lines = world.store.lines_of(found.tenant, found.message.id)
    events = _events(found, lines, replies_of(world.store, found.tenant, found.message))
    if screen.as_json:
        screen.json([{"at": iso(at), "event": what, "text": text} for at, what, text in events])
        return
    screen.table(("Time", "Event", "~What happened"), events)


def _events(
    found: Located, lines: list[LogLine], replies: list[tuple[str, Message]]
) -> list[tuple[datetime, str, str]]:
    message = found.message
    origin = "published" if message.direction is Direction.UPSTREAM else "received"
    events = [(message.received, origin, f"{message.type}, {message.content.size} bytes")]
    for it in message.attempts:
        events.append((it.started, "attempt", f"attempt {it.number} begins"))
        events.append((it.ended, "attempt", f"attempt {it.number}: {it.result}"))
    events += [(line.at, f"log ({LOG_TYPES[line.type]})", line.text) for line in lines]
    events += [(it.received, "reply", f"{it.type}: {state}") for state, it in replies]
    if found.live is None and found.ended is not None:
        events.append((found.ended.ended, "ended", str(found.ended.ending)))
    elif message.due is not None:
        events.append((message.due, "next", f"{message.state}: the sweep may take it from here"))
    return sorted(events, key=lambda event: event[0])
