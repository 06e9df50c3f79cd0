"""Saúde: everything that must hold for the relay to work."""

from flask import Blueprint, render_template, request

from console.here import here
from smartlink.operations.health import ground_checks
from smartlink.operations.rights import Right

pages = Blueprint("health", __name__)


@pages.get("/health")
def show() -> str:
    """Draws the page; the checks are made when they are asked for."""
    may = here().visitor.may(Right.VIEW)
    wanted = may and request.args.get("run") == "yes"
    checks = list(ground_checks(here().deployment)) if wanted else None
    return render_template("health.html", checks=checks, may=may)
