"""`smartlink doctor`: checks everything that the relay needs."""

import typer

from infra.cli.checks import show_checks
from infra.cli.session import session_of
from smartlink.operations.health import checks


def doctor(context: typer.Context) -> None:
    """Check credentials, APIs, indexes, topics, functions, config, clock, and each tenant.

    Every check that fails says how to fix it. The exit code is 1 if one fails.
    """
    session = session_of(context)
    show_checks(session, list(checks(session.deployment)))
