"""Shows the checks of `doctor` and `tenants check`."""

from collections.abc import Mapping, Sequence

from infra.cli.errors import CliError
from infra.cli.session import Session
from infra.cli.words import explained
from smartlink.operations.health import Check, Fix

_FIXES: Mapping[Fix, str] = {
    Fix.SIGN_IN: "gcloud auth application-default login",
    Fix.DEPLOY: "make deploy",
    Fix.DEPLOY_OR_ENABLE: "make deploy, or gcloud services enable",
    Fix.DEPLOY_AND_WAIT: "make deploy, then wait",
    Fix.SEE_APIS: "grant roles/serviceusage.serviceUsageViewer",
    Fix.SEE_INDEXES: "grant roles/datastore.viewer",
    Fix.SEE_FUNCTIONS: "grant roles/cloudfunctions.viewer",
    Fix.RESTART: "restart the local stack",
    Fix.PUSH_CONFIG: "smartlink config push FILE --yes",
    Fix.SET_CLOCK: "set this machine's clock (NTP)",
    Fix.BROKER: "the broker is down, or out of this machine's reach: the relay goes on by itself "
    "once it answers; check the network, or the local stack's simulator",
    Fix.ENABLE: "smartlink tenants enable {tenant}",
    Fix.ROTATE: "smartlink tenants rotate {tenant}",
    Fix.ADOPT: "give it its own credentials back (smartlink tenants rotate {tenant}); if it is the "
    "same customer, smartlink tenants adopt {tenant} --reason …",
    Fix.END_PAUSE: "it goes on by itself; at once with smartlink tenants enable {tenant}",
    Fix.REDRIVE: "smartlink stats shows the causes; redrive or discard each with smartlink "
    "messages redrive --print CODE",
    Fix.LOOK_AT_QUEUE: "smartlink messages list --older 15m shows which; smartlink tenants list, "
    "whether their tenants are paused",
    Fix.RESUME_TICKS: "gcloud scheduler jobs resume smartlink-poll, and look at its last answer",
}


def show_checks(session: Session, checks: Sequence[Check]) -> None:
    """Show the checks. Raises CliError if one failed."""
    screen = session.screen
    failed = sum(not it.holds for it in checks)
    told = [(it.name, it.holds, _words(session, it), _fix(it)) for it in checks]
    if screen.as_json:
        names = ("check", "ok", "text", "fix")
        screen.json([dict(zip(names, it, strict=True)) for it in told])
    else:
        for name, holds, text, _ in told:
            mark, style = ("✓", "green") if holds else ("✗", "red")
            screen.say(f"{mark} {name}: {text}", style)
    if failed:
        message = f"{failed} of {len(checks)} checks failed."
        raise CliError(message)


def _words(session: Session, check: Check) -> str:
    if check.error is not None:
        return str(explained(check.error, session.target))
    return check.text if check.fix is None else f"{check.text}: {_fix(check)}"


def _fix(check: Check) -> str | None:
    return _FIXES[check.fix].format(tenant=check.tenant) if check.fix else None
