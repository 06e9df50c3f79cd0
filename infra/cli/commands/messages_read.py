"""`smartlink messages list|show|timeline`: shows what happened to messages."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import UsageError
from infra.cli.identifier import read_identifier
from infra.cli.paging import Page
from infra.cli.screen import Screen
from infra.cli.session import Session, session_of
from infra.cli.zone import instant, short, zone_name
from smartlink.domain.message import Ending, Message, State, Summary
from smartlink.operations.audit import note
from smartlink.operations.causes import failures_of
from smartlink.operations.persons import concerned
from smartlink.operations.ports import RawDocument
from smartlink.operations.retries import roughly
from smartlink.operations.select import (
    LOOKED_AT,
    EndedLook,
    Filters,
    Located,
    Look,
    locate,
)
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


class Sort(StrEnum):
    """By age."""

    OLDEST = "oldest"
    NEWEST = "newest"


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
    print_code: opt.Print = None,
    history: _History = False,
    sort: Annotated[
        Sort, typer.Option(case_sensitive=False, help="By age; --history is newest first.")
    ] = Sort.OLDEST,
    titular: _Titular = False,
    reason: _Reason = None,
    limit: opt.Limit = 50,
    page: Annotated[int, typer.Option(min=1, help="Which page of --limit messages.")] = 1,
    every: opt.Every = False,
) -> None:
    """List live messages (GTotvsLinkMessage). A message that succeeds is no longer live.

    With --json an array; how many there are stands beside it, on stderr. With --titular: a
    person's requests, live and ended. The identifier is asked for, or read from stdin (CPF, e-mail,
    or KIND=VALUE), never an argument; who looks, and why, is kept.
    """
    session = session_of(context)
    if titular:
        if any((direction, command, state, older, newer, error, print_code, history)):
            message = "--titular goes with --tenant, --reason and --limit alone"
            raise UsageError(message)
        _list_concerned(session, tenant, reason, limit)
        return
    if reason is not None:
        message = "--reason belongs to --titular"
        raise UsageError(message)
    wanted = opt.situation(state)
    filters = Filters(
        tenant=tenant,
        direction=direction.direction if direction else None,
        command=command,
        state=wanted if isinstance(wanted, State) else None,
        ending=wanted if isinstance(wanted, Ending) else None,
        older=opt.age(older),
        newer=opt.age(newer),
        error=error,
        cause=opt.cause(print_code),
    )
    if wanted is not None and history != isinstance(wanted, Ending):
        how = "leave --history out" if history else "add --history"
        message = f"{wanted} is no Situacao of what you list: {how}"
        raise UsageError(message)
    bound = None if every else LOOKED_AT
    deployment = session.deployment
    if history:
        ended = filters.ended(deployment, limit * page, bound)
        _list_history(session.screen, ended, Page(page, limit))
    else:
        live = filters.look(deployment, bound)
        if sort is Sort.NEWEST:
            live.found.reverse()
        _list_live(session.screen, live, Page(page, limit), deployment.now())


def _list_live(screen: Screen, live: Look, page: Page, now: datetime) -> None:
    found = page.of(live.found)
    odd = [(it.tenant, it.document.document, it.document.why) for it in live.unreadable]
    if screen.as_json:
        screen.json(
            [message_view(it.tenant, it.message, now) for it in found]
            + [unreadable_view(*it) for it in odd]
        )
    elif not live.found and not odd:
        screen.say("No message fits.")
    if found and not screen.as_json:
        columns = ("Tenant", "!Id", "Command", "Situacao", "#Att.", "#Age")
        rows = (_row(it.tenant, it.message, now) for it in found)
        screen.table((*columns, f"Next ({zone_name(now)})"), rows)
    if not screen.as_json:
        _list_causes(screen, [it.message for it in live.found])
        _list_unreadable(screen, odd)
    if live.found or live.cut:
        _tell_page(screen, page, len(found), f"{'at least ' * bool(live.cut)}{len(live.found):,}")
    for tenant, left in live.cut.items():
        text = (
            f"Looked at {LOOKED_AT:,} messages of {tenant}; {left:,} were not looked at: --all, or "
            f"narrow it by --state, --command or --direction"
        )
        screen.note(text, "yellow")


def _list_causes(screen: Screen, messages: Sequence[Summary]) -> None:
    causes = failures_of(messages)
    if causes:
        rows = ((it.messages, it.dead, it.code, it.pattern) for it in causes)
        screen.table(("#Msgs", "#Dead", "Print", "~UltimoErro"), rows)


def _tell_page(screen: Screen, page: Page, shown: int, total: str) -> None:
    """On stderr, so that a pipe gets the messages alone."""
    if not shown:
        screen.note(f"There is no page {page.number}: {total} messages fit.", "yellow")
        return
    first = page.begin + 1
    if page.number > 1 or total != str(shown):
        text = f"{first:,}-{first + shown - 1:,} of {total} messages that fit"
        more = "" if total == f"{first + shown - 1:,}" else f"; --page {page.number + 1} goes on"
        screen.note(f"{text}{more}.")


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


def _list_unreadable(screen: Screen, odd: Sequence[tuple[str, str, str]]) -> None:
    if odd:
        title = f"{len(odd)} cannot be read: messages show has their fields, discard gives one up"
        screen.table(("Tenant", "!Document", "~Why"), odd, title)


def _row(tenant: str, message: Summary, now: datetime) -> tuple[object, ...]:
    age, due = roughly(now - message.received), short(message.due)
    return (tenant, message.id, message.type, message.state, message.attempt, age, due)


def _list_history(screen: Screen, look: EndedLook, page: Page) -> None:
    found = page.of(look.found)
    unreadable = [(tenant, it.document, it.why) for tenant, it in look.unreadable]
    if screen.as_json:
        screen.json(
            [ended_view(tenant, it) for tenant, it in found]
            + [unreadable_view(*it) for it in unreadable]
        )
    elif not found and not unreadable and page.number == 1:
        screen.say("No message fits.")
    if found and not screen.as_json:
        rows = (
            (tenant, it.message.id, it.message.type, it.ending, it.message.attempt, it.ended)
            for tenant, it in found
        )
        screen.table(("Tenant", "!Id", "Command", "Situacao", "#Att.", "Ended"), rows)
    if unreadable and not screen.as_json:
        title = f"{len(unreadable)} cannot be read; they expire as the others do"
        screen.table(("Tenant", "!Document", "~Why"), unreadable, title)
    if look.found or page.number > 1:
        known = len(look.found)
        total = f"{look.total:,}" if look.total else f"{'at least ' * look.more}{known:,}"
        _tell_page(screen, page, len(found), total)
    for tenant, last in look.cut.items():
        text = (
            f"Looked at {LOOKED_AT:,} messages of {tenant}, back to "
            f"{instant(last) if last else 'some that cannot be read'}; older ones were not looked "
            f"at: --all"
        )
        screen.note(text, "yellow")


def show(
    context: typer.Context,
    identity: _ID,
    *,
    tenant: opt.Tenant = None,
    content: _Content = False,
    reason: opt.Why = None,
) -> None:
    """Show all about one message: document, attempts (Tentativas), log lines, replies.

    Whoever reads a content is on record (audit).
    """
    session = session_of(context)
    deployment, screen = session.deployment, session.screen
    found = locate(deployment, identity, tenant)
    if content:
        with session.recorded(
            "messages show --content",
            target=found.document,
            tenant=found.tenant,
            reason=reason,
            count=1,
        ) as record:
            record.outcome = "shown"
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
