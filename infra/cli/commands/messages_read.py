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
from infra.cli.screen import Screen, folds, ids, numbers
from infra.cli.session import Session, session_of
from infra.cli.zone import instant, short, zone_name
from smartlink.domain.message import Ending, Message, State, Summary
from smartlink.i18n import Text, _, data
from smartlink.operations.acts import Act
from smartlink.operations.audit import note
from smartlink.operations.blocked import Blocked
from smartlink.operations.blocked import blocked as find_blocked
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
from smartlink.operations.trace import KINDS, trace
from smartlink.operations.views import (
    blocked_view,
    ended_view,
    iso,
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


_Blocked = Annotated[
    bool,
    typer.Option("--blocked", help="What waits for its turn in an ordered command, and for what."),
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
    request: opt.Request = None,
    history: _History = False,
    sort: Annotated[
        Sort, typer.Option(case_sensitive=False, help="By age; --history is newest first.")
    ] = Sort.OLDEST,
    blocked: _Blocked = False,
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
        others = (direction, command, state, older, newer, error, print_code, request)
        if any((*others, history, blocked)):
            message = _("--titular goes with --tenant, --reason and --limit alone")
            raise UsageError(message)
        _list_concerned(session, tenant, reason, limit)
        return
    if reason is not None:
        message = _("--reason belongs to --titular")
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
        request=opt.request(request),
    )
    if wanted is not None and history != isinstance(wanted, Ending):
        how = _("leave --history out") if history else _("add --history")
        message = _("{wanted} is no Situacao of what you list: {how}", wanted=wanted, how=how)
        raise UsageError(message)
    if blocked and (history or state):
        message = _("--blocked lists what waits for its turn: leave --history and --state out")
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
        if blocked:
            _list_blocked(session, live, Page(page, limit))
            return
        _list_live(session.screen, live, Page(page, limit), deployment.now())


def _list_blocked(session: Session, live: Look, page: Page) -> None:
    screen, now = session.screen, session.deployment.now()
    every = find_blocked(session.deployment, live)
    found = page.of(every)
    if screen.as_json:
        screen.json([blocked_view(it, now) for it in found])
    elif not every:
        screen.say(_("No message waits for its turn."))
    if found and not screen.as_json:
        columns = (
            _("Tenant"),
            ids(data("Id")),
            _("Command"),
            numbers(_("Blocked for")),
            ids(_("By")),
            data("Situacao"),
            _("Next ({zone_name})", zone_name=zone_name(now)),
        )
        rows = (_blocked_row(it, now) for it in found)
        screen.table(columns, rows)
        screen.note(_("A dead one blocks its key until it is redriven or discarded."))
    if every or live.cut:
        _tell_page(screen, page, len(found), _total(len(every), least=bool(live.cut)))
    for tenant, left in live.cut.items():
        _tell_cut(screen, tenant, left)


def _blocked_row(item: Blocked, now: datetime) -> tuple[object, ...]:
    message, first = item.message, item.first
    waits = roughly(now - item.since)
    if first is None:
        unreadable = _("unreadable")
        return (item.tenant, message.id, message.type, waits, item.document, unreadable, None)
    due = short(first.due)
    return (item.tenant, message.id, message.type, waits, first.id, first.state, due)


def _list_live(screen: Screen, live: Look, page: Page, now: datetime) -> None:
    found = page.of(live.found)
    odd = [(it.tenant, it.document.document, it.document.why) for it in live.unreadable]
    if screen.as_json:
        screen.json(
            [message_view(it.tenant, it.message, now) for it in found]
            + [unreadable_view(*it) for it in odd]
        )
    elif not live.found and not odd:
        screen.say(_("No message fits."))
    if found and not screen.as_json:
        columns = (
            _("Tenant"),
            ids(data("Id")),
            _("Command"),
            data("Situacao"),
            numbers(_("Att.")),
            numbers(_("Age")),
        )
        rows = (_row(it.tenant, it.message, now) for it in found)
        screen.table((*columns, _("Next ({zone_name})", zone_name=zone_name(now))), rows)
    if not screen.as_json:
        _list_causes(screen, [it.message for it in live.found])
        _list_unreadable(screen, odd)
    if live.found or live.cut:
        _tell_page(screen, page, len(found), _total(len(live.found), least=bool(live.cut)))
    for tenant, left in live.cut.items():
        _tell_cut(screen, tenant, left)


def _tell_cut(screen: Screen, tenant: str, left: int) -> None:
    text = _(
        "Looked at {most} messages of {tenant}; {left} were not looked at: --all, "
        "or narrow it by --state, --command or --direction",
        most=LOOKED_AT,
        tenant=tenant,
        left=left,
    )
    screen.note(text, "yellow")


def _list_causes(screen: Screen, messages: Sequence[Summary]) -> None:
    causes = failures_of(messages)
    if causes:
        rows = ((it.messages, it.dead, it.code, it.pattern) for it in causes)
        screen.table(
            (numbers(_("Msgs")), numbers(_("Dead")), data("Print"), folds(data("UltimoErro"))), rows
        )


def _total(number: int, *, least: bool) -> Text:
    return _("at least {number}", number=number) if least else data(number)


def _tell_page(screen: Screen, page: Page, shown: int, total: Text) -> None:
    """On stderr, so that a pipe gets the messages alone."""
    if not shown:
        text = _("There is no page {number}: {total} messages fit.")
        screen.note(text.filled(number=page.number, total=total), "yellow")
        return
    first = page.begin + 1
    last = first + shown - 1
    if page.number > 1 or total != str(data(shown)):
        text = _("{first}-{last} of {total} messages that fit.")
        if total != str(data(last)):
            text = _("{first}-{last} of {total} messages that fit; --page {next} goes on.")
        screen.note(text.filled(first=first, last=last, total=total, next=page.number + 1))


def _list_concerned(session: Session, tenant: str | None, reason: str | None, limit: int) -> None:
    if tenant is None or not (reason or "").strip():
        message = _("--titular needs --tenant, and --reason: it is kept in GTotvsLinkLog")
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
        screen.say(_("No request of this person is known."))
    else:
        alive = ((it.message, it.message.state, None) for it in live)
        gone = ((it.message, it.ending, it.ended) for it in ended)
        rows = (
            (message.id, message.type, state, message.received, at)
            for message, state, at in (*alive, *gone)
        )
        screen.table(
            (folds(data("Id")), _("Command"), data("Situacao"), _("Received"), _("Ended")), rows
        )
        _list_unreadable(screen, [(tenant, it.document, it.why) for it in found.raw])
    if len(found.live) > limit or len(found.ended) > limit:
        screen.note(_("There are more than {limit}: raise --limit.", limit=limit))


def _list_unreadable(screen: Screen, odd: Sequence[tuple[str, str, str]]) -> None:
    if odd:
        title = _(
            "{count} cannot be read: messages show has their fields, discard gives one up",
            count=len(odd),
        )
        screen.table((_("Tenant"), ids(_("Document")), folds(_("Why"))), odd, title)


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
        screen.say(_("No message fits."))
    if found and not screen.as_json:
        rows = (
            (tenant, it.message.id, it.message.type, it.ending, it.message.attempt, it.ended)
            for tenant, it in found
        )
        screen.table(
            (
                _("Tenant"),
                ids(data("Id")),
                _("Command"),
                data("Situacao"),
                numbers(_("Att.")),
                _("Ended"),
            ),
            rows,
        )
    if unreadable and not screen.as_json:
        title = _("{count} cannot be read; they expire as the others do", count=len(unreadable))
        screen.table((_("Tenant"), ids(_("Document")), folds(_("Why"))), unreadable, title)
    if look.found or page.number > 1:
        known = len(look.found)
        total = data(look.total) if look.total else _total(known, least=look.more)
        _tell_page(screen, page, len(found), total)
    for tenant, last in look.cut.items():
        text = _(
            "Looked at {most} messages of {tenant}, back to {last}; older ones were "
            "not looked at: --all",
            most=LOOKED_AT,
            tenant=tenant,
            last=instant(last) if last else _("some that cannot be read"),
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
            Act.SHOW_CONTENT,
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
        screen.table(
            (numbers(_("No.")), _("Started"), data("Resultado"), folds(_("Error"))),
            attempts,
            _("Tentativas (attempts)"),
        )
    if traced.lines:
        rows = ((line.at, KINDS[line.type], line.text) for line in traced.lines)
        screen.table(
            (data("LOGDATE"), data("LOGTYPE"), folds(data("LOGMENSAGEM"))),
            rows,
            data("GTotvsLinkLog"),
        )
    if traced.replies:
        sent = (
            (it.message.type, it.message.audience, it.state, it.message.error)
            for it in traced.replies
        )
        screen.table(
            (_("Type"), _("Audience"), data("Situacao"), folds(_("Error"))),
            sent,
            _("Replies (Upstream)"),
        )


def _show_raw(screen: Screen, tenant: str, raw: RawDocument, *, content: bool) -> None:
    """Show an unreadable document's fields."""
    if screen.as_json:
        screen.json(raw_view(tenant, raw, content=content))
        return
    screen.facts(
        (
            (_("Tenant"), tenant),
            (_("Document"), f"{raw.collection}/{raw.document}"),
            (_("Unreadable"), raw.why),
            *((data(name), it) for name, it in raw.shown(content=content).items()),
        )
    )


def _facts(screen: Screen, found: Located, *, content: bool) -> None:
    message, ended = found.message, None if found.live else found.ended
    claim = message.claim
    run = claim and _("{started}, claim {id}", started=instant(claim.started), id=claim.id)
    screen.facts(
        (
            (_("Tenant"), found.tenant),
            (data("ID"), message.id),
            (_("Document"), message.document),
            (data("Direcao"), message.direction),
            (data("Comando"), message.type),
            (data("Situacao"), ended.ending if ended else message.state),
            (_("Received"), message.received),
            (_("Ended"), ended.ended if ended else None),
            (_("Kept until"), ended.expires if ended else None),
            (_("Attempts made"), message.attempt),
            (_("Next at"), message.due),
            (data("Execucao"), run),
            (_("Redriven"), message.redriven),
            (data("MotivoMorte"), message.dead_reason),
            (data("Chave"), message.order and message.order.key),
            (data("Ordem"), message.order and message.order.number),
            (data("UltimoErro"), message.error),
            (_("Audience"), message.audience),
            (_("Correlation"), message.correlation_id),
            (_("Request"), message.request_id),
            (
                _("Content"),
                _(
                    "{size} bytes, SHA-256 {sha256}…",
                    size=message.content.size,
                    sha256=message.content.sha256[:16],
                ),
            ),
            (_("In the bucket"), message.content.object),
            (_("Text"), _text(message) if content else None),
        )
    )


def _text(message: Message) -> object:
    if message.content.text is not None:
        return message.content.text
    if message.content.object:
        return _("(in the bucket)")
    return _("(not kept: the command is personal)") if message.personal else _("(not kept)")


def timeline(context: typer.Context, identity: _ID, *, tenant: opt.Tenant = None) -> None:
    """Show everything that happened to one message, in the order of time."""
    session = session_of(context)
    deployment, screen = session.deployment, session.screen
    events = trace(deployment, locate(deployment, identity, tenant)).events()
    if screen.as_json:
        screen.json([{"at": iso(it.at), "event": it.what, "text": it.text} for it in events])
        return
    screen.table(
        (_("Time"), _("Event"), folds(_("What happened"))),
        [(it.at, it.what, it.text) for it in events],
    )
