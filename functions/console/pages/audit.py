"""Auditoria: who did what, to what, why, and what came of it."""

from flask import Blueprint, render_template, request

from console.asked import AGES
from console.here import here
from smartlink.i18n import told
from smartlink.operations.acts import Act, words_of
from smartlink.operations.audit import AuditFilter, look

pages = Blueprint("audit", __name__)
_MOST = 50
_LOOKED_AT = 100


@pages.get("/audit")
def show() -> str:
    """Draws the newest acts that fit."""
    here().scope(request.args.get("tenant"))
    scope = here().scope()
    newer = request.args.get("newer", "")
    wanted = AuditFilter(
        tenant=request.args.get("tenant") or None,
        tenants=None if scope.tenants is None else frozenset(scope.tenants),
        who=request.args.get("who") or None,
        act=request.args.get("act") or None,
        newer=AGES[newer][0] if newer in AGES else None,
    )
    found = look(here().deployment, wanted, _MOST, _LOOKED_AT)
    return render_template(
        "audit.html",
        found=found,
        ages=AGES,
        args=request.args,
        acts=sorted(Act, key=lambda it: told(words_of(it))),
        asked=wanted.act,
        words_of=words_of,
    )
