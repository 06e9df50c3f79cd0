"""`smartlink messages redrive|discard|hold`: one message, or a filtered many."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import options as opt
from infra.cli.acting import (
    DISCARD,
    HOLD,
    REDRIVE,
    Action,
    Note,
    Report,
    given_up,
    not_holdable,
    not_redrivable,
    perform,
)
from infra.cli.errors import CliError, ForbiddenError, StoppedError, UsageError
from infra.cli.screen import Screen
from infra.cli.selection import Filters, Located, Passed, Selected, counted, locate
from infra.cli.session import Session, session_of
from infra.cli.world import World
from smartlink.domain.message import Ending, Listed, State, Summary
from smartlink.ports import Conflict, PortError

if TYPE_CHECKING:  # Google's libraries take long to import
    from infra.cli.adapters.messages import Odd

_ID = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="One message; else say which by filters.")
]
_All = Annotated[bool, typer.Option("--all", help="Every dead message of every tenant.")]
_AllAlive = Annotated[bool, typer.Option("--all", help="Every live message of every tenant.")]
_Rate = Annotated[int, typer.Option(min=1, max=1_000, help="At most so many a second.")]
_Most = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many in this run.")]
_Undone = Annotated[
    bool,
    typer.Option(
        "--outcome-unknown",
        help="Also those that may have been done (outcome-unknown, outcome-unwritten): "
        "you found out that they were not.",
    ),
]
_ReceivedAfter = Annotated[
    str | None,
    typer.Option(
        "--received-after",
        help="Received since then: 2026-03-09T12:30Z (UTC where no zone is named), or 2h, 3d ago.",
    ),
]
_REASON = 500  # characters
_NAMED = 100  # of what is skipped


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the operator wrote."""

    identity: str | None = None
    filters: Filters
    every: bool
    limit: int
    rate: int
    reason: str | None
    yes: bool
    undone: bool = False


@dataclass(frozen=True, slots=True)
class _Skipped:
    """What is left out, and why."""

    tenant: str
    document: str
    id: str | None
    why: str

    def json(self) -> dict[str, str | None]:
        """For programs."""
        return {"tenant": self.tenant, "id": self.id or self.document, "why": self.why}


_Why = Callable[[Summary], str | None]


def redrive(
    context: typer.Context,
    identity: _ID = None,
    *,
    tenant: opt.Tenant = None,
    direction: opt.Direct = None,
    command: opt.Command = None,
    older: opt.Older = None,
    newer: opt.Newer = None,
    error: opt.ErrorText = None,
    every: _All = False,
    limit: _Most = 100_000,
    rate: _Rate = 50,
    outcome_unknown: _Undone = False,
    reason: opt.Reason = None,
    yes: opt.Yes = False,
) -> None:
    """Execute dead messages again: Morta becomes Pendente, due now, with all attempts before it.

    What may have been done is left out and named, unless --outcome-unknown says that it was not.
    Without --yes a dry run. Stop it with Ctrl-C; the same command again goes on.
    """
    filters = Filters(
        tenant=tenant, direction=direction, command=command, older=older, newer=newer, error=error
    )
    asked = _Asked(
        identity=identity,
        filters=filters,
        every=every,
        limit=limit,
        rate=rate,
        reason=reason,
        yes=yes,
        undone=outcome_unknown,
    )
    _act(session_of(context), REDRIVE, asked)


def discard(
    context: typer.Context,
    identity: _ID = None,
    *,
    tenant: opt.Tenant = None,
    direction: opt.Direct = None,
    command: opt.Command = None,
    older: opt.Older = None,
    newer: opt.Newer = None,
    error: opt.ErrorText = None,
    every: _All = False,
    limit: _Most = 100_000,
    rate: _Rate = 50,
    reason: opt.Reason = None,
    yes: opt.Yes = False,
) -> None:
    """Give dead messages up: they move to the history (GTotvsLinkMessageExec) as Descartada.

    Without --yes a dry run. Stop it with Ctrl-C; the same command again goes on.
    """
    filters = Filters(
        tenant=tenant, direction=direction, command=command, older=older, newer=newer, error=error
    )
    asked = _Asked(
        identity=identity,
        filters=filters,
        every=every,
        limit=limit,
        rate=rate,
        reason=reason,
        yes=yes,
    )
    _act(session_of(context), DISCARD, asked)


