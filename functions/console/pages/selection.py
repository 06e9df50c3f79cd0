"""What an act on many messages would do: counts by tenant, command and cause, before it begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from console.asked import Asked, asked, reason
from console.here import here
from smartlink.domain.message import State
from smartlink.i18n import Text, _, plural
from smartlink.operations import jobs
from smartlink.operations.actions import HOLD, REDRIVE, Action
from smartlink.operations.board import LOOKED_AT, Scope, chosen, live_page
from smartlink.operations.errors import ForbiddenError, InvalidError
from smartlink.operations.job import ACTIONS
from smartlink.operations.jobs import Order
from smartlink.operations.plan import Plan, Skipped, Unfit, plan_chosen
from smartlink.operations.preview import Matching, Preview, extent, meant_by
from smartlink.operations.rights import Right
from smartlink.operations.select import Group, Passed, Selected, counted, picked

pages = Blueprint("selection", __name__)
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
_TITLES: Mapping[str, Text] = {
    "redrive": _("Preview: redrive"),
    "discard": _("Preview: discard"),
    "hold": _("Preview: hold"),
}
_ALL: Mapping[str, Text] = {
    "redrive": _("Redrive all that match"),
    "discard": _("Discard all that match"),
    "hold": _("Hold all that match"),
}


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
    def few(self) -> bool:
        """Whether they are looked at one by one: what is ticked, or the messages of a request."""
        return bool(self.picks or self.asked.filters.request)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the preview tells: of a look, or of a plan, which has looked at all of it."""

    finished: bool  # all was looked at
    fit: int
    most: int | None  # that may fit; None: nobody has counted them
    groups: Sequence[Group]
    skipped: Sequence[Skipped]
    alive: Mapping[State, int]
    identity: str  # by which its job is begun once
    look: Preview | None = None
    gone: int = 0  # of those that were ticked: they have changed, or have ended
    foreign: int = 0  # of those: the visitor may not act on their tenants

    @classmethod
    def of_plan(cls, plan: Plan, meant: Meant) -> "Shown":
        """Shows what was planned."""
        fit = len(plan.messages)
        ticked = set(meant.picks)
        foreign = sum(not meant.scope.covers(it.partition("/")[0]) for it in ticked)
        found = fit + len(plan.skipped) + sum(plan.alive.values())
        return cls(
            identity=uuid4().hex,
            gone=max(len(ticked) - foreign - found, 0),
            foreign=foreign,
            finished=True,
            fit=fit,
            most=fit,
            groups=counted(plan.messages),
            skipped=plan.skipped,
            alive=plan.alive,
        )

    @classmethod
    def of_look(cls, look: Preview, identity: str) -> "Shown":
        """Shows what the look has found so far."""
        finished = look.finished
        return cls(
            finished=finished,
            fit=look.fit,
            most=look.fit if finished else look.found,
            groups=look.worst,
            skipped=look.skipped,
            alive=look.alive,
            look=look,
            identity=identity,
        )

    @property
    def may_have_run(self) -> bool:
        """Whether something is left out because nobody knows whether it was done."""
        return any(it.unfit is Unfit.MAY_HAVE_RUN for it in self.skipped)

    @property
    def waits(self) -> bool:
        """Whether something is left alone that waits for its retry."""
        return bool(self.alive.get(State.WAITING))


@pages.post("/selection")
def preview() -> str:
    """Draws the preview, or looks further for it. Nothing is done."""
    meant = _meant()
    if meant.few:
        return _draw(meant, Shown.of_plan(_planned(meant), meant))
    known = _known(meant)
    if known is None:
        return _draw(meant, _begin(meant), lost=bool(request.form.get("look")))
    if not known.finished:
        known.go_on(here().deployment)
    return _draw(meant, Shown.of_look(known, request.form["look"]))


def _known(meant: Meant) -> Preview | None:
    identity = request.form.get("look", "")
    return here().previews.find(identity, meant.matching, here().deployment.now())


def _begin(meant: Meant) -> Shown:
    identity, look = here().previews.begin(here().deployment, meant.matching)
    return Shown.of_look(look, identity)


