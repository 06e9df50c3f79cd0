"""`smartlink tenants list|show|check`: shows the tenants and whether they work."""

import typer

from infra.cli import options as opt
from infra.cli.checks import show_checks
from infra.cli.session import session_of
from smartlink.operations.health import tenant_checks
from smartlink.operations.select import known_name, tenants_of
from smartlink.operations.tenants import Status, overview, show
from smartlink.operations.views import overview_view


def list_tenants(context: typer.Context) -> None:
    """List the tenants: state, last success, messages waiting and dead, paused until.

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
        columns = ("Tenant", "State", "#Waiting", "#Dead", "Last success", "Paused until")
        screen.table(
            columns,
            (
                (
                    it.tenant,
                    it.status,
                    it.waiting,
                    it.dead,
                    _short(it.state.last_success),
                    _short(it.state.paused_until) if it.status is Status.PAUSED else None,
                )
                for it in found
            ),
        )


def _short(at: object) -> str | None:
    return f"{at:%m-%d %H:%M}" if at else None


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
            ("Last success", state.last_success),
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
    known_name(tenant)
    show_checks(session, tenant_checks(session.deployment, tenant))
