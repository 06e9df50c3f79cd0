"""`smartlink messages redrive|discard`: one dead message, or a filtered many."""

from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.acting import DISCARD, REDRIVE, Action, Note, Report, not_redrivable, perform
from infra.cli.errors import CliError, ForbiddenError, StoppedError, UsageError
from infra.cli.screen import Screen
from infra.cli.selection import Filters, Selected, counted, locate
from infra.cli.session import Session, session_of
from infra.cli.world import World
from smartlink.domain.message import Ending, State

_ID = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="One message; else say which by filters.")
]
_All = Annotated[bool, typer.Option("--all", help="Every dead message of every tenant.")]
_Rate = Annotated[int, typer.Option(min=1, max=1_000, help="At most so many a second.")]
_Most = Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many in this run.")]
_REASON = 500  # characters


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
    reason: opt.Reason = None,
    yes: opt.Yes = False,
) -> None:
    """Execute dead messages again: Morta becomes Pendente, due now, with all attempts before it.

    Without --yes a dry run. Stop it with Ctrl-C; the same command again goes on.
    """
    filters = Filters(
        tenant=tenant, direction=direction, command=command, older=older, newer=newer, error=error
    )
    _act(session_of(context), REDRIVE, identity, filters, (every, yes), (limit, rate), reason)


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
    _act(session_of(context), DISCARD, identity, filters, (every, yes), (limit, rate), reason)


def _act(
    session: Session,
    action: Action,
    identity: str | None,
    filters: Filters,
    flags: tuple[bool, bool],
    bounds: tuple[int, int],
    reason: str | None,
) -> None:
    every, yes = flags
    limit, rate = bounds
    _check_usage(action, identity, filters, reason, every=every, yes=yes)
    world, screen = session.world, session.screen
    if identity is not None:
        found = _one(world, screen, action, identity, filters.tenant)
    else:
        found = _dead(world, filters, limit)
    fit, unfit = _sorted_out(world, action, found)
    if not yes:
        _show_dry(screen, action, fit, unfit)
        return
    now = world.now()
    expires = world.settings.retention.expires(now, world.policy)
    note = Note(world.who, (reason or "")[:_REASON], now, expires)
    with screen.progress() as bar:
        task = bar.add_task(f"{action.name} in {world.target.title}", total=len(fit))
        report = perform(world, action, fit, note, rate, lambda n: bar.advance(task, n))
    _tell(screen, action, report, unfit)


def _check_usage(
    action: Action,
    identity: str | None,
    filters: Filters,
    reason: str | None,
    *,
    every: bool,
    yes: bool,
) -> None:
    if identity is None and not filters.narrow and not every:
        message = f"say which to {action.name}: an ID, filters (--tenant, --error, …), or --all"
        raise UsageError(message)
    if yes and not (reason or "").strip():
        message = "--yes needs --reason: it is kept in GTotvsLinkLog with your name"
        raise UsageError(message)


def _dead(world: World, filters: Filters, limit: int) -> list[Selected]:
    dead = Filters(
        **{name: getattr(filters, name) for name in filters.__slots__}
        | {"state": opt.Situation.DEAD}
    )
    found: list[Selected] = []
    for item in dead.select(world):
        found.append(item)
        if len(found) == limit:
            break
    return found


def _one(
    world: World, screen: Screen, action: Action, identity: str, tenant: str | None
) -> list[Selected]:
    found = locate(world, identity, tenant)
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
    return [Selected(found.tenant, found.live)]


def _sorted_out(
    world: World, action: Action, found: list[Selected]
) -> tuple[list[Selected], list[tuple[Selected, str]]]:
    if action is DISCARD:
        return found, []
    commands = list(world.settings.catalog.commands)
    reasons = [(it, not_redrivable(it.message, commands)) for it in found]
    fit = [it for it, why in reasons if why is None]
    return fit, [(it, why) for it, why in reasons if why is not None]


def _show_dry(
    screen: Screen, action: Action, fit: list[Selected], unfit: list[tuple[Selected, str]]
) -> None:
    groups = counted(fit)
    if screen.as_json:
        names = ("tenant", "command", "error", "messages")
        screen.json(
            {
                "dryRun": True,
                "found": len(fit),
                "groups": [dict(zip(names, group, strict=True)) for group in groups],
                "skipped": [{"id": it.message.id, "why": why} for it, why in unfit],
            }
        )
        return
    if groups:
        rows = ((number, tenant, command, error) for tenant, command, error, number in groups)
        screen.table(("#Msgs", "Tenant", "Command", "~UltimoErro"), rows)
    _tell_skipped(screen, unfit)
    screen.say(f"Dry run, nothing was changed: {len(fit)} dead messages would be {action.done}.")
    if fit:
        screen.say("Add --yes and --reason to do it.")


def _tell_skipped(screen: Screen, unfit: list[tuple[Selected, str]]) -> None:
    for item, why in unfit[:10]:
        screen.note(f"Skipped {item.message.document} of {item.tenant}: {why}.", "yellow")
    if len(unfit) > 10:  # noqa: PLR2004
        screen.note(f"… and {len(unfit) - 10} more are skipped.", "yellow")


def _tell(
    screen: Screen, action: Action, report: Report, unfit: list[tuple[Selected, str]]
) -> None:
    if screen.as_json:
        screen.json(
            {
                "dryRun": False,
                "done": report.done,
                "changedMeanwhile": report.changed,
                "refused": report.refused,
                "skipped": len(unfit),
                "left": report.left,
                "stopped": report.stopped,
            }
        )
    _tell_skipped(screen, unfit)
    changed = f", {report.changed} were changed by another meanwhile" if report.changed else ""
    text = f"{report.done} messages {action.done}{changed}."
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
