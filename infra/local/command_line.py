"""The command line of the local stack, and its exit codes (they are in `errors`)."""

import argparse
from collections.abc import Mapping, Sequence

from rich.console import Console

from infra.arguments import parsed
from infra.console import print_any_text
from infra.local.demo.run import TIME_LIMIT_SECONDS, Options, demo
from infra.local.errors import LocalStackError
from infra.local.settings import LocalSettings, load_settings
from infra.local.signals import Terminated, ending_signals_raise
from infra.local.up import up

INTERRUPTED = 130
TERMINATED = 143

_ENVIRONMENT = """\
environment:
  SMARTLINK_LOCAL_TENANTS       file of tenants (infra/local/tenants.json)
  SMARTLINK_LOCAL_TICK_SECONDS  seconds between two calls of poll (up 60, demo 1)
  SMARTLINK_LOCAL_PORTS         ports of your choice: poll=8081,publish=8082
  SMARTLINK_LOCAL_DIR           folder of logs, databases and stack.json (.local)
  SMARTLINK_LOCAL_KEEP          1: the next stack goes on with this one's state (up only)
  SMARTLINK_LOCAL_EMULATORS     auto, or none: the demo then runs in one process
  SMARTLINK_BASE_URL            a Smart Link Server of your own, with
  SMARTLINK_RAC_TOKEN_URL       its RAC: no simulator is started then
  FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST
                                emulators that run already
exit codes:
  0 all is well  1 a failure  2 a wrong setting or argument  3 a missing part
  130 stopped by Ctrl-C  143 stopped by SIGTERM
"""


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the arguments ask; return the exit code."""
    print_any_text()
    asked = parsed(_parser(), arguments)
    progress = Console(stderr=True)
    try:
        with ending_signals_raise():
            return _do(asked, load_settings(environ))
    except LocalStackError as error:
        progress.print(f"[red]{asked.command}:[/red] ", end="")
        progress.print(str(error), markup=False, soft_wrap=True, highlight=False)
        return error.exit_code
    except KeyboardInterrupt:
        # Ctrl-C is the normal way to end `up`.
        return 0 if asked.command == "up" else INTERRUPTED
    except Terminated:
        return TERMINATED


def _do(asked: argparse.Namespace, settings: LocalSettings) -> int:
    if asked.command == "demo":
        return demo(settings, Options(as_json=asked.json, keep=asked.keep, seconds=asked.timeout))
    up(settings, Console())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local",
        description="The relay on this machine, on emulators.",
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="keep the stack up until Ctrl-C (make local)")
    shown = commands.add_parser("demo", help="sixty TPD requests there and back (make demo)")
    shown.add_argument("--json", action="store_true", help="print one JSON object, nothing else")
    shown.add_argument("--keep", action="store_true", help="leave the stack up until Ctrl-C")
    shown.add_argument(
        "--timeout",
        type=float,
        default=TIME_LIMIT_SECONDS,
        metavar="SECONDS",
        help="how long the requests may take (%(default)g)",
    )
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser
