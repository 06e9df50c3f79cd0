"""`smartlink tenants list|show|check`: shows the tenants and whether they work."""

from datetime import datetime, timedelta

import typer

from infra.cli import options as opt
from infra.cli.checks import show_checks
from infra.cli.screen import ids, numbers
from infra.cli.session import session_of
from infra.cli.zone import instant, short
from smartlink.domain.noted import NOTED_EVERY
from smartlink.i18n import Text, _
from smartlink.operations.health import tenant_checks
from smartlink.operations.names import existing_tenant, tenants_of
from smartlink.operations.retries import in_words
from smartlink.operations.tenants import Status, overview, show
from smartlink.operations.views import overview_view

STATUS = {
    Status.ACTIVE: _("active"),
    Status.PAUSED: _("paused"),
    Status.DISABLED: _("disabled"),
    Status.HALTED: _("halted"),
    Status.ORPHANED: _("orphaned"),
    Status.UNUSABLE: _("unusable secret"),
    Status.UNKNOWN: _("unknown"),
}


def list_tenants(context: typer.Context) -> None:
    """List the tenants: state, messages waiting and dead, the last message, paused until.

    Active: polled each minute. Paused: RAC or the broker keeps failing. Disabled: nothing is
    received, sent or swept. Orphaned: its secret is gone, its documents are not. Halted: its
    credentials belong to another customer than its messages.
    """
    session = session_of(context)
    found = overview(session.deployment, tenants_of(session.deployment, None))
    screen = session.screen
    if screen.as_json:
        screen.json([overview_view(it) for it in found])
    elif not found:
        screen.say(_("There is no tenant: smartlink tenants activate NAME."))
    else:
        now = session.deployment.now()
        columns = (
            ids(_("Tenant")),
            _("State"),
            numbers(_("Waiting")),
            numbers(_("Dead")),
            _("Last message"),
            _("Paused until"),
        )
        screen.table(
            columns,
            (
                (
                    it.tenant,
                    STATUS[it.status],
                    it.waiting,
                    it.dead,
                    short(it.last_message),
                    short(it.state.paused_until) if it.status is Status.PAUSED else None,
                )
                for it in found
            ),
        )
        screen.say(_("Last tick: {last_tick}", last_tick=_last_tick(found[0].last_tick, now)))


def _last_tick(tick: datetime | None, now: datetime) -> Text:
    if tick is None:
        return _("none yet")
    ago = now - tick
    if ago > NOTED_EVERY + timedelta(minutes=2):
        return _(
            "{tick}: none for {ago}. smartlink doctor says why.",
            tick=instant(tick),
            ago=in_words(ago),
        )
    return _(
        "{tick}, {ago} ago, or later: it is noted every 10 minutes",
        tick=instant(tick),
        ago=in_words(ago),
    )


def show_tenant(context: typer.Context, tenant: opt.OneTenant) -> None:
    """Show one tenant: its secret (without secrets), its state, its messages by Situacao."""
    session = session_of(context)
    screen = session.screen
    found, counts = show(session.deployment, tenant)
    by_state = {str(state): count for state, count in counts.items()}
    if screen.as_json:
        screen.json(overview_view(found) | {"situacao": by_state})
        return
    state = found.state
    screen.facts(
        (
            (_("Tenant"), tenant),
            (_("State"), STATUS[found.status]),
            (_("Commands set up"), ", ".join(state.commands)),
            (_("Last tick"), _last_tick(found.last_tick, session.deployment.now())),
            (_("Last message"), found.last_message),
            (_("Broker answered"), state.last_success),
            (_("Belongs to"), str(state.pin) if state.pin else None),
            (_("Halted since"), state.halted),
            (_("Adopted"), state.adopted),
            (_("Paused until"), state.paused_until),
            (_("Failures in a row"), state.failures or None),
            (_("Last error"), state.last_error),
            (_("Last error at"), state.last_error_at),
            *((_("Messages {name}", name=name), count) for name, count in by_state.items()),
        )
    )


def check_tenant(context: typer.Context, tenant: opt.OneTenant) -> None:
    """Check one tenant: its secret, a token from RAC, the broker. The exit code is 1 if one
    fails."""
    session = session_of(context)
    existing_tenant(session.deployment, tenant)
    show_checks(session, tenant_checks(session.deployment, tenant))
