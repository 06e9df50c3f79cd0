"""Mensagens: lists, live and history, and what is to be done to many of them."""

from flask import Blueprint, render_template

from console.asked import AGES, DIRECTIONS, asked, spot_text
from console.here import here
from smartlink.operations.board import blocked_page, ended_page, live_page, seek
from smartlink.operations.causes import code_of
from smartlink.operations.names import did_you_mean
from smartlink.operations.rights import Right

pages = Blueprint("messages", __name__)


@pages.get("/messages")
def show() -> str:
    """Draws the list."""
    wanted = asked()
    scope = here().scope(wanted.filters.tenant)
    deployment, operable = here().deployment, here().visitor.scope(Right.OPERATE)
    known = sorted(deployment.settings.catalog.commands)
    common = {
        "asked": wanted,
        "ages": AGES,
        "directions": DIRECTIONS,
        "commands": known,
        "code_of": code_of,
        "may_act": bool(operable.parts),
        "operable": operable,
        "likely": did_you_mean(wanted.filters.command or "", known),
    }
    if wanted.identity:
        found = seek(deployment, scope, wanted.identity)
        catalog = deployment.settings.catalog
        requests = sorted(name for name, it in catalog.commands.items() if it.request_id)
        return render_template("sought.html", found=found, requests=requests, **common)
    if wanted.history:
        ended = ended_page(deployment, scope, wanted.filters, wanted.after)
        return render_template("history.html", page=ended, next=spot_text(ended.after), **common)
    if wanted.filters.queued:
        page, waits = blocked_page(deployment, scope, wanted.filters, wanted.after)
        following = spot_text(page.after)
        return render_template("messages.html", page=page, waits=waits, next=following, **common)
    live = live_page(deployment, scope, wanted.filters, wanted.after)
    return render_template("messages.html", page=live, next=spot_text(live.after), **common)
