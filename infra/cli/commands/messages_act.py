"""`smartlink messages redrive|discard|hold`: acts on one message, or on many by filters."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from infra.cli import acts
from infra.cli.acts import Asked, command
from infra.cli.errors import CliError, UsageError
from infra.cli.jobs import DONE, NAME, follow, job_result, tell
from infra.cli.screen import Screen, folds, numbers
from infra.cli.session import Session
from smartlink.domain.message import State
from smartlink.i18n import Text, _, data, joined
from smartlink.operations.act import Report, give_up, perform
from smartlink.operations.actions import DISCARD, HOLD, REDRIVE, Action
from smartlink.operations.audit import Note, note
from smartlink.operations.jobs import Order, start
from smartlink.operations.plan import (
    Idle,
    Plan,
    Skipped,
    Unfit,
    check_given_up,
    plan,
    plan_one,
)
from smartlink.operations.ports import RawDocument
from smartlink.operations.select import Filters, Located, counted, locate
from smartlink.ports import Conflict

_DEAD, _DEAD_OR_WAITING, _LIVE = _("dead"), _("dead or waiting"), _("live")
_NAMED = 100  # skipped messages that are named
_UNFIT: Mapping[Unfit, Text] = {
    Unfit.MALFORMED: _("its envelope is malformed: ask the sender, then discard it"),
    Unfit.NO_CONSUMER: _("no consumer is deployed for its command: deploy one, or discard it"),
    Unfit.MAY_HAVE_RUN: _(
        "it may have been done ({detail}): find out; redrive it with --outcome-unknown if it "
        "was not, discard it if it was"
    ),
    Unfit.HELD: _("it is held already ({detail})"),
    Unfit.NEVER_RUNS: _("its envelope is malformed: it never runs"),
    Unfit.UNREADABLE: _("it cannot be read ({detail}): fix it, or discard it by its id"),
}


def _act(action: Action, session: Session, asked: Asked) -> None:
    filters = asked.filters()
    if filters.tenant or filters.command:
        filters.check_names(session.deployment)
    _check_usage(action, asked, filters)
    if asked.identity is None:
        _act_on_many(session, action, asked, filters)
    else:
        _act_on_one(session, action, asked, filters)


def _act_on_many(session: Session, action: Action, asked: Asked, filters: Filters) -> None:
    """Make a job of it, and follow the job: it goes on without this process."""
    deployment, screen = session.deployment, session.screen
    undone, waiting = asked.outcome_unknown, asked.waiting
    planned = plan(deployment, action, filters, asked.limit, undone=undone, waiting=waiting)
    if not asked.yes:
        _show_dry(screen, planned)
        return
    _tell_alive(screen, planned)
    if not planned.messages:
        _tell(screen, action, Report(), planned.skipped)
        return
    order = Order(
        filters=filters,
        reason=str(asked.reason),
        waiting=waiting,
        undone=undone,
        most=asked.limit,
        rate=asked.rate,
    )
    job = follow(session, start(deployment, planned, order))
    if screen.as_json:
        left_out = [_skipped_view(it) for it in planned.skipped]
        screen.json({**job_result(job), "skipped": len(left_out), "leftOut": left_out})
    _tell_skipped(screen, planned.skipped)
    tell(session, job)
    if planned.more:
        text = _(
            "There are more than {limit} that fit: the same command again goes on.",
            limit=asked.limit,
        )
        screen.note(text, "yellow")


def _act_on_one(session: Session, action: Action, asked: Asked, filters: Filters) -> None:
    """One message is one commit: its result is known at once, also where no function works."""
    deployment, screen = session.deployment, session.screen
    located = locate(deployment, str(asked.identity), filters.tenant)
    if located.live is None and located.raw is not None:
        _act_unread(session, action, asked, located.tenant, located.raw)
        return
    planned = plan_one(deployment, action, located, undone=asked.outcome_unknown)
    _tell_idle(screen, planned, located)
    if not asked.yes:
        _show_dry(screen, planned)
        return
    own = _note(session, asked)
    report = Report()
    before = Counter(str(it.message.dead_reason or it.message.state) for it in planned.messages)
    with session.recorded(
        action.audited,
        target=str(asked.identity),
        tenant={it.tenant for it in planned.messages},
        reason=asked.reason,
        count=len(planned.messages),
        before=before,
    ) as record:
        if planned.messages:
            report = perform(deployment, action, located.tenant, planned.messages, own)
        record.count = report.done
        record.outcome = _outcome(action, report)
        record.after = {action.done: report.done, "skipped": len(planned.skipped)}
    _tell(screen, action, report, planned.skipped)


redrive = command(
    partial(_act, REDRIVE),
    """Execute dead messages again: Morta becomes Pendente, due now, with all its attempts again.

    Messages that may have been done are left out and named, unless
    --outcome-unknown says that they were not done.
    Without --yes it is a dry run. One message is redriven at once; many are a job, which
    Ctrl-C leaves running (smartlink jobs).
    """,
    *acts.FILTERS_OF_DEAD,
    acts.LIMIT,
    acts.RATE,
    acts.UNDONE,
    acts.REASON,
    acts.YES,
)
discard = command(
    partial(_act, DISCARD),
    """Discard dead messages: they move to the history (GTotvsLinkMessageExec) as Descartada.

    One that waits for its retry (Aguardando) is discarded if you give its ID, or
    with --waiting. Without --yes it is a dry run. Many messages are a job, which Ctrl-C
    leaves running (smartlink jobs).
    """,
    *acts.FILTERS_OF_DEAD,
    acts.WAITING,
    acts.LIMIT,
    acts.RATE,
    acts.REASON,
    acts.YES,
)
hold = command(
    partial(_act, HOLD),
    """Hold live messages of which nobody knows whether they were done: Morta, outcome-unknown.

    Use it after a restore, with polling off: messages that were done since the
    backup are live again, and would be done twice.
    Without --yes it is a dry run. It is a job, which Ctrl-C leaves running (smartlink jobs).
    """,
    acts.TENANT,
    acts.DIRECTION,
    acts.COMMAND,
    acts.RECEIVED_AFTER,
    acts.EVERY_LIVE,
    acts.LIMIT,
    acts.RATE,
    acts.REASON,
    acts.YES,
)


def _outcome(action: Action, report: Report) -> str:
    parts = {
        action.done: report.done,
        "changed by others": report.changed,
        "refused": len(report.refused),
        "unanswered": len(report.unanswered),
    }
    return ", ".join(f"{n} {name}" for name, n in parts.items() if n) or "nothing to do"


def _note(session: Session, asked: Asked) -> Note:
    reason = asked.reason or ""
    return note(session.deployment, session.who, reason, undone=asked.outcome_unknown)


def _check_usage(action: Action, asked: Asked, filters: Filters) -> None:
    if asked.identity is None and not filters.narrow and not asked.every:
        options = (
            _("filters (--tenant, …)") if action is HOLD else _("an ID, filters (--tenant, …)")
        )
        message = _(
            "say which to {name}: {options}, or --all", name=NAME[action.name], options=options
        )
        raise UsageError(message)
    if asked.yes and not (asked.reason or "").strip():
        message = _("--yes needs --reason: it is kept in GTotvsLinkLog with your name")
        raise UsageError(message)


def _tell_idle(screen: Screen, planned: Plan, located: Located) -> None:
    if planned.idle is Idle.DISCARDED:
        screen.note(
            _("{identity} was discarded already: nothing to do.", identity=located.identity)
        )
    elif planned.idle is Idle.ALIVE:
        wanted = (
            _("{dead} or {waiting}", dead=State.DEAD, waiting=State.WAITING)
            if planned.action is DISCARD
            else data(State.DEAD)
        )
        screen.note(
            _(
                "{identity} of {tenant} is {state}, not {wanted}: nothing to do.",
                identity=located.identity,
                tenant=located.tenant,
                state=located.message.state,
                wanted=wanted,
            )
        )


def _act_unread(
    session: Session, action: Action, asked: Asked, tenant: str, raw: RawDocument
) -> None:
    """Discard one unreadable document; its fields are kept."""
    check_given_up(action, tenant, raw)
    deployment, screen = session.deployment, session.screen
    if not asked.yes:
        name = _(
            "{collection}/{document} of {tenant}",
            collection=raw.collection,
            document=raw.document,
            tenant=tenant,
        )
        screen.say(
            _(
                "Dry run: {name} cannot be read ({why}). It would be discarded as it is.",
                name=name,
                why=raw.why,
            )
        )
        screen.say(_("Add --yes and --reason to do it."))
        if screen.as_json:
            screen.json({"dryRun": True, "found": 1, "groups": [], "skipped": []})
        return
    own = _note(session, asked)
    document = f"{raw.collection}/{raw.document}"
    try:
        with session.recorded(
            action.audited, target=document, tenant=tenant, reason=asked.reason, count=1
        ):
            second, problem = give_up(deployment, tenant, raw, own)
    except Conflict:
        _tell(screen, action, Report(changed=1), [])
        return
    if problem is not None:
        text = _(
            "Its content {content_object} was not released: {problem}",
            content_object=raw.content_object,
            problem=problem,
        )
        screen.note(text, "yellow")
    _tell(screen, action, Report(done=1, second=int(second)), [])


def _show_dry(screen: Screen, planned: Plan) -> None:
    action, fit, unfit = planned.action, planned.messages, planned.skipped
    groups = counted(fit)
    if screen.as_json:
        screen.json(
            {
                "dryRun": True,
                "found": len(fit),
                "more": planned.more,
                "groups": [
                    {
                        "tenant": it.tenant,
                        "command": it.command,
                        "print": it.code or None,
                        "error": it.pattern,
                        "messages": it.messages,
                    }
                    for it in groups
                ],
                "skipped": [_skipped_view(it) for it in unfit],
                "notDead": {str(state): number for state, number in planned.alive.items()},
            }
        )
        return
    if groups:
        rows = ((it.messages, it.tenant, it.command, it.code, it.pattern) for it in groups)
        screen.table(
            (
                numbers(_("Msgs")),
                _("Tenant"),
                _("Command"),
                data("Print"),
                folds(data("UltimoErro")),
            ),
            rows,
        )
    _tell_skipped(screen, unfit)
    _tell_alive(screen, planned)
    waiting = any(it.message.state is State.WAITING for it in fit)
    which = _LIVE if not action.dead else _DEAD_OR_WAITING if waiting else _DEAD
    more = _(" in this run; there are more that fit (--limit)") if planned.more else ""
    screen.say(
        _(
            "Dry run, nothing was changed: {count} {which} messages would be {done}{more}.",
            count=len(fit),
            which=which,
            done=DONE[action.name],
            more=more,
        )
    )
    if fit:
        screen.say(_("Add --yes and --reason to do it."))


def _tell_alive(screen: Screen, planned: Plan) -> None:
    """What fits but is not dead is no work of this action, and that is said."""
    if planned.alive:
        total = sum(planned.alive.values())
        states = joined(
            ", ", (joined(" ", (number, state)) for state, number in planned.alive.items())
        )
        text = _(
            "None of the {total} messages that fit is dead (Morta): {states}.",
            total=total,
            states=states,
        )
        if planned.action is DISCARD and State.WAITING in planned.alive:
            text += _(
                " Add --waiting to discard those that wait ({waiting}).", waiting=State.WAITING
            )
        screen.note(text, "yellow")


def _why(skipped: Skipped) -> Text:
    return _UNFIT[skipped.unfit].filled(detail=skipped.detail)


def _skipped_view(skipped: Skipped) -> dict[str, str | None]:
    identity = skipped.id or skipped.document
    return {"tenant": skipped.tenant, "id": identity, "why": _why(skipped)}


def _tell_skipped(screen: Screen, unfit: Sequence[Skipped]) -> None:
    for item in unfit[:_NAMED]:
        screen.note(
            _(
                "Skipped {document} of {tenant}: {why}.",
                document=item.document,
                tenant=item.tenant,
                why=_why(item),
            ),
            "yellow",
        )
    if len(unfit) > _NAMED:
        text = _("… and {more} more are skipped: --json names them all.", more=len(unfit) - _NAMED)
        screen.note(text, "yellow")


def _tell(screen: Screen, action: Action, report: Report, unfit: Sequence[Skipped]) -> None:
    if screen.as_json:
        screen.json(
            {
                "dryRun": False,
                "done": report.done,
                "endedBefore": report.second,
                "changedMeanwhile": report.changed,
                "refused": report.refused,
                "skipped": len(unfit),
                "leftOut": [_skipped_view(it) for it in unfit],
                "left": len(report.unanswered),
                "stopped": False,
            }
        )
    _tell_skipped(screen, unfit)
    changed = (
        _(", {changed} were changed by another meanwhile", changed=report.changed)
        if report.changed
        else ""
    )
    text = _(
        "{done} messages {what}{changed}.",
        done=report.done,
        what=DONE[action.name],
        changed=changed,
    )
    if report.second:
        text += _(
            " {second} of them had ended before under the same id: that record stays, and "
            "they have one of their own (messages list --history).",
            second=report.second,
        )
    if report.unanswered:
        message = _("{text} The database did not answer: run it again.", text=text)
        raise CliError(message)
    if report.refused:
        message = _(
            "{text} {count} were refused: {refused}.",
            text=text,
            count=len(report.refused),
            refused=report.refused[0],
        )
        raise CliError(message)
    screen.say(text)
