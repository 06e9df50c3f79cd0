"""`smartlink broker discover`: what Smart Link Server wants of each call."""

import json
import time
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import CliError
from infra.cli.session import session_of
from smartlink.operations import discover as operation
from smartlink.operations.discover import Discovery, Tried


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
        screen.say(f"Waiting {lease} s for leases to end …")
        time.sleep(lease)

    def tell(tried: Tried) -> None:
        screen.say(f"{tried.call}  {tried.request}  →  {tried.answer}: {tried.means}")

    found = operation.discover(deployment, found_tenant, wait, tell)
    if screen.as_json:
        screen.json(_document(found))
    else:
        for line in _lines(found):
            screen.say(line)
    if not found.complete:
        message = "Not every call could be proven; nothing else was changed."
        raise CliError(message)


def _document(found: Discovery) -> dict[str, object]:
    return {
        "verdicts": {name: str(verdict) for name, verdict in found.verdicts.items()},
        "paths": found.settings,
        "questions": found.questions,
        "tried": [
            {"call": it.call, "request": it.request, "answer": it.answer, "means": it.means}
            for it in found.tried
        ],
    }


def _lines(found: Discovery) -> list[str]:
    lines = ["", *(f"{name}: {verdict}" for name, verdict in found.verdicts.items()), ""]
    if found.settings:
        value = operation.as_setting(found.settings)
        lines += [
            "As the functions' setting, and for the local stack:",
            f"  SMARTLINK_PATHS='{value}'",
            "In the environment's tfvars, then make deploy:",
            f"  smart_link = {{ paths = {json.dumps(found.settings, ensure_ascii=False)} }}",
        ]
    elif found.complete:
        lines += ["The broker is as this release assumes it: nothing is to be set."]
    if found.questions:
        lines += ["To be asked of TOTVS:", *(f"  - {it}" for it in found.questions)]
    return lines
