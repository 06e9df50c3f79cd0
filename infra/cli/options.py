"""The options that several commands share; their help explains RM's terms."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from infra.cli.errors import UsageError
from smartlink.domain.identity import Direction
from smartlink.domain.message import State

_SPAN = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Way(StrEnum):
    """`Direcao` as an option."""

    DOWN = "downstream"
    UP = "upstream"

    @property
    def direction(self) -> Direction:
        """The relay's name for it."""
        return Direction.DOWNSTREAM if self is Way.DOWN else Direction.UPSTREAM


class Situation(StrEnum):
    """`Situacao` of a live message as an option."""

    PENDING = "pendente"
    RUNNING = "executando"
    WAITING = "aguardando"
    DEAD = "morta"

    @property
    def state(self) -> State:
        """The relay's name for it."""
        return State(self.value.capitalize())


def span(text: str) -> timedelta:
    """Read `90s`, `15m`, `2h`, `7d` or `1w`. Raises UsageError."""
    match = _SPAN.fullmatch(text.strip())
    if match is None or len(match[1]) > 6:  # noqa: PLR2004  (more than any history)
        message = f"{text!r} is no age: write a number and s, m, h, d or w, as in 90m or 2d"
        raise UsageError(message)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def age(text: str | None) -> timedelta | None:
    """Read a time span; None if none is given. Raises UsageError."""
    return span(text) if text else None


Tenant = Annotated[
    str | None, typer.Option("--tenant", "-t", help="One tenant only (else all of them).")
]
Direct = Annotated[
    Way | None,
    typer.Option(
        "--direction",
        "-d",
        case_sensitive=False,
        help="Downstream: from the broker to the ERP. Upstream: from the ERP to the broker.",
    ),
]
Command = Annotated[
    str | None,
    typer.Option("--command", "-c", help="Comando: the message's type, such as SGDPDataCommand."),
]
InState = Annotated[
    Situation | None,
    typer.Option(
        "--state",
        "-s",
        case_sensitive=False,
        help="Situacao. Pendente: dispatched, or to be. Executando: claimed by a consumer. "
        "Aguardando: failed, waits for its retry. Morta: dead, waits for an operator.",
    ),
]
Older = Annotated[
    str | None,
    typer.Option(
        "--older",
        help="Nothing happened to it for this long: 90m, 2h, 3d (last attempt, or reception).",
    ),
]
Newer = Annotated[
    str | None, typer.Option("--newer", help="Something happened to it within this time: 90m, 1d.")
]
ErrorText = Annotated[
    str | None, typer.Option("--error", "-e", help="UltimoErro contains this text (any case).")
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without it: a dry run, nothing changes.")]
Reason = Annotated[
    str | None,
    typer.Option("--reason", "-r", help="Why: it is kept in GTotvsLinkLog with your name."),
]
OneTenant = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's name here.")]
