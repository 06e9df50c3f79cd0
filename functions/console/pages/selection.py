"""What an act on many messages would do: counts by tenant, command and cause, before it begins."""

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from console.asked import Asked, asked, reason
from console.here import here
from smartlink.domain.message import State
from smartlink.i18n import _
from smartlink.operations import jobs
from smartlink.operations.actions import DISCARD, REDRIVE, Action
from smartlink.operations.board import LOOKED_AT, Scope, chosen
from smartlink.operations.errors import ForbiddenError, InvalidError
from smartlink.operations.job import Job
from smartlink.operations.jobs import Order
from smartlink.operations.plan import Plan, Unfit, plan_chosen
from smartlink.operations.preview import Meant as Matching
from smartlink.operations.preview import Preview, extent, meant_by
from smartlink.operations.rights import Right
from smartlink.operations.select import counted

pages = Blueprint("selection", __name__)
ACTIONS = {it.name: it for it in (REDRIVE, DISCARD)}
_NAMED = 20


@dataclass(frozen=True, slots=True)
class Meant:
    """What the form says."""

    asked: Asked
    action: Action
    scope: Scope
    picks: list[str]
    undone: bool
    waiting: bool

    @property
    def matching(self) -> Matching:
        """All that match, where nothing is ticked."""
        return meant_by(
            self.scope,
            self.action,
            self.asked.filters,
            undone=self.undone,
            waiting=self.waiting,
        )


@pages.post("/selection")
def preview() -> str:
    """Draws the preview, or looks further for it. Nothing is done."""
    meant = _meant()
    if meant.picks:
        return _draw_picked(meant, _planned(meant))
    known = _known(meant)
    if known is not None and not known.finished:
        known.go_on(here().deployment)
    return _draw_matching(meant, known)


def _known(meant: Meant) -> Preview | None:
    identity = request.form.get("look", "")
    return here().previews.find(identity, meant.matching, here().deployment.now())


def _draw_matching(meant: Meant, known: Preview | None, *, lost: bool = False) -> str:
    identity, look = request.form.get("look", ""), known
    if look is None:
        identity, look = here().previews.begin(here().deployment, meant.matching)
    return render_template(
        "preview.html",
        asked=meant.asked,
        meant=meant,
        action=meant.action,
        look=look,
        identity=identity,
        fit=look.fit,
        most=look.fit if look.finished else look.found,
        groups=look.worst,
        skipped=look.skipped,
        alive=look.alive,
        named=_NAMED,
        grown=False,
        lost=lost,
        may_have_run=any(it.unfit is Unfit.MAY_HAVE_RUN for it in look.skipped),
        waits=look.alive.get(State.WAITING, 0),
    )


def _draw_picked(meant: Meant, planned: Plan, *, grown: bool = False) -> str:
    return render_template(
        "preview.html",
        asked=meant.asked,
        meant=meant,
        action=meant.action,
        look=None,
        identity="",
        fit=len(planned.messages),
        most=len(planned.messages),
        groups=counted(planned.messages),
        skipped=planned.skipped,
        alive=planned.alive,
        named=_NAMED,
        grown=grown,
        lost=False,
        may_have_run=any(it.unfit is Unfit.MAY_HAVE_RUN for it in planned.skipped),
        waits=planned.alive.get(State.WAITING, 0),
    )


def _meant() -> Meant:
    wanted = asked()
    if wanted.filters.tenant:
        here().tenant(wanted.filters.tenant, Right.OPERATE)
    scope = here().scope(wanted.filters.tenant, Right.OPERATE)
    if not scope.parts:
        here().visitor.check(Right.OPERATE)
        raise ForbiddenError(_("You may act on no tenant"))
    action = _action()
    some = request.form.get("which") != "all"
    picks = request.form.getlist("pick") if some else []
    if some and not picks:
        raise InvalidError(_("Nothing is selected: tick messages, or choose all that match"))
    if len(picks) > LOOKED_AT:
        raise InvalidError(_("At most {most} messages can be ticked at once", most=LOOKED_AT))
    undone = request.form.get("undone") == "yes"
    waiting = request.form.get("waiting") == "yes"
    return Meant(wanted, action, scope, picks, undone, waiting)


def _planned(meant: Meant) -> Plan:
    deployment = here().deployment
    found = chosen(deployment, meant.scope, meant.picks)
    return plan_chosen(deployment, meant.action, found, undone=meant.undone, waiting=meant.waiting)


@pages.post("/jobs")
def start() -> str | Answer:
    """Begins it as a job, which goes on without this page.

    It is about what was previewed. Where the preview is not known any more, or more of the ticked
    messages fit than it had shown, the preview is shown again instead.
    """
    why, meant = reason(), _meant()
    if meant.picks:
        planned, shown = _planned(meant), request.form.get("shown", "")
        if not shown.isdecimal() or len(planned.messages) > int(shown):
            return _draw_picked(meant, planned, grown=True)
        documents: dict[str, list[str]] = {}
        for it in planned.messages:
            documents.setdefault(it.tenant, []).append(it.message.document)
        chosen_by = {tenant: tuple(its) for tenant, its in documents.items()}
        return _begun(jobs.start(here().deployment, planned, _order(meant, why, chosen_by)))
    known = _known(meant)
    if known is None:
        return _draw_matching(meant, None, lost=True)
    about = extent(here().deployment, known)
    return _begun(jobs.begin(here().deployment, about, _order(meant, why, {})))


def _order(meant: Meant, why: str, documents: dict[str, tuple[str, ...]]) -> Order:
    return Order(
        filters=meant.asked.filters,
        reason=why,
        waiting=meant.waiting,
        undone=meant.undone,
        chosen=documents,
    )


def _begun(job: Job) -> Answer:
    here().board.forget()
    return redirect(url_for("jobs.one", job=job.id), 303)


def _action() -> Action:
    action = ACTIONS.get(request.form.get("action", ""))
    if action is None:
        raise InvalidError(_("Choose what to do: redrive or discard"))
    return action
