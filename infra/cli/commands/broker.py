"""`smartlink broker discover`: what Smart Link Server wants of each call."""

import json
import time
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import CliError
from infra.cli.session import session_of
from smartlink.i18n import Text, _, data, joined
from smartlink.operations import discover as operation
from smartlink.operations.discover import Discovery, Nack, Tried, Verdict


def discover(
    context: typer.Context,
    tenant: opt.OneTenant,
    *,
    lease: Annotated[
        int,
        typer.Option(min=1, max=3_600, help="Seconds after which the broker takes back a lease."),
    ] = 90,
    force: Annotated[
        bool, typer.Option("--force", help="Also in production, or while the tenant is polled.")
    ] = False,
) -> None:
    """Find out which verbs, paths and forms the broker wants of setup, get, send and ack.

    TOTVS does not publish them. What is plausible is tried on a tenant whose queue is empty and
    that is disabled, so that no poll takes its messages. A form works once a message of its own
    came back and, acked, did not come again; it takes some minutes. At the first message that
    is not its own it stops. Every value of an answer is shown by its shape alone.
    """
    session = session_of(context)
    deployment, screen = session.deployment, session.screen
    found_tenant = operation.check(deployment, tenant, force=force)

    def wait() -> None:
        screen.say(_("Waiting {lease} s for leases to end …", lease=lease))
        time.sleep(lease)

    def tell(tried: Tried) -> None:
        screen.say(
            joined("", (tried.call, "  ", tried.request, "  →  ", tried.answer, ": ", tried.means))
        )

    found = operation.discover(deployment, found_tenant, wait, tell)
    if screen.as_json:
        screen.json(_document(found))
    else:
        for line in _lines(found):
            screen.say(line)
    if not found.complete:
        message = _("Not every call could be proven; nothing else was changed.")
        raise CliError(message)


def _document(found: Discovery) -> dict[str, object]:
    return {
        "verdicts": {name: str(verdict) for name, verdict in found.verdicts.items()},
        "nack": str(found.nack),
        "paths": found.settings,
        "questions": found.questions,
        "tried": [
            {"call": it.call, "request": it.request, "answer": it.answer, "means": it.means}
            for it in found.tried
        ],
    }


_NACKS = {
    Nack.GONE: _("does not come again"),
    Nack.AGAIN: _("comes again"),
    Nack.REFUSED: _("refused"),
    Nack.UNTRIED: _("not tried"),
}
_VERDICTS = {
    Verdict.WORKS: _("works"),
    Verdict.ACCEPTED: _("accepted, not proven"),
    Verdict.REFUSED: _("refused"),
    Verdict.UNTRIED: _("not tried"),
}


def _lines(found: Discovery) -> list[Text]:
    told = (joined(": ", (name, _VERDICTS[it])) for name, it in found.verdicts.items())
    nacked = joined(": ", ("nack", _NACKS[found.nack]))
    lines = [data(""), *told, nacked, data("")]
    if found.settings:
        value = operation.as_setting(found.settings)
        paths = json.dumps(found.settings, ensure_ascii=False)
        lines += [
            _("As the functions' setting, and for the local stack:"),
            data(f"  SMARTLINK_PATHS='{value}'"),
            _("In the environment's tfvars, then make deploy:"),
            data(f"  smart_link = {{ paths = {paths} }}"),
        ]
        if found.nack is Nack.GONE:
            lines += [
                _("To hand messages of unknown commands to the broker, once TOTVS has said where:"),
                data('  smart_link = { …, unknown_command = "nack" }'),
            ]
    elif found.complete:
        lines += [_("The broker is as this release assumes it: nothing is to be set.")]
    if found.questions:
        asked = (joined("", ("  - ", it)) for it in found.questions)
        lines += [_("To be asked of TOTVS:"), *asked]
    return lines
