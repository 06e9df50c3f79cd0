"""The `smartlink` command: its global options, its commands, and its errors."""

import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from infra.cli import help as own_help
from infra.cli.commands import COMMANDS, GROUPS
from infra.cli.errors import CliError, StoppedError, UsageError
from infra.cli.misuse import misuse
from infra.cli.screen import Screen
from infra.cli.session import CURRENT, Session
from infra.console import print_any_text
from smartlink.i18n import Language, _, chosen, data, speak, told

_FLAGS = ("--json", "--no-color")
_VALUES = ("--project", "--environment", "--lang")
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
    lang: Annotated[
        str | None,
        typer.Option(help="The language: pt-BR or en (else SMARTLINK_LANG, LC_ALL, LANG)."),
    ] = None,
) -> None:
    del lang  # it is read before the help is made
    if no_color:
        os.environ["NO_COLOR"] = "1"
    context.obj = Session(project, environment, Screen(as_json))
    CURRENT[:] = [context.obj]


def built(arguments: Sequence[str]) -> Any:  # noqa: ANN401  (typer's commands have no public type)
    """Build the app with only the called command, if there is one: Google's clients load slowly."""
    app = typer.Typer(
        name="smartlink",
        cls=own_help.Group,
        help=_HELP,
        epilog=_EPILOG,
        callback=_globals,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": own_help.OPTION_NAMES},
    )
    meant = _meant(arguments)
    for name in [meant] if meant else COMMANDS:
        group = app
        if name in GROUPS:
            group = typer.Typer(cls=own_help.Group, no_args_is_help=True, help=GROUPS[name])
            app.add_typer(group, name=name)
        for command, (module, function) in COMMANDS[name].items():
            loaded = importlib.import_module(f"infra.cli.commands.{module}")
            group.command(command, cls=own_help.Command)(getattr(loaded, function))
    return typer.main.get_command(app)


def help_texts() -> Iterator[str]:
    """List the help of every command, untranslated."""
    return own_help.texts(built([]))


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
        speak(_language(arguments))
        _run(arguments)
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


def _run(arguments: Sequence[str]) -> None:
    """Run the command. Raises UsageError, and what the command raises."""
    command = built(arguments)
    own_help.translate(command)
    try:
        ended = command.main(args=list(arguments), prog_name="smartlink", standalone_mode=False)
    except TyperException as error:
        sys.exit(misuse(error, _screen()))
    except typer.Abort:
        raise StoppedError(_("Aborted.")) from None
    sys.exit(ended or 0)


def _language(arguments: Sequence[str]) -> Language:
    """Read `--lang`, which the help needs before typer reads the options. Raises UsageError."""
    asked: str | None = None
    for item, following in zip(arguments, [*arguments[1:], None], strict=True):
        if item == "--":
            break
        if item == "--lang":
            asked = following
        elif item.startswith("--lang="):
            asked = item.partition("=")[2]
    found = chosen(asked, os.environ)
    if found is None:
        speak(chosen(None, os.environ) or Language.ENGLISH)
        raise UsageError(_("--lang {asked}: the languages are pt-BR and en", asked=asked))
    return found


def _screen() -> Screen:
    return CURRENT[0].screen if CURRENT else Screen()


def _fail(error: CliError) -> None:
    _screen().note(data(f"smartlink: {told(error)}"), "red")
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
