"""The options of the commands that act on many messages, and the function that makes a command."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from infra.cli import options as opt
from infra.cli.errors import UsageError
from infra.cli.session import Session, session_of
from infra.cli.zone import zone
from smartlink import bootstrap
from smartlink.i18n import _
from smartlink.operations.select import Filters


def _option(name: str, annotation: object, default: object = None) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _every(which: str) -> Parameter:
    help_text = f"Every {which} message of every tenant."
    return _option("every", Annotated[bool, typer.Option("--all", help=help_text)], default=False)


IDENTITY = Parameter(
    "identity",
    Parameter.POSITIONAL_OR_KEYWORD,
    default=None,
    annotation=Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One message; else say which by filters.")
    ],
)
TENANT = _option("tenant", opt.Tenant)
DIRECTION = _option("direction", opt.Direct)
COMMAND = _option("command", opt.Command)
OLDER = _option("older", opt.Older)
NEWER = _option("newer", opt.Newer)
ERROR = _option("error", opt.ErrorText)
PRINT = _option("print_code", opt.Print)
REQUEST = _option("request", opt.Request)
RECEIVED_AFTER = _option(
    "received_after",
    Annotated[
        str | None,
        typer.Option(
            "--received-after",
            help="Received since then: 2026-03-09T12:30Z (your zone where none is named), "
            "or 2h, 3d ago.",
        ),
    ],
)
FILTERS_OF_DEAD = (
    *(IDENTITY, TENANT, DIRECTION, COMMAND, OLDER, NEWER, ERROR, PRINT, REQUEST),
    _every("dead"),
)
EVERY_LIVE = _every("live")
LIMIT = _option(
    "limit",
    Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many in this run.")],
    100_000,
)
RATE = _option(
    "rate", Annotated[int, typer.Option(min=1, max=1_000, help="At most so many a second.")], 50
)
UNDONE = _option(
    "outcome_unknown",
    Annotated[
        bool,
        typer.Option(
            "--outcome-unknown",
            help="Also those that may have been done (outcome-unknown, outcome-unwritten): "
            "you found out that they were not.",
        ),
    ],
    default=False,
)
WAITING = _option(
    "waiting",
    Annotated[
        bool,
        typer.Option(
            "--waiting", help="Also those that wait for their retry (Aguardando), if they fit."
        ),
    ],
    default=False,
)
REASON = _option("reason", opt.Reason)
YES = _option("yes", opt.Yes, default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the operator wrote. If a command lacks an option, its default holds."""

    identity: str | None = None
    tenant: str | None = None
    direction: opt.Way | None = None
    command: str | None = None
    older: str | None = None
    newer: str | None = None
    error: str | None = None
    print_code: str | None = None
    request: str | None = None
    received_after: str | None = None
    every: bool
    limit: int
    rate: int
    outcome_unknown: bool = False
    waiting: bool = False
    reason: str | None
    yes: bool

    def filters(self) -> Filters:
        """Make the filters of the operator's options. Raises UsageError."""
        return Filters(
            tenant=self.tenant,
            direction=self.direction.direction if self.direction else None,
            command=self.command,
            older=opt.age(self.older),
            newer=opt.age(self.newer),
            error=self.error,
            cause=opt.cause(self.print_code),
            request=opt.request(self.request),
            received_after=_instant(self.received_after) if self.received_after else None,
        )


def command(
    act: Callable[[Session, Asked], None], text: str, *options: Parameter
) -> Callable[..., None]:
    """Make a command with these options and this help, which typer reads from the function."""

    def run(context: typer.Context, **given: Any) -> None:  # noqa: ANN401  (as the options say)
        act(session_of(context), Asked(**given))

    context = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    parameters = (context, *options)
    run.__doc__ = text
    run.__annotations__ = {it.name: it.annotation for it in parameters}
    run.__dict__["__signature__"] = Signature(parameters)
    return run


def _instant(text: str) -> datetime:
    """Read an instant, or a time span before now. Raises UsageError."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            return bootstrap.now() - opt.span(text)
        except UsageError:
            message = _(
                "{text!r} is no instant: write 2026-03-09T12:30Z, or 2h for two hours ago",
                text=text,
            )
            raise UsageError(message) from None
    return at if at.tzinfo else at.replace(tzinfo=zone()).astimezone(UTC)
