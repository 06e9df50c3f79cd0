"""`smartlink accept`: asks Google whether what this project assumes about it holds."""

import json
import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from google.auth.exceptions import GoogleAuthError
from rich.console import Console

from infra.acceptance.assumptions import every_probe
from infra.acceptance.calls import Calls, EmulatorCalls, GoogleCalls
from infra.acceptance.flow.applied import AppliedStage
from infra.acceptance.flow.running import send_hundred
from infra.acceptance.place import Place
from infra.acceptance.probe import Probe, Result, Verdict
from infra.acceptance.report import Report
from infra.acceptance.running import ask_all
from infra.cli.errors import CliError, ForbiddenError, StoppedError, UsageError, os_words
from infra.cli.interrupt import interrupted
from infra.cli.screen import Screen, folds
from infra.cli.session import Session, session_of
from infra.cli.words import LOG_IN
from infra.deploy import target as deploy
from infra.deploy.cloud import GoogleCloud
from infra.deploy.deployment import Deployment
from infra.deploy.errors import NotReadyError
from infra.deploy.terraform import Terraform
from infra.local.checkout import CATALOG
from smartlink.domain.tenant import ACCEPTANCE_TENANT
from smartlink.i18n import _, data
from smartlink.operations.acts import Act
from smartlink.operator_wiring import OperatorWiring

FLOW = "flow-"

_VERDICTS = {
    Verdict.HOLDS: _("holds"),
    Verdict.FAILS: _("does not hold"),
    Verdict.UNKNOWN: _("not known here"),
}
_MARKS = {
    Verdict.HOLDS: ("✓", "green"),
    Verdict.FAILS: ("✗", "red"),
    Verdict.UNKNOWN: ("?", "yellow"),
}


