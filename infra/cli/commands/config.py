"""`smartlink config show|check|sample|push|rollback`: totvsAppConfig_v2.json."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import UsageError, os_words
from infra.cli.schedule import show_schedule
from infra.cli.screen import Screen
from infra.cli.session import Session, session_of
from infra.cli.target import CHECKOUT
from smartlink.domain.retry import RetryPolicy
from smartlink.i18n import _, data
from smartlink.operations.acts import Act
from smartlink.operations.configuration import SAMPLE, Proposal, earlier, look, propose, write
from smartlink.operations.errors import InvalidError
from smartlink.operations.retries import check as check_config
from smartlink.operations.views import iso, schedule_view
from smartlink.settings import Settings, load_settings

_File = Annotated[str, typer.Argument(metavar="FILE", help="A totvsAppConfig_v2.json.")]
_Generation = Annotated[
    str | None,
    typer.Option("--generation", help="The generation you looked at: refused if it has changed."),
]


def show(context: typer.Context) -> None:
    """Show the file in the bucket, what is in force, and the retry schedule that it means."""
    session = session_of(context)
    deployment, screen = session.deployment, session.screen
    found = look(deployment)
    current, good = found.current, found.last_good
    if screen.as_json:
        screen.json(
            {
                "uri": deployment.settings.config_uri,
                "generation": current.generation if current else None,
                "problem": found.problem,
                "lastGood": good.generation if good else None,
                "generations": [
                    {"generation": it.number, "written": iso(it.written), "current": it.current}
                    for it in deployment.config.generations()
                ],
                "inForce": schedule_view(found.policy),
            }
        )
        return
    screen.facts(
        (
            (_("File"), deployment.settings.config_uri),
            (_("Generation"), current.generation if current else _("(missing)")),
            (_("Problem"), found.problem),
            (_("Last good kept"), good.generation if good else None),
            (_("In force"), found.policy.generation),
        )
    )
    show_schedule(screen, found.policy)


def check(context: typer.Context, file: _File) -> None:
    """Check a file, and print the retry schedule that it means."""
    session = session_of(context)
    policy = check_config(_read(file), "checked", _settings(session))
    if session.screen.as_json:
        session.screen.json(schedule_view(policy))
        return
    show_schedule(session.screen, policy)


def sample(context: typer.Context) -> None:
    """Print a file to start from: smartlink config sample > totvsAppConfig_v2.json."""
    del context  # it needs no place
    sys.stdout.write(SAMPLE)


def _settings(session: Session) -> Settings:
    """Return the deployment's settings; the defaults if none is found, as a check needs none."""
    try:
        return session.deployment.settings
    except (UsageError, InvalidError):
        if session.project or session.environment:
            raise
        return load_settings(CHECKOUT)


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        message = _("{file} cannot be read: {problem}", file=file, problem=os_words(error))
        raise UsageError(message) from None


def push(
    context: typer.Context,
    file: _File,
    *,
    generation: _Generation = None,
    reason: opt.Why = None,
    yes: opt.Yes = False,
) -> None:
    """Check a file, show the difference, and upload it. The next poll reads it."""
    session = session_of(context)
    _replace(session, _read(file), generation, (Act.PUSH_CONFIG, reason), yes=yes)


def rollback(
    context: typer.Context,
    *,
    to: Annotated[
        str | None,
        typer.Option("--to", help="A generation (else the one before, or the last good)."),
    ] = None,
    generation: _Generation = None,
    reason: opt.Why = None,
    yes: opt.Yes = False,
) -> None:
    """Make an earlier generation the current one again, as a new generation."""
    session = session_of(context)
    file = earlier(session.deployment, to)
    session.screen.note(_("Back to generation {generation}.", generation=file.generation))
    _replace(session, file.data, generation, (Act.ROLL_CONFIG_BACK, reason), yes=yes)


def _replace(
    session: Session,
    data: bytes,
    generation: str | None,
    act: tuple[Act, str | None],
    *,
    yes: bool,
) -> None:
    screen = session.screen
    proposal = propose(session.deployment, data, generation)
    if not yes or not proposal.difference:
        _show(screen, proposal, written=False)
        if proposal.difference:
            screen.say(_("Dry run, nothing was changed. Add --yes to do it."))
        return
    deployment = session.deployment
    before = {"generation": proposal.replaces or "none", **_policy(deployment.policy)}
    with session.recorded(
        act[0], target=deployment.settings.config_uri, reason=act[1], before=before
    ) as record:
        write(deployment, proposal)
        current = deployment.config.current()
        now = current.generation if current else None
        record.after = {"generation": now, **_policy(proposal.policy)}
    _show(screen, proposal, written=True)
    screen.say(_("Written. The next poll reads it; messages keep the delay they wait for now."))


def _policy(policy: RetryPolicy) -> dict[str, object]:
    return {
        "QtdeTentativasExec": policy.attempts,
        "FatorTempoExecucao": policy.factor,
        "MinutesInterval": policy.interval,
    }


def _show(screen: Screen, proposal: Proposal, *, written: bool) -> None:
    changes = list(proposal.difference)
    if screen.as_json:
        view = schedule_view(proposal.policy)
        screen.json({"written": written, "difference": changes, "schedule": view})
        return
    if not changes:
        screen.say(_("No difference: nothing to do."))
    for line in changes:
        screen.say(data(line), {"+": "green", "-": "red"}.get(line[:1]))
