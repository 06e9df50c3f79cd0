"""Shows the checks of `doctor` and `tenants check`."""

from collections.abc import Sequence

from infra.cli.errors import CliError
from infra.cli.session import Session
from infra.cli.words import explained
from smartlink.i18n import Text, _, data, joined
from smartlink.operations.fixes import ADVICE
from smartlink.operations.health import Check


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
    return ADVICE[check.fix].command.filled(tenant=check.tenant) if check.fix else None