def accept(
    context: typer.Context,
    *,
    of: Annotated[
        str | None,
        typer.Option(
            "--of",
            metavar="ENVIRONMENT",
            help="The deployment of terraform/environments/ENVIRONMENT.tfvars (make accept ENV=…).",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the report there, as Markdown and JSON.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Only the probes whose names begin so: firestore, pubsub-…")
    ] = None,
    messages: Annotated[
        bool,
        typer.Option(
            "--messages/--no-messages",
            help="With --of: send a hundred messages through the deployment, too.",
        ),
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", help="Apply the simulator without asking.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Ask in production, too.")] = False,
) -> None:
    """Ask Google whether each assumption of this project holds; on the local stack, its emulators.

    With --of ENVIRONMENT (make accept) a hundred messages of every kind go through the deployment:
    Terraform applies it with a simulator of Smart Link and RAC, which the tenant
    smartlink-acceptance alone has; at the end it applies it without. Every other tenant keeps its
    hosts. Never in production.

    Each probe says what it expected and what it saw: holds, does not hold, or not known here. What
    the probes make (documents of a tenant of their own, topics, secrets, objects) is removed at the
    end, also after a failure or Ctrl-C. The exit code is 1 if one does not hold, or something could
    not be removed; what is not known is counted, and is no failure.
    """
    session = session_of(context)
    chosen = _choose(session, of) if of is not None else None
    screen, target = session.screen, session.target
    if target.environment == "production" and not force:
        message = _(
            "{title}: the probes write documents, topics, secrets and objects of their own "
            "there. Ask in development or staging, or add --force.",
            title=target.title,
        )
        raise ForbiddenError(message)
    probes = _chosen(only)
    place = _place(session)
    sends = messages and any(it.name.startswith(FLOW) for it in probes)
    stage = None
    if chosen is not None and sends and target.environment != "production":
        stage = _stage(session, place, chosen, sure=yes)
    screen.note(
        _(
            "{count} probes on {title}, run {run}; this takes minutes.",
            count=len(probes),
            title=target.title,
            run=place.run,
        )
    )
    with interrupted() as stop, _ended_gently():
        told = ask_all(
            place,
            target.title,
            probes,
            lambda it: _tell(screen, it),
            stop.is_set,
            lambda: _send(session, place, stage, stop.is_set),
        )
    _show(screen, told, report)
    if told.not_asked:
        message = _("Stopped: {summary}", summary=told.summary)
        raise StoppedError(message)
    if not told.accepted:
        raise CliError(data(told.summary))


@contextmanager
def _ended_gently() -> Iterator[None]:
    """Turn the signal by which a CI ends a command into an interruption, so that all is removed."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stage(session: Session, place: Place, target: deploy.Target, *, sure: bool) -> AppliedStage:
    """Prepare what applies Terraform. Raises UsageError if it cannot be run from here."""
    console = Console(stderr=True, highlight=False, markup=False)
    try:
        program = os.environ.get("TERRAFORM") or "terraform"
        terraform = Terraform(program, target.folder, os.environ, aside=True)
        cloud = GoogleCloud()
    except NotReadyError as error:
        raise UsageError(data(" ".join(error.problems))) from None

    def operate(url: str) -> OperatorWiring:
        """Lead this process's own first poll of the tenant there, too."""
        os.environ["SMARTLINK_ACCEPTANCE_URL"] = url
        variables = {**session.target.variables, "SMARTLINK_ACCEPTANCE_URL": url}
        return replace(session.deployment, variables=variables)

    deployment = Deployment(target, terraform, cloud, os.environ, console, console.input)
    return AppliedStage(place, deployment, operate, sure)


def _send(
    session: Session, place: Place, stage: AppliedStage | None, stopped: Callable[[], bool]
) -> None:
    """Send the hundred messages, on record, if there is a stage for them."""
    if stage is None:
        return
    with session.recorded(
        Act.ACTIVATE,
        target=ACCEPTANCE_TENANT,
        tenant=ACCEPTANCE_TENANT,
        reason=f"acceptance {place.run}",
    ):
        send_hundred(place, stage, lambda it: session.screen.note(data(it)), stopped)


def _choose(session: Session, environment: str) -> deploy.Target:
    """Take the project from the environment's tfvars, as `make deploy` does."""
    if session.environment not in (None, environment):
        message = _(
            "--of {environment} and --environment {other} differ",
            environment=environment,
            other=session.environment,
        )
        raise UsageError(message)
    try:
        found = deploy.load_target(environment, session.project)
    except NotReadyError as error:
        raise UsageError(data(" ".join(error.problems))) from None
    session.project, session.environment = found.project, environment
    return found


def _chosen(only: str | None) -> list[Probe]:
    probes = [probe for probe in every_probe() if probe.name.startswith(only or "")]
    if not probes:
        services = sorted({probe.name.partition("-")[0] for probe in every_probe()})
        message = _(
            "no probe's name begins with {only!r}: they begin with {services}",
            only=only,
            services=", ".join(services),
        )
        raise UsageError(message)
    return probes


def _place(session: Session) -> Place:
    settings = session.deployment.settings
    calls: Calls
    if session.target.local:
        calls = EmulatorCalls(settings)
    else:
        try:
            calls = GoogleCalls()
        except GoogleAuthError:
            message = _("There are no Google Cloud credentials: {how}.", how=LOG_IN)
            raise ForbiddenError(message) from None
    indexes = json.loads(CATALOG.with_name("firestore.json").read_bytes())
    local = session.target.local
    return Place(settings, calls, local=local, run=uuid.uuid4().hex[:12], indexes=indexes)


def _tell(screen: Screen, result: Result) -> None:
    mark, style = _MARKS[result.verdict]
    screen.note(data(f"{mark} {result.probe.name}: {result.seen}"), style)


def _show(screen: Screen, told: Report, folder: Path | None) -> None:
    if folder is not None:
        try:
            paths = told.write(folder)
        except OSError as error:
            message = _(
                "the report cannot be written to {folder}: {problem}",
                folder=folder,
                problem=os_words(error),
            )
            raise CliError(message) from None
        screen.note(_("Report: {paths} and {name}", paths=paths[0], name=paths[1].name))
    if screen.as_json:
        screen.json(told.document())
        return
    order = (Verdict.HOLDS, Verdict.UNKNOWN, Verdict.FAILS)
    rows = sorted(told.results, key=lambda it: order.index(it.verdict))
    screen.table(
        (_("Probe"), _("Verdict"), folds(_("Expected")), folds(_("Seen"))),
        ((it.probe.name, _VERDICTS[it.verdict], it.probe.expected, it.seen) for it in rows),
    )
    for result in told.results:
        if result.verdict is Verdict.FAILS:
            screen.say(
                _("{name} does not hold. What depends on it:", name=result.probe.name), "red"
            )
            screen.say(data(f"  {result.probe.relied}"))
    for item in told.left:
        screen.say(_("Left behind, remove it by hand: {item}", item=item), "red")
    screen.say(data(told.summary))
