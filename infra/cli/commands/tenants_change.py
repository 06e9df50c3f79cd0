"""`smartlink tenants activate|rotate|adopt|disable|enable`, as RM's "Ativação Totvs Apps"."""

from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.erp_check import check_erp
from infra.cli.errors import UsageError
from infra.cli.login import read_credentials
from infra.cli.session import session_of
from infra.cli.steps import Steps
from smartlink.i18n import _
from smartlink.operations import activation
from smartlink.operations.acts import Act
from smartlink.operations.audit import tenant_facts
from smartlink.operations.credentials import parse
from smartlink.operations.errors import SetupError
from smartlink.operations.names import existing_tenant

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
    reason: opt.Why = None,
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
        with session.recorded(Act.ACTIVATE, target=tenant, tenant=tenant, reason=reason) as record:
            named = activation.activate(
                deployment, tenant, credentials, region, steps.tell, checking
            )
            record.after = tenant_facts(deployment, tenant)
    except SetupError as error:
        if isinstance(error.__cause__, KeyboardInterrupt) and error.kept is None:
            raise error.__cause__ from None
        raise
    steps.finish(tenant=tenant, tenantId=named)


def rotate(
    context: typer.Context, tenant: opt.OneTenant, *, source: _File = None, reason: opt.Why = None
) -> None:
    """Give a tenant new credentials: RAC verifies them before the old ones are disabled."""
    session = session_of(context)
    deployment, steps = session.deployment, Steps(session.screen)
    activation.check_active(deployment, tenant)
    credentials = parse(read_credentials(source), deployment)
    before = tenant_facts(deployment, tenant)
    with session.recorded(
        Act.ROTATE, target=tenant, tenant=tenant, reason=reason, before=before
    ) as record:
        named = activation.rotate(deployment, tenant, credentials, steps.tell)
        record.after = tenant_facts(deployment, tenant)
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
    existing_tenant(session.deployment, tenant)
    if not reason.strip():
        message = _("--reason is empty: say how you know that it is the same customer.")
        raise UsageError(message)
    deployment = session.deployment
    before = tenant_facts(deployment, tenant)
    with session.recorded(
        Act.ADOPT, target=tenant, tenant=tenant, reason=reason, before=before
    ) as record:
        told = activation.adopt(deployment, tenant, session.who, reason, steps.tell)
        record.after = tenant_facts(deployment, tenant)
    steps.finish(tenant=tenant, adopted=told)


def disable(context: typer.Context, tenant: opt.OneTenant, *, reason: opt.Why = None) -> None:
    """Disable a tenant: nothing is received, sent or swept; its documents wait."""
    _switch(context, tenant, reason, enabled=False)


def enable(context: typer.Context, tenant: opt.OneTenant, *, reason: opt.Why = None) -> None:
    """Enable a tenant again; a pause after failures ends too, at the next tick."""
    _switch(context, tenant, reason, enabled=True)


def pause(
    context: typer.Context,
    tenant: opt.OneTenant,
    span: Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 3d; at most 7d.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
) -> None:
    """Leave a tenant's broker alone for a while. Its due messages run on; enable ends the pause."""
    session = session_of(context)
    deployment, steps = session.deployment, Steps(session.screen)
    activation.check_active(deployment, tenant)
    how_long = opt.span(span)
    before = tenant_facts(deployment, tenant)
    with session.recorded(
        Act.PAUSE, target=tenant, tenant=tenant, reason=reason, before=before
    ) as record:
        told = (session.who, reason)
        activation.pause(deployment, tenant, how_long, told, steps.tell)
        record.after = tenant_facts(deployment, tenant)
    steps.finish(tenant=tenant)


def _switch(context: typer.Context, tenant: str, reason: str | None, *, enabled: bool) -> None:
    session = session_of(context)
    deployment, steps = session.deployment, Steps(session.screen)
    activation.check_active(deployment, tenant)
    act = Act.ENABLE if enabled else Act.DISABLE
    before = tenant_facts(deployment, tenant)
    with session.recorded(
        act, target=tenant, tenant=tenant, reason=reason, before=before
    ) as record:
        activation.switch(deployment, tenant, steps.tell, enabled=enabled)
        record.after = tenant_facts(deployment, tenant)
    steps.finish(tenant=tenant, enabled=enabled)
