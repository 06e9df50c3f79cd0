"""Erros: one line for each cause."""

from flask import Blueprint, render_template, request

from console.here import here
from smartlink.operations.rights import Right

pages = Blueprint("causes", __name__)
_MOST = 100


@pages.get("/errors")
def show() -> str:
    """Draws the causes, as far as they have been looked for."""
    scope = here().scope(request.args.get("tenant"))
    anew = request.args.get("anew") == "yes"
    look = here().board.causes(here().deployment, scope, anew=anew)
    return render_template(
        "causes.html",
        look=look,
        most=_MOST,
        tenant=request.args.get("tenant", ""),
        may_act=bool(here().visitor.scope(Right.OPERATE).parts),
    )
