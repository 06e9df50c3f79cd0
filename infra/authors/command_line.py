"""The command line of authors, behind `make consumer`, `make schemas` and `make try`."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from infra.arguments import parsed
from infra.authors.errors import AuthorError
from infra.console import print_any_text
from infra.local.checkout import CATALOG, ROOT, STATE
from infra.local.errors import LocalStackError
from smartlink.domain.json_bytes import unmarked

FAILED = 1
_EXIT_CODES = """\
exit codes:
  0 done  1 it failed: not executed, or a contract that breaks  2 a wrong name, file or option
"""


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments ask; return the exit code."""
    print_any_text()
    asked = parsed(_parser(), arguments)
    actions = {"consumer": _consumer, "schemas": _schemas, "try": _try}
    try:
        return actions[asked.action](asked)
    except (AuthorError, LocalStackError) as error:
        sys.stderr.write(f"{asked.action}: {error}\n")
        return error.exit_code


def _consumer(asked: argparse.Namespace) -> int:
    from infra.authors.next_steps import next_steps  # noqa: PLC0415 - each action loads its own
    from infra.authors.scaffold import Wish, scaffold  # noqa: PLC0415

    wish = Wish(timeout=asked.timeout, personal=asked.personal, erp=asked.erp)
    _say(next_steps(ROOT, scaffold(ROOT, asked.command, wish)))
    return 0


def _schemas(asked: argparse.Namespace) -> int:
    from infra.authors.exporting import export  # noqa: PLC0415

    export(ROOT, asked.accept_breaking, datetime.now(UTC).date(), _say)
    return 0


def _try(asked: argparse.Namespace) -> int:
    from infra.authors.trial import Trial, attempt  # noqa: PLC0415
    from infra.authors.trial_report import report  # noqa: PLC0415

    trial = Trial(
        command=asked.command,
        content=_read(asked.file),
        catalog=CATALOG,
        folder=STATE / "try",
        erp=_read(asked.erp) if asked.erp else None,
        secrets={name: _read(file) for name, file in asked.secret},
        keep=asked.keep,
    )
    if trial.keep:
        _say(f"No time-out. What `once` remembers is kept: {trial.remembered}")
    tried = attempt(trial)
    for line in report(tried):
        _say(line)
    return 0 if tried.done else FAILED


def _read(file: str) -> bytes:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return unmarked(data)
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}. Give a file, or - for stdin."
        raise AuthorError(message) from error


def _named_file(text: str) -> tuple[str, str]:
    name, sign, file = text.partition("=")
    if not (name and sign and file):
        message = f"{text!r} is not NAME=FILE"
        raise argparse.ArgumentTypeError(message)
    return name, file


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.authors",
        description="For authors of consumers.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True)
    new = actions.add_parser("consumer", help="a new command: module, test, contract, entry")
    new.add_argument("command", metavar="COMMAND", help="such as SalaryRequestCommand")
    new.add_argument("--timeout", type=int, default=60, metavar="SECONDS", help="of one message")
    new.add_argument("--personal", action="store_true", help="the history keeps no content")
    new.add_argument("--erp", action="store_true", help="it may read the ERP's secret")
    schemas = actions.add_parser("schemas", help="bring the payloads' contracts up to date")
    schemas.add_argument(
        "--accept-breaking", metavar="REASON", help="record a change that older messages break on"
    )
    tried = actions.add_parser("try", help="run one message through the relay in this process")
    tried.add_argument("command", metavar="COMMAND", help="one of infra/catalog.json")
    tried.add_argument("file", metavar="FILE", help="the content of the message; - is stdin")
    tried.add_argument("--erp", metavar="FILE", help="the ERP's secret (else sample people)")
    tried.add_argument(
        "--secret",
        metavar="NAME=FILE",
        action="append",
        type=_named_file,
        default=[],
        help="a secret that the catalogue's entry declares",
    )
    tried.add_argument(
        "--keep",
        action="store_true",
        help="the next run knows what `once` remembers; no time-out, for a debugger",
    )
    for action in actions.choices.values():
        action.set_defaults(parser=action)
    return parser
