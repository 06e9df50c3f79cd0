"""Shows the checks of `doctor` and `tenants check`."""

from collections.abc import Mapping, Sequence

from infra.cli.errors import CliError
from infra.cli.session import Session
from infra.cli.words import explained
from smartlink.i18n import Text, _, data, joined
from smartlink.operations.health import Check, Fix

_FIXES: Mapping[Fix, Text] = {
    Fix.SIGN_IN: data("gcloud auth application-default login"),
    Fix.DEPLOY: data("make deploy"),
    Fix.DEPLOY_OR_ENABLE: _("make deploy, or gcloud services enable"),
    Fix.DEPLOY_AND_WAIT: _("make deploy, then wait"),
    Fix.SEE_APIS: _("grant roles/serviceusage.serviceUsageViewer"),
    Fix.SEE_INDEXES: _("grant roles/datastore.viewer"),
    Fix.SEE_FUNCTIONS: _("grant roles/cloudfunctions.viewer"),
    Fix.SEE_ALERTS: _("grant roles/monitoring.viewer"),
    Fix.RESTART: _("restart the local stack"),
    Fix.PUSH_CONFIG: data("smartlink config push FILE --yes"),
    Fix.SET_CLOCK: _("set this machine's clock (NTP)"),
    Fix.BROKER: _(
        "the broker is down, or out of this machine's reach: the relay goes on by "
        "itself once it answers; check the network, or the local stack's simulator"
    ),
    Fix.ENABLE: data("smartlink tenants enable {tenant}"),
    Fix.ROTATE: data("smartlink tenants rotate {tenant}"),
    Fix.ADOPT: _(
        "give it its own credentials back (smartlink tenants rotate {tenant}); if it "
        "is the same customer, smartlink tenants adopt {tenant} --reason …"
    ),
    Fix.END_PAUSE: _("it goes on by itself; at once with smartlink tenants enable {tenant}"),
    Fix.REDRIVE: _(
        "smartlink stats shows the causes; redrive or discard each with smartlink "
        "messages redrive --print CODE"
    ),
    Fix.LOOK_AT_QUEUE: _(
        "smartlink messages list --older 15m shows which; smartlink tenants list, "
        "whether their tenants are paused"
    ),
    Fix.RUN_JOB: _(
        "is the function operate deployed (make deploy)? smartlink jobs show JOB says how far it "
        "came; smartlink jobs watch JOB works yours off, smartlink jobs resume JOB one that failed"
    ),
    Fix.RESUME_TICKS: _("gcloud scheduler jobs resume smartlink-poll, and look at its last answer"),
    Fix.READ_ALERTS: _("open each in Cloud Monitoring (Alerting): its text is its runbook"),
}


def show_checks(session: Session, checks: Sequence[Check]) -> None:
    """Show the checks. Raises CliError if one failed."""
    screen = session.screen
    failed = sum(not it.holds for it in checks)
    lines = [(it.name, it.holds, _words(session, it), _fix(it)) for it in checks]
    if screen.as_json:
        names = ("check", "ok", "text", "fix")
        screen.json([dict(zip(names, it, strict=True)) for it in lines])
    else:
        for name, holds, text, _its_fix in lines:
            mark, style = ("✓", "green") if holds else ("✗", "red")
            screen.say(joined("", (mark, " ", name, ": ", text)), style)
    if failed:
        message = _("{failed} of {count} checks failed.", failed=failed, count=len(checks))
        raise CliError(message)


def _words(session: Session, check: Check) -> Text:
    if check.error is not None:
        return data(explained(check.error, session.target))
    return check.text if check.fix is None else joined(": ", (check.text, _fix(check)))


def _fix(check: Check) -> Text | None:
    return _FIXES[check.fix].filled(tenant=check.tenant) if check.fix else None
