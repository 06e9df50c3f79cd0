"""Configuração: what is in force, what a change would do, and the change."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from console.asked import reason
from console.here import here
from smartlink.domain.retry import RetryPolicy
from smartlink.i18n import _, told
from smartlink.operations.acts import Act
from smartlink.operations.configuration import (
    SAMPLE,
    InForce,
    Proposal,
    earlier,
    look,
    propose,
    write,
)
from smartlink.operations.errors import OperationError
from smartlink.operations.retries import schedule
from smartlink.operations.rights import Right

pages = Blueprint("configuration", __name__)


@pages.get("/configuration")
def show() -> str:
    """Draws what is in force."""
    return _page(look(here().deployment))


def _page(
    found: InForce, text: str = "", proposal: Proposal | None = None, problem: object = None
) -> str:
    current = found.current
    now = current.data.decode("utf-8", "replace") if current else SAMPLE
    return render_template(
        "configuration.html",
        found=found,
        generations=here().deployment.config.generations(),
        uri=here().deployment.settings.config_uri,
        schedule=schedule(found.policy),
        text=text or now,
        proposal=proposal,
        proposed=schedule(proposal.policy) if proposal else [],
        problem=problem,
        may_push=here().visitor.may(Right.ADMINISTER),
    )


@pages.post("/configuration/check")
def check() -> str:
    """Says what a file would do, and changes nothing."""
    here().visitor.check(Right.ADMINISTER)
    text = request.form.get("text", "").replace("\r\n", "\n")
    found = look(here().deployment)
    try:
        proposal = propose(here().deployment, text.encode(), None)
    except OperationError as error:
        return _page(found, text, problem=error)
    return _page(found, text, proposal)


@pages.post("/configuration/push")
def push() -> Answer:
    """Writes a new generation, if the file is still the one that was looked at."""
    here().visitor.check(Right.ADMINISTER)
    text = request.form.get("text", "").replace("\r\n", "\n")
    return _write(Act.PUSH_CONFIG, text.encode(), request.form.get("generation", "0"))


@pages.post("/configuration/rollback")
def roll_back() -> Answer:
    """Makes an earlier generation the current one again."""
    here().visitor.check(Right.ADMINISTER)
    file = earlier(here().deployment, request.form.get("to") or None)
    return _write(Act.ROLL_CONFIG_BACK, file.data, request.form.get("generation", "0"))


def _write(act: Act, data: bytes, generation: str) -> Answer:
    deployment, why = here().deployment, reason()
    proposal = propose(deployment, data, generation)
    if not proposal.difference:
        flash(told(_("No difference: nothing to do.")), "plain")
        return redirect(url_for("configuration.show"), 303)
    before = {"generation": proposal.replaces or "none", **_facts(deployment.policy)}
    with here().recorded(
        act, target=deployment.settings.config_uri, reason=why, before=before
    ) as record:
        write(deployment, proposal)
        current = deployment.config.current()
        record.after = {
            "generation": current.generation if current else None,
            **_facts(proposal.policy),
        }
    flash(told(_("Written. The next poll reads it; what waits now keeps its delay.")), "good")
    return redirect(url_for("configuration.show"), 303)


def _facts(policy: RetryPolicy) -> dict[str, object]:
    return {
        "QtdeTentativasExec": policy.attempts,
        "FatorTempoExecucao": policy.factor,
        "MinutesInterval": policy.interval,
    }
