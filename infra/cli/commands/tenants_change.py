"""`smartlink tenants activate|rotate|adopt|disable|enable`, as RM's "Ativação Totvs Apps"."""

from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.erp_check import check_erp
from infra.cli.errors import UsageError
from infra.cli.login import read_credentials
from infra.cli.session import session_of
from infra.cli.steps import Steps
from smartlink.operations import activation
from smartlink.operations.credentials import parse
from smartlink.operations.errors import SetupError
from smartlink.operations.select import known_name

_File = Annotated[
    str | None,
    typer.Option(
        "--from-file",
        help='File of {"clientId", "clientSecret"}, or - for stdin; else both are asked for.',
    ),
]


def activate(
    context: typer.Context,
    tenant: opt.OneTenant,
    *,
    source: _File = None,
    region: Annotated[
        str | None, typer.Option(help="Keep the secret in this region only (else automatic).")
    ] = None,
    without_erp_check: Annotated[
        bool, typer.Option("--without-erp-check", help="Whatever is wrong with its ERP and map.")
    ] = False,
) -> None:
    """Activate a tenant (RM: "Ativação Totvs Apps"): credentials, token, secret, setup, poll.

    Setup makes the tenant's queue: until it has run, messages to the tenant are lost.
    A tenant with an ERP (smartlink-erp-TENANT) has its map checked first: smartlink tpd check.
    If a step fails, what was made is removed, and the error says how to fix it.
    """
    session = session_of(context)
    deployment, steps = session.deployment, Steps(session.screen)
    activation.check_new(deployment, tenant)
    credentials = parse(read_credentials(source), deployment)
    session.begin_relay()
    checking = None if without_erp_check else check_erp
    try:
        named = activation.activate(deployment, tenant, credentials, region, steps.tell, checking)
    except SetupError as error:
        if isinstance(error.__cause__, KeyboardInterrupt) and error.kept is None:
            raise error.__cause__ from None
        raise
    steps.finish(tenant=tenant, tenantId=named)


def rotate(context: typer.Context, tenant: opt.OneTenant, *, source: _File = None) -> None:
    """Give a tenant new credentials: RAC verifies them before the old ones are disabled."""
    session = session_of(context)
    deployment, steps = session.deployment, Steps(session.screen)
    activation.check_active(deployment, tenant)
    credentials = parse(read_credentials(source), deployment)
    named = activation.rotate(deployment, tenant, credentials, steps.tell)
    steps.finish(tenant=tenant, tenantId=named)


def adopt(
    context: typer.Context,
    tenant: opt.OneTenant,
    reason: Annotated[str, typer.Option(help="Why it is the same customer; it is kept.")],
) -> None:
    """Say that a halted tenant's credentials belong to the same customer as its messages.

    A name is halted if its credentials are of another tenant id while messages
    of the first one live. After this command these messages are sent and
    executed with the new credentials. Without a secret, the name passes to the
    tenant that is activated next.
    """
    session = session_of(context)
    steps = Steps(session.screen)
    known_name(tenant)
    if not reason.strip():
        message = "--reason is empty: say how you know that it is the same customer."
        raise UsageError(message)
    told = activation.adopt(session.deployment, tenant, session.who, reason, steps.tell)
    steps.finish(tenant=tenant, adopted=told)


def disable(context: typer.Context, tenant: opt.OneTenant) -> None:
    """Disable a tenant: nothing is received, sent or swept; its documents wait."""
    _switch(context, tenant, enabled=False)


def enable(context: typer.Context, tenant: opt.OneTenant) -> None:
    """Enable a tenant again; a pause after failures ends too."""
    _switch(context, tenant, enabled=True)


def _switch(context: typer.Context, tenant: str, *, enabled: bool) -> None:
    session = session_of(context)
    steps = Steps(session.screen)
    activation.switch(session.deployment, tenant, steps.tell, enabled=enabled)
    steps.finish(tenant=tenant, enabled=enabled)
