"""Makes the pages: one Flask application over one deployment."""

import re
import secrets
from collections.abc import Collection
from datetime import timedelta

from flask import Flask, Response, g, render_template, request
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from console import guard, words
from console.gates import Gate, StrangerError
from console.here import Here
from console.pages import (
    audit,
    causes,
    configuration,
    health,
    jobs,
    message,
    messages,
    overview,
    people,
    selection,
    tenants,
)
from console.problems import explained, status_of
from smartlink.domain.message import Ending, State
from smartlink.i18n import Language, Text, _, current, spoken, told
from smartlink.observability import ERROR, WARNING, event, surprise
from smartlink.operations import errors as failed
from smartlink.operations.activation import CheckErp
from smartlink.operations.board import Board
from smartlink.operations.fixes import ADVICE
from smartlink.operations.ports import Deployment
from smartlink.operations.preview import Previews
from smartlink.operations.rights import Right
from smartlink.ports import PortError

_PATH = re.compile(r"/(?!/)[^\x00-\x20\\]*")  # browsers pass over blanks, and turn a \ into a /
_MOST = 1_000_000  # bytes of a form
_PAGES = (
    # the blueprint, and its name in the menu
    (overview.pages, _("Overview")),
    (tenants.pages, _("Tenants")),
    (messages.pages, _("Messages")),
    (causes.pages, _("Errors")),
    (jobs.pages, _("Jobs")),
    (configuration.pages, _("Configuration")),
    (people.pages, _("Person")),
    (audit.pages, _("Audit")),
    (health.pages, _("Health")),
)


def make_app(
    deployment: Deployment,
    gate: Gate,
    hosts: Collection[str] = (),
    check_erp: CheckErp | None = None,
) -> Flask:
    """Makes the pages of a deployment for those whom the gate lets in.

    `check_erp` checks the ERP of a tenant that is activated. Without it the page says that this was
    not done, and which command does it.
    """
    app = Flask("console", root_path=str(guard.FOLDER))
    app.jinja_options = {"finalize": words.seen, "undefined": StrictUndefined}
    app.config.update(
        MAX_CONTENT_LENGTH=_MOST,
        MAX_FORM_PARTS=1_000,
        SECRET_KEY=secrets.token_bytes(32),  # of one process: it signs what was just done, once
        SESSION_COOKIE_NAME="smartlink_told" if gate.local else "__Host-smartlink_told",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=not gate.local,
        SESSION_COOKIE_PATH="/",
    )
    board, previews = Board(), Previews()
    forms = guard.Forms(local=gate.local, hosts=hosts)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        _=words.say,
        plural=words.say_number,
        words=words,
        ADVICE=ADVICE,
        State=State,
        Ending=Ending,
        Right=Right,
        timedelta=timedelta,
        form_token=forms.token,
        current_language=current,
    )
    app.jinja_env.filters.update(when=words.when, exact=words.exact, told=told)

    @app.before_request
    def admit() -> Response | None:
        g.language = spoken(words.language_of(request))
        g.language.__enter__()
        if request.endpoint == "static":
            return None
        entered = gate.enter(request)
        if isinstance(entered, Response):
            return entered
        forms.check(request)
        if request.endpoint != "language":
            entered.check_any()
        g.here = Here.of(deployment, entered, board, previews, check_erp)
        return None

    @app.context_processor
    def common() -> dict[str, object]:
        known = g.get("here")
        return {
            "here": known,
            "now": deployment.now(),
            "menu": [(blueprint.name, name) for blueprint, name in _PAGES] if known else [],
            "title": deployment.title if known else "",  # a stranger learns nothing of it
            "local": gate.local,
        }

    @app.after_request
    def finish(answer: Response) -> Response:
        forms.keep(answer)
        return guard.shield(answer)

    @app.teardown_request
    def leave(_error: BaseException | None) -> None:
        if "language" in g:
            g.pop("language").__exit__(None, None, None)

    for blueprint, _name in _PAGES:
        app.register_blueprint(blueprint)
    app.register_blueprint(message.pages)
    app.register_blueprint(selection.pages)
    app.add_url_rule("/enter", "enter", lambda: ("", 404))
    app.add_url_rule("/language", "language", _choose_language, methods=["POST"])
    app.register_error_handler(Exception, _failed)
    return app


def _choose_language() -> Response:
    """Keeps the reader's choice, and goes back to where it was made."""
    code = Language.ENGLISH if request.form.get("language") == "en" else Language.PORTUGUESE
    back = request.form.get("back", "")
    root = f"{request.script_root}/"
    ours = back.startswith(root) and _PATH.fullmatch(back) is not None
    where = back if ours else root
    answer = Response("", 303, {"Location": where})
    answer.set_cookie(
        words.LANGUAGE_COOKIE, str(code), max_age=31_536_000, httponly=True, samesite="Strict"
    )
    return answer


def _failed(error: Exception) -> tuple[str, int]:
    """Says what failed, in words that hold no secret."""
    if isinstance(error, HTTPException):
        status = error.code or 500
        text = _("There is no such page, or it cannot be asked for so.")
        if isinstance(error, RequestEntityTooLarge):
            text = _("The form is too long: a page takes {most} bytes at most", most=_MOST)
        return _problem(text, status), status
    if isinstance(error, StrangerError):
        event("console_refused", str(error), WARNING)
        return _problem(error, 401), 401
    if isinstance(error, (failed.OperationError, PortError)):
        status = status_of(error)
        if isinstance(error, PortError):
            event("call_failed", str(error), ERROR, kind=type(error).__name__)
        acted = request.method == "POST"
        return _problem(explained(error, acted=acted), status), status
    surprise("call_failed", "Unexpected", error)
    return _problem(_("Something unexpected failed; the log of this console tells what."), 500), 500


def _problem(text: Exception | Text, status: int) -> str:
    return render_template("problem.html", problem=text, status=status)
