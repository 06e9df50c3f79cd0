"""Options of the commands that work on an ERP's database."""

from dataclasses import dataclass
from typing import Annotated

import typer

TenantOption = Annotated[
    str | None,
    typer.Option("--tenant", "-t", help="Take the database and the map of this tenant's secret."),
]
SecretFile = Annotated[
    str | None,
    typer.Option("--secret-file", help="The ERP secret's JSON as a file, or - for stdin."),
]
UrlEnv = Annotated[
    str | None,
    typer.Option("--url-env", metavar="NAME", help="Environment variable with the database's URL."),
]
UrlFile = Annotated[
    str | None,
    typer.Option("--url-file", help="File that holds the database's URL, or - for stdin."),
]
Unproven = Annotated[
    bool,
    typer.Option("--unproven", help="Also a database on which the tests run nothing."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpOptions:
    """What the operator wrote; one of them says which database."""

    tenant: str | None
    secret_file: str | None
    url_env: str | None
    url_file: str | None
    unproven: bool