def _draw(meant: Meant, shown: Shown, *, other: bool = False, lost: bool = False) -> str:
    return render_template(
        "preview.html",
        asked=meant.asked,
        meant=meant,
        action=meant.action,
        heading=_TITLES[meant.action.name],
        would=_would(meant.action, shown.most or 0),
        button=_button(meant.action, shown.fit if shown.finished else None),
        shown=shown,
        named=_NAMED,
        other=other,
        only=_only(meant),
        lost=lost,
    )


def _only(meant: Meant) -> list[str]:
    """Names the tenants on which the visitor may act, if more of them are shown on the lists."""
    wider = here().visitor.scope() != here().visitor.scope(Right.OPERATE)
    few = meant.asked.filters.tenant is None and not meant.picks and wider
    return sorted(meant.scope.tenants or ()) if few else []


def _would(action: Action, number: int) -> Text:
    """Says what would become of so many messages, behind their number."""
    if action is REDRIVE:
        return plural("message would be executed again", "messages would be executed again", number)
    if action is HOLD:
        return plural("message would be held", "messages would be held", number)
    return plural("message would be discarded", "messages would be discarded", number)


def _button(action: Action, number: int | None) -> Text | str:
    """Names what the button does; without a number, to all that match."""
    if number is None:
        return _ALL[action.name]
    if action is REDRIVE:
        return plural("Redrive {number} message", "Redrive {number} messages", number)
    if action is HOLD:
        return plural("Hold {number} message", "Hold {number} messages", number)
    return plural("Discard {number} message", "Discard {number} messages", number)


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
    state = wanted.filters.state
    if not some and state is not None and (state is not State.DEAD or not action.dead):
        raise InvalidError(_BY_STATE[action.name])
    if not some and wanted.filters.queued:
        raise InvalidError(_("An act on all that match goes by no turn: tick messages"))
    undone = request.form.get("undone") == "yes"
    waiting = request.form.get("waiting") == "yes"
    return Meant(wanted, action, scope, picks, undone, waiting)


def _planned(meant: Meant) -> Plan:
    deployment = here().deployment
    found: Sequence[Selected | Passed] = (
        chosen(deployment, meant.scope, meant.picks) if meant.picks else _of_request(meant)
    )
    return plan_chosen(deployment, meant.action, found, undone=meant.undone, waiting=meant.waiting)


def _of_request(meant: Meant) -> list[Selected | Passed]:
    filters = replace(meant.asked.filters, tenant=None)
    page = live_page(here().deployment, meant.scope, filters, size=LOOKED_AT)
    if page.after is not None:
        raise InvalidError(_("{most} reads do not find all of them: name a tenant", most=LOOKED_AT))
    return [picked(tenant, it) for tenant, it in page.rows]


@pages.post("/jobs")
def start() -> str | Answer:
    """Begins it as a job, which goes on without this page.

    It is about what was previewed. Where the preview is not known any more, or as many of the
    ticked messages as it had shown no longer fit, the preview is shown again instead. A form that
    is sent again (a double click, a way back) begins nothing: it leads to the job that it began.
    """
    why, meant, deployment = reason(), _meant(), here().deployment
    identity = request.form.get("look", "")
    begun = here().previews.begun(identity)
    if begun is not None:
        return _to(begun)
    if meant.few:
        planned = _planned(meant)
        if str(len(planned.messages)) != request.form.get("shown", ""):
            return _draw(meant, Shown.of_plan(planned, meant), other=True)
        order = _order(meant, why, jobs.documents_of(planned.messages))
        return _to(here().previews.once(identity, lambda: jobs.start(deployment, planned, order)))
    known = _known(meant)
    if known is None:
        return _draw(meant, _begin(meant), lost=True)
    about, order = extent(deployment, known), _order(meant, why, {})
    return _to(here().previews.once(identity, lambda: jobs.begin(deployment, about, order)))


def _order(meant: Meant, why: str, documents: dict[str, tuple[str, ...]]) -> Order:
    return Order(
        filters=meant.asked.filters,
        reason=why,
        waiting=meant.waiting,
        undone=meant.undone,
        chosen=documents,
    )


def _to(job: str) -> Answer:
    here().board.forget()
    return redirect(url_for("jobs.one", job=job), 303)


def _action() -> Action:
    action = ACTIONS.get(request.form.get("action", ""))
    if action is None:
        raise InvalidError(_("Choose what to do: redrive, discard or hold"))
    return action
