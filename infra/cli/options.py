"""The options that several commands share; their help explains RM's terms."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from infra.cli.errors import MissingError, UsageError
from smartlink.domain.identity import Direction
from smartlink.domain.message import Ending, State
from smartlink.i18n import _
from smartlink.operations.causes import CODE
from smartlink.operations.names import did_you_mean
from smartlink.operations.select import LOOKED_AT

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


def situation(text: str | None) -> State | Ending | None:
    """Read a `Situacao`, in any casing. Raises MissingError."""
    if text is None:
        return None
    every: dict[str, State | Ending] = {it.value.casefold(): it for it in (*State, *Ending)}
    found = every.get(text.strip().casefold())
    if found is None:
        names = [it.value for it in every.values()]
        hint = did_you_mean(text, names) or _(": they are {names}", names=", ".join(names))
        message = _("There is no Situacao {text!r}{hint}", text=text, hint=hint)
        raise MissingError(message)
    return found


def cause(text: str | None) -> str | None:
    """Read a fingerprint's code. Raises UsageError."""
    if text is None:
        return None
    code = text.strip().lower()
    if CODE.fullmatch(code) is None:
        message = _(
            "{text!r} is no fingerprint: they have eight digits of 0-9 and a-f, as in 00dfdf50",
            text=text,
        )
        raise UsageError(message)
    return code


def span(text: str) -> timedelta:
    """Read `90s`, `15m`, `2h`, `7d` or `1w`. Raises UsageError."""
    match = _SPAN.fullmatch(text.strip())
    if match is None or len(match[1]) > 6:  # noqa: PLR2004  (more than any history)
        message = _(
            "{text!r} is no age: write a number and s, m, h, d or w, as in 90m or 2d", text=text
        )
        raise UsageError(message)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def request(text: str | None) -> str | None:
    """Read a request id: it is kept without the blanks around it. Raises UsageError."""
    if text is not None and not text.strip():
        message = _("--request needs an id")
        raise UsageError(message)
    return text.strip() if text else None


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
    str | None,
    typer.Option(
        "--state",
        "-s",
        metavar="SITUACAO",
        help="Situacao. Pendente: dispatched, or to be. Executando: claimed by a consumer. "
        "Aguardando: failed, waits for its retry. Morta: dead, waits for an operator. "
        "With --history: Concluida, Descartada.",
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
Print = Annotated[
    str | None,
    typer.Option(
        "--print",
        "-p",
        metavar="CODE",
        help="The cause: the Print of an error, as stats and messages list show it.",
    ),
]
Request = Annotated[
    str | None,
    typer.Option(
        "--request",
        metavar="ID",
        help="The id by which its sender knows the request, exactly (SolicitacaoId): TPD's "
        "requestID. Messages of older releases have none.",
    ),
]
Every = Annotated[
    bool,
    typer.Option(
        "--all",
        help=f"Look at all messages, not at {LOOKED_AT:,} of each tenant: it costs a read each.",
    ),
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without it: a dry run, nothing changes.")]
Reason = Annotated[
    str | None,
    typer.Option("--reason", "-r", help="Why: it is kept in GTotvsLinkLog with your name."),
]
Why = Annotated[
    str | None,
    typer.Option(
        "--reason",
        "-r",
        help="Why: it is kept with your name (audit). At a terminal it is asked for.",
    ),
]
OneTenant = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's name here.")]
