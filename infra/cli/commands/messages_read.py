"""`smartlink messages list|show|timeline`: shows what happened to messages."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import UsageError
from infra.cli.identifier import read_identifier
from infra.cli.screen import Screen, instant
from infra.cli.session import Session, session_of
from smartlink.domain.message import EndedSummary, Message, Summary
from smartlink.operations.audit import note
from smartlink.operations.persons import concerned
from smartlink.operations.ports import RawDocument
from smartlink.operations.select import Filters, Located, Passed, Selected, locate
from smartlink.operations.trace import trace
from smartlink.operations.views import (
    ended_view,
    iso,
    log_type,
    message_view,
    raw_view,
    trace_view,
    unreadable_view,
)

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


_Titular = Annotated[
    bool,
    typer.Option("--titular", help="The requests of one person, named on stdin; needs --tenant."),
]
_Reason = Annotated[
    str | None, typer.Option("--reason", "-r", help="Why you look, with --titular: it is kept.")
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
    titular: _Titular = False,
    reason: _Reason = None,
    limit: opt.Limit = 50,
) -> None:
    """List live messages (GTotvsLinkMessage). A message that succeeds is no longer live.

    With --titular: a person's requests, live and ended. The identifier is asked for, or read from
    stdin (CPF, e-mail, or KIND=VALUE), never an argument; who looks, and why, is kept.
    """
    session = session_of(context)
    if titular:
        if any((direction, command, state, older, newer, error, history)):
            message = "--titular goes with --tenant, --reason and --limit alone"
            raise UsageError(message)
        _list_concerned(session, tenant, reason, limit)
        return
    if reason is not None:
        message = "--reason belongs to --titular"
        raise UsageError(message)
    filters = Filters(
        tenant=tenant,
        direction=direction.direction if direction else None,
        command=command,
        state=state.state if state else None,
        older=opt.age(older),
        newer=opt.age(newer),
        error=error,
    )
    if history:
        if state or older:
            message = "--history goes with neither --state nor --older: use --newer"
            raise UsageError(message)
        _list_history(session.screen, *filters.ended(session.deployment, limit))
        return
    scanned = list(islice(filters.scan(session.deployment), limit + 1))
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


def _list_concerned(session: Session, tenant: str | None, reason: str | None, limit: int) -> None:
    if tenant is None or not (reason or "").strip():
        message = "--titular needs --tenant, and --reason: it is kept in GTotvsLinkLog"
        raise UsageError(message)
    kind, value = read_identifier()
    own = note(session.deployment, session.who, reason or "")
    found = concerned(session.deployment, tenant, kind, value, own)
    screen = session.screen
    live, ended = found.live[:limit], found.ended[:limit]
    if screen.as_json:
        screen.json(
            [message_view(tenant, it.message) for it in live]
            + [ended_view(tenant, it) for it in ended]
            + [unreadable_view(tenant, it.document, it.why) for it in found.raw]
        )
    elif not live and not ended and not found.raw:
        screen.say("No request of this person is known.")
    else:
        alive = ((it.message, it.message.state, None) for it in live)
        gone = ((it.message, it.ending, it.ended) for it in ended)
        rows = (
            (message.id, message.type, state, message.received, at)
            for message, state, at in (*alive, *gone)
        )
        screen.table(("~Id", "Command", "Situacao", "Received", "Ended"), rows)
        _list_unreadable(screen, [(tenant, it.document, it.why) for it in found.raw])
    if len(found.live) > limit or len(found.ended) > limit:
        screen.note(f"There are more than {limit}: raise --limit.")


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
    screen: Screen, found: list[tuple[str, EndedSummary]], raw: list[tuple[str, RawDocument]]
) -> None:
    unreadable = [(tenant, it.document, it.why) for tenant, it in raw]
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


def show(
    context: typer.Context, identity: _ID, *, tenant: opt.Tenant = None, content: _Content = False
) -> None:
    """Show all about one message: document, attempts (Tentativas), log lines, replies."""
    session = session_of(context)
    deployment, screen = session.deployment, session.screen
    found = locate(deployment, identity, tenant)
    if found.raw is not None:
        _show_raw(screen, found.tenant, found.raw, content=content)
    if found.live is None and found.ended is None:
        return
    traced = trace(deployment, found)
    if screen.as_json:
        screen.json(trace_view(traced, content=content))
        return
    _facts(screen, found, content=content)
    message = found.message
    if message.attempts:
        attempts = ((it.number, it.started, it.result, it.error) for it in message.attempts)
        screen.table(("#No.", "Started", "Resultado", "~Error"), attempts, "Tentativas (attempts)")
    if traced.lines:
        rows = ((line.at, log_type(line.type), line.text) for line in traced.lines)
        screen.table(("LOGDATE", "LOGTYPE", "~LOGMENSAGEM"), rows, "GTotvsLinkLog")
    if traced.replies:
        sent = (
            (it.message.type, it.message.audience, it.state, it.message.error)
            for it in traced.replies
        )
        screen.table(("Type", "Audience", "Situacao", "~Error"), sent, "Replies (Upstream)")


def _show_raw(screen: Screen, tenant: str, raw: RawDocument, *, content: bool) -> None:
    """Show an unreadable document's fields."""
    if screen.as_json:
        screen.json(raw_view(tenant, raw, content=content))
        return
    screen.facts(
        (
            ("Tenant", tenant),
            ("Document", f"{raw.collection}/{raw.document}"),
            ("Unreadable", raw.why),
            *raw.shown(content=content).items(),
        )
    )


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
    """Show everything that happened to one message, in the order of time."""
    session = session_of(context)
    deployment, screen = session.deployment, session.screen
    events = trace(deployment, locate(deployment, identity, tenant)).events()
    if screen.as_json:
        screen.json([{"at": iso(it.at), "event": it.what, "text": it.text} for it in events])
        return
    screen.table(("Time", "Event", "~What happened"), [(it.at, it.what, it.text) for it in events])
