"""Tenants: how each does, what may be changed, and the activation."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from console.asked import AGES, reason
from console.here import here
from console.problems import explained
from console.words import when
from smartlink.i18n import Text, _, joined, told
from smartlink.operations import activation
from smartlink.operations.activation import Step
from smartlink.operations.acts import Act
from smartlink.operations.audit import tenant_facts
from smartlink.operations.credentials import parse
from smartlink.operations.errors import InvalidError, OperationError, UnknownTenantError
from smartlink.operations.health import Check, tenant_checks
from smartlink.operations.rights import Right
from smartlink.operations.steps import went_well
from smartlink.operations.steps import words as step_words
from smartlink.operations.tenants import show as show_tenant
from smartlink.ports import PortError

pages = Blueprint("tenants", __name__)
PAUSES = ("15m", "1h", "6h", "1d", "7d")


@pages.get("/tenants")
def show() -> str:
    """Draws the list."""
    part = request.args.get("name", "").strip()[:63]
    after = request.args.get("after", "")[:63]
    rows, following = here().board.tenants(here().deployment, here().scope(), after, part)
    return render_template(
        "tenants.html",
        rows=rows,
        next=following,
        part=part,
        every=here().scope().tenants is None,
        may_activate=here().visitor.may(Right.ADMINISTER),
    )


@pages.get("/tenants/<tenant>")
def one(tenant: str) -> str:
    """Draws one."""
    here().visitor.scope().check(here().deployment, tenant)
    return _one(tenant)


def _one(tenant: str, checks: list[Check] | None = None) -> str:
    visitor = here().visitor
    try:
        found, counts = show_tenant(here().deployment, tenant)
    except UnknownTenantError:  # in the words of one that may not be seen
        raise visitor.scope().unknown(here().deployment, tenant) from None
    return render_template(
        "tenant.html",
        tenant=tenant,
        found=found,
        counts=counts,
        checks=checks,
        pauses={name: AGES[name][1] for name in PAUSES},
        may_act=visitor.may(Right.OPERATE, tenant),
        may_admin=visitor.may(Right.ADMINISTER, tenant),
    )


@pages.post("/tenants/<tenant>/check")
def check(tenant: str) -> str:
    """Asks RAC for a token and sets the tenant's queue up again, as a check does."""
    here().tenant(tenant, Right.OPERATE)
    with here().recorded(Act.CHECK, target=tenant, tenant=tenant) as record:
        checks = tenant_checks(here().deployment, tenant)
        record.outcome = "holds" if all(it.holds for it in checks) else "does not hold"
    return _one(tenant, checks)


@pages.post("/tenants/<tenant>/enable")
def enable(tenant: str) -> Answer:
    """Enables a tenant, which also ends a pause."""
    return _change(
        tenant,
        Act.ENABLE,
        lambda report: activation.switch(here().deployment, tenant, report, enabled=True),
    )


@pages.post("/tenants/<tenant>/disable")
def disable(tenant: str) -> Answer:
    """Disables a tenant: what it has waits."""
    return _change(
        tenant,
        Act.DISABLE,
        lambda report: activation.switch(here().deployment, tenant, report, enabled=False),
    )


@pages.post("/tenants/<tenant>/pause")
def pause(tenant: str) -> Answer:
    """Leaves a tenant's broker alone for a while."""
    name, why = request.form.get("span", ""), reason()
    how_long = AGES[name][0] if name in PAUSES else timedelta(0)
    told_by = (here().visitor.identity.name, why)
    return _change(
        tenant,
        Act.PAUSE,
        lambda report: activation.pause(here().deployment, tenant, how_long, told_by, report),
    )


@pages.post("/tenants/<tenant>/adopt")
def adopt(tenant: str) -> Answer:
    """Says that a halted tenant's credentials are the same customer's."""
    who, why = here().visitor.identity.name, reason()

    def act(report: Callable[[Step], object]) -> None:
        activation.adopt(here().deployment, tenant, who, why, report)

    return _change(tenant, Act.ADOPT, act)


@pages.post("/tenants/<tenant>/rotate")
def rotate(tenant: str) -> Answer:
    """Gives a tenant new credentials, once RAC has accepted them."""
    here().tenant(tenant, Right.ADMINISTER)
    credentials = parse(_credentials(), here().deployment)

    def act(report: Callable[[Step], object]) -> None:
        activation.rotate(here().deployment, tenant, credentials, report)

    return _change(tenant, Act.ROTATE, act)


def _credentials() -> dict[str, str]:
    given = {name: request.form.get(name, "").strip() for name in ("clientId", "clientSecret")}
    if not all(given.values()):
        raise InvalidError(_("Both the client id and the client secret are needed"))
    return given


def _change(tenant: str, act: Act, do: Callable[[Callable[[Step], object]], object]) -> Answer:
    here().tenant(tenant, Right.ADMINISTER)
    deployment, why, steps = here().deployment, reason(), list[Step]()
    activation.check_active(deployment, tenant) if act is not Act.ADOPT else None
    before = tenant_facts(deployment, tenant)
    try:
        with here().recorded(
            act, target=tenant, tenant=tenant, reason=why, before=before
        ) as record:
            do(steps.append)
            record.after = tenant_facts(deployment, tenant)
    finally:  # where one fails, the page that says so tells too what was done before it
        for step in steps:
            text = joined(": ", step_words(step, when))
            flash(told(text), "good" if went_well(step) else "warn")
    return redirect(url_for("tenants.one", tenant=tenant), 303)


@pages.get("/activate")
def activate_form() -> str:
    """Draws the wizard "Ativação Totvs Apps"."""
    here().visitor.check(Right.ADMINISTER)
    return _wizard()


@pages.post("/activate")
def activate() -> tuple[str, int]:
    """Activates a tenant: credentials, token, secret, queue, first poll, each step told."""
    here().visitor.check(Right.ADMINISTER)
    name, why = request.form.get("tenant", "").strip(), reason()
    deployment, done_so_far = here().deployment, list[Step]()
    activation.check_new(deployment, name)
    credentials = parse(_credentials(), deployment)
    error: Text | None = None
    try:
        with here().recorded(Act.ACTIVATE, target=name, tenant=name, reason=why) as record:
            activation.activate(
                deployment, name, credentials, None, done_so_far.append, here().check_erp
            )
            record.after = tenant_facts(deployment, name)
    except (OperationError, PortError) as failure:  # what was made before it is told too
        error = explained(failure, acted=True)
    done = name if error is None else None
    steps = [(went_well(it), *step_words(it, when)) for it in done_so_far]
    return _wizard(steps, done, error, name), 200 if error is None else 409


def _wizard(
    steps: Sequence[tuple[bool, Text, Text]] = (),
    done: str | None = None,
    error: Text | None = None,
    name: str = "",
) -> str:
    checks_erp = here().checks_erp
    return render_template(
        "activate.html", steps=steps, done=done, error=error, name=name, checks_erp=checks_erp
    )
