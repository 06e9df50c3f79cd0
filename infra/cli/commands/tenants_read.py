"""`smartlink tenants list|show|check`: shows the tenants and whether they work."""

from datetime import datetime, timedelta

import typer

from infra.cli import options as opt
from infra.cli.checks import show_checks
from infra.cli.session import session_of
from infra.cli.zone import instant, short
from smartlink.domain.noted import NOTED_EVERY
from smartlink.operations.health import tenant_checks
from smartlink.operations.names import existing_tenant, tenants_of
from smartlink.operations.retries import in_words
from smartlink.operations.tenants import Status, overview, show
from smartlink.operations.views import overview_view


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
        screen.say("There is no tenant: smartlink tenants activate NAME.")
    else:
        now = session.deployment.now()
        columns = ("!Tenant", "State", "#Waiting", "#Dead", "Last message", "Paused until")
        screen.table(
            columns,
            (
                (
                    it.tenant,
                    it.status,
                    it.waiting,
                    it.dead,
                    short(it.last_message),
                    short(it.state.paused_until) if it.status is Status.PAUSED else None,
                )
                for it in found
            ),
        )
        screen.say(f"Last tick: {_last_tick(found[0].last_tick, now)}")


def _last_tick(tick: datetime | None, now: datetime) -> str:
    if tick is None:
        return "none yet"
    ago = now - tick
    if ago > NOTED_EVERY + timedelta(minutes=2):
        return f"{instant(tick)}: none for {in_words(ago)}. smartlink doctor says why."
    return f"{instant(tick)}, {in_words(ago)} ago, or later: it is noted every 10 minutes"


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
            ("Tenant", tenant),
            ("State", found.status),
            ("Commands set up", ", ".join(state.commands)),
            ("Last tick", _last_tick(found.last_tick, session.deployment.now())),
            ("Last message", found.last_message),
            ("Broker answered", state.last_success),
            ("Belongs to", str(state.pin) if state.pin else None),
            ("Halted since", state.halted),
            ("Adopted", state.adopted),
            ("Paused until", state.paused_until),
            ("Failures in a row", state.failures or None),
            ("Last error", state.last_error),
            ("Last error at", state.last_error_at),
            *((f"Messages {name}", count) for name, count in by_state.items()),
        )
    )


def check_tenant(context: typer.Context, tenant: opt.OneTenant) -> None:
    """Check one tenant: its secret, a token from RAC, the broker. The exit code is 1 if one
    fails."""
    session = session_of(context)
    existing_tenant(session.deployment, tenant)
    show_checks(session, tenant_checks(session.deployment, tenant))
