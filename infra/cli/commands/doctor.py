"""`smartlink doctor`: everything that must hold for the relay to work."""

import typer

from infra.cli.commands.tenants_read import show_checks, tenant_checks
from infra.cli.examination import Examination
from infra.cli.session import session_of
from smartlink.ports import PortError


def doctor(context: typer.Context) -> None:
    """Check credentials, APIs, indexes, topics, functions, config, clock, and each tenant.

    Every check that fails says how to mend it. Exit code 1 if one fails.
    """
    session = session_of(context)
    world = session.world
    checks = list(Examination(world).checks())
    try:
        names = [entry.name for entry in world.secrets.entries()]
    except PortError:
        names = []  # the check of the secrets has said so
    for name in names:
        checks += tenant_checks(world, name)
    show_checks(session.screen, checks)