def hold(
    context: typer.Context,
    *,
    tenant: opt.Tenant = None,
    direction: opt.Direct = None,
    command: opt.Command = None,
    received_after: _ReceivedAfter = None,
    every: _AllAlive = False,
    limit: _Most = 100_000,
    rate: _Rate = 50,
    reason: opt.Reason = None,
    yes: opt.Yes = False,
) -> None:
    """Hold live messages of which nobody knows whether they were done: Morta, outcome-unknown.

    After a restore, with polling off: what was done since comes to life again, to be done twice.
    Without --yes a dry run. Stop it with Ctrl-C; the same command again goes on.
    """
    since = _instant(received_after) if received_after else None
    filters = Filters(tenant=tenant, direction=direction, command=command, received_after=since)
    asked = _Asked(filters=filters, every=every, limit=limit, rate=rate, reason=reason, yes=yes)
    _act(session_of(context), HOLD, asked)


def _instant(text: str) -> datetime:
    """An instant, or how long ago. Raises UsageError."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            return World.now() - opt.span(text)
        except UsageError:
            message = f"{text!r} is no instant: write 2026-03-09T12:30Z, or 2h for two hours ago"
            raise UsageError(message) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _act(session: Session, action: Action, asked: _Asked) -> None:
    _check_usage(action, asked)
    world, screen = session.world, session.screen
    why = _reasons(world, action, asked)
    if asked.identity is None:
        found = _selected(world, action, asked.filters)
    else:
        located = locate(world, asked.identity, asked.filters.tenant)
        if located.live is None and located.odd is not None:
            _act_unread(session, action, asked, located.tenant, located.odd)
            return
        found = _one(screen, action, asked.identity, located)
    fit, unfit = _sorted_out(found, why, asked.limit)
    if not asked.yes:
        _show_dry(screen, action, fit, unfit)
        return
    note = _note(world, asked)
    with screen.progress() as bar:
        task = bar.add_task(f"{action.name} in {world.target.title}", total=len(fit))
        report = perform(world, action, fit, note, asked.rate, lambda n: bar.advance(task, n))
    _tell(screen, action, report, unfit)


def _note(world: World, asked: _Asked) -> Note:
    now = world.now()
    expires = world.settings.retention.expires(now, world.policy)
    return Note(world.who, (asked.reason or "")[:_REASON], now, expires, asked.undone)


def _reasons(world: World, action: Action, asked: _Asked) -> _Why:
    """Why a message is left out; None: it is not."""
    if action is HOLD:
        return not_holdable
    if action is DISCARD:
        return lambda _: None
    commands = world.settings.catalog.commands
    return lambda message: not_redrivable(message, commands, undone=asked.undone)


def _check_usage(action: Action, asked: _Asked) -> None:
    if asked.identity is None and not asked.filters.narrow and not asked.every:
        options = "filters (--tenant, …)" if action is HOLD else "an ID, filters (--tenant, …)"
        message = f"say which to {action.name}: {options}, or --all"
        raise UsageError(message)
    if asked.yes and not (asked.reason or "").strip():
        message = "--yes needs --reason: it is kept in GTotvsLinkLog with your name"
        raise UsageError(message)


def _selected(world: World, action: Action, filters: Filters) -> Iterable[Selected | Passed]:
    return replace(filters, state=opt.Situation.DEAD if action.dead else None).scan(world)


def _one(screen: Screen, action: Action, identity: str, found: Located) -> list[Selected]:
    if found.live is None:
        assert found.ended is not None  # noqa: S101  (it was found in one of them)
        if action is DISCARD and found.ended.ending is Ending.DISCARDED:
            screen.note(f"{identity} was discarded already: nothing to do.")
            return []
        message = (
            f"{identity} of {found.tenant} has ended ({found.ended.ending}): "
            f"a message is never executed twice; ask its sender for a new one"
        )
        raise ForbiddenError(message)
    state = found.live.message.state
    if state is not State.DEAD:
        screen.note(f"{identity} of {found.tenant} is {state}, not Morta: nothing to do.")
        return []
    return [Selected(found.tenant, Listed(found.live.message, found.live.version))]


def _sorted_out(
    found: Iterable[Selected | Passed], why: _Why, limit: int
) -> tuple[list[Selected], list[_Skipped]]:
    """What is to be done, so many at most, and what is left out on the way."""
    fit: list[Selected] = []
    unfit: list[_Skipped] = []
    for item in found:
        if isinstance(item, Passed):
            odd = item.document
            text = f"it cannot be read ({odd.why}): mend it, or discard it by its id"
            unfit.append(_Skipped(item.tenant, odd.document, None, text))
            continue
        message = item.message
        reason = why(message)
        if reason is not None:
            unfit.append(_Skipped(item.tenant, message.document, message.id, reason))
            continue
        fit.append(item)
        if len(fit) == limit:
            break
    return fit, unfit


def _act_unread(session: Session, action: Action, asked: _Asked, tenant: str, odd: "Odd") -> None:
    """Give up one document that nobody can read; its fields are kept."""
    world, screen = session.world, session.screen
    name = f"{odd.collection}/{odd.document} of {tenant}"
    if action is not DISCARD or not odd.alive:
        message = f"{name} cannot be read ({odd.why}): look at it with smartlink messages show"
        raise ForbiddenError(message)
    if not asked.yes:
        screen.say(f"Dry run: {name} cannot be read ({odd.why}). It would be discarded as it is.")
        screen.say("Add --yes and --reason to do it.")
        if screen.as_json:
            screen.json({"dryRun": True, "found": 1, "groups": [], "skipped": []})
        return
    note = _note(world, asked)
    try:
        second = world.store.give_up(tenant, odd, *given_up(odd, note))
    except Conflict:
        _tell(screen, action, Report(changed=1), [])
        return
    _release(session, tenant, odd, note)
    _tell(screen, action, Report(done=1, second=int(second)), [])


def _release(session: Session, tenant: str, odd: "Odd", note: Note) -> None:
    """As of a message that has ended; what cannot be released is told."""
    name = odd.text("ConteudoObjeto")
    if name is None:
        return
    contents = session.world.contents
    try:
        referred = session.world.store.references(tenant, [odd.document])[odd.document]
        if odd.personal and name not in referred and None not in referred:
            contents.delete(name)
        else:
            contents.expire(name, note.at)
    except PortError as error:
        session.screen.note(f"Its content {name} was not released: {error}", "yellow")


def _show_dry(screen: Screen, action: Action, fit: list[Selected], unfit: list[_Skipped]) -> None:
    groups = counted(fit)
    if screen.as_json:
        names = ("tenant", "command", "error", "messages")
        screen.json(
            {
                "dryRun": True,
                "found": len(fit),
                "groups": [dict(zip(names, group, strict=True)) for group in groups],
                "skipped": [it.json() for it in unfit],
            }
        )
        return
    if groups:
        rows = ((number, tenant, command, error) for tenant, command, error, number in groups)
        screen.table(("#Msgs", "Tenant", "Command", "~UltimoErro"), rows)
    _tell_skipped(screen, unfit)
    which = "dead" if action.dead else "live"
    screen.say(f"Dry run, nothing was changed: {len(fit)} {which} messages would be {action.done}.")
    if fit:
        screen.say("Add --yes and --reason to do it.")


def _tell_skipped(screen: Screen, unfit: list[_Skipped]) -> None:
    for item in unfit[:_NAMED]:
        screen.note(f"Skipped {item.document} of {item.tenant}: {item.why}.", "yellow")
    if len(unfit) > _NAMED:
        text = f"… and {len(unfit) - _NAMED} more are skipped: --json names them all."
        screen.note(text, "yellow")


def _tell(screen: Screen, action: Action, report: Report, unfit: list[_Skipped]) -> None:
    if screen.as_json:
        screen.json(
            {
                "dryRun": False,
                "done": report.done,
                "endedBefore": report.second,
                "changedMeanwhile": report.changed,
                "refused": report.refused,
                "skipped": len(unfit),
                "leftOut": [it.json() for it in unfit],
                "left": report.left,
                "stopped": report.stopped,
            }
        )
    _tell_skipped(screen, unfit)
    changed = f", {report.changed} were changed by another meanwhile" if report.changed else ""
    text = f"{report.done} messages {action.done}{changed}."
    if report.second:
        text += (
            f" {report.second} of them had ended before under the same id: that record stays, "
            f"and they have one of their own (messages list --history)."
        )
    if report.stopped:
        message = f"Stopped: {text} {report.left} are left: the same command again goes on."
        raise StoppedError(message)
    if report.unanswered:
        message = f"{text} The database did not answer; {report.left} are left: run it again."
        raise CliError(message)
    if report.refused:
        message = f"{text} {len(report.refused)} were refused: {report.refused[0]}."
        raise CliError(message)
    screen.say(text)
