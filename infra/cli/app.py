"""The `smartlink` command: its global options, its commands, and its errors."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from infra.cli.commands import COMMANDS, GROUPS
from infra.cli.errors import CliError
from infra.cli.screen import Screen
from infra.cli.session import CURRENT, Session
from infra.console import print_any_text

_FLAGS = ("--json", "--no-color")
_VALUES = ("--project", "--environment")
_EPILOG = """\
Exit codes: 0 done · 1 it failed · 2 wrong usage · 3 not found · 4 refused or not permitted ·
130 stopped by Ctrl-C.
"""

_HELP = (
    "Run the Smart Link client: tenants, messages, configuration.\n\n"
    "Downstream is from the broker to the ERP, Upstream from the ERP to the broker. A message "
    "is live (GTotvsLinkMessage) until it has ended (GTotvsLinkMessageExec); what happened to "
    "it stands in GTotvsLinkLog. Situacao: Pendente, Executando, Aguardando, Morta.\n\n"
    "Works on the local stack if one runs (make local), else on the --project named. "
    "The global options may stand anywhere."
)


def _globals(
    context: typer.Context,
    *,
    project: Annotated[
        str | None, typer.Option(help="The Google Cloud project (else the local stack).")
    ] = None,
    environment: Annotated[
        str | None, typer.Option(help="development, staging or production.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Results as one JSON document, for programs.")
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours (there are none in a pipe anyhow).")
    ] = False,
) -> None:
    if no_color:
        os.environ["NO_COLOR"] = "1"
    context.obj = Session(project, environment, Screen(as_json))
    CURRENT[:] = [context.obj]


def built(arguments: Sequence[str]) -> typer.Typer:
    """Build the app with only the called command, if there is one: Google's clients load slowly."""
    app = typer.Typer(
        name="smartlink",
        help=_HELP,
        epilog=_EPILOG,
        callback=_globals,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    meant = _meant(arguments)
    for name in [meant] if meant else COMMANDS:
        group = app
        if name in GROUPS:
            group = typer.Typer(no_args_is_help=True, help=GROUPS[name])
            app.add_typer(group, name=name)
        for command, (module, function) in COMMANDS[name].items():
            loaded = importlib.import_module(f"infra.cli.commands.{module}")
            group.command(command)(getattr(loaded, function))
    return app


def _meant(hoisted_arguments: Sequence[str]) -> str | None:
    """Find the name of the called command or group; None if there is none of that name."""
    items = iter(hoisted_arguments)
    for item in items:
        if item in _VALUES:
            next(items, None)
        elif not item.startswith("-"):
            return item if item in COMMANDS else None
    return None


def hoisted(arguments: Sequence[str]) -> list[str]:
    """Put the global options before the command, wherever they were written."""
    front: list[str] = []
    rest: list[str] = []
    items = iter(arguments)
    for item in items:
        if item == "--":
            rest += [item, *items]
        elif item in _FLAGS or item.startswith(tuple(f"{name}=" for name in _VALUES)):
            front.append(item)
        elif item in _VALUES:
            front += [item, *([value] if (value := next(items, None)) is not None else [])]
        else:
            rest.append(item)
    return [*front, *rest]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the process with its exit code."""
    print_any_text()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        arguments = hoisted(given)
        built(arguments)(args=arguments, prog_name="smartlink")
    except CliError as error:
        _fail(error)
    except BrokenPipeError:
        # The reader of the pipe has ended (`| head`), so nobody reads any further output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        # Google's libraries take half a second to import; `--help` does not need them.
        from infra.cli.words import explained  # noqa: PLC0415

        target = CURRENT[0].__dict__.get("target") if CURRENT else None
        problem = explained(error, target)
        if problem is None:
            raise
        _fail(problem)


def _fail(error: CliError) -> None:
    screen = CURRENT[0].screen if CURRENT else Screen()
    screen.note(f"smartlink: {error}", "red")
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
