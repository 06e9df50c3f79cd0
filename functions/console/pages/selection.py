"""What an act on many messages would do: counts by tenant, command and cause, before it begins."""

from dataclasses import replace

from flask import Blueprint, render_template, request

from console.asked import asked
from console.here import here
from smartlink.i18n import _
from smartlink.operations.actions import DISCARD, REDRIVE, Action
from smartlink.operations.board import Scope, chosen
from smartlink.operations.errors import ForbiddenError, InvalidError
from smartlink.operations.plan import Plan, plan, plan_chosen
from smartlink.operations.rights import Right
from smartlink.operations.select import Filters, counted

pages = Blueprint("selection", __name__)
ACTIONS = {it.name: it for it in (REDRIVE, DISCARD)}
MOST = 20_000
"""Messages that a preview looks at."""
_PICKS = 500
_NAMED = 20


@pages.post("/selection")
def preview() -> str:
    """Draws the preview. Nothing is done."""
    wanted = asked()
    if wanted.filters.tenant:
        here().tenant(wanted.filters.tenant, Right.OPERATE)
    scope = here().scope(wanted.filters.tenant, Right.OPERATE)
    if not scope.parts:
        here().visitor.check(Right.OPERATE)
    action = _action()
    undone = request.form.get("undone") == "yes"
    waiting = request.form.get("waiting") == "yes"
    some = request.form.get("which") != "all"
    picks = request.form.getlist("pick")[:_PICKS] if some else []
    if some and not picks:
        raise InvalidError(_("Nothing is selected: tick messages, or choose all that match"))
    planned = planned_for(scope, action, wanted.filters, picks, undone=undone, waiting=waiting)
    return render_template(
        "preview.html",
        asked=wanted,
        action=action,
        planned=planned,
        groups=counted(planned.messages),
        picks=picks,
        some=some,
        undone=undone,
        waiting=waiting,
        named=_NAMED,
    )


def _action() -> Action:
    action = ACTIONS.get(request.form.get("action", ""))
    if action is None:
        raise InvalidError(_("Choose what to do: redrive or discard"))
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
        )
        if whole.more:
            break
    return whole
