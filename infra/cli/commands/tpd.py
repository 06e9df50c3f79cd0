"""`smartlink tpd check|draft|trace`: a personal data map, before a person's request needs it."""

from typing import Annotated

import typer

from infra.cli import erp_options as erp
from infra.cli.session import session_of

# What they do needs SQLAlchemy, which takes a while to import: `--help` goes without.

_Sample = Annotated[
    int,
    typer.Option("--sample", min=0, max=100_000, help="Rows of each table to look at; 0: none."),
]


def check_map(
    context: typer.Context,
    data_map: Annotated[
        str | None,
        typer.Argument(metavar="[MAP]", help="A map's file, or a deployed map's name."),
    ] = None,
    *,
    tenant: erp.TenantOption = None,
    secret_file: erp.SecretFile = None,
    url_env: erp.UrlEnv = None,
    url_file: erp.UrlFile = None,
    sample: _Sample = 1_000,
    strict: Annotated[
        bool, typer.Option("--strict", help="A warning fails the check as well.")
    ] = False,
    unproven: erp.Unproven = False,
) -> None:
    """Check a map on its database: errors, stored forms, what it leaves out, copies, rights.

    It writes nothing, and no value of the database is in its output. Exit code 0: no fault; 1: at
    least one, or the database cannot be read; 2: wrong usage; 4: a database without proof.
    """
    options = erp.ErpOptions(
        tenant=tenant,
        secret_file=secret_file,
        url_env=url_env,
        url_file=url_file,
        unproven=unproven,
    )
    from infra.cli import tpd  # noqa: PLC0415

    tpd.check_map(session_of(context), options, data_map, sample, strict=strict)


def draft_map(
    context: typer.Context,
    *,
    tenant: erp.TenantOption = None,
    secret_file: erp.SecretFile = None,
    url_env: erp.UrlEnv = None,
    url_file: erp.UrlFile = None,
    sample: _Sample = 300,
    unproven: erp.Unproven = False,
) -> None:
    """Write a first map of a database to stdout, for a person to finish.

    Each question is a line "decide"; a map that has one left is refused.
    """
    options = erp.ErpOptions(
        tenant=tenant,
        secret_file=secret_file,
        url_env=url_env,
        url_file=url_file,
        unproven=unproven,
    )
    from infra.cli import tpd  # noqa: PLC0415

    tpd.draft_map(session_of(context), options, sample)


def trace_person(
    context: typer.Context,
    *,
    values: Annotated[
        str, typer.Option("--values", help="File of the person's values, one a line; - is stdin.")
    ] = "-",
    tenant: erp.TenantOption = None,
    secret_file: erp.SecretFile = None,
    url_env: erp.UrlEnv = None,
    url_file: erp.UrlFile = None,
    unproven: erp.Unproven = False,
) -> None:
    """Search a whole database for a person's values: name, CPF, e-mail, phone.

    Tells table, column and count, never a value. Reads every row: it takes as long as it takes.
    Exit code 1: something is found, or a table cannot be read.
    """
    options = erp.ErpOptions(
        tenant=tenant,
        secret_file=secret_file,
        url_env=url_env,
        url_file=url_file,
        unproven=unproven,
    )
    from infra.cli import tpd  # noqa: PLC0415

    tpd.trace_person(session_of(context), options, values)
