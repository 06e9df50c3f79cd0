"""Mensagem: all that happened to one, on one time line; and what may be done to it."""

import json
from contextlib import suppress
from dataclasses import dataclass

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from console.asked import reason
from console.here import here
from console.timeline import Moment, moments
from console.words import UNFIT, outcome
from smartlink.domain.message import State
from smartlink.i18n import Text, _, told
from smartlink.operations.act import Report, give_up, perform
from smartlink.operations.actions import DISCARD, Action
from smartlink.operations.acts import Act
from smartlink.operations.audit import note
from smartlink.operations.blocked import behind, waits_for
from smartlink.operations.errors import ForbiddenError, InvalidError
from smartlink.operations.export import content_of, document
from smartlink.operations.job import ACTIONS
from smartlink.operations.plan import Unfit, not_holdable, not_redrivable, plan_one
from smartlink.operations.rights import Right
from smartlink.operations.select import Located, locate
from smartlink.operations.trace import Trace, trace
from smartlink.ports import Conflict, PortError

pages = Blueprint("message", __name__)
_DONE = {
    "redrive": _("to be executed again"),
    "discard": _("discarded"),
    "hold": _("held"),
}
_SHOWN = 100_000  # characters of a content on a page


@dataclass(frozen=True, slots=True)
class Seen:
    """One message as the page shows it."""

    located: Located
    trace: Trace | None
    moments: list[Moment]

    @property
    def version(self) -> str:
        """By which an act is fenced."""
        return str(self.located.live.version) if self.located.live is not None else ""


def _find(right: Right = Right.VIEW) -> Located:
    tenant = here().tenant(request.values.get("tenant", ""), right)
    return locate(here().deployment, request.values.get("document", "")[:1_600], tenant)


@pages.get("/message")
def show() -> str:
    """Draws the page, without the content."""
    return _page(_find())


def _page(located: Located, content: Text | str | None = None) -> str:
    readable = located.live is not None or located.ended is not None
    traced = trace(here().deployment, located) if readable else None
    seen = Seen(located, traced, moments(traced) if traced else [])
    visitor, tenant = here().visitor, located.tenant
    commands = here().deployment.settings.catalog.commands
    live = located.live.message if located.live is not None else None
    unfit = not_redrivable(live, commands) if live is not None else None
    return render_template(
        "message.html",
        seen=seen,
        content=content,
        may_act=visitor.may(Right.OPERATE, tenant),
        may_read=visitor.may(Right.CONTENTS, tenant),
        unfit=unfit,
        waits=waits_for(here().deployment, tenant, live) if live else None,
        behind=behind(here().deployment, tenant, live) if live else 0,
        may_hold=live is not None and not_holdable(live) is None,
        states=State,
    )


@pages.post("/message/content")
def content() -> str:
    """Draws the page with the content, after it is on record who looks."""
    located = _find(Right.CONTENTS)
    with here().recorded(
        Act.SHOW_CONTENT, target=located.document, tenant=located.tenant, count=1
    ) as record:
        record.outcome = "shown"
    if located.live is None and located.ended is None and located.raw is not None:
        fields = located.raw.shown(content=True)
        return _page(located, json.dumps(fields, indent=2, ensure_ascii=False, default=str))
    return _page(located, _readable(content_of(here().deployment, located.message)))


def _readable(text: str | None) -> Text | str:
    if text is None:
        return _("The content is no longer kept.")
    with suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    if len(text) > _SHOWN:
        return _(
            "{text}\n… {count} more characters: export it",
            text=text[:_SHOWN],
            count=len(text) - _SHOWN,
        )
    return text


@pages.post("/message/export")
def export() -> Response:
    """Hands the message over as a file for a developer; `smartlink replay` runs it."""
    located = _find(Right.CONTENTS)
    traced = trace(here().deployment, located)
    with here().recorded(
        Act.EXPORT, target=located.document, tenant=located.tenant, count=1
    ) as record:
        record.outcome = "read"
    try:
        text = content_of(here().deployment, located.message)
    except PortError:
        text = None  # the file says so by its missing text
    data = json.dumps(document(traced, text), indent=2)
    return Response(
        data,
        mimetype="application/json",
        headers={"Content-Disposition": 'attachment; filename="message.json"'},
    )


@pages.post("/message/act")
def act() -> Answer:
    """Does what was chosen, if the message is still as it was shown."""
    located = _find(Right.OPERATE)
    action = ACTIONS.get(request.form.get("action", ""))
    if action is None:
        raise InvalidError(_("Choose what to do: redrive, discard or hold"))
    why = reason()
    undone = request.form.get("undone") == "yes"
    if located.live is None and located.ended is None:
        report = _give_up(located, action, why)
    else:
        report = _perform(located, action, why, undone=undone)
    flash(told(outcome(_DONE[action.name], report)), "good" if report.done else "warn")
    where = url_for("message.show", tenant=located.tenant, document=located.document)
    return redirect(where, 303)


def _perform(located: Located, action: Action, why: str, *, undone: bool) -> Report:
    deployment = here().deployment
    if located.live is not None and str(located.live.version) != request.form.get("version"):
        text = _("{name} is not as it was shown, so nothing was done", name=located.document)
        raise Conflict(text)
    planned = plan_one(deployment, action, located, undone=undone)
    if not planned.messages:
        raise ForbiddenError(_not_now(planned.skipped[0].unfit if planned.skipped else None))
    own = note(deployment, here().visitor.identity.name, why, undone=undone)
    with here().recorded(
        action.audited,
        target=located.document,
        tenant=located.tenant,
        reason=why,
        count=1,
    ) as record:
        report = perform(deployment, action, located.tenant, planned.messages, own)
        record.count, record.outcome = report.done, str(outcome(_DONE[action.name], report))
    return report


def _not_now(unfit: Unfit | None) -> Text:
    why = UNFIT.get(unfit) if unfit is not None else None
    return _("Nothing was done: {why}", why=why or _("its state does not allow it"))


def _give_up(located: Located, action: Action, why: str) -> Report:
    """Discards what nobody can read; its fields are kept."""
    raw, deployment = located.raw, here().deployment
    assert raw is not None  # noqa: S101  (it was found in one of three)
    own = note(deployment, here().visitor.identity.name, why)
    if action is not DISCARD:
        raise ForbiddenError(_("Nothing was done: {why}", why=_("it cannot be read: discard it")))
    with here().recorded(
        Act.DISCARD,
        target=f"{raw.collection}/{raw.document}",
        tenant=located.tenant,
        reason=why,
        count=1,
    ):
        second, _problem = give_up(deployment, located.tenant, raw, own)
    return Report(done=1, second=int(second))
