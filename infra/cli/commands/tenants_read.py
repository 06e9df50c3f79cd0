"""`smartlink tenants list|show|check`: who the tenants are, and whether they work."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import typer

from infra.cli import options as opt
from infra.cli.activation import commands_to_set_up, stored_tenant, tenant_id
from infra.cli.errors import CliError, MissingError
from infra.cli.screen import Screen
from infra.cli.selection import known_name, tenants_of
from infra.cli.session import session_of
from infra.cli.views import state_view
from infra.cli.words import explained
from infra.cli.world import World
from smartlink.domain.tenant import TenantState
from smartlink.ports import NotFound, PortError

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A tenant at a glance."""

    tenant: str
    status: str
    state: TenantState
    live: int
    dead: int

    def json(self) -> dict[str, object]:
        """For programs."""
        counts = {"live": self.live, "waiting": self.live - self.dead, "dead": self.dead}
        return {"tenant": self.tenant, "status": self.status, **counts, **state_view(self.state)}


def rows(world: World, names: list[str]) -> list[Row]:
    """Look at each tenant, several at once."""
    secrets = {entry.name for entry in world.secrets.entries()}
    states = world.store.states(names)

    def row(name: str) -> Row:
        state = states[name]
        dead = world.store.count_live(name, {"Situacao": "Morta"})
        live = world.store.count_live(name, {})
        return Row(name, _status(world, name, state, has_secret=name in secrets), state, live, dead)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(row, names))


def _status(world: World, name: str, state: TenantState, *, has_secret: bool) -> str:
    if not has_secret:
        return "orphaned" if state.known else "unknown"
    try:
        tenant = stored_tenant(world, name)
    except (CliError, NotFound):
        return "unusable secret"
    if not tenant.enabled:
        return "disabled"
    if state.halted is not None:
        return "halted"
    return "paused" if state.paused(world.now()) else "active"


def list_tenants(context: typer.Context) -> None:
    """List the tenants: state, last success, messages waiting and dead, paused until.

    Active: polled each minute. Paused: RAC or the broker keeps failing. Disabled: nothing is
    received, sent or swept. Orphaned: its secret is gone, its documents are not. Halted: its
    credentials are of another customer than its messages.
    """
    session = session_of(context)
    found = rows(session.world, tenants_of(session.world, None))
    screen = session.screen
    if screen.as_json:
        screen.json([it.json() for it in found])
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
                    it.live - it.dead,
                    it.dead,
                    _short(it.state.last_success),
                    _short(it.state.paused_until) if it.status == "paused" else None,
                )
                for it in found
            ),
        )


def _short(at: object) -> str | None:
    return f"{at:%m-%d %H:%M}" if at else None


def show_tenant(context: typer.Context, tenant: opt.OneTenant) -> None:
    """Show one tenant: its secret (without secrets), its state, its messages by Situacao."""
    session = session_of(context)
    world, screen = session.world, session.screen
    known_name(tenant)
    [row] = rows(world, [tenant])
    if row.status == "unknown":
        message = f"There is no tenant {tenant} in {world.target.title}: smartlink tenants list."
        raise MissingError(message)
    by_state = {
        state.value.capitalize(): world.store.count_live(
            tenant, {"Situacao": state.value.capitalize()}
        )
        for state in opt.Situation
    }
    if screen.as_json:
        screen.json(row.json() | {"situacao": by_state})
        return
    state = row.state
    screen.facts(
        (
            ("Tenant", tenant),
            ("State", row.status),
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
    """Check one tenant: its secret, a token from RAC, the broker. Exit code 1 if one fails."""
    session = session_of(context)
    known_name(tenant)
    checks = tenant_checks(session.world, tenant)
    show_checks(session.screen, checks)


def tenant_checks(world: World, name: str) -> list[tuple[str, bool, str]]:
    """Each check of a tenant: its name, whether it holds, what was seen or how to mend it."""
    checks: list[tuple[str, bool, str]] = []

    def note(what: str, text: str, *, good: bool = True) -> None:
        checks.append((f"{name}: {what}", good, text))

    try:
        tenant = stored_tenant(world, name)
        text = "enabled" if tenant.enabled else "disabled: smartlink tenants enable"
        note("secret", text)
        if not tenant.enabled:
            return checks
        note("RAC", f"gives a token for tenant id {tenant_id(world, tenant) or '(opaque)'}")
        with world.broker.session(tenant) as session:
            session.setup(commands_to_set_up(world))
        note("broker", "the queue is set up")
    except (CliError, PortError) as error:
        told = error if isinstance(error, CliError) else explained(error, world.target)
        note(("secret", "RAC", "broker")[len(checks)], str(told), good=False)
        return checks
    state = world.store.states([name])[name]
    if state.halted is not None:
        note("identity", f"halted since {state.halted}: {state.last_error}", good=False)
    if state.paused(world.now()):
        note("pause", f"paused until {state.paused_until}: {state.last_error}", good=False)
    return checks


def show_checks(screen: Screen, checks: list[tuple[str, bool, str]]) -> None:
    """Draw checks; raises CliError if one failed."""
    failed = sum(not good for _, good, _ in checks)
    if screen.as_json:
        names = ("check", "ok", "text")
        screen.json([dict(zip(names, it, strict=True)) for it in checks])
    else:
        for what, good, text in checks:
            mark, style = ("✓", "green") if good else ("✗", "red")
            screen.say(f"{mark} {what}: {text}", style)
    if failed:
        message = f"{failed} of {len(checks)} checks failed."
        raise CliError(message)
