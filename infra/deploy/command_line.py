"""The command line of `make plan`, `make deploy` and `make destroy`."""

import argparse
from collections.abc import Mapping, Sequence

from rich.console import Console

from infra.arguments import parsed
from infra.console import print_any_text
from infra.deploy.cloud import GoogleCloud
from infra.deploy.deployment import Deployment
from infra.deploy.errors import DeployError
from infra.deploy.target import load_target
from infra.deploy.terraform import Terraform


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the arguments ask; return the exit code."""
    print_any_text()
    asked = parsed(_parser(), arguments)
    console = Console(highlight=False, markup=False)
    try:
        target = load_target(asked.environment, asked.project or None)
        terraform = Terraform(environ.get("TERRAFORM") or "terraform", target.folder, environ)
        deployment = Deployment(target, terraform, GoogleCloud(), environ, console, console.input)
        match asked.command:
            case "plan":
                deployment.plan()
            case "deploy":
                deployment.deploy(sure=asked.yes, retire=asked.retire)
            case _:
                deployment.destroy(sure=asked.sure or None)
    except DeployError as error:
        console.print(str(error), soft_wrap=True)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("plan", "show what a deployment would change"),
        ("deploy", "deploy, after showing the plan"),
        ("destroy", "remove everything"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(parser=command)
        command.add_argument("environment", help="development, staging or production")
        command.add_argument("--project", help="another project than the tfvars'")
        if name == "deploy":
            command.add_argument("--yes", action="store_true", help="do not ask")
            command.add_argument(
                "--retire",
                action="store_true",
                help="delete the topics of commands that left the catalogue",
            )
        if name == "destroy":
            command.add_argument("--sure", metavar="PROJECT", help="do not ask")
    return parser
