"""What an act on many messages would do: counts by tenant, command and cause, before it begins."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from console.asked import Asked, asked, reason
from console.here import here
from smartlink.domain.message import State
from smartlink.i18n import Text, _
from smartlink.operations import jobs
from smartlink.operations.actions import Action
from smartlink.operations.board import Scope, chosen
from smartlink.operations.errors import ForbiddenError, InvalidError
from smartlink.operations.job import ACTIONS
from smartlink.operations.jobs import Order
from smartlink.operations.plan import Plan, Unfit, plan, plan_chosen
from smartlink.operations.rights import Right
from smartlink.operations.select import Filters, counted

pages = Blueprint("selection", __name__)
MOST = 20_000
"""Messages that a preview looks at."""
_PICKS = 500
_NAMED = 20


_BY_STATE: Mapping[str, Text] = {
    "redrive": _("A redrive takes what is dead alone: clear the filter by state"),
    "discard": _(
        "A discard of all that match takes what is dead, and what waits if the preview says so: "
        "clear the filter by state, or tick messages"
    ),
    "hold": _(
        "A hold of all that match takes messages in every state: clear the filter by state, or "
        "tick messages"
    ),
}
_SAID: Mapping[str, tuple[Text, Text]] = {
    # the title, and what would become of the messages
    "redrive": (
        _("Preview: redrive"),
        _("messages would be executed again"),
    ),
    "discard": (
        _("Preview: discard"),
        _("messages would be discarded"),
    ),
    "hold": (_("Preview: hold"), _("messages would be held")),
}


@dataclass(frozen=True, slots=True)
class Meant:
    """What the form says, and what it would do."""

    asked: Asked
    action: Action
    picks: list[str]
    undone: bool
    waiting: bool
    planned: Plan


@pages.post("/selection")
def preview() -> str:
    """Draws the preview. Nothing is done."""
    return _preview(_meant())


def _preview(meant: Meant, *, grown: bool = False) -> str:
    heading, would = _SAID[meant.action.name]
    return render_template(
        "preview.html",
        asked=meant.asked,
        meant=meant,
        action=meant.action,
        planned=meant.planned,
        heading=heading,
        would=would,
        groups=counted(meant.planned.messages),
        named=_NAMED,
        grown=grown,
        may_have_run=any(it.unfit is Unfit.MAY_HAVE_RUN for it in meant.planned.skipped),
        waits=meant.planned.alive.get(State.WAITING, 0),
    )


def _meant() -> Meant:
    wanted = asked()
    if wanted.filters.tenant:
        here().tenant(wanted.filters.tenant, Right.OPERATE)
    scope = here().scope(wanted.filters.tenant, Right.OPERATE)
    if not scope.parts:
        here().visitor.check(Right.OPERATE)
    action = _action()
    some = request.form.get("which") != "all"
    picks = request.form.getlist("pick")[:_PICKS] if some else []
    if some and not picks:
        raise InvalidError(_("Nothing is selected: tick messages, or choose all that match"))
    state = wanted.filters.state
    if not some and state is not None and (state is not State.DEAD or not action.dead):
        raise InvalidError(_BY_STATE[action.name])
    if not some and wanted.filters.queued:
        raise InvalidError(_("An act on all that match goes by no turn: tick messages"))
    undone = request.form.get("undone") == "yes"
    waiting = request.form.get("waiting") == "yes"
    planned = planned_for(scope, action, wanted.filters, picks, undone=undone, waiting=waiting)
    return Meant(wanted, action, picks, undone, waiting, planned)


@pages.post("/jobs")
def start() -> str | Answer:
    """Begins it as a job, which goes on without this page.

    If more messages fit than the preview had shown, the preview is shown again instead.
    """
    why, meant = reason(), _meant()
    shown = request.form.get("shown", "")
    if not shown.isdecimal() or len(meant.planned.messages) > int(shown):
        return _preview(meant, grown=True)
    order = Order(
        filters=meant.asked.filters,
        reason=why,
        waiting=meant.waiting,
        undone=meant.undone,
        chosen=jobs.documents_of(meant.planned.messages) if meant.picks else {},
    )
    job = jobs.start(here().deployment, meant.planned, order)
    here().board.forget()
    return redirect(url_for("jobs.one", job=job.id), 303)


def _action() -> Action:
    action = ACTIONS.get(request.form.get("action", ""))
    if action is None:
        raise InvalidError(_("Choose what to do: redrive, discard or hold"))
    return action


def planned_for(
    scope: Scope,
    action: Action,
    filters: Filters,
    picks: list[str],
    *,
    undone: bool,
    waiting: bool,
) -> Plan:
    """Plans it for the tenants on which the visitor may act, and for no other."""
    deployment = here().deployment
    if picks:
        found = chosen(deployment, scope, picks)
        return plan_chosen(deployment, action, found, undone=undone, waiting=waiting)
    if scope.tenants is None:
        return plan(deployment, action, filters, MOST, undone=undone, waiting=waiting)
    if not scope.tenants:
        raise ForbiddenError(_("You may act on no tenant"))
    whole = Plan(action)
    for tenant in sorted(scope.tenants):
        part = plan(
            deployment,
            action,
            replace(filters, tenant=tenant),
            MOST - len(whole.messages),
            undone=undone,
            waiting=waiting,
        )
        whole = Plan(
            action,
            [*whole.messages, *part.messages],
            [*whole.skipped, *part.skipped],
            more=whole.more or part.more,
            alive=Counter(whole.alive) + Counter(part.alive),
        )
        if whole.more:
            break
    # As of a plan over all tenants: what is left alone is told where nothing else is found.
    return replace(whole, alive={}) if whole.messages or whole.skipped else whole
